#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A resolver that does not know Sentry, fails, answers late, nonsense or
# never: requests do not notice, nothing is lost, no thread piles up, and
# nginx leaves in time although getaddrinfo() hangs.  Likewise a host that
# swallows all packets.  In namespaces of its own, with a resolver of ours.

use warnings;
use strict;

use IO::Socket::INET;
use List::Util qw/ max /;
use Test::More;
use Time::HiRes qw/ time sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

BEGIN {
    if (!$ENV{NGX_SENTRY_DNS}) {
        my $setup = 'ip link set lo up'
                    . ' && ip route add 192.0.2.1/32 dev lo'
                    . ' && echo nameserver 127.0.0.53 > $0'
                    . ' && mount --bind $0 /etc/resolv.conf'
                    . ' && echo hosts: dns > $0.nss'
                    . ' && mount --bind $0.nss /etc/nsswitch.conf';
        my $file = "/tmp/ngx_sentry_dns_$$";

        for my $unshare ('unshare -nm', 'unshare -rnm') {
            next if system("$unshare sh -c '$setup' $file 2>/dev/null") != 0;

            $ENV{NGX_SENTRY_DNS} = $file;
            exec 'sh', '-c', "exec $unshare sh -c '$setup && shift 0 && exec"
                             . ' "$@"' . "' $file \"\$\@\"", 'sh', $^X,
                 "$FindBin::Bin/$FindBin::Script", @ARGV;
        }

        unlink $file, "$file.nss";

        # not in a chroot, whose root is no mount of its own

        if ($ENV{CI} && system('unshare -nm true 2>/dev/null') == 0) {
            plan(tests => 1);
            fail('there are namespaces, but no "ip" or no mounts in them');
            exit;
        }

        plan(skip_all => 'no namespaces for the network and mounts');
    }

    unlink $ENV{NGX_SENTRY_DNS}, "$ENV{NGX_SENTRY_DNS}.nss";
}

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 4;          # events of each case
my $END = 1.5;      # seconds, to leave

# a search for leaks takes longer than that
$ENV{TEST_ASAN_OPTIONS} = 'detect_leaks=0';

my $t = NginxTest->new()->plan(52);
my $file = $t->testdir() . '/well';

$t->run_daemon(\&resolver);
$t->sentry()->conf();

# what the resolver does, and what is told of it

my %cases = (
    11 => [ 'nxdomain', qr/resolve host/i ],
    12 => [ 'servfail', qr/resolve host/i ],
    13 => [ 'refused', qr/resolve host/i ],
    14 => [ 'empty', qr/resolve host/i ],
    15 => [ 'nonsense', qr/resolv/i ],
    16 => [ 'never', qr/timed out|timeout/i ],
    17 => [ 'hole', qr/timed out|timeout/i ],
);

my @cases = sort keys %cases;

$t->conf(
    http => 'sentry_timeout 1500ms; sentry_shutdown_timeout 700ms;',
    location => [ '/well/ { sentry_dsn off; return 503; }', map {
        "/$_/ { sentry_dsn " . dsn($_) . '; return 503; }'
    } @cases, 18 ],
)->run();

my ($worker) = $t->worker_pids();
my $well = flood('/well/');
my $begun = time();
my $cpu = $t->sender_cpu($worker);
my %flood = map { $_ => flood("/$_/") } @cases, 18;
my $threads = 0;

# slow, but it answers

is(settled($t, $N, project => 18)->{delivered}, $N, 'late: delivered');

wait_for(sub {
    $threads = max($threads, $t->threads($worker));
    return !grep { accounts($t, project => $_)->{page}{retries} <= $N } @cases;
}, 15) or diag('not all were tried again');

$cpu = $t->sender_cpu($worker) - $cpu;
cmp_ok($cpu, '<', 0.2 * ($ENV{TEST_NGINX_SLOW} || 1),
       'the sender does not spin');
cmp_ok($threads, '<', 24, 'threads that look up names do not pile up');
diag(sprintf 'CPU %.2f s of %.1f s, %d threads', $cpu, time() - $begun,
     $threads);

for my $i (@cases) {
    my ($name, $why) = @{$cases{$i}};
    my $bad = accounts($t, project => $i);

    is_deeply($flood{$i}{responses}, $well->{responses},
              "$name: responses are as ever");
    cmp_ok(max(@{$flood{$i}{times}}), '<', deadline(1), "$name: none is slow");
    is_deeply([ map { $bad->{$_} } qw/ captured delivered left reasons / ],
              [ $N, 0, $N, {} ], "$name: all is kept");
    like($bad->{page}{last_error}{text}, $why, "$name: why");
    is($t->log_lines(qr{/$i is unreachable: }), 1, "$name: told once");
}

# a reload and the end, while lookups hang

http_get('/16/');
$begun = time();
$t->reload(all => 1);
cmp_ok(time() - $begun, '<', deadline($END), 'reload: old workers leave');

for my $signal (qw/ QUIT TERM INT /) {
    http_get('/16/') for 1 .. 3;
    cmp_ok($t->stop($signal), '<', deadline($END),
           "$signal: nginx ends in time");
    is($t->log_lines(qr/exited on signal/), 0, "$signal: by itself");
    $t->run();
}

http_get('/16/');
wait_for(sub { $t->threads(($t->worker_pids())[0]) > 2 });
cmp_ok($t->stop(), '<', deadline($END), 'QUIT, in a lookup: in time');

# the resolver is well again

$t->run();
flood("/$_/") for @cases[0 .. 5];
$t->write_file('well', '');
is(settled($t, $N, project => $_)->{delivered}, $N,
   "$cases{$_}[0]: delivered when it is well") for @cases[0 .. 5];


sub dsn {
    my ($i) = @_;
    my $name = $i == 18 ? 'late' : $cases{$i}[0];

    return $t->{sentry}->dsn($i, host => $name eq 'hole' ? '192.0.2.1'
                                         : "$name.sentry.test");
}


sub flood {
    my ($uri) = @_;

    return http_flood(uri => $uri, n => $N, conns => $N);
}


# By the first label of the name.

sub resolver {
    my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.53:53',
                                  Proto => 'udp') or die "port 53: $!\n";
    my @late;

    while (1) {
        my $rin = '';

        vec($rin, fileno $s, 1) = 1;

        if (select($rin, undef, undef, 0.05) > 0) {
            my $from = recv $s, my $query, 512, 0;
            my ($how) = $query =~ /\A.{12}.([a-z]+)/s;

            $how = 'well' if -e $file && $how;
            push @late, [ time() + ($how eq 'late' ? 1 : 0), $from,
                          answer($query, $how) ];
        }

        while (@late && $late[0][0] <= time()) {
            my (undef, $to, $answer) = @{shift @late};
            send $s, $answer, 0, $to if length $answer;
        }
    }
}


sub answer {
    my ($query, $how) = @_;
    my ($name, $type) = $query =~ /\A.{12}(.*?\0)\0(.)\0\x01/s or return '';
    my %code = (nxdomain => 3, servfail => 2, refused => 5);
    my $id = substr $query, 0, 2;
    my $a = $type eq "\x01" && $how =~ /^(?:well|late)$/;

    return '' if $how eq 'never';
    return "$id\x81\x80" . "\xff" x 200 if $how eq 'nonsense';

    return $id . pack('nnnnn', 0x8180 | ($code{$how} || 0), 1, $a ? 1 : 0,
                      0, 0)
           . "$name\0$type\0\x01"
           . ($a ? "\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04\x7f\0\0\x01" : '');
}
