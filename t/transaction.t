#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Every sampled request gives exactly one transaction, under the name of the
# place that served it, wherever nginx led it; what is not to be traced gives
# none.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my $t = NginxTest->new();
my ($dead, $hang) = (dead_port(), $t->upstream('hang'));
my $app = $t->upstream('answer', body => 'fine');

$t->write_file('www/there/index.html', 'index');
$t->write_file('www/file.txt', 'file');

$t->sentry()->conf(http => <<'EOC', server => <<"EOS", location => <<"EOL");
    sentry_traces_sample_rate 1;
    sentry_route /dropped/ drop;
    sentry_route /untraced/ drop=traces;
    sentry_route /ruled/ name=Ruled;
    client_max_body_size 1k;
EOC
    listen 127.0.0.1:8081 http2;
    root %%TESTDIR%%/www;
    error_page 418 /sorry.html;
EOS
    /app/ { proxy_pass http://127.0.0.1:$app; }
    location = /return { return 204; }
    location / { }
    location = /sorry.html { return 200 "sorry"; }
    location /page/ {
        error_page 502 /sorry.html;
        proxy_pass http://127.0.0.1:$dead;
    }
    location /named/ {
        error_page 502 = \@fallback;
        proxy_pass http://127.0.0.1:$dead;
    }
    location \@fallback { proxy_pass http://127.0.0.1:$app; }
    location /try/ { try_files \$uri /return; }
    location /tried/ { try_files /no\$uri \@fallback; }
    location /early/ { return 418; }
    location /rewritten/ { rewrite ^/rewritten/(.*) /app/\$1 last; }
    location /hang/ { proxy_pass http://127.0.0.1:$hang; }
    location /slow/ { proxy_pass http://127.0.0.1:$hang;
                      proxy_read_timeout 200ms; }
    location /mine/ { sentry_transaction "mine \$arg_x"; return 200; }
    location /upload/ { proxy_pass http://127.0.0.1:$app; }
    location /dropped/ { return 500; }
    location /untraced/ { return 200; }
    location /ruled/ { return 200; }
    location /ignored/ { sentry_ignore \$arg_x; return 200; }
    location /off/ { sentry_dsn off; return 200; }
    location /never/ { sentry_traces_sample_rate 0; return 200; }
    location /untold/ { sentry_traces_sample_rate off; return 200; }
    location = /status { sentry_status; }
EOL

# name; how to provoke; status, transaction, source

my @cases = (
    [ 'proxy', '/app/1', 200, 'GET /app/', 'route' ],
    [ 'return', '/return', 204, 'GET /return', 'route' ],
    [ 'file', '/file.txt', 200, 'GET /file.txt', 'url' ],
    [ 'no file', '/users/17', 404, 'GET /users/*', 'url' ],
    [ 'index', '/there/', 200, 'GET /there/', 'url' ],
    [ 'error page', '/page/x', 502, 'GET /page/', 'route' ],
    [ 'error page of a return', '/early/x', 418, 'GET /early/', 'route' ],
    [ 'error page in a named location', '/named/x', 200, 'GET /named/',
      'route' ],
    [ 'try_files', '/try/x', 204, 'GET /return', 'route' ],
    [ 'try_files in a named location', '/tried/x', 200, 'GET @fallback',
      'route' ],
    [ 'rewrite last', '/rewritten/9', 200, 'GET /app/', 'route' ],
    [ 'sentry_transaction', '/mine/?x=1', 200, 'mine 1', 'custom' ],
    [ 'name= of a route', '/ruled/', 200, 'Ruled', 'route' ],
    [ 'HEAD', "HEAD /app/ HTTP/1.0\r\nHost: localhost\r\n\r\n", 200,
      'HEAD /app/', 'route' ],
    [ 'POST', sub { http_post('/app/', 'body') }, 200, 'POST /app/',
      'route' ],
    [ 'body too large',
      "POST /upload/x HTTP/1.0\r\nHost: localhost\r\n"
      . "Content-Length: 5000\r\n\r\n", 413, 'POST /upload/', 'route' ],
    [ 'upstream timed out', '/slow/', 504, 'GET /slow/', 'route' ],
    [ 'HTTP/0.9', "GET /mine/?x=0\r\n", 200, 'mine 0', 'custom' ],
    [ 'no host in HTTP/1.1', "GET /nohost HTTP/1.1\r\n\r\n", 400,
      'GET /nohost', 'url' ],
    [ 'client went away', sub {
        my $s = http_start("GET /hang/gone HTTP/1.0\r\nHost: a\r\n\r\n");
        select undef, undef, undef, 0.1;
        close $s;
    }, 499, 'GET /hang/', 'route' ],
    [ 'HTTP/2', sub { http2('/app/2', port => port(8081)) }, 200,
      'GET /app/', 'route' ],
    [ 'header that names a parent', sub {
        http_get('/app/', headers => { 'sentry-trace' =>
                     '0123456789abcdef0123456789abcdef-fedcba9876543210-1' });
    }, 200, 'GET /app/', 'route', 'fedcba9876543210' ],
);

my @absent = (
    [ 'preflight', "OPTIONS /app/ HTTP/1.0\r\nHost: localhost\r\n\r\n" ],
    [ 'line that was not understood', "GE%T / HTTP/1.0\r\n\r\n" ],
    [ 'uri too long', 'GET /' . 'a' x 9000 . " HTTP/1.0\r\n\r\n" ],
    [ 'health route', '/healthz' ],
    [ 'dropped route', '/dropped/' ],
    [ 'drop=traces', '/untraced/' ],
    [ 'sentry_ignore', '/ignored/?x=1' ],
    [ 'sentry_dsn off', '/off/' ],
    [ 'rate 0', '/never/' ],
    [ 'rate off', '/untold/' ],
    [ 'status page', '/status' ],
    [ 'not sampled by the caller', sub {
        http_get('/app/', headers => { 'sentry-trace' =>
                     '0123456789abcdef0123456789abcdef-fedcba9876543210-0' });
    } ],
);

$t->plan(9 + 4 * @cases + @absent)->run();

sub provoke {
    my ($how) = @_;

    return $how->() if ref $how;
    return http_get($how) if $how =~ m{^/};
    return http($how);
}

my $seen = 0;

for (@cases) {
    my ($name, $how, $status, $transaction, $source, $parent) = @$_;

    if ($name eq 'HTTP/2' && !$t->has_module('http_v2')) {
        SKIP: { skip('no http_v2 in nginx', 4) }
        next;
    }

    provoke($how);

    my $got = $t->transactions(++$seen);
    my $tx = $got->[-1];

    is(scalar @$got, $seen, "$name: one transaction");
    $seen = @$got;

    is_deeply([ $tx->{transaction}, $tx->{transaction_info}{source},
                trace($tx)->{data}{'http.response.status_code'} ],
              [ $transaction, $source, $status ], "$name: name and status");
    is(trace($tx)->{parent_span_id}, $parent, "$name: parent");
    is(span_faults($tx), '', "$name: spans in order");
}

# several on one connection

my $pipelined = http(join '', map {
    "GET /mine/?x=$_ HTTP/1.1\r\nHost: localhost\r\n"
    . ($_ == 3 ? "Connection: close\r\n" : '') . "\r\n"
} 1 .. 3);

# several envelopes are under way at a time: they arrive in any order

my @kept = @{$t->transactions($seen + 3)}[$seen .. $seen + 2];

is(join(' ', sort map { $_->{transaction} } @kept), 'mine 1 mine 2 mine 3',
   'pipelined requests');
is(join(' ', map { "$_->{transaction}: "
                   . $_->{contexts}{nginx}{connection_requests} }
             sort { $a->{transaction} cmp $b->{transaction} } @kept),
   'mine 1: 1 mine 2: 2 mine 3: 3', 'on one connection');
is(scalar keys %{{ map { trace($_)->{trace_id} => 1 } @kept }}, 3,
   'a trace each');

$seen += 3;

# what is not traced

for (@absent) {
    my ($name, $how) = @$_;

    provoke($how);
    $t->marker();

    is(scalar @{$t->transactions()}, $seen, "$name: no transaction");
    $seen = @{$t->transactions()};
}

# an error and its transaction

my @errors = grep { $_->{transaction} eq 'GET /slow/' } @{$t->events()};
my ($slow) = grep { $_->{transaction} eq 'GET /slow/' }
                  @{$t->transactions()};

is(scalar @errors, 1, 'failed: an event too');
is($errors[0]{contexts}{trace}{trace_id}, trace($slow)->{trace_id},
   'of the same trace');
is($errors[0]{contexts}{trace}{span_id}, trace($slow)->{span_id},
   'and span');

# what was not sampled is accounted for, with its spans

my $project = $t->status()->{projects}[0];

is($project->{lost}{sample_rate}{transaction}, 2, 'sampled out');
is($project->{lost}{sample_rate}{span}, 3, 'with its spans');

$t->stop();

is_deeply($t->client_reports()->{sample_rate}, { transaction => 2, span => 3 },
          'and Sentry is told');
