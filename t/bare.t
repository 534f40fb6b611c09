#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# With nothing of nginx but its core, as it is built without PCRE, rewrite,
# proxy and all else that can be left out: events and transactions, routes,
# filters, the queue and what is sent are the same.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my $t = NginxTest->new(bare => 1)->plan(27);

$t->secrets('s3cr3t-of-bare');
$t->write_file('www/page.html', '<p>here</p>');

$t->sentry()->conf(http => <<'EOC', server => <<'EOS', location => <<'EOL');
    sentry_traces_sample_rate 1;
    sentry_server_timing on;
    sentry_scrub pin;
    types { text/html html; }
EOC
    root %%TESTDIR%%/www;
    add_header Cache-Control no-store;
    error_page 404 =404 /page.html;
    sentry_route ~ ^/users/\d+$ name=users;
    sentry_route /quiet/ drop;
    sentry_route ~* ^/IMAGES/ drop=traces;
EOS
    /users/ { try_files /none =500; }
    location /quiet/ { try_files /none =500; }
    location /images/ { try_files /none =503; }
    location /slow/ { sentry_slow_request 1; }
    location /test/ { sentry_test; }
    location /tagged/ {
        sentry_tag uri $uri;
        sentry_tag event $sentry_event_id;
        sentry_context app name=bare;
        try_files /none =502;
    }
EOL

$t->run();

sub one {
    my ($uri, %opt) = @_;
    my $trace = sprintf '%032x', ++$t->{asked};
    my $response = http_get($uri, headers => {
        'sentry-trace' => "$trace-00000000000000aa-1", %opt });

    $t->marker();

    return ($response, map {
        [ grep { $_->{contexts}{trace}{trace_id} eq $trace } @$_ ]
    } $t->events(), $t->transactions());
}

my ($response, $events, $txs) = one('/page.html');

like($response, qr/ 200 .*^server-timing: /ims, 'a file: Server-Timing');
is(@$events, 0, 'a file: no event');
is(@$txs, 1, 'a file: a transaction');
is(span_faults($txs->[0]), '', 'its spans in order');

($response, $events, $txs) = one('/users/42?pin=s3cr3t-of-bare&a=b',
    'X-Api-Key' => 's3cr3t-of-bare');

like($response, qr/ 500 /, 'a failure');
is(@$events, 1, 'an event');
is($events->[0]{transaction}, 'users', 'named by a route');
is($events->[0]{exception}{values}[-1]{type}, 'ServerError', 'its type');
is($events->[0]{contexts}{nginx}{location}, '/users/', 'its location');
like($events->[0]{request}{query_string}, qr/^pin=\[Filtered\]&a=b$/,
     'its query');
is($events->[0]{request}{headers}{'X-Api-Key'}, '[Filtered]', 'its headers');
ok(@{$events->[0]{exception}{values}[-1]{stacktrace}{frames}}, 'its place');
is(@$txs, 1, 'its transaction');
is($txs->[0]{transaction}, 'users', 'of that name');

($response, $events, $txs) = one('/quiet/1');

like($response, qr/ 500 /, 'a dropped route');
is(@$events + @$txs, 0, 'is dropped');

($response, $events, $txs) = one('/Images/1');

like($response, qr/ 404 .*here/s, 'no such file: error page');
is(@$events + @$txs, 0, 'is no event; a regex route drops its transaction');

($response, $events, $txs) = one('/images/1');

is(@$events, 1, 'an event of a route without traces');
is(@$txs, 0, 'no transaction');

($response, $events, $txs) = one('/tagged/1');

is($events->[0]{tags}{uri}, '/tagged/1', 'a variable in a tag');
is($events->[0]{contexts}{app}{name}, 'bare', 'a context');
is($txs->[0]{transaction}, 'GET /tagged/', 'transaction');

($response, $events) = one('/test/');

like($response, qr/ 500 .*"event_id":"[0-9a-f]{32}"/s, 'sentry_test');

is(http('nonsense') =~ / 400 / ? 1 : 0, 1, 'bad requests are answered');

my $status = $t->status();

is($status->{queue}{records}, 0, 'all is sent');
cmp_ok($status->{projects}[0]{delivered}{error}, '==', 4, 'and delivered');
