#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Limits of the operating system: connections, descriptors, threads and
# memory of a worker run out, for the sender too.  Requests are answered as by
# nginx alone, and what was captured meanwhile is sent when there is room.

use warnings;
use strict;

use List::Util qw/ max sum /;
use IO::Select;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 20;             # events of each case
my $CONNECTIONS = 24;   # of a worker, in the first

plan(skip_all => 'a sanitizer takes memory and threads of its own')
    if $ENV{TEST_UNIT_SAN};
plan(skip_all => 'no prlimit') if system('prlimit --version > /dev/null');

my $t = NginxTest->new()->plan(20);

$t->sentry();
$t->allow_alerts(qr/worker_connections are not enough/,
                 qr/socket\(\) failed .*while connecting to upstream/);

connections();
descriptors();
memory();

SKIP: {
    skip('only root sets limits for the workers of another user', 7) if $>;
    threads();
}


sub site {
    my (%conf) = @_;

    return $t->conf(location => [ '/boom/ { return 503; }',
        '/app/ { proxy_pass http://127.0.0.1:8080/boom/; }' ], main => '',
        events => '', %conf);
}


# What clients get who come a few more than there are connections.

sub answered {
    my ($statuses) = @_;

    return scalar grep { $_ eq 503 } @$statuses;
}


sub crowd {
    my ($worker) = $t->worker_pids();

    wait_for(sub { accepted($worker) == 0 });

    my @held = map {
        http_start("GET /boom/crowd HTTP/1.1\r\nHost: localhost\r\n")
    } 1 .. $CONNECTIONS + 8;

    # all are in or were closed before the first is served; of several that
    # had to make room within a second nginx logs one

    wait_for(sub { accepted($worker) + closed(@held) >= @held });

    syswrite $_, "\r\n" for @held;

    return [ sort map { status($_) } @held ];
}


sub accepted {
    my ($worker) = @_;
    my $ports = join '|', map { sprintf '%04X', port($_) } 8080, 8079;
    my %sockets;

    for (split /\n/, $t->read_file("/proc/$worker/net/tcp")) {
        my (undef, $local, undef, $state, @more) = split;

        $sockets{$more[5]} = 1
            if $local =~ /:(?:$ports)$/ && $state !~ /^0[6A]$/;
    }

    return scalar grep { (readlink // '') =~ /\[(\d+)\]/ && $sockets{$1} }
                  glob "/proc/$worker/fd/*";
}


# Nothing was answered so far: what can be read is the end.

sub closed {
    my @ended = IO::Select->new(grep { $_ } @_)->can_read(0);

    return scalar @ended;
}


sub status {
    my ($s) = @_;

    return '' if !$s;
    return (http_end($s, until => qr/\r\n\r\n/) // '') =~ m{^HTTP/1.1 (\d+)}
           ? $1 : '';
}


sub connections {
    my %events = (events => "worker_connections $CONNECTIONS;");

    # the same ports without the module's directives

    site(%events, sentry => 0, servers => 'server { listen 127.0.0.1:8079; }')
        ->run();

    # a busy machine may spoil one

    my @alone = map { answered(crowd()) } 1 .. 3;

    $t->stop();
    site(%events, sentry => 1, servers => '')->run();

    my @with = map { crowd() } 1 .. 3;
    my $answered = sum(map { answered($_) } @with);

    # probes of the ports may have been among them

    cmp_ok(abs(max(map { answered($_) } @with) - max(@alone)), '<=', 2,
           'connections: as many answers as of nginx alone')
        or diag("alone @alone, with it @{[map { answered($_) } @with]}");
    cmp_ok($answered, '<', sum(map { scalar @$_ } @with),
           'connections: not all got one');

    my $now = settled($t, $answered);

    is($now->{delivered}, $now->{captured}, 'connections: the books');
    cmp_ok($now->{captured}, '>=', $answered,
           'connections: all are captured that were answered');
    $t->stop();
}


# Sockets for upstreams and for the sender alike.

sub descriptors {
    site()->run();

    my ($worker) = $t->worker_pids();
    my $s = http_start("GET /boom/0 HTTP/1.1\r\nHost: localhost\r\n\r\n");

    is(status($s), 503, 'descriptors: one connection');
    settled($t, 1);

    $t->receiver_stop();
    $t->receiver_start();

    my $before = accounts($t);
    $t->limit($worker, nofile => 1);

    my @statuses = map {
        syswrite $s, "GET /$_ HTTP/1.1\r\nHost: localhost\r\n\r\n";
        status($s);
    } map({ "boom/$_" } 2 .. $N), 'app/';

    $t->limit($worker, nofile => $t->hard_limit('open files'));

    is_deeply(\@statuses, [ (503) x ($N - 1), 500 ],
              'descriptors: what needs none is answered');

    my $now = settled($t, $before->{captured} + $N);

    is($now->{delivered}, $before->{captured} + $N,
       'descriptors: all is sent when there are some');
    is($now->{left}, 0, 'descriptors: the books');
    $t->stop();
}


sub memory {
    site()->run();

    my ($worker) = $t->worker_pids();

    http_get('/boom/first');
    settled($t, 1);

    my ($kib) = $t->read_file("/proc/$worker/status") =~ /^VmSize:\s+(\d+)/m;

    $t->receiver_stop();
    $t->limit($worker, as => $kib * 1024);

    my $result = http_flood(uri => '/boom/memory', n => 10 * $N, conns => 2);

    is($result->{503}, 10 * $N, 'memory: requests are answered');

    $t->receiver_start();

    my $meanwhile = accounts($t);

    $t->limit($worker, as => $t->hard_limit('address space'));

    my $now = settled($t, 10 * $N + 1);

    is($meanwhile->{captured}, 10 * $N + 1, 'memory: all is captured');
    is($now->{left}, 0, 'memory: the books');
    cmp_ok($now->{delivered}, '>', 0, 'memory: it is sent');
    is_deeply([ $t->worker_pids() ], [ $worker ], 'memory: no worker died');
    $t->stop();
}


# For the workers' user there are more processes already.

sub threads {
    site(main => 'worker_processes 2;')->run();

    $t->limit($t->nginx_pid(), nproc => 1);
    $t->reload(all => 1);

    is($t->threads($_), 1, 'threads: a worker has none')
        for my @workers = $t->worker_pids();

    is_deeply([ map { http_get("/boom/$_") =~ / 503 / ? 1 : 0 } 1 .. $N ],
              [ (1) x $N ], 'threads: requests are answered');
    ok(wait_for(sub { $t->log_lines(qr/\[crit\] sentry: the sender thread/) }),
       'threads: that it cannot be started is told');

    my $meanwhile = accounts($t);

    $t->limit($_, nproc => $t->hard_limit('processes')) for @workers;

    my $now = settled($t, $N);

    is($meanwhile->{queued}, $N, 'threads: all is kept');
    is($now->{delivered}, $N, 'threads: and sent when there is one');
    is($now->{lost}, 0, 'threads: the books');
}
