#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# nginx's cache in transactions: stale answers, while the upstream is away and
# while another request asks it; one that waits for another.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my $t = NginxTest->new()->has('http-cache');
my ($dead, $bad) = (dead_port(), $t->upstream('answer', status => 503));
my $app = $t->upstream('answer', body => 'fine');
my $slow = $t->upstream('slow', delay => 1, body => 'new',
                        record => $t->testdir() . '/slow');

my $TRACE = '0123456789abcdef0123456789abcdef';
my $CALLER = 'fedcba9876543210';

$t->sentry()->conf(http => <<'EOC', location => <<'EOL')->plan(41)->run();
    sentry_traces_sample_rate 1;
    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
    proxy_cache cache;
    proxy_cache_key $uri;
    proxy_cache_valid 200 1s;
EOC
    /error/ {
        proxy_cache_use_stale error http_503;
        proxy_pass http://127.0.0.1:$arg_port;
    }
    location /updating/ {
        proxy_cache_use_stale updating;
        proxy_pass http://127.0.0.1:$arg_port;
    }
    location /background/ {
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_pass http://127.0.0.1:$arg_port;
    }
    location /lock/ {
        proxy_cache_lock on;
        proxy_cache_valid 200 1h;
        proxy_pass http://127.0.0.1:$arg_port;
    }
    location /clock/ {
        sentry_dsn off;
        add_header X-Cache $upstream_cache_status;
        proxy_pass http://127.0.0.1:$arg_port;
    }
EOL

# kept for a second: what was asked for before the clock is stale with it

my $n = 0;

for (qw/ error updating background /) {
    caller_asks($_, $app)->();
    checked($_, 'MISS', [ 200 ], "$_, first");
}

http_get("/clock/?port=$app");
wait_for(sub { http_get("/clock/?port=$app") =~ /X-Cache: EXPIRED/ });

# the upstream is away, or says that it is

for ([ $dead, 'internal_error', 'away' ], [ $bad, 503, 'not available' ]) {
    my ($port, $try, $name) = @$_;

    caller_asks('error', $port)->();
    my $tx = checked('error', 'STALE', [ $try ], $name);

    is(trace($tx)->{data}{'http.response.status_code'}, 200,
       "$name: answered");
}

# while the first one asks, the second one gets what there is

my $first = caller_asks('updating', $slow);

wait_for(sub { -s $t->testdir() . '/slow' });
caller_asks('updating', $dead)->();
my $tx = checked('updating', 'UPDATING', [], 'meanwhile');

cmp_ok(span_ms($tx), '<', 800, 'meanwhile: at once');

like($first->(), qr/new/, 'the first: waited');
$tx = checked('updating', 'EXPIRED', [ 200 ], 'the first');
cmp_ok(span_ms($tx), '>=', 900, 'the first: and says so');

# in the background: the request is over before its update

caller_asks('background', $slow)->();
$tx = checked('background', 'STALE', [ 200 ], 'background');

cmp_ok(span_ms($tx), '<', 800, 'background: ends with its answer');
is_deeply([ map { s/http\.client\K.*//r }
            span_tree($tx, qr/^(?:handler|http\.client)$/) ],
          [ 'handler /background/', '  http.client' ],
          'background: the try is the update\'s');

# two that want the same: one asks, the other one waits

$_->() for map { caller_asks('lock', $slow) } 1, 2;
$n += 2;

my @got = sort { tries($b) <=> tries($a) }
          grep { $_->{transaction} eq 'GET /lock/' } @{$t->transactions($n)};

is_deeply([ map { [ $_->{contexts}{nginx}{cache_status}, scalar tries($_),
                    trace($_)->{parent_span_id}, span_faults($_) ] } @got ],
          [ [ 'MISS', 1, $CALLER, '' ], [ 'HIT', 0, $CALLER, '' ] ],
          'lock: one asks, the other one finds it');
isnt(trace($got[0])->{span_id}, trace($got[1])->{span_id},
     'lock: a span each');


# A request of a caller, whose upstream is at that port; waits for its answer.

sub caller_asks {
    my ($what, $port) = @_;
    my $s = http_start("GET /$what/x?port=$port HTTP/1.0\r\n"
                       . "Host: localhost\r\n"
                       . "sentry-trace: $TRACE-$CALLER-1\r\n\r\n");

    return sub { http_end($s) };
}


# How the tries ended: statuses, or that there was none.

sub tries {
    my ($tx) = @_;

    return map { $_->{data}{'http.response.status_code'} // $_->{status} }
               spans_of($tx, 'http.client');
}


# The one transaction that came.

sub checked {
    my ($what, $cache, $tries, $name) = @_;
    my $got = $t->transactions(++$n);
    my $tx = $got->[-1];
    my $root = trace($tx);

    is(scalar @$got, $n, "$name: one transaction");
    is_deeply([ $tx->{transaction}, $root->{trace_id},
                $root->{parent_span_id}, span_faults($tx) ],
              [ "GET /$what/", $TRACE, $CALLER, '' ],
              "$name: name, parent, spans");
    is_deeply([ $tx->{contexts}{nginx}{cache_status}, tries($tx) ],
              [ $cache, @$tries ], "$name: cache and tries");

    my ($lookup) = spans_of($tx, 'cache.get');

    is($lookup->{data}{'cache.hit'} ? 1 : 0,
       $cache =~ /HIT|STALE|UPDATING/ ? 1 : 0, "$name: cache.get");

    return $tx;
}
