#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Requests as large and as strange as nginx lets them be: their events arrive,
# are JSON, and hold no more than the limits of core/snx.h allow.

use warnings;
use strict;

use List::Util qw/ max /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 100;        # of each kind, in the flood

# What is in the request; its URI; its headers; what must be in the event.

my @cases = (
    [ 'long path and query',
      '/a' . '/b%20' x 1500 . '?' . 'q=1&' x 2000, [],
      { url => 2048, query => 2048 } ],
    [ 'bytes that are no UTF-8 in path and query',
      "/x\xff" x 3000 . '?' . "\xfe\xc0\xaf" x 2000, [],
      { url => 2048, query => 2048 } ],
    [ 'large headers', '/',
      [ map { "X-$_: " . 'v ' x 4000 } 1 .. 25 ],
      { header => 1023, headers => 20, left => 1 } ],
    [ 'many headers', '/', [ map { "X-$_: " . 'v' x 20 } 1 .. 500 ],
      { headers => 64 } ],
    [ 'one header many times', '/', [ map { 'X-A: ' . 'v' x 900 } 1 .. 50 ],
      { header => 4096, left => 1 } ],
    [ 'long names', '/', [ map { "X-$_-" . 'n' x 3000 . ': v' } 1 .. 20 ],
      { left => 1 } ],
    [ 'control characters', '/',
      [ map { "X-$_: " . "\x01\x1f\x7f" x 2000 } 1 .. 30 ],
      { header => 1023, left => 1 } ],
    [ 'quotes and backslashes', '/',
      [ map { "X-$_: " . '"\\' x 2000 } 1 .. 30 ],
      { header => 1024, left => 1 } ],
    [ 'bytes that are no UTF-8', '/',
      [ map { "X-$_: " . "\xff\x80" x 2000 } 1 .. 30 ], { left => 1 } ],
    [ 'characters cut in two', '/',
      [ map { "X-$_: " . 'v' x $_ . "\xf0\x9f\x98\x80" x 1000 } 1 .. 8 ],
      { } ],
    [ 'a large cookie', '/', [ 'Cookie: ' . 'a=b; ' x 6000 ], { } ],
    [ 'a long method', '/', [ 'X-A: b' ], { method => 64 }, 'X' x 5000 ],
    [ 'a long host', '/', [ 'Host: ' . 'h.' x 5000 . 'h' ], { } ],
    [ 'large values for directives', '/all/',
      [ 'X-Large: ' . 'v ' x 4000 ], { tag => 199, fingerprint => 400,
                                       context => 1023, user => 128 } ],
    [ 'strange values for directives', '/all/',
      [ 'X-Large: ' . "\xff\t\x01\"" x 4000 ], { } ],
    [ 'a line longer than the buffers', '/' . 'x' x 40000, [],
      { status => 414 } ],
    [ 'a header longer than the buffers', '/', [ 'X-A: ' . 'x' x 40000 ],
      { status => 400 } ],
);

my $t = NginxTest->new()->plan(6 * @cases + 6);

$t->sentry()->conf(http => <<'EOC', location => [
    large_client_header_buffers 8 32k;
    sentry_capture 400 414 500;
    keepalive_requests 100000;
EOC
    '/ { return 500; }', <<'EOL' ])->run();
/all/ {
    sentry_tag large $http_x_large;
    sentry_user id=$http_x_large username=$http_x_large;
    sentry_context large one=$http_x_large two=$http_x_large;
    sentry_fingerprint $http_x_large "{{ default }}";
    sentry_transaction $http_x_large;
    return 500;
}
EOL

my $n = 0;

check($_) for @cases;

# all of them at once

my @large = grep { !$_->[3]{status} } @cases;
my %answers;

for (@large) {
    my $flood = http_flood(request => request($_), n => $N, conns => 5);

    $answers{$_} += $flood->{$_} for grep { /^\d+$|error/ } keys %$flood;
}

is_deeply(\%answers, { 500 => $N * @large }, 'flood: all are answered');

my $accounts = settled($t, $n + $N * @large, seconds => 30);
my $events = $t->events($accounts->{delivered}, seconds => 30);

is($accounts->{captured}, $n + $N * @large, 'flood: all are captured');
is($accounts->{left}, 0, 'flood: none left');
is(scalar @$events, $accounts->{delivered}, 'flood: delivered ones arrive');
is($accounts->{reasons}{queue_overflow} // 0, $accounts->{lost},
   'flood: lost is only what the queue had no room for');
is($t->status()->{queue}{corrupt}, 0, 'flood: the queue is whole');

diag("$accounts->{captured} captured, $accounts->{delivered} delivered, "
     . "$accounts->{lost} lost");
diag('largest event ' . max(map { length $_->{raw} }
                            @{$t->items('event')}) . ' bytes, largest body '
     . max(map { $_->{wire} } @{$t->envelopes()}));


sub request {
    my ($case) = @_;
    my (undef, $uri, $headers, undef, $method) = @$case;
    my $host = grep({ /^Host:/ } @$headers) ? '' : "Host: localhost\r\n";

    return ($method || 'GET') . " $uri HTTP/1.1\r\n$host"
           . join('', map { "$_\r\n" } @$headers) . "\r\n";
}


sub check {
    my ($case) = @_;
    my ($name, $uri, $headers, $want) = @$case;
    my $status = $want->{status} || 500;

    like(http(request($case) =~ s/\r\n\r\n\z/\r\nConnection: close\r\n\r\n/r),
         qr/^HTTP\/1.1 $status /, "$name: answered");

    my $event = $t->events(++$n)->[$n - 1];

    ok($event, "$name: an event") or do {
        fail("$name: none") for 1 .. 4;
        $n--;
        return;
    };

    my $request = $event->{request};
    my $nginx = $event->{contexts}{nginx};
    my %headers = %{$request->{headers} || {}};
    my %size = (
        url => bytes($request->{url} // ''),
        query => bytes($request->{query_string} // ''),
        method => bytes($request->{method} // ''),
        header => max(0, map { bytes($_) } values %headers),
        name => max(0, map { bytes($_) } keys %headers),
        headers => scalar keys %headers,
        transaction => bytes($event->{transaction}),
        tag => bytes($event->{tags}{large} // ''),
        context => max(0, map { bytes($_) }
                          values %{$event->{contexts}{large} || {}}),
        fingerprint => max(map { bytes($_) } @{$event->{fingerprint}}),
        user => max(0, map { bytes($_) } values %{$event->{user} || {}}),
        left => $nginx->{fields_left_out} || 0,
    );
    my %limit = (
        url => 2048 + 256, query => 2048, header => 4096, name => 128,
        headers => 64, transaction => 200, tag => 200, context => 1024,
        fingerprint => 512, user => 128, method => 64, left => 1000,
    );

    is_deeply([ grep { $size{$_} > $limit{$_} } sort keys %size ], [],
              "$name: within the limits");
    is_deeply([ grep { exists $size{$_} && $size{$_} < $want->{$_} - 3 }
                sort keys %$want ], [], "$name: but no less than they allow")
        or diag(explain(\%size));
    is($size{left} > 0, ($want->{left} // 0) > 0,
       "$name: what had no room is counted");
    is($event->{contexts}{response}{status_code}, $status, "$name: status");
}


sub bytes {
    my ($text) = @_;

    utf8::encode($text);

    return length $text;
}
