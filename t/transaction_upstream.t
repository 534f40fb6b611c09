#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Upstream tries in a transaction: in their order, with their addresses and
# statuses, of every kind of upstream; caches; upgraded connections.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my $t = NginxTest->new()->has(qw/ http_v2 http-cache /);

# A server that says the same to whoever asks, in whatever protocol; after
# that it echoes.

sub says {
    my ($bytes) = @_;
    my $port = dead_port();
    my $listener = NginxTest::Upstream::listener($port);

    $t->run_daemon(sub {
        while (1) {
            my $s = $listener->accept() or next;

            sysread $s, my $request, 65536 or next;
            syswrite $s, $bytes;

            if ($bytes =~ / 101 /) {
                sysread $s, my $more, 65536;
                syswrite $s, $more // '';
            }
        }
    });

    return $port;
}

sub fastcgi {
    my ($text) = @_;

    return pack('CCnnCx', 1, 6, 1, length $text, 0) . $text
           . pack('CCnnCx', 1, 3, 1, 8, 0) . "\0" x 8;
}

my ($dead, $bad) = (dead_port(), $t->upstream('answer', status => 502));
my $app = $t->upstream('answer', body => 'fine',
                       record => $t->testdir() . '/app');
my $fast = says(fastcgi("Status: 201 Made\r\n\r\nfast"));
my $uwsgi = says("HTTP/1.1 202 OK\r\n\r\nuwsgi");
my $scgi = says("Status: 203 OK\r\n\r\nscgi");
my $memcached = says("VALUE /cached/ 0 4\r\nmemo\r\nEND\r\n");
my $socket = says("HTTP/1.1 101 Up\r\nUpgrade: websocket\r\n"
                  . "Connection: upgrade\r\n\r\n");

$t->sentry()->conf(http => <<"EOC", location => <<"EOL", servers => <<'EOS');
    sentry_traces_sample_rate 1;
    upstream three {
        server 127.0.0.1:$dead;
        server 127.0.0.1:$bad;
        server 127.0.0.1:$app;
    }
    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
EOC
    /three/ {
        proxy_next_upstream error http_502;
        proxy_pass http://three;
    }
    location /grpc/ { grpc_pass grpc://127.0.0.1:8081; }
    location /fast/ { fastcgi_pass 127.0.0.1:$fast; }
    location /uwsgi/ { uwsgi_pass 127.0.0.1:$uwsgi; }
    location /scgi/ { scgi_pass 127.0.0.1:$scgi; }
    location /cached/ {
        set \$memcached_key \$uri;
        memcached_pass 127.0.0.1:$memcached;
    }
    location /cache/ {
        proxy_cache cache;
        proxy_cache_valid 200 1h;
        proxy_pass http://127.0.0.1:$app;
    }
    location /again/ {
        error_page 502 = \@spare;
        proxy_pass http://127.0.0.1:$dead;
    }
    location \@spare { proxy_pass http://127.0.0.1:$app; }
    location /socket/ {
        proxy_http_version 1.1;
        proxy_set_header Upgrade \$http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_pass http://127.0.0.1:$socket;
    }
EOL
    server {
        listen 127.0.0.1:8081 http2;
        sentry_dsn off;
        location / { default_type application/grpc; return 200 ""; }
    }
EOS

$t->plan(51)->run();


# What each try was: address and status.

sub tries {
    my ($tx) = @_;

    return map {
        join ' ', "$_->{data}{'server.address'}:$_->{data}{'server.port'}",
                  $_->{data}{'http.response.status_code'} // $_->{status}
    } spans_of($tx, 'http.client');
}

sub told {
    my @requests = NginxTest::Upstream::recorded($t->testdir() . '/app');

    return header_of($requests[-1], 'sentry-trace');
}

# three servers

my $tx = traced($t, '/three/', 'three');

is(trace($tx)->{data}{'http.response.status_code'}, 200, 'three: answered');
is_deeply([ tries($tx) ],
          [ "127.0.0.1:$dead internal_error", "127.0.0.1:$bad 502",
            "127.0.0.1:$app 200" ], 'three: in order');
is_deeply([ map { $_->{parent_span_id} } spans_of($tx, 'http.client') ],
          [ (trace($tx)->{span_id}) x 3 ], 'three: below the root');
is_deeply([ (told())[0, 1] ],
          [ trace($tx)->{trace_id},
            (spans_of($tx, 'http.client'))[2]{span_id} ],
          'three: the app continues the try it answered');

# tries before and after an internal redirect

$tx = traced($t, '/again/', 'redirected');

is_deeply([ tries($tx) ],
          [ "127.0.0.1:$dead internal_error", "127.0.0.1:$app 200" ],
          'redirected: both tries');

# every kind

for ([ grpc => port(8081), 200 ], [ fast => $fast, 201 ],
     [ uwsgi => $uwsgi, 202 ], [ scgi => $scgi, 203 ],
     [ cached => $memcached, 200 ])
{
    my ($name, $port, $status) = @$_;

    $tx = traced($t, "/$name/", $name);

    is_deeply([ tries($tx) ], [ "127.0.0.1:$port $status" ], "$name: a try");
}

# caches

for ([ 'MISS', 1 ], [ 'HIT', 0 ]) {
    my ($status, $tries) = @$_;

    $tx = traced($t, '/cache/x', $status);

    is($tx->{contexts}{nginx}{cache_status}, $status, "$status: told");
    is(scalar(spans_of($tx, 'http.client')), $tries, "$status: tries");

    my ($cache) = spans_of($tx, 'cache.get');

    is($cache->{data}{'cache.hit'} ? 1 : 0, 1 - $tries, "$status: cache.get");
}

# a tunnel ends for its transaction when it begins

$tx = traced($t, sub {
    my $s = http_start("GET /socket/ HTTP/1.1\r\nHost: localhost\r\n"
                       . "sentry-trace: $CALLER\r\n"
                       . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n");

    sysread $s, my $answer, 4096;
    like($answer, qr/ 101 /, 'WebSocket: upgraded');
    select undef, undef, undef, 0.4;
    syswrite $s, 'hello';
    sysread $s, $answer, 4096;
    is($answer, 'hello', 'WebSocket: echoed');
    close $s;

    return '/socket/';
}, 'WebSocket');

is(trace($tx)->{data}{'http.response.status_code'}, 101, 'WebSocket: status');
cmp_ok(span_ms($tx), '<', 200, 'WebSocket: ends when it was answered');
cmp_ok($tx->{contexts}{nginx}{request_time}, '>=', 0.4,
       'WebSocket: how long it was open');
