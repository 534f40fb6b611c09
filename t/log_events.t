#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Lines of the error log that belong to no request become events: of crashed
# workers, no more connections or files, TLS handshakes, refused reloads; in
# the master, in workers and in cache processes, whatever error_log keeps; and
# none is about this module or about a Sentry that is away.

use warnings;
use strict;

use IO::Socket::INET;
use IO::Socket::SSL::Utils qw/ CERT_create PEM_cert2file PEM_key2file /;
use List::Util qw/ sum /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

# workers are to die of the signal itself, not of a report about it
$ENV{TEST_ASAN_OPTIONS} = 'handle_segv=0';

my $t = NginxTest->new()->has(qw/ http_ssl http-cache /)->plan(47);

$t->allow_alerts(qr/process \d+ exited on signal (?:9|11)/,
                 qr/worker_connections are not enough/);

certificate();


# a worker crashes; error_log itself keeps nothing of it

$t->sentry()->conf(
    main      => 'worker_processes 2;',
    log_level => 'emerg',
    http      => 'sentry_environment edge; sentry_release r1;'
        . " sentry_server_name web7;"
        . " proxy_cache_path %%TESTDIR%%/cache keys_zone=c:1m;",
    location  => '/ { return 200; }',
)->run();

my ($victim) = $t->worker_pids();
my $master = $t->nginx_pid();

$t->signal('SEGV', $victim);

my ($event, @more) = incidents('WorkerCrashed', 1);

is($event->{exception}{values}[0]{value},
   "worker process $victim exited on signal 11", 'crash: signal and pid');
is($event->{level}, 'fatal', 'crash: fatal');
is($event->{contexts}{nginx}{process}, 'master', 'crash: the master says so');
is($event->{contexts}{nginx}{pid}, $master, 'crash: pid of the master');
is_deeply($event->{fingerprint},
          [ 'WorkerCrashed', 'worker process * exited on signal 11' ],
          'crash: grouped by signal');
is($event->{environment}, 'edge', 'crash: environment');
is($event->{release}, 'r1', 'crash: release');
is($event->{server_name}, 'web7', 'crash: server name');
is($event->{transaction}, undef, 'crash: no transaction');
is($event->{request}, undef, 'crash: no request');
unlike($t->log(), qr/exited on signal/, 'error_log has no more than before');
like($event->{timestamp}, qr/^\d{4}-\d\d-\d\dT/, 'crash: a time');

$t->marker();
is(scalar incidents('WorkerCrashed'), 1, 'crash: exactly one event');

# all at once: the next ones tell

my @victims = wait_for(sub {
    my @pids = $t->worker_pids();
    return @pids == 2 && \@pids;
});
@victims = @{$victims[0]};

$t->signal('KILL', $_) for @victims;

my %told = map { $_->{exception}{values}[0]{value} => 1 }
           incidents('WorkerCrashed', 3);

ok($told{"worker process $_ exited on signal 9"}, 'all crash: each is told')
    for @victims;

my ($manager) = children(qr/cache manager/);

$t->signal('SEGV', $manager);
incidents('WorkerCrashed', 4);
is_deeply([ map { $_->{exception}{values}[0]{value} }
            (incidents('WorkerCrashed'))[3 .. 3] ],
          [ "cache manager process $manager exited on signal 11" ],
          'a cache process crashes');
wait_for(sub { children(qr/cache manager/) });

is(scalar(my @all = events()), 4, 'nothing else was told');


# reloads that are refused

my $conf = $t->read_file('nginx.conf');

$t->write_file('nginx.conf', $conf . "\nproxy_pas http://a;\n");
$t->signal('HUP');
($event) = incidents('ConfigurationError', 1);
like($event->{exception}{values}[0]{value},
     qr/^unknown directive "proxy_pas" in \S+nginx\.conf:\d+$/,
     'reload: unknown directive');
is($event->{level}, 'error', 'reload: an error');

my $taken = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1');

$t->write_file('nginx.conf', $conf =~ s/(listen 127\.0\.0\.1:\d+;)/
    "$1 listen 127.0.0.1:" . $taken->sockport() . ';'/er);
$t->signal('HUP');
($event) = incidents('BindFailed', 1);
like($event->{exception}{values}[0]{value},
     qr/^bind\(\) to 127\.0\.0\.1:\d+ failed \(98: Address already in use\)$/,
     'reload: a port is taken');
is($event->{exception}{values}[0]{mechanism}{meta}{errno}{number}, 98,
   'reload: errno');
wait_for(sub { grep { $_->{exception}{values}[0]{value} =~ /^still could/ }
               incidents('BindFailed') });
undef $taken;
$t->stop();


# connections and files run out

again(
    main   => 'worker_processes 1;',
    events => 'worker_connections 12;',
    http   => 'sentry_dsn %%DSN_2%%;',
);
exhaust();
($event) = incidents('WorkerConnectionsExhausted', 1, project => 2);
is($event->{exception}{values}[0]{value},
   '12 worker_connections are not enough', 'connections: told');
is($event->{level}, 'error', 'connections: an error');
is($event->{contexts}{nginx}{process}, 'worker', 'connections: of a worker');
is($event->{contexts}{nginx}{pid}, ($t->worker_pids())[0],
   'connections: its pid');
$t->stop();
@all = incidents('WorkerConnectionsExhausted', undef, project => 2);
cmp_ok(scalar @all, '<', 8, 'connections: not one for each line');
is(sum(map { 1 + ($_->{contexts}{nginx}{held_back} // 0) } @all),
   lines(), 'connections: equal lines are counted');

again(
    main   => 'worker_processes 1; worker_rlimit_nofile 40;',
    events => 'worker_connections 100;',
    http   => 'sentry_dsn %%DSN_3%%;',
);
exhaust();
($event) = incidents('TooManyOpenFiles', 1, project => 3);
is($event->{exception}{values}[0]{value},
   'accept4() failed (24: Too many open files)', 'files: told');
is($event->{exception}{values}[0]{mechanism}{meta}{errno}{number}, 24,
   'files: errno');
$t->stop();

again(
    main   => 'master_process off;',
    events => 'worker_connections 12;',
    http   => 'sentry_dsn %%DSN_4%%;',
);
exhaust();
($event) = incidents('WorkerConnectionsExhausted', 1, project => 4);
is($event->{contexts}{nginx}{process}, 'single', 'without a master: told');
$t->stop();


# levels: handshakes that fail are told at info only

my $tls = <<'EOC';
    server {
        listen 127.0.0.1:8443 ssl;
        ssl_certificate %%TESTDIR%%/tls.crt;
        ssl_certificate_key %%TESTDIR%%/tls.key;
        error_log %%TESTDIR%%/tls.log crit;
        location / { return 200; }
    }
EOC

again(http => 'sentry_dsn %%DSN_5%%; sentry_log_events info;',
      servers => $tls);
handshake();
($event) = grep { $_->{exception}{values}[0]{value} =~ /failed/ }
           incidents('TLSHandshakeError', 2, project => 5);
like($event->{exception}{values}[0]{value},
     qr/^SSL_do_handshake\(\) failed \(SSL: .*\) while SSL handshaking$/,
     'info: a handshake without the client\'s address');
is($event->{level}, 'info', 'info: is no error');
is($t->read_file('tls.log'), '', 'info: error_log keeps its level');

# a Sentry that is away

$t->receiver_stop();
http_get('/marker/away', port => port(8079));
wait_for(sub { $t->log_lines(qr/sentry: .*(?:refused|unreachable|connect)/i) });
$t->receiver_start();
wait_for(sub { $t->status()->{queue}{records} == 0 });
handshake();
incidents('TLSHandshakeError', 3, project => 5);
$t->marker();

ok(scalar $t->log_lines(qr/\[(?:warn|error)\] sentry: /),
   'Sentry is away: the log tells');
is_deeply([ grep { /sentry/i || $_ =~ port(8079) }
            map { $_->{exception}{values}[0]{value} } events(5) ], [],
          'Sentry is away: no event tells');
ok(!grep({ $_->{level} =~ /error|fatal/ } events(5)), 'and nothing else');

# a request's line is no event

http_get('/nowhere');
http("BROKEN\r\n\r\n");
$t->marker();
is_deeply([ grep { /nowhere|client sent|open\(\)/ }
            map { $_->{exception}{values}[0]{value} } events(5) ], [],
          'lines of requests are none');
$t->stop();

again(http => 'sentry_dsn %%DSN_6%%; sentry_log_events warn;',
      servers => $tls);
handshake();
$t->marker();
$t->stop();
is(scalar(events(6)), 0, 'warn: no handshakes');


# a group's limit is that of requests

again(http => "sentry_dsn %%DSN_9%%;\nsentry_event_limit 1r/m burst=1;");

for my $round (1 .. 3) {
    my ($pid) = $t->worker_pids();

    $t->signal('SEGV', $pid);
    wait_for(sub { grep { $_ != $pid } $t->worker_pids() });
    incidents('WorkerCrashed', 1, project => 9) if $round == 1;
}

ok(wait_for(sub {
    my ($project) = grep { $_->{project} =~ m{/9$} }
                    @{$t->status()->{projects}};
    return ($project->{lost}{held_back}{error} // 0) == 2;
}), 'limit: what is held back is counted');
$t->stop();
is(scalar incidents('WorkerCrashed', undef, project => 9), 1,
   'limit: one event');


# off, and no DSN at the http level

for ([ 'off', 'sentry_dsn %%DSN_7%%; sentry_log_events off;' ],
     [ 'a DSN at the server alone', 'sentry_dsn off;' ])
{
    my ($name, $http) = @$_;

    again(main => '', http => $http, server => 'sentry_dsn %%DSN_7%%;');
    ($victim) = $t->worker_pids();
    $t->signal('SEGV', $victim);
    wait_for(sub { grep { $_ != $victim } $t->worker_pids() });
    $t->marker()->stop();
    is(scalar(events(7)), 0, "$name: nothing is told");
    like($t->log(), qr/worker process $victim exited on signal 11/,
         "$name: but logged");
}


# the first connection teaches what a request is; its own lines are none

again(http => 'sentry_dsn %%DSN_8%%; sentry_log_events info;',
      main => 'worker_processes 1;',
      server => 'listen 127.0.0.1:8081 deferred;',
      location => '/ { limit_except POST { deny all; } }');
http_get('/first', port => port(8081));
$t->marker();
is_deeply([ grep { /forbidden/ } map { $_->{exception}{values}[0]{value} }
            events(8) ], [], 'the first connection: its lines are none');
like($t->log(), qr/access forbidden by rule/, 'the first connection: has some');

is(http_get('/') =~ / 403 /, 1, 'the others as well');


sub events {
    my ($project) = @_;

    return grep { !$_->{request} || $_->{request}{url} !~ /marker/ }
           @{$t->{sentry}->payloads('event', project => $project // 1)};
}


# Waits for n of them.

sub incidents {
    my ($type, $n, %opt) = @_;
    my @found;

    wait_for(sub {
        @found = grep { $_->{exception}{values}[0]{type} eq $type }
                 events($opt{project});
        return @found >= ($n // 0);
    }) or diag("$type: only " . @found . " of $n");

    return @found;
}


sub again {
    my (%conf) = @_;

    $t->conf(map({ $_ => '' } qw/ main events http server servers /),
             log_level => 'info', location => '/ { return 200; }', %conf);
    unlink $t->testdir() . '/error.log';
    $t->run();

    return;
}


# Connections that say half of a request, until it was told three times.

sub exhaust {
    my @sockets;

    wait_for(sub {
        push @sockets, http_start('GET / HT');
        return lines() >= 3;
    });

    return;
}


sub lines {
    return scalar(() = $t->log() =~ /not enough(?!, reu)|Too many open/g);
}


sub handshake {
    my $s = http_start("\x16\x03\x01\x00\x05hello", port => port(8443));

    http_end($s);

    return;
}


sub children {
    my ($title) = @_;

    return grep { $t->read_file("/proc/$_/cmdline") =~ $title }
           split ' ', $t->read_file("/proc/$master/task/$master/children");
}


sub certificate {
    my ($cert, $key) = CERT_create(subject => { commonName => 'localhost' });

    PEM_cert2file($cert, $t->testdir() . '/tls.crt');
    PEM_key2file($key, $t->testdir() . '/tls.key');

    return;
}
