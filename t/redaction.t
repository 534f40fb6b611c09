#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Secrets in every place a request can carry one: none may be found in an
# envelope, in a line of ours in the log, or in the queue's memory.  The
# library searches all envelopes and logs at the end; the memory is searched
# here while the records are still in it.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new();
my $n = 0;
my @secrets;

sub secret {
    my ($where) = @_;
    my $secret = sprintf 'S3cr3t%02dx%08x', ++$n, 7919 * $n;

    push @secrets, [ $where, $secret ];

    return $secret;
}

my $jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJ' . secret('JWT payload') . '.c2ln'
          . secret('JWT signature');

our %headers = (
    'Authorization' => 'Bearer ' . secret('Authorization'),
    'Proxy-Authorization' => 'Digest username="u", response="'
        . secret('Proxy-Authorization') . '"',
    'Cookie' => 'sessionid=' . secret('Cookie') . '; theme='
        . secret('harmless cookie') . '; ' . secret('nameless cookie'),
    'Set-Cookie' => 'a=' . secret('Set-Cookie'),
    'X-Api-Key' => secret('X-Api-Key'),
    'x-api-token' => secret('x-api-token'),
    'X-Amz-Security-Token' => secret('X-Amz-Security-Token'),
    'X-CSRFToken' => secret('X-CSRFToken'),
    'X-Auth' => secret('X-Auth'),
    'Password' => secret('Password'),
    'X-Forwarded-For' => secret('X-Forwarded-For'),
    'X-Real-IP' => secret('X-Real-IP'),
    'Forwarded' => 'for=' . secret('Forwarded'),
    'X-Remote-User' => secret('X-Remote-User'),
    'Via' => '1.1 ' . secret('Via'),
    'X-Custom-Acme' => secret('operator term'),
    'Referer' => 'http://u:' . secret('referer userinfo')
        . '@h/p?token=' . secret('referer query') . '&a=b#access_token='
        . secret('referer fragment'),
    'Origin' => 'http://u:' . secret('origin userinfo') . '@h',
    'X-Original-URL' => '/a?password=' . secret('URL in a header'),
    'X-Note' => 'see https://u:' . secret('userinfo in a header')
        . '@h/x?api_key=' . secret('query in a header'),
    'X-Log' => 'Authorization: Bearer ' . secret('header in a header'),
    'X-Json' => '{"password": "' . secret('JSON in a header') . '"}',
    'X-Jwt-Free' => "some $jwt text",
);

my $query = join '&', 'token=' . secret('query'), 'a=b',
    'pass%77ord=' . secret('encoded query key'),
    'user%5Bpasswd%5D=' . secret('bracketed query key'),
    'API_KEY=' . secret('upper query key'), 'x=' . $jwt,
    'next=http%3A%2F%2Fu%3A' . secret('encoded userinfo') . '%40h%2F',
    'back=https://u:' . secret('nested userinfo') . '@h/cb?code=1',
    'r=%2Fcb%3Faccess_token%3D' . secret('nested query'),
    'session_id=' . secret('session'), 'acme_ref=' . secret('operator query');

my $path = '/api/token=' . secret('path pair') . '/p;jwt='
    . secret('matrix parameter') . '/reset-password/a1'
    . secret('segment after a sensitive one') . '/proxy/http://u:'
    . secret('userinfo in path') . '@h/x';

$t->secrets(map { $_->[1] } @secrets);

my $dead = dead_port();

# some of what the client sends reaches tags and contexts by directive

$t->sentry()->conf(log_level => 'info', http => <<'EOC', location => <<"EOL");
    sentry_capture 4xx 5xx;
    sentry_breadcrumbs info;
    sentry_flush_interval 60s;
    sentry_debug on;
    large_client_header_buffers 4 16k;
    underscores_in_headers on;
    sentry_scrub acme;
    sentry_tag url $request_uri;
    sentry_tag ref $http_referer;
    sentry_context request uri=$request_uri auth=$http_authorization
                   jwt=$http_x_jwt_free;
    sentry_transaction $arg_name;
    sentry_fingerprint $request_uri $http_authorization;
EOC
    / { return 500; }
    location /api/ { return 503; }
    location /dead/ { proxy_pass http://127.0.0.1:$dead; }
    location /upstream/ {
        proxy_pass http://127.0.0.1:$dead/v1?token=%%SECRET%%&;
        proxy_set_header Authorization "Bearer %%SECRET%%";
    }
    location /named/ { sentry_transaction \$request_uri; return 500; }
EOL

my $configured = secret('configured upstream URL');

$t->{conf}{location} =~ s/%%SECRET%%/$configured/g;

$t->secrets($configured);
$t->plan(8 + @secrets)->run();

sub request {
    my ($target, %opt) = @_;

    return http(($opt{method} || 'GET') . " $target HTTP/1.0\r\n"
        . 'Host: ' . ($opt{host} || 'localhost') . "\r\n"
        . join('', map { "$_: $headers{$_}\r\n" } sort keys %headers)
        . ($opt{more} || '') . "\r\n");
}

like(request("$path?$query"), qr/ 503 /, 'everything at once');
request("/dead/x?$query");
request("/upstream/x?$query");
request("/named/y?$query");
request("/x?$query#token=" . $secrets[3][1]);
request('/h', host => 'u:' . $secrets[4][1] . '@localhost');
request('/h', host => $secrets[5][1] . '@localhost');
request("http://localhost/abs?$query");
{
    local %headers = (AUTHORIZATION => 'Basic ' . $secrets[13][1]);
    request('/auth');
}
request('/u', more => "x_api_key: $secrets[6][1]\r\n"
        . "proxy_authorization: Bearer $secrets[7][1]\r\n");
request("/bad\x01?token=$secrets[8][1]");
request("/long?token=$secrets[9][1]" . 'a' x 20000);
request('/name?name=http://u:' . $secrets[10][1] . '@h/x');
http("GET /garbage?token=$secrets[11][1] HTTP/9.9\r\n\r\n");
http("GET /old?token=$secrets[12][1]\r\n");

my $status = $t->status();
my ($project) = grep { $_->{project} =~ m{/1$} } @{$status->{projects}};

cmp_ok($project->{captured}{error}, '>=', 12, 'they are recorded');
cmp_ok($status->{queue}{records}, '>=', 1, 'and wait in the queue');

my $memory = $t->shared_memory();

like($memory, qr/\[Filtered\]/, 'the memory is the right one');

for (@secrets) {
    my ($where, $secret) = @$_;

    is(index($memory, $secret), -1, "not in the queue's memory: $where");
}

# the library looks through what leaves at the end

$t->stop();

my $events = $t->events(12);

is(scalar(@$events), $project->{captured}{error}, 'all are delivered');

my ($full) = grep { ($_->{request}{url} // '') =~ m{/api/} } @$events;
my %got = map { lc() => $full->{request}{headers}{$_} }
          keys %{$full->{request}{headers}};

is_deeply([ grep { ($got{lc $_} // '') !~ /\[Filtered\]/ } sort keys %headers ],
          [], 'header names stay, values are filtered');
like($full->{request}{query_string}, qr/(?:^|&)token=\[Filtered\]&a=b(?:&|$)/,
     'query keys stay');
is($full->{user}, undef, 'no user without PII');
