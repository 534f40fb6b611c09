#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# sentry_server_timing: the trace for the browser, on HTML documents that no
# shared cache may keep.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->has('http-cache');

my $ids = '771a43a4192642f0b136d5159a501700-a9f442f9330b4e09';

# what an application answers; whether the page is told

my @pages = (
    [ {}, 1, 'nothing said of caches' ],
    [ { 'Cache-Control' => 'private' }, 1 ],
    [ { 'Cache-Control' => 'no-store' }, 1 ],
    [ { 'Cache-Control' => 'Private, max-age=60' }, 1 ],
    [ { 'Cache-Control' => 'max-age=0, no-store,must-revalidate' }, 1 ],
    [ { 'Cache-Control' => 'private',
        'Last-Modified' => 'Sun, 06 Nov 1994 08:49:37 GMT' }, 1 ],
    [ { 'Cache-Control' => 'no-cache' }, 1 ],
    [ { 'Cache-Control' => 'max-age=0' }, 1 ],
    [ { 'Expires' => 'Sun, 06 Nov 1994 08:49:37 GMT' }, 1 ],
    [ { 'Expires' => '0' }, 1 ],
    [ { 'ETag' => '"x"' }, 1 ],
    [ { 'Content-Type' => 'TEXT/HTML; charset=utf-8' }, 1 ],
    [ { 'Server-Timing' => 'db;dur=5' }, 1 ],

    [ { 'Cache-Control' => 'public' }, 0 ],
    [ { 'Cache-Control' => 'max-age=60' }, 0 ],
    [ { 'Cache-Control' => 'must-revalidate, Max-Age=60' }, 0 ],
    [ { 'Cache-Control' => 's-maxage=5' }, 0 ],
    [ { 'Cache-Control' => 'max-age=0, s-maxage=5' }, 0 ],
    [ { 'Expires' => 'Sun, 06 Nov 2094 08:49:37 GMT' }, 0 ],
    [ { 'Last-Modified' => 'Sun, 06 Nov 1994 08:49:37 GMT' }, 0 ],
    [ { 'Cache-Control' => 'no-cache', 'ETag' => '"x"' }, 0 ],
    [ { 'Cache-Control' => 'no-cache',
        'Last-Modified' => 'Sun, 06 Nov 1994 08:49:37 GMT' }, 0 ],
    [ { 'Expires' => '-1', 'ETag' => '"x"' }, 0 ],
    [ { 'Server-Timing' => 'sentry-trace;desc="x"' }, 0 ],
    [ { 'Content-Type' => 'application/json' }, 0 ],
    [ { 'Content-Type' => 'text/plain' }, 0 ],
);

$t->sentry();

my @locations = map {
    my $app = $t->upstream('answer', headers => {
        'Content-Type' => 'text/html', %{$pages[$_][0]} });

    "= /p$_ { proxy_pass http://127.0.0.1:$app; }"
} 0 .. $#pages;

my $plain = $t->upstream('answer', headers => {
    'Content-Type' => 'text/html' });

$t->conf(http => <<'EOC', location => [ @locations,
    sentry_server_timing on;
    sentry_traces_sample_rate 1;
    sentry_route = /dropped drop=traces;
    proxy_cache_path %%TESTDIR%%/cache keys_zone=one:1m;
EOC
    "/off/ { sentry_server_timing off;
        proxy_pass http://127.0.0.1:$plain; }",
    "/none/ { sentry_dsn off; proxy_pass http://127.0.0.1:$plain; }",
    "/notraces/ { sentry_traces_sample_rate off;
        proxy_pass http://127.0.0.1:$plain; }",
    "= /dropped { proxy_pass http://127.0.0.1:$plain; }",
    "/expires/ { expires 60; proxy_pass http://127.0.0.1:$plain; }",
    "/added/ { add_header Cache-Control public;
        proxy_pass http://127.0.0.1:$plain; }",
    "/cache/ { proxy_cache one; proxy_cache_valid 200 1m;
        proxy_pass http://127.0.0.1:$plain; }",
    '/return { default_type text/html; return 200 html; }',
    '/error { return 500; }',
]);

$t->plan(@pages + 16)->run();


for my $i (0 .. $#pages) {
    my ($headers, $told, $name) = @{$pages[$i]};

    $name //= join ', ', map { "$_: $headers->{$_}" } sort keys %$headers;

    is(timing(http_get("/p$i")) ? 1 : 0, $told, $name);
}


# what it says

my $response = http_get('/p0', headers => {
    'sentry-trace' => "$ids-1",
    baggage => 'other=1,sentry-release=1,sentry-sample_rate=0.5' });
my ($trace, $span, $flag, $baggage) = timing($response);

is("$trace $flag", '771a43a4192642f0b136d5159a501700 1', 'the trace');
isnt($span, 'a9f442f9330b4e09', 'a span of its own');
is($baggage, 'sentry-release=1,sentry-sample_rate=0.5',
   'the baggage, of Sentry alone');

$response = http_get('/p12');
like($response, qr/^Server-Timing: db;dur=5\r/m, 'the app\'s own stays');
is(scalar(() = $response =~ /^Server-Timing:/mg), 2, 'beside it');

($trace, $span, $flag) = timing(http_get('/notraces/'));
like($trace, qr/^\w{32}$/, 'without a rate');
is($flag, undef, 'without a rate: no flag');

($trace, $span, $flag) = timing(http_get('/dropped'));
is($flag, 0, 'a dropped route');

ok(!timing(http_get('/off/')), 'off');
ok(!timing(http_get('/none/')), 'nothing is reported');
ok(!timing(http_get('/expires/')), 'expires');
ok(!timing(http_get('/added/')), 'add_header');
ok(!timing(http_get('/cache/')) && !timing(http_get('/cache/')),
   'a page that nginx keeps, and that it kept');
ok(timing(http_get('/return')), 'nginx\'s own page');
ok(timing(http_get('/error')), 'an error page');

($trace) = timing(http_get('/error'));
my ($event) = grep { $_->{contexts}{trace}{trace_id} eq $trace }
              @{$t->events(2)};
ok($event, 'the trace of its event');


sub timing {
    my ($response) = @_;
    my ($head) = split /\r\n\r\n/, $response;

    return $head =~ /^Server-Timing:\ sentry-trace;
                     desc="(\w{32})-(\w{16})(?:-([01]))?"
                     (?:,\ baggage;desc="([^"]+)")?\r?$/mx;
}
