#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Where the time of a request went before and after its upstream: the TLS
# handshake, the delay of limit_req, a slow request body, a slow client; and
# a transaction ends with the answer, whatever nginx does after it.

use warnings;
use strict;

use Test::More;
use IO::Socket::SSL;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my $t = NginxTest->new()->has(qw/ http_ssl http_v2 /);
my ($app, $slow) = ($t->upstream('answer', body => 'fine'),
                    $t->upstream('slow', delay => 0.3));

$t->write_file('www/big', 'x' x 30_000_000);
$t->sentry(tls => 1)->conf(http => <<'EOC', server => <<"EOS",
    sentry_traces_sample_rate 1;
    sentry_ssl_verify off;
    limit_req_zone $server_name zone=req:64k rate=1r/s;
EOC
    listen 127.0.0.1:8443 ssl http2;
    ssl_certificate %%TESTDIR%%/sentry.crt;
    ssl_certificate_key %%TESTDIR%%/sentry.key;
    root %%TESTDIR%%/www;
EOS
    location => <<"EOL");
    /app/ { proxy_pass http://127.0.0.1:$app; }
    location /slow/ { proxy_pass http://127.0.0.1:$slow; }
    location /limited/ {
        limit_req zone=req burst=5;
        proxy_pass http://127.0.0.1:$app;
    }
    location /return/ { return 200 "fine"; }
    location = /big { }
EOL

$t->plan(29)->run();

my $n = 0;

sub only {
    my ($request, $name) = @_;

    ref $request ? $request->() : http_get($request);

    my $got = $t->transactions(++$n);

    is(scalar @$got, $n, "$name: one transaction");
    is(span_faults($got->[-1]), '', "$name: spans in order");
    $n = @$got;

    return $got->[-1];
}

# The span of that description and whether its time is right.

sub took {
    my ($tx, $what, $from, $to, $name) = @_;
    my ($span) = grep { $_->{description} eq $what } @{$tx->{spans} || []};

    if (!defined $from) {
        ok(!$span, "$name: no $what");
        return;
    }

    ok($span && span_ms($span) >= $from && span_ms($span) <= deadline($to),
       "$name: $what") or diag($span ? span_ms($span) . ' ms' : 'no span');
}

sub pause { select undef, undef, undef, $_[0] }

sub connected {
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . port(8443))
           || die "connect: $!\n";
}

my $idle = connected();    # for 2 s and more

# limit_req: the first passes, the second waits

http_get("/limited/$_") for 1, 2;
$n = 2;

my %limited = map { $_->{request}{url} =~ m{(\d)$} ? ($1 => $_) : () }
                  @{$t->transactions($n)};

is(scalar keys %limited, 2, 'limit_req: two transactions');
took($limited{1}, 'limit_req delay', undef, undef, 'not limited');
took($limited{2}, 'limit_req delay', 50, 1100, 'limited');

# a request body that comes slowly

my $tx = only(sub {
    my $s = http_start("POST /app/ HTTP/1.0\r\nHost: localhost\r\n"
                       . "Content-Length: 10\r\n\r\n12345");
    pause(0.3);
    syswrite $s, '67890';
    http_end($s);
}, 'slow body');

took($tx, 'read request body', 200, 600, 'slow body');

# an upstream that is slow

$tx = only('/slow/', 'slow upstream');

took($tx, 'wait for response', 250, 900, 'slow upstream');
cmp_ok(span_ms($tx), '>=', 280, 'slow upstream: all of it');

# a client that reads slowly

$tx = only(sub {
    my $s = http_start("GET /big HTTP/1.0\r\nHost: localhost\r\n\r\n");

    pause(0.4);
    http_end($s);
}, 'slow client');

took($tx, 'send response', 300, 2000, 'slow client');

# a body nobody wants: the client sends it for a while after the answer

for ('/return/x', '/app/x') {
    $tx = only(sub {
        my $s = http_start("POST $_ HTTP/1.1\r\nHost: localhost\r\n"
                           . "Content-Length: 5000000\r\n"
                           . "Connection: close\r\n\r\n");
        pause(0.4);
        close $s;
    }, "body nobody wants, $_");

    cmp_ok(span_ms($tx), '<', 300, "body nobody wants, $_: ends before");
}

# TLS: the handshake belongs to the first request

my $kept;
my $get = "GET /app/%d HTTP/1.1\r\nHost: localhost\r\n\r\n";

$tx = only(sub {
    my $s = connected();

    # time begins when a busy nginx accepts, a while after the kernel did

    pause(0.6);
    IO::Socket::SSL->start_SSL($s, SSL_verify_mode => 0) or die;
    print $s sprintf $get, 1;
    http_end($s, until => qr/fine/);
    $kept = $s;
}, 'TLS');

SKIP: {
    skip('this nginx does not know when a connection came', 2)
        if $t->nginx_version() < 1019010;

    took($tx, 'TLS handshake', 250, 1600, 'TLS');
    cmp_ok(span_ms($tx), '>=', 280, 'TLS: begins with the connection');
}

$tx = only(sub {
    print $kept sprintf $get, 2;
    http_end($kept, until => qr/fine/);
}, 'TLS, second request');

took($tx, 'TLS handshake', undef, undef, 'TLS, second request');

$tx = only(sub {
    wait_for(sub { time() - $^T > 3 }, 5);
    IO::Socket::SSL->start_SSL($idle, SSL_verify_mode => 0) or die;
    print $idle sprintf $get, 3;
    http_end($idle, until => qr/fine/);
}, 'TLS, idle client');

took($tx, 'TLS handshake', undef, undef, 'TLS, idle client');
