#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# sentry_test: says which event it has sent, or why it has not.

use warnings;
use strict;

use JSON::PP ();
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $NO_DSN = '{"detail":"Sentry DSN is not configured. Set sentry_dsn or'
             . ' SENTRY_DSN before running the test."}';

my $t = NginxTest->new()->has('http_v2')->plan(70);

$t->sentry();


# without a DSN, and without anything else of ours

$t->conf(sentry => 0, location => '= /test { sentry_test; }')->run();
refused(http_get('/test'), $NO_DSN, 'no DSN');
is($t->threads($_), 1, 'no DSN: no thread') for $t->worker_pids();
$t->stop();

$t->env(SENTRY_ENABLED => 'false');
$t->conf(sentry => 1)->run();
refused(http_get('/test'), $NO_DSN, 'SENTRY_ENABLED=false');
$t->env(SENTRY_ENABLED => undef)->stop();


# with one

$t->conf(
    http     => 'sentry_environment testing; sentry_release shop@3;',
    server   => 'listen 127.0.0.1:8081 http2; error_page 500 503 /error;',
    location => [
        '= /test { sentry_test; }',
        '= /second { sentry_dsn %%DSN_2%%; sentry_test; }',
        '= /off { sentry_dsn off; sentry_test; }',
        '= /never { sentry_sample_rate 0; sentry_capture off;'
            . ' sentry_ignore 1; sentry_test; }',
        '= /ready { sentry_test; }',
        '= /error { return 200 "sorry"; }',
        '/ { return 503; }',
    ],
)->run();

my $event = sent(http_get('/test?a=b'), 'GET');

is($event->{exception}{values}[0]{type}, 'SentryTest', 'type');
is($event->{exception}{values}[0]{value},
   'This is the test error of ngx_sentry.', 'value');
is($event->{transaction}, 'GET /test', 'transaction');
like($event->{request}{url}, qr{^http://localhost:\d+/test$}, 'url');
is($event->{request}{query_string}, 'a=b', 'query');
is($event->{contexts}{response}{status_code}, 500, 'status');
is($event->{environment}, 'testing', 'environment');
is($event->{release}, 'shop@3', 'release');

sent(http_post('/test', 'x' x 100000), 'POST with a body');
sent(http2('/test', port => port(8081)), 'HTTP/2');
sent(http_get('/never'), 'not sampled, not captured, ignored');
sent(http_get('/ready'), 'a route that is dropped');
sent(http_get('/second'), 'another project', project => 2);

my $response = http_head('/test');

like($response, qr{^HTTP/1\.1 500 .*\r\n\r\n\z}s, 'HEAD: no body');
like($response, qr/^Content-Length: [1-9]\d+\r$/m, 'HEAD: but its length');
is(scalar @{$t->events(7)}, 7, 'HEAD: an event');

# a connection goes on after it

$response = http("POST /test HTTP/1.1\r\nHost: localhost\r\n"
                 . "Content-Length: 3\r\n\r\nabc"
                 . "GET /test HTTP/1.1\r\nHost: localhost\r\n"
                 . "Connection: close\r\n\r\n");
is(scalar(() = $response =~ /^HTTP\/1\.1 500 /mg), 2, 'keep-alive: two');
is(scalar @{$t->events(9)}, 9, 'keep-alive: two events');

$t->marker();

my %ids = map { $_->{event_id} => 1 } @{$t->events()};

is(scalar @{$t->events()}, 9, 'one event each');
is(scalar keys %ids, 9, 'each with its own id');
refused(http_get('/off'), $NO_DSN, 'sentry_dsn off');


# Sentry limits it

$t->receiver(status => 429, headers => { 'Retry-After' => 60 });
http_get('/fail');
wait_for(sub { %{accounts($t)->{page}{rate_limits_ms}} });
refused(http_get('/test'), '{"detail":"Sentry limits this project at the'
        . ' moment, try again later."}', 'limited');
is(accounts($t)->{reasons}{ratelimit_backoff}, 1, 'limited: counted');
sent(http_get('/second'), 'limited: not the other project', project => 2);
$t->stop();


# no room; with one project alone, as others would get some made

$t->receiver_stop();
$t->conf(
    http     => 'sentry_queue 256k; sentry_shutdown_timeout 0;',
    marker   => 0,
    location => [
        '= /test { sentry_test; }',
        '= /status { sentry_status; }',
        '/ { return 503; }',
    ],
)->run();
http_flood(uri => '/fail', n => 1000);

my $before = books();

cmp_ok($before->{lost}, '>', 0, 'full: indeed');
refused(http_get('/test'),
        '{"detail":"The queue is full, see sentry_status."}', 'full');
is(books()->{lost}, $before->{lost} + 1, 'full: counted');
is(books()->{left}, $before->{queued}, 'full: the books are right');


sub books {
    return accounts($t, status => $t->status('/status', port => port(8080)));
}


# The event that the response speaks of.

sub sent {
    my ($response, $what, %opt) = @_;
    my $json = eval { JSON::PP->new()->utf8()->decode(http_body($response)) };
    my ($id, @found) = $json->{event_id} // '';

    wait_for(sub {
        @found = grep { $_->{event_id} eq $id } @{$t->events(undef, %opt)};
    });

    like($response, qr{^HTTP/[\d.]+ 500 }, "$what: 500");
    like($response, qr{^Content-Type: application/json\r$}mi, "$what: type");
    is($json->{detail}, 'This is the test error of ngx_sentry.',
       "$what: detail");
    like($id, qr/^[0-9a-f]{32}$/, "$what: id");
    is(scalar @found, 1, "$what: it arrives");

    return $found[0];
}


sub refused {
    my ($response, $body, $what) = @_;

    like($response, qr{^HTTP/1\.1 503 }, "$what: 503");
    like($response, qr{^Content-Type: application/json\r$}m, "$what: type");
    is(http_body($response) =~ s/\n\z//r, $body, "$what: why");
}
