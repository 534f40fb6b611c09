#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Subrequests are spans of the one transaction, once each, below what asked
# for them, with the upstream tries that are theirs; the upstream is told the
# id of its own span.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my $t = NginxTest->new()->has(qw/ http_auth_request http_addition
                                  http_slice /);
my $app = $t->upstream('answer', body => 'fine',
                       record => $t->testdir() . '/app');
my $slow = $t->upstream('slow', delay => 1);
my $dead = dead_port();

my $missing = $t->upstream('answer', status => 404);

my ($parts, $leaves, $redirected, $lost) = map {
    join '', map { qq{<!--#include virtual="$_" -->} } @$_
} [ '/part/1', '/outer/' ], [ map { "/leaf/$_" } 1 .. 20 ],
  [ '/failing/x', '/tried/x', '/rewritten/x' ],
  [ map({ "/leaf/$_" } 1 .. 16), '/failing/x', '/failing/y' ];

$t->write_file('www/big', 'a' x 25);

$t->sentry()->conf(http => <<'EOC', location => <<"EOL", servers => <<'EOS');
    sentry_traces_sample_rate 1;
    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
    ssi_types *;
EOC
    /auth/ { auth_request /check; proxy_pass http://127.0.0.1:$app; }
    location = /check { proxy_pass http://127.0.0.1:$app; }
    location /refused/ { auth_request /no; proxy_pass http://127.0.0.1:$app; }
    location = /no { return 403; }
    location /mirror/ {
        mirror /copy;
        proxy_pass http://127.0.0.1:$app;
    }
    location = /copy { proxy_pass http://127.0.0.1:$slow; }
    location /ssi/ {
        ssi on;
        return 200 '$parts';
    }
    location /part/ { proxy_pass http://127.0.0.1:$app; }
    location /outer/ {
        ssi on;
        return 200 '<!--#include virtual="/dead/" -->';
    }
    location /dead/ { proxy_pass http://127.0.0.1:$dead; }
    location /many/ {
        ssi on;
        return 200 '$leaves';
    }
    location /leaf/ { return 200 x; }
    location /late/ {
        ssi on;
        return 200 '$lost';
    }
    location /redirected/ {
        ssi on;
        return 200 '$redirected';
    }
    location /failing/ {
        recursive_error_pages on;
        error_page 502 = \@spare;
        proxy_pass http://127.0.0.1:$dead;
    }
    location \@spare {
        proxy_intercept_errors on;
        error_page 404 = /last/;
        proxy_pass http://127.0.0.1:$missing;
    }
    location /last/ { proxy_pass http://127.0.0.1:$app; }
    location /tried/ { try_files /nothing \@found; }
    location \@found { proxy_pass http://127.0.0.1:$app; }
    location /rewritten/ { rewrite ^ /part/rewritten last; }
    location /added/ {
        addition_types *;
        add_before_body /leaf/before;
        add_after_body /part/after;
        proxy_pass http://127.0.0.1:$app;
    }
    location /slice/ {
        slice 10;
        proxy_cache cache;
        proxy_cache_key \$uri\$slice_range;
        proxy_set_header Range \$slice_range;
        proxy_cache_valid 206 1h;
        proxy_pass http://127.0.0.1:8081/;
    }
    location /stale/ {
        proxy_cache cache;
        proxy_cache_key \$uri;
        proxy_cache_valid 200 1s;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        proxy_ignore_headers Cache-Control;
        add_header X-Cache \$upstream_cache_status;
        proxy_pass http://127.0.0.1:8082/;
    }
EOL
    server {
        listen 127.0.0.1:8081;
        sentry_dsn off;
        root %%TESTDIR%%/www;
    }
    server {
        listen 127.0.0.1:8082;
        sentry_dsn off;
        location / { return 200 "stale"; }
    }
EOS

$t->plan(51)->run();

my $shown = qr/^(?:handler|http\.client)$/;

sub recorded { return NginxTest::Upstream::recorded($t->testdir() . '/app') }

# auth_request

my $tx = traced($t, '/auth/x', 'auth_request');
my @spans = span_tree($tx, $shown);

is(scalar @spans, 3, 'auth_request: check, its try, ours');
is($spans[0], 'handler /check', 'auth_request: once');
like($spans[1], qr/^  http\.client .*127\.0\.0\.1:$app/,
     'auth_request: its try is below');
like($spans[2], qr/^http\.client /, 'auth_request: the own try');

my ($check) = spans_of($tx, 'handler');
my %id = map { $_->{parent_span_id} => $_->{span_id} }
             spans_of($tx, 'http.client');
my @told = map { (header_of($_, 'sentry-trace'))[1] } recorded();

is($told[0], $id{$check->{span_id}}, 'auth_request: told its span');
is($told[1], $id{trace($tx)->{span_id}}, 'and the request told its own');

$tx = traced($t, '/refused/x', 'refused');

is(trace($tx)->{data}{'http.response.status_code'}, 403, 'refused: status');
is_deeply([ map { "$_->{description} $_->{status}" }
                spans_of($tx, 'handler') ],
          [ '/no permission_denied' ], 'refused: what refused');

# mirror: the client does not wait for the copy, neither does the root

$tx = traced($t, '/mirror/x', 'mirror');

is_deeply([ map { $_->{description} } spans_of($tx, 'handler') ],
          [ '/copy' ], 'mirror: the copy');
cmp_ok(span_ms($tx), '<', 500, 'mirror: ends with the answer');
cmp_ok($tx->{contexts}{nginx}{request_time}, '>=', 0.9,
       'mirror: nginx kept it longer');

# SSI, nested

$tx = traced($t, '/ssi/x', 'SSI');
@spans = span_tree($tx, $shown);

is_deeply([ map { s/http\.client\K.*//r } @spans ],
          [ 'handler /part/', '  http.client', 'handler /outer/',
            '  handler /dead/', '    http.client' ], 'SSI: nested');

# more than are kept

$tx = traced($t, '/many/x', 'many');

is(scalar(spans_of($tx, 'handler')), 16, 'many: the first ones');
is($tx->{contexts}{nginx}{subrequests}, 20, 'many: how many there were');

# redirects inside of subrequests

unlink $t->testdir() . '/app';
$tx = traced($t, '/redirected/x', 'redirected');
@spans = span_tree($tx, $shown);

is_deeply([ map { s/http\.client\K.*?(?=127|$)/ /r
                  =~ s{(:\d+)/.*}{$1}r } @spans ],
          [ 'handler /failing/',
            map({ "  http.client 127.0.0.1:$_" } $dead, $missing, $app),
            'handler /tried/', "  http.client 127.0.0.1:$app",
            'handler /part/', "  http.client 127.0.0.1:$app" ],
          'redirected: once each, with all its tries');
is_deeply([ sort map { (header_of($_, 'sentry-trace'))[1] } recorded() ],
          [ sort map { $_->{span_id} }
            grep { $_->{description} =~ /:$app\b/ }
            spans_of($tx, 'http.client') ], 'redirected: told their spans');

$tx = traced($t, '/late/x', 'redirected, too many');
is($tx->{contexts}{nginx}{subrequests}, 18,
   'redirected, too many: counted once each');

# addition

$tx = traced($t, '/added/x', 'addition');

is_deeply([ sort map { $_->{description} } spans_of($tx, 'handler') ],
          [ '/leaf/', '/part/' ], 'addition: before and after');

# slices

$tx = traced($t, '/slice/big', 'slice');

is_deeply([ map { $_->{description} } spans_of($tx, 'handler') ],
          [ '/slice/', '/slice/' ], 'slice: those after the first');
is(scalar(spans_of($tx, 'http.client')), 3, 'slice: a try each');
is(trace($tx)->{data}{'http.response.body.size'}, 25, 'slice: all came');

# background update

http_get('/stale/x');
$t->{traced}++;

wait_for(sub {
    my $response = http_get('/stale/x');

    $t->{traced}++;
    $response =~ /X-Cache: STALE/;
});

my ($stale) = grep { spans_of($_, 'handler') }
              grep { $_->{transaction} eq 'GET /stale/' }
                  @{$t->transactions($t->{traced})};

ok($stale, 'background update: a span of the request that was stale');
is($stale && span_faults($stale), '', 'background update: in order');
is_deeply([ map { s/http\.client\K.*//r } span_tree($stale, $shown) ],
          [ 'handler /stale/', '  http.client' ],
          'background update: the try is the update\'s');
