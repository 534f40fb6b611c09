#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Deliveries hang in every way there is: a reload's old workers, and nginx at
# its end, leave not much later than they do without the module, and nothing
# is lost untold.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Rogue;

my $N = 2;          # events of each case
my $MARGIN = 0.2;   # seconds, beyond sentry_shutdown_timeout

# a search for leaks takes longer than that
$ENV{TEST_ASAN_OPTIONS} = 'detect_leaks=0';

my $t = NginxTest->new()->has('http_ssl')->plan(2 * (3 * 2 + 1));

my $hello = "\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03";
my $ok = "HTTP/1.1 200 OK\r\n";

my %direct = (
    'nobody reads' => { at => 'accept', end => 'hang' },
    'nobody answers' => { end => 'hang' },
    'half a header' => { say => "${ok}Content-Le", end => 'hang' },
    'half a body' => { say => "${ok}Content-Length: 9\r\n\r\n{",
                       end => 'hang' },
    'headers without end' => { say => $ok, every => "X-A: b\r\n",
                               pause => 0.05 },
    'a body without end' => { say => "$ok\r\n", every => 'x',
                              pause => 0.05 },
    'interim answers without end' => {
        every => "HTTP/1.1 102 Processing\r\n\r\n", pause => 0.05 },
    'TLS: no hello' => { at => 'accept', end => 'hang' },
    'TLS: half a hello' => { at => 'bytes', say => $hello, end => 'hang' },
    'TLS: hello without end' => { at => 'bytes', pause => 0.05,
                                  every => "\x16\x03\x03\0\x04\0\0\0\0" },
);
my %proxied = (
    'TLS: no tunnel' => { at => 'head', end => 'hang' },
    'TLS: headers without end' => { at => 'head', say => $ok,
                                    every => "X-A: b\r\n", pause => 0.05 },
    'TLS: nothing in the tunnel' => { at => 'head', end => 'hang',
        say => "HTTP/1.1 200 Yes\r\n\r\n" },
    'no answer' => { at => 'head', end => 'hang' },
);

$t->sentry();

my (@names, $rogue, %alone);

# each of them a project

@names = sort keys %direct;
$rogue = NginxTest::Rogue->new($t, \%direct);
play('direct', 2, '', map {
    dsn($_, 100 + $_, '127.0.0.1:' . $rogue->port($names[$_]))
} 0 .. $#names);

@names = sort keys %proxied;
$rogue = NginxTest::Rogue->new($t, { proxy => { targets => { map {
    ("sentry$_" => $proxied{$names[$_]})
} 0 .. $#names } } });
play('proxy', 0.5, 'sentry_proxy http://127.0.0.1:' . $rogue->port('proxy')
     . '; sentry_shutdown_timeout 500ms;', map {
    dsn($_, 100 + $_, "sentry$_")
} 0 .. $#names);


sub dsn {
    my ($i, $project, $host) = @_;
    my $dsn = $t->dsn($project) =~ s{\@[^/]+}{\@$host}r;

    return $names[$i] =~ /^TLS/ ? $dsn =~ s/http/https/r : $dsn;
}


sub play {
    my ($what, $timeout, $http, @dsns) = @_;
    my $n = $N * @dsns;
    my @with = (http => $http, location => [ map {
        "/$_/ { sentry_dsn $dsns[$_]; return 503; }"
    } 0 .. $#dsns ]);

    for my $how (qw/ QUIT TERM HUP /) {
        $alone{$how} //= alone($how);

        $t->conf(@with, sentry => 1)->run();

        my $seen = rogue_lines();

        for my $i (0 .. $#dsns) {
            http_get("/$i/") for 1 .. $N;
        }

        wait_for(sub { flying($seen) == @dsns }) or diag('not all hang');

        my $seconds = leave($how);

        cmp_ok($seconds, '<', $alone{$how} + $timeout + deadline($MARGIN),
               "$what, $how: in time");
        note sprintf '%s, %s: %.3f s, alone %.3f s', $what, $how, $seconds,
                     $alone{$how};

        if ($how eq 'HUP') {
            is($t->status()->{queue}{records}, $n, "$what, $how: all is kept");
            $t->stop('TERM');
        }

        is(lost(), $n, "$what, $how: what is lost is told");
    }
}


# nginx without the module.

sub alone {
    my ($how) = @_;
    local $t->{module} = '' if !$t->is_static();

    $t->conf(http => '', location => '/0/ { return 503; }', sentry => 0,
             marker => 0)->run();
    http_get('/0/');

    my $seconds = leave($how);

    $t->stop('TERM');
    $t->conf(marker => 1);

    return $seconds;
}


sub leave {
    my ($how) = @_;

    return $t->stop($how) if $how ne 'HUP';

    my $begun = time();

    $t->reload(all => 1);

    return time() - $begun;
}


# How many of the servers, or targets of the proxy, are being talked to, in
# the lines after those that were there.

sub flying {
    my ($before) = @_;
    my @lines = rogue_lines();
    my %seen = map { $_ => 1 }
               grep { /^proxy head|accept$/ && !/^proxy accept/ }
               @lines[$before .. $#lines];

    return scalar keys %seen;
}


sub rogue_lines { return split /\n/, $t->read_file($rogue->{file}) }


sub lost {
    my @lines = $t->log_lines(qr/sentry: \d+ records left in the queue/);

    return ($lines[-1] // '') =~ /sentry: (\d+) records/ ? $1 : 0;
}
