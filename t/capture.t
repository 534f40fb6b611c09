#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Every way for a request to fail gives exactly one event with the right
# status, transaction, location, upstream and request; what is not to be
# captured gives none.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

# name; how to provoke; what the event must say.  A request is a path, raw
# bytes, or code.

my @cases;

my $t = NginxTest->new();

my ($dead, $hang, $close, $reset, $header, $garbage, $app, $dead2) = (
    dead_port(),
    map({ $t->upstream($_) } qw/ hang close reset header garbage /),
    $t->upstream('answer', status => 500, body => 'boom'), dead_port());
my $ok = $t->upstream('answer', status => 200, body => 'fine');

$t->sentry()->conf(http => <<"EOC", server => <<'EOS', location => <<"EOL");
    limit_req_zone \$server_name zone=req:64k rate=1r/m;
    upstream both { server 127.0.0.1:$dead; server 127.0.0.1:$dead2; }
    large_client_header_buffers 2 1k;
    sentry_capture 5xx 400 408 413 414 431 494;
    sentry_environment testing;
    sentry_release shop\@1.2.3;
    sentry_server_name edge-1;
    proxy_read_timeout 500ms;
    proxy_connect_timeout 500ms;
    ssi_types *;
    sentry_breadcrumbs info;
EOC
    listen 127.0.0.1:8081 http2;
    client_header_timeout 1s;
    client_body_timeout 1s;
    client_max_body_size 1k;
EOS
    /dead/ { proxy_pass http://127.0.0.1:$dead/v1/; }
    location /hang/ { proxy_pass http://127.0.0.1:$hang; }
    location /close/ { proxy_pass http://127.0.0.1:$close; }
    location /reset/ { proxy_pass http://127.0.0.1:$reset; }
    location /header/ { proxy_pass http://127.0.0.1:$header; }
    location /app/ { proxy_pass http://127.0.0.1:$app; }
    location /both/ { proxy_pass http://both; }
    location = /gone { return 503; }
    location / { return 500; }
    location ~ ^/regex/ { return 501; }
    location /upload/ { proxy_pass http://127.0.0.1:$ok; }
    location /page/ {
        error_page 502 /error.html;
        proxy_pass http://127.0.0.1:$dead;
    }
    location = /error.html { return 200 "sorry"; }
    location /named/ {
        error_page 502 = \@fallback;
        proxy_pass http://127.0.0.1:$dead;
    }
    location \@fallback { return 504; }
    location /forgiven/ {
        error_page 502 =200 /error.html;
        proxy_pass http://127.0.0.1:$dead;
    }
    location /big/ {
        error_page 413 /error.html;
        client_max_body_size 5;
        proxy_pass http://127.0.0.1:$ok;
    }
    location /limited/ { limit_req zone=req; proxy_pass http://127.0.0.1:$ok; }
    location /rewritten/ { rewrite ^/rewritten/(.*) /dead/\$1 last; }
    location /ssi/ {
        ssi on;
        return 500 '<!--#include virtual="/app/part" -->';
    }
    location /auth/ { auth_request /app/auth; proxy_pass http://127.0.0.1:$ok; }
    location /missing/ { return 404; }
    location /quiet/ { sentry_capture off; return 500; }
    location /off/ { sentry_dsn off; return 500; }
EOL

@cases = (
    [ 'refused upstream', '/dead/1?a=b', {
        status => 502, transaction => 'GET /dead/', source => 'route',
        location => '/dead/', type => 'UpstreamRefused',
        value => 'connect() failed (111: Connection refused) while connecting'
            . " to upstream 127.0.0.1:$dead",
        upstream => "127.0.0.1:$dead", url => '/dead/1', query => 'a=b',
        errno => 111 } ],
    [ 'silent upstream', '/hang/', {
        status => 504, transaction => 'GET /hang/', location => '/hang/',
        type => 'UpstreamTimeout', value => qr/^upstream timed out \(110/,
        upstream => "127.0.0.1:$hang", errno => 110 } ],
    [ 'upstream that closes', '/close/', {
        status => 502, transaction => 'GET /close/', location => '/close/',
        type => 'UpstreamClosed', value => qr/^upstream prematurely closed/,
        upstream => "127.0.0.1:$close" } ],
    [ 'upstream that resets', '/reset/', {
        status => 502, type => 'UpstreamReset', value => qr/104: /,
        location => '/reset/', upstream => "127.0.0.1:$reset",
        errno => 104 } ],
    [ 'upstream that ends in its header', '/header/', {
        status => 502, type => 'UpstreamClosed', location => '/header/',
        upstream => "127.0.0.1:$header" } ],
    [ 'failing application', '/app/', {
        status => 500, transaction => 'GET /app/', location => '/app/',
        type => 'UpstreamError', value => "500 Internal Server Error in"
            . " location /app/, upstream 127.0.0.1:$app",
        upstream => "127.0.0.1:$app", upstream_status => 500 } ],
    [ 'two refused servers', '/both/', {
        status => 502, location => '/both/', tries => 2,
        type => 'UpstreamRefused' } ],
    [ 'return', '/gone', {
        status => 503, transaction => 'GET /gone', source => 'route',
        location => '/gone', type => 'ServerError', tries => 0,
        value => qr/^503 Service Unavailable in location \/gone$/ } ],
    [ 'root location', '/users/17/x?y', {
        status => 500, transaction => 'GET /users/*/x', source => 'url',
        location => '/', url => '/users/17/x', query => 'y' } ],
    [ 'regex location', '/regex/a', {
        status => 501, transaction => 'GET /regex/a', source => 'url',
        location => '^/regex/' } ],
    [ 'error page', '/page/x', {
        status => 502, transaction => 'GET /page/', location => '/page/',
        url => '/page/x', type => 'UpstreamRefused' } ],
    [ 'error page in a named location', '/named/x', {
        status => 504, transaction => 'GET /named/', location => '/named/' } ],
    [ 'rewritten', '/rewritten/9', {
        status => 502, location => '/dead/', url => '/rewritten/9' } ],
    [ 'body too large',
      "POST /upload/x HTTP/1.0\r\nHost: localhost\r\n"
      . "Content-Length: 5000\r\n\r\n", {
        status => 413, method => 'POST', transaction => 'POST /upload/',
        location => '/upload/', type => 'RequestTooLarge',
        level => 'warning' } ],
    [ 'body too large, error page',
      "POST /big/x HTTP/1.0\r\nHost: localhost\r\n"
      . "Content-Length: 50\r\n\r\n", {
        status => 413, location => '/big/', transaction => 'POST /big/' } ],
    [ 'bad request line', "GE%T / HTTP/1.0\r\n\r\n", {
        status => 400, transaction => '(unparsed request)',
        type => 'BadRequest', url => '/' } ],
    [ 'binary request line', "\x16\x03\x01\x02\x00\x01\xfc\xff\xfe\r\n\r\n", {
        status => 400, transaction => '(unparsed request)', url => undef } ],
    [ 'no host in HTTP/1.1', "GET /nohost HTTP/1.1\r\n\r\n", {
        status => 400, type => 'BadRequest', url => '/nohost' } ],
    [ 'invalid host', "GET /h HTTP/1.0\r\nHost: a/b\r\n\r\n", {
        status => 400, type => 'BadRequest' } ],
    [ 'uri too long', 'GET /' . 'a' x 3000 . " HTTP/1.0\r\n\r\n", {
        status => 414, type => 'RequestTooLarge', method => 'GET' } ],
    [ 'header too large', "GET /hdr HTTP/1.0\r\nX-A: " . 'a' x 3000
      . "\r\n\r\n", {
        status => 400, type => 'RequestTooLarge', url => '/hdr' } ],
    [ 'no header at all', "GET /plain HTTP/1.0\r\n\r\n", {
        status => 500, url => '/plain', transaction => 'GET /plain' } ],
    [ 'HTTP/0.9', "GET /old\r\n", {
        status => 500, url => '/old', transaction => 'GET /old' } ],
    [ 'body that never comes',
      "POST /upload/y HTTP/1.0\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n",
      { status => 408, location => '/upload/', type => 'RequestTimeout' } ],
    [ 'header that never ends', "GET /slow HTTP/1.1\r\nHost: local", {
        status => 408, url => '/slow' } ],
    [ 'SSI parts are part of it', '/ssi/', {
        status => 500, location => '/ssi/', transaction => 'GET /ssi/' } ],
    [ 'failed auth_request', '/auth/', {
        status => 500, location => '/auth/', transaction => 'GET /auth/' } ],
    [ 'HTTP/2', sub { http2('/dead/2', port => port(8081)) }, {
        status => 502, transaction => 'GET /dead/', url => '/dead/2',
        type => 'UpstreamRefused', protocol => 'HTTP/2.0' } ],
    [ 'HEAD', "HEAD /gone HTTP/1.0\r\nHost: localhost\r\n\r\n", {
        status => 503, method => 'HEAD', transaction => 'HEAD /gone' } ],
    [ 'any bytes',
      "GET /x/\xff\xfe%01%ff/\xc0\xaf?\xed\xa0\x80=\x80 HTTP/1.0\r\n"
      . "Host: localhost\r\nX-Bytes: \xf0\x28\x8c\x28\r\n\r\n", {
        status => 500, location => '/' } ],
);

my @absent = (
    [ 'not captured status', '/missing/' ],
    [ 'capture off', '/quiet/' ],
    [ 'dsn off', '/off/' ],
    [ 'health route', '/healthz' ],
    [ 'error page with another status', '/forgiven/' ],
    [ 'client went away', sub {
        my $s = http_start("GET /hang/gone HTTP/1.0\r\nHost: a\r\n\r\n");
        select undef, undef, undef, 0.1;
        close $s;
        select undef, undef, undef, 0.2;
    } ],
    [ 'limited', sub { http_get('/limited/') for 1 .. 3 } ],
);

$t->plan(11 + 9 * @cases + @absent)->run();

sub provoke {
    my ($how) = @_;

    return $how->() if ref $how;
    return http_get($how) if $how =~ m{^/};
    return http($how);
}

my $seen = 0;

for (@cases) {
    my ($name, $how, $want) = @$_;

    if ($name eq 'HTTP/2' && !$t->has_module('http_v2')) {
        SKIP: { skip('no http_v2 in nginx', 9) }
        next;
    }

    provoke($how);

    my $events = $t->events(++$seen);

    is(scalar @$events, $seen, "$name: one event") or do {
        $seen = @$events;
        fail("$name: no event") for 1 .. 8;
        next;
    };

    my $event = $events->[-1];
    my $nginx = $event->{contexts}{nginx};
    my $exception = $event->{exception}{values}[-1];
    my $tries = $nginx->{upstream} || [];
    my $last = @$tries ? $tries->[-1] : {};
    my $port = $name eq 'HTTP/2' ? 8081 : 8080;
    my $like = sub {
        my ($got, $expected, $what) = @_;

        return pass("$name: $what, not asked") if !defined $expected;
        return like($got, $expected, "$name: $what") if ref $expected;
        is($got, $expected, "$name: $what");
    };

    is($event->{contexts}{response}{status_code}, $want->{status},
       "$name: status");
    $like->($event->{transaction}, $want->{transaction}, 'transaction');
    $like->($nginx->{location}, $want->{location}, 'location');
    $like->($exception->{type}, $want->{type}, 'type');
    $like->($exception->{value}, $want->{value}, 'value');
    $like->($exception->{mechanism}{meta}{errno}{number}, $want->{errno},
            'errno');

    if (exists $want->{url} && !defined $want->{url}) {
        ok(!exists $event->{request}{url}, "$name: no url");

    } else {
        my $origin = ($port == 8080 ? 'http://localhost:' : 'http://127.0.0.1:')
                     . port($port);

        $like->($event->{request}{url},
                $want->{url} && "$origin$want->{url}", 'url');
    }

    my @parts = (
        [ $event->{transaction_info}{source}, $want->{source} ],
        [ $event->{request}{query_string}, $want->{query} ],
        [ $event->{request}{method}, $want->{method} ],
        [ $event->{request}{env}{SERVER_PROTOCOL}, $want->{protocol} ],
        [ $event->{level}, $want->{level}
          || ($want->{status} < 500 ? 'warning' : 'error') ],
        [ scalar @$tries, $want->{tries} ],
        [ $last->{address}, $want->{upstream} ],
        [ $last->{status}, $want->{upstream_status} ],
    );

    is_deeply([ map { $_->[0] } grep { defined $_->[1] } @parts ],
              [ map { $_->[1] } grep { defined $_->[1] } @parts ],
              "$name: request, level and upstream");
}

for (@absent) {
    my ($name, $how) = @$_;

    provoke($how);
    $t->marker();

    is(scalar @{$t->events()}, $seen, "$name: no event");
    $seen = @{$t->events()};
}

# what every event has

my ($event) = @{$t->events(1)};

like($event->{event_id}, qr/^[0-9a-f]{32}$/, 'event id');
is($event->{platform}, 'other', 'platform');
is($event->{environment}, 'testing', 'environment');
is($event->{release}, 'shop@1.2.3', 'release');
is($event->{server_name}, 'edge-1', 'server name');
is($event->{contexts}{runtime}{name}, 'nginx', 'runtime');
like($event->{contexts}{runtime}{version}, qr/^1\.\d+\.\d+$/, 'version');
like($event->{contexts}{trace}{trace_id}, qr/^[0-9a-f]{32}$/, 'trace id');
is($event->{exception}{values}[0]{mechanism}{type}, 'auto.http.nginx',
   'mechanism');
is_deeply($event->{fingerprint},
          [ 'UpstreamRefused', 'localhost /dead/', '502' ], 'fingerprint');
my %ids = map { $_->{event_id} => 1 } @{$t->events()};
is(scalar keys %ids, $seen, 'ids differ');
