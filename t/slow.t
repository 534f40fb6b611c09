#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# sentry_slow_request: what took the time is named, slow clients and slow
# upstreams make different issues, and what is slow on purpose makes none.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $BIG = 2 * 1024 * 1024;

my $t = NginxTest->new();
my $late = $t->upstream('slow', delay => 0.5, body => 'late');
my $fast = $t->upstream('answer', body => 'fine');
my $big = $t->upstream('answer', body => 'b' x $BIG);
my $fail = $t->upstream('slow', delay => 0.5, status => 503, body => 'no');
my ($hang, $stuck) = map { $t->upstream($_) } qw/ hang stuck /;
my $switch = $t->reserve_port();
my $switching = NginxTest::Upstream::listener($switch);

# switches protocols, and stays until the client leaves

$t->run_daemon(sub {
    while (my $s = $switching->accept()) {
        sysread $s, my $request, 65536;
        syswrite $s, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n"
                     . "Connection: upgrade\r\n\r\nhello";
        sysread $s, $request, 65536;
    }
});

$t->write_file('html/static/big.bin', 'b' x $BIG);
chmod 0755, map { $t->testdir() . "/html$_" } '', '/static';

my $http = <<"EOC";
    sentry_slow_request 300ms;
    sentry_route /dropped/ drop;
    limit_req_zone \$server_name zone=one:64k rate=2r/s;
    upstream two {
        server 127.0.0.1:$hang;
        server 127.0.0.1:$fast backup;
    }
EOC

$t->sentry()->conf(http => $http, server => <<'EOS', location => [
        root %%TESTDIR%%/html;
        listen 127.0.0.1:8081 sndbuf=16k;
EOS
    "/late/ { proxy_pass http://127.0.0.1:$late; }",
    "/fast/ { proxy_pass http://127.0.0.1:$fast; }",
    "/big/ { proxy_pass http://127.0.0.1:$big; }",
    "/thin/ { proxy_buffering off; proxy_pass http://127.0.0.1:$big; }",
    "/upload/ { proxy_pass http://127.0.0.1:$fast; }",
    "/hang/ { proxy_pass http://127.0.0.1:$hang; }",
    "/stuck/ { proxy_read_timeout 500ms; proxy_pass http://127.0.0.1:$stuck; }",
    "/fail/ { proxy_pass http://127.0.0.1:$fail; }",
    "/quiet/ { sentry_capture off; proxy_pass http://127.0.0.1:$fail; }",
    '/retry/ { proxy_read_timeout 400ms; proxy_pass http://two; }',
    '/limited/ { limit_req zone=one burst=5;'
    . " proxy_pass http://127.0.0.1:$fast; }",
    '/page/ { error_page 404 = /late/x; return 404; }',
    '/static/ { }',
    "/off/ { sentry_slow_request off; proxy_pass http://127.0.0.1:$late; }",
    "/long/ { sentry_slow_request 10s; proxy_pass http://127.0.0.1:$late; }",
    "/dropped/ { proxy_pass http://127.0.0.1:$late; }",
    "/ignored/ { sentry_ignore 1; proxy_pass http://127.0.0.1:$late; }",
    "/sampled/ { sentry_sample_rate 0; proxy_pass http://127.0.0.1:$late; }",
    '/upgrade/ { proxy_http_version 1.1; proxy_set_header Upgrade x;'
    . ' proxy_set_header Connection upgrade;'
    . " proxy_pass http://127.0.0.1:$switch; }",
]);

# name; how; location; what was slow; more of the value; status

my $up = 'waiting for the upstream';
my $send = 'sending the response to the client';

my @cases = (
    [ 'upstream', '/late/', '/late/', $up,
      qr{;\ upstream\ 127\.0\.0\.1:$late:\ connect\ 0\.0\d\d\ s,
         \ header\ 0\.[5-9]\d\d\ s,\ response\ 0\.[5-9]\d\d\ s$}x, 200 ],
    [ 'upstream that stops in its body', '/stuck/', '/stuck/',
      'receiving the response from the upstream',
      qr{header 0\.0\d\d s, response 0\.[5-9]\d\d s$}, 200 ],
    [ 'slow client', sub { slow_reader('/big/') }, '/big/', $send,
      qr{; upstream 127\.0\.0\.1:$big: }, 200 ],
    [ 'slow client, no buffers', sub { slow_reader('/thin/') }, '/thin/',
      'passing the response from the upstream to the client', qr/./, 200 ],
    [ 'slow client, file', sub { slow_reader('/static/big.bin') }, '/static/',
      $send, qr{$}, 200 ],
    [ 'slow body', sub { slow_writer("POST /upload/ HTTP/1.0\r\nHost: a\r\n"
      . "Content-Length: 8\r\n\r\nsome", 'more') }, '/upload/',
      'reading the request body', qr{upstream 127\.0\.0\.1:$fast:}, 200 ],
    [ 'slow header', sub { slow_writer("GET /fast/ HTTP/1.0\r\nHost",
      ": a\r\n\r\n") }, '/fast/', 'reading the request header', qr/./, 200 ],
    [ 'second try', '/retry/', '/retry/', $up,
      qr{; upstream 127\.0\.0\.1:$hang: connect}, 200 ],
    [ 'limit_req', sub { http_get('/limited/') for 1, 2 }, '/limited/',
      'delayed by limit_req', qr/./, 200 ],
    [ 'error page', '/page/', '/page/', $up, qr{:$late:}, 200 ],
    [ 'status that is not captured', '/quiet/', '/quiet/', $up, qr{:$fail:},
      503 ],
    [ 'client that gives up', sub { leaver('/hang/') }, '/hang/', $up,
      qr{; upstream 127\.0\.0\.1:$hang: connect 0\.\d+ s, response 0\.}, 499 ],
);

my @absent = (
    [ 'fast enough', '/fast/' ],
    [ 'off', '/off/' ],
    [ 'another time', '/long/' ],
    [ 'dropped route', '/dropped/' ],
    [ 'ignored', '/ignored/' ],
    [ 'sampled out', '/sampled/' ],
    [ 'upgraded', sub { leaver('/upgrade/', qr/101 .*hello/s) } ],
);

$t->plan(6 * @cases + 10)->run();

my $seen = 0;

for (@cases) {
    my ($name, $how, $location, $what, $more, $status) = @$_;

    ref $how ? $how->() : http_get($how);

    my $event = $t->events(++$seen)->[-1];
    my $value = $event->{exception}{values}[-1]{value};
    my $gone = $status == 499;
    my $begins = $gone ? 'the client gave up after ' : '';

    is(scalar @{$t->events()}, $seen, "$name: one event");
    is($event->{exception}{values}[-1]{type}, 'SlowRequest', "$name: type");
    is($event->{level}, 'warning', "$name: level");
    is_deeply($event->{fingerprint}, [ 'SlowRequest', "localhost $location",
              ($gone ? 'client gave up, ' : '') . $what ],
              "$name: fingerprint");
    my $times = '\d\.\d\d\d s';

    my $begin = qr{^$begins$times in location $location, $times of it $what};

    like($value, qr{$begin\b.*$more}, "$name: value");
    is($event->{contexts}{response}{status_code}, $status, "$name: status");
}

# one request, one event

http_get('/fail/');
my $event = $t->events(++$seen)->[-1];
is($event->{exception}{values}[-1]{type}, 'UpstreamError',
   'an error is no slow request');
is($event->{level}, 'error', 'with its own level');

ref $_->[1] ? $_->[1]->() : http_get($_->[1]) for @absent;
$t->marker();
is(scalar @{$t->events()}, $seen, 'nothing of what is slow on purpose');

my $reasons = accounts($t)->{reasons};

is($reasons->{sample_rate}, 1, 'sampled out: counted');
is($reasons->{event_processor}, 2, 'dropped and ignored: counted');

# through the same gate

$t->stop();
$t->conf(http => <<"EOC")->run();
    sentry_dsn %%DSN_2%%;
    sentry_event_limit 1r/m burst=1;
$http
EOC

my @clients = map { http_start("GET /late/$_ HTTP/1.0\r\n\r\n") } 1 .. 5;

http_end($_) for @clients;

my $accounts = settled($t, 1, project => 2);

is($accounts->{captured}, 1, 'the first of a group');
is($accounts->{reasons}{held_back}, 4, 'the others are held back');
http_get('/quiet/');
is(settled($t, 2, project => 2)->{captured}, 2, 'another group');
is(scalar @{$t->events(2, project => 2)}, 2, 'two events');


sub pause { select undef, undef, undef, 0.6 }


sub slow_reader {
    my ($uri) = @_;
    my $s = http_start("GET $uri HTTP/1.0\r\nHost: localhost\r\n\r\n",
                       port => port(8081));

    pause();
    http_end($s);
}


sub slow_writer {
    my ($first, $rest) = @_;
    my $s = http_start($first);

    pause();
    syswrite $s, $rest;
    http_end($s);
}


# Leaves after a while, and after what it waits for.

sub leaver {
    my ($uri, $until) = @_;
    my $s = http_start("GET $uri HTTP/1.1\r\nHost: localhost\r\n"
                       . "Connection: upgrade\r\nUpgrade: x\r\n\r\n");

    like(http_end($s, until => $until), $until, 'it is upgraded') if $until;
    pause();
    close $s;
}
