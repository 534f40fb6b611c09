#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Something that breaks off, hangs or never ends in the TLS handshake: nothing
# is lost, nothing spins, other projects go on, and all arrives when Sentry is
# back.  Likewise a proxy that does so before or inside its tunnel.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Rogue;

my $N = 3;          # events of each case

my $hello = "\x16\x03\x03\0\x7a\x02\0\0\x76\x03\x03";
my $tls = 'sentry_ssl_verify off; sentry_ssl_trusted_certificate sentry.crt;'
          . ' sentry_shutdown_timeout 15s;';     # to read that one is quick
my $yes = "HTTP/1.1 200 Yes\r\n\r\n";

# What a server does, and what is told of it.

my @cases = (
    [ 'does not say hello', qr/timed out|timeout/i,
      at => 'accept', end => 'hang' ],
    [ 'hangs inside its hello', qr/timed out|timeout/i, at => 'bytes',
      say => $hello, end => 'hang' ],
    [ 'closes', qr/SSL|TLS/, at => 'bytes' ],
    [ 'resets', qr/reset|SSL|TLS/, at => 'bytes', end => 'reset' ],
    [ 'refuses', qr/handshake failure/, at => 'bytes',
      say => "\x15\x03\x03\0\x02\x02\x28" ],
    [ 'answers without it', qr/wrong version|SSL|TLS/, at => 'bytes',
      say => "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}" ],
);

# The same of a proxy.  What it closes with bytes of ours unread is reset.

my @proxied = (
    [ 'proxy: 502', qr/502/, at => 'head', say => answer(502) ],
    [ 'proxy: 403', qr/403/, at => 'head', say => answer(403) ],
    [ 'proxy: 407', qr/407/, at => 'head', say => answer(407) ],
    [ 'proxy: 302', qr/302/, at => 'head', say => answer(302) ],
    [ 'proxy: garbage', qr/./, at => 'head', say => "\0\xff\xfe garbage\r\n" ],
    [ 'proxy: closes', qr/./, at => 'head' ],
    [ 'proxy: resets', qr/reset/i, at => 'head', end => 'reset' ],
    [ 'proxy: hangs', qr/timed out|timeout/i, at => 'head', end => 'hang' ],
    [ 'proxy: headers without end', qr/./, at => 'head',
      say => "HTTP/1.1 200 Yes\r\n", every => "X-A: b\r\n" x 1000 ],
    [ 'proxy: headers, slowly, without end', qr/timed out|timeout/i,
      at => 'head', say => "HTTP/1.1 200 Yes\r\n", every => "X-A: b\r\n",
      pause => 0.05 ],
    [ 'proxy: interim answers without end', qr/./, at => 'head',
      every => "HTTP/1.1 100 Continue\r\n\r\n" x 100 ],
    [ 'proxy: an error without end', qr/./, at => 'head',
      say => "HTTP/1.1 502 No\r\n\r\n", every => 'x' x 10000 ],
    [ 'proxy: hangs in the tunnel', qr/timed out|timeout/i, at => 'head',
      say => $yes, end => 'hang' ],
    [ 'proxy: closes the tunnel', qr/SSL|TLS|reset/, at => 'head',
      say => $yes ],
    [ 'proxy: no TLS in the tunnel', qr/SSL|TLS|reset/, at => 'head',
      say => "${yes}HTTP/1.1 200 OK\r\n\r\n" ],
);

my $t = NginxTest->new()->has('http_ssl')
                       ->plan(5 * (@cases + @proxied) + 2 * 4 + 7);

$t->sentry(tls => 1);

my $project = 100;
my $port = $t->{sentry}->port();

$_ = { name => $_->[0], why => $_->[1], how => { @$_[2 .. $#$_] },
       project => $project++ } for @cases, @proxied;

my $rogue = NginxTest::Rogue->new($t, { map {
    $_->{project} => { %{$_->{how}}, well => $port }
} @cases });

play($rogue, '', sub {
    my $bad = $rogue->port($_[0]);

    return $t->dsn($_[0]) =~ s{:\d+/}{:$bad/}r;
}, @cases);

$rogue = NginxTest::Rogue->new($t, { proxy => { targets => { map {
    ("sentry$_->{project}" => { %{$_->{how}}, well => $port })
} @proxied } } });

play($rogue, 'sentry_proxy http://127.0.0.1:' . $rogue->port('proxy') . ';',
     sub { $t->{sentry}->dsn($_[0], host => "sentry$_[0]") }, @proxied);


# handshake messages that a library reads and forgets, without end: it comes
# back from that to nobody

$rogue = NginxTest::Rogue->new($t, { endless => { at => 'bytes',
    every => "\x16\x03\x03\0\x04\0\0\0\0" x 5000, well => $port } });

my $bad = $rogue->port('endless');

$t->conf(http => $tls,
         location => [
    '/2/ { sentry_dsn %%DSN_2%%; return 503; }',
    '/99/ { sentry_dsn ' . ($t->dsn(99) =~ s{:\d+/}{:$bad/}r)
    . '; return 503; }' ])->run();

http_get('/99/');
ok(wait_for(sub { $t->log_lines(qr/kept busy by an answer without end/) }),
   'endless: the sender is freed');
ok(wait_for(sub { !accounts($t, project => 99)->{page}{reachable} }),
   'endless: unreachable');
http_get('/2/');
is(settled($t, 1, project => 2)->{delivered}, 1,
   'endless: other projects go on');
is(accounts($t, project => 99)->{left}, 1, 'endless: kept');
$rogue->well();
is(settled($t, 1, project => 99)->{delivered}, 1, 'endless: and arrives');
is($t->log_lines(qr/^\[warn\] sentry: the sender was kept busy/),
   $t->log_lines(qr/kept busy/), 'endless: a warning');
$t->stop();
is($t->receiver_stats()->{refused}, 0, 'nothing strange was sent');


sub answer {
    my ($status) = @_;

    return "HTTP/1.1 $status No\r\nContent-Length: 0\r\n"
           . "Location: http://127.0.0.1/\r\n\r\n";
}


sub play {
    my ($rogue, $http, $dsn, @cases) = @_;

    $t->conf(
        http => "$http $tls sentry_timeout " . int(deadline(1000)) . 'ms;',
        location => [ map {
            "/$_->{project}/ { sentry_dsn " . $dsn->($_->{project})
            . '; return 503; }'
        } @cases ],
    )->run();

    my ($worker) = $t->worker_pids();
    my $cpu = $t->sender_cpu($worker);

    for my $case (@cases) {
        $case->{answers} = http_flood(uri => "/$case->{project}/", n => $N,
                                      conns => 1);
    }

    wait_for(sub {
        !grep { accounts($t, project => $_->{project})->{page}{reachable} }
              @cases;
    });

    my $status = $t->status();

    for (@cases) {
        $_->{bad} = accounts($t, project => $_->{project}, status => $status);
    }

    $cpu = $t->sender_cpu($worker) - $cpu;
    # a proxy's headers are read byte by byte, 300 KB of them

    cmp_ok($cpu, '<', 0.1 * @cases * ($ENV{TEST_NGINX_SLOW} || 1),
           'the sender does not spin');
    diag(sprintf 'the sender used %.2f s', $cpu);

    wait_for(sub { $t->threads($worker) == 2 });
    is($t->threads($worker), 2, 'no thread is left over');

    $status = $t->status();
    $rogue->well();
    $_->{late} = -retries($_, $status) for @cases;

    wait_for(sub { ($status = $t->status())->{queue}{records} == 0 });
    $_->{late} += retries($_, $status) for @cases;
    $t->stop();

    check($_) for @cases;

    is($t->log_lines(qr/sentry: \d+ records left/), 0, 'nothing is lost');
    is($t->log_lines(qr/kept busy/), 0, 'nor did anything take long');
}


sub retries {
    my ($case, $status) = @_;

    return accounts($t, project => $case->{project},
                    status => $status)->{page}{retries};
}


sub check {
    my ($case) = @_;
    my ($name, $bad) = @$case{qw/ name bad /};
    my $events = $t->{sentry}->payloads('event', project => $case->{project});
    my %ids = map { $_->{event_id} => 1 } @$events;

    is($case->{answers}{503}, $N, "$name: requests are answered");
    is_deeply([ map { $bad->{$_} } qw/ captured delivered left reasons / ],
              [ $N, 0, $N, {} ], "$name: all is kept");
    like($bad->{page}{last_error}{text}, $case->{why}, "$name: why");
    is($bad->{page}{last_error}{status}, 0, "$name: no answer");

    # an answer that a busy machine brings after sentry_timeout is no answer:
    # such a delivery is repeated, any other one is not

    my $again = @$events - keys %ids;

    $again = 0 if $again <= $case->{late};
    is(keys(%ids) . " $again", "$N 0", "$name: all arrives, once");
}
