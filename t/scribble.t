#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Somebody's stray pointer writes over the shared memory of the queue: the
# counters may lie and records may be lost, but each request is answered, no
# worker dies or hangs, and the next configuration serves as well.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

no warnings 'portable';

my $HEADER = 16;                # magic, sizes: see snx_shm.h

# what is written over, from and to (parts of all), and how often; the header
# ends where the queue begins

my @cases = (
    [ 'records of the queue', 'queue', 0.02, 1, 300 ],
    [ 'the queue', 'queue', 0, 1, 3000 ],
    [ 'lease, gate and projects', 'header', 0, 0.4, 600 ],
    [ 'projects', 'header', 0.1, 0.9, 3000 ],
    [ 'notes', 'header', 0.85, 1, 600 ],
    [ 'all of the header', 'header', 0, 1, 0 ],
    [ 'all of the queue', 'queue', 0, 1, 0 ],
);

my %fill = (noise => undef, ones => "\xff", zeros => "\0");

my $t = NginxTest->new()->plan(6 * (2 * @cases + 2));
my $magic = magic();

srand 42;

$t->sentry()->conf(
    main     => 'worker_processes 2;',
    http     => "sentry_queue 512k;\nsentry_shutdown_timeout 1s;\n"
                . 'sentry_event_limit 600r/m burst=50;',
    location => [ '/boom/ { return 503; }', '/traced/ {'
                  . ' sentry_traces_sample_rate 1; return 200; }' ],
);

for my $case (@cases) {
    for my $how (sort keys %fill) {
        next if $how eq 'zeros' && $case->[4];
        check("$case->[0], $how", $fill{$how}, @$case[1 .. 4]);
    }
}

# what was written over tells what it is worth, in JSON all the same

$t->{sentry}->violations();
$t->{sentry}{wrong} = [ grep { /JSON|UTF-8/ } @{$t->{sentry}{wrong}} ];


sub check {
    my ($name, $byte, $what, $from, $to, $n) = @_;

    $t->run();
    requests();

    my @workers = $t->worker_pids();
    my @area = area();

    for (1 .. 2) {
        scribble($byte, $area[0] + ($what eq 'queue' ? $area[1] : $HEADER),
                 $what eq 'queue' ? $area[2] - $area[1] : $area[1] - $HEADER,
                 $from, $to, $n);
        requests();
    }

    is(requests(), 100, "$name: requests are answered");
    ok(page(), "$name: so is the page");
    is_deeply([ $t->worker_pids() ], \@workers, "$name: no worker died");

    $t->reload();
    is(requests(), 100, "$name: answered after a reload");
    ok(page(), "$name: so is the page");
    cmp_ok($t->stop(), '<', deadline(6), "$name: nginx ends");
}


sub requests {
    my $result = http_flood(uri => '/boom/x', n => 50, conns => 4);
    my $traced = http_flood(uri => '/traced/x', n => 50, conns => 4);

    return ($result->{503} // 0) + ($traced->{200} // 0);
}


sub page {
    return http_get('/status', port => port(8079)) =~ / 200 OK/
           && http_get('/status?format=prometheus', port => port(8079))
              =~ / 200 OK/;
}


sub magic {
    my ($value) = $t->read_file("$FindBin::Bin/../src/core/snx_shm.h")
                  =~ /^#define SNX_SHM_MAGIC\s+0x([0-9a-f]+)u/m
        or die "no SNX_SHM_MAGIC\n";

    return pack 'L', hex $value;
}


# Its address, the bytes of its header and of all of it.

sub area {
    my $master = $t->nginx_pid();

    for my $zone ($t->zones($master)) {
        my ($start, $end) = map { hex } split /-/, $zone;

        open my $memory, '<:raw', "/proc/$master/mem" or die "mem: $!\n";
        sysseek $memory, $start, 0;
        sysread $memory, my $bytes, $end - $start;

        while ($bytes =~ /\Q$magic\E/g) {
            my $at = $-[0];
            my ($header, $size) = unpack 'x4 L Q', substr $bytes, $at, 16;

            return ($start + $at, $header, $size)
                if $at % 8 == 0 && $at + $size <= $end - $start
                   && $header < $size;
        }
    }

    die "no shared memory of ours\n";
}


# n spots of up to 64 bytes, or (0) everything.

sub scribble {
    my ($byte, $start, $size, $from, $to, $n) = @_;
    my $first = int $size * $from;
    my $room = int($size * $to) - $first;

    open my $memory, '+<:raw', '/proc/' . $t->nginx_pid() . '/mem'
        or die "mem: $!\n";

    for (1 .. $n || 1) {
        my $len = $n ? 1 + int rand 64 : $room;
        my $at = $n ? int rand $room - $len : 0;
        my $bytes = defined $byte ? $byte x $len
                    : pack 'L*', map { rand 2 ** 32 } 0 .. $len / 4;

        sysseek $memory, $start + $first + $at, 0;
        syswrite $memory, $bytes, $len;
    }
}
