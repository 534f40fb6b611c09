#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Spotlight gets a copy of each event, with a DSN and without, also of those
# that Sentry does not want; and whether it is there matters to nobody.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

use SentryEnvelope qw/ parse_envelope /;

my $t = NginxTest->new()->plan(37);

my $copies = $t->testdir() . '/copies';
my $spotlight = $t->upstream('answer', record => $copies);
my $hanging = $t->upstream('hang');
my $dead = dead_port();

$t->sentry();


# beside Sentry

start("sentry_spotlight http://127.0.0.1:$spotlight/stream;");
http_get("/both/$_") for 1 .. 20;
copied('both', 20);
is(scalar @{$t->events(20)}, 20, 'both: Sentry got them too');

my ($copy) = NginxTest::Upstream::recorded($copies);
my ($envelope, @wrong) = parse_envelope($copy->{body});
my ($event) = grep { $_->{event_id} eq $envelope->{header}{event_id} }
              @{$t->events()};

is($copy->{line}, 'POST /stream HTTP/1.1', 'to its address');
is($copy->{headers}{'content-type'}, 'application/x-sentry-envelope', 'type');
like($copy->{headers}{'user-agent'}, qr{^ngx_sentry\.nginx/\d}, 'agent');
is($copy->{headers}{'x-sentry-auth'}, undef, 'no key');
is("@wrong", '', 'an envelope');
is_deeply($envelope->{items}[0]{payload}, $event, 'the same event');
is(accounts($t)->{delivered}, 20, 'counted once');


# what Sentry does not want now

$t->receiver(status => 429, headers => {
    'X-Sentry-Rate-Limits' => '60::key' });
http_get('/limit');
wait_for(sub { %{accounts($t)->{page}{rate_limits_ms}} });
http_get("/limited/$_") for 1 .. 5;
copied('limited', 5);
is(scalar(grep { m{^/limited/} } keys %{paths($t)}), 0,
   'limited: nothing to Sentry');
is_deeply(drained($t)->{reasons},
          { rate_limited => 1, ratelimit_backoff => 5 },
          'limited: lost for Sentry');
$t->stop();


# Sentry is dead: one copy of each, however often it is tried

$t->receiver_stop();
start("sentry_spotlight http://127.0.0.1:$spotlight/stream;");
http_get("/dead/$_") for 1 .. 5;
copied('dead', 5);
$t->receiver_start();
wait_for(sub { paths($t)->{'/dead/5'} });
drained($t);
is(scalar(() = copies('dead')), 5, 'dead: not again when it is back');
$t->stop();


# alone

start("sentry_spotlight http://127.0.0.1:$spotlight/stream;", dsn => 0,
      marker => 0);
http_get("/alone/$_") for 1 .. 50;
copied('alone', 50);
is(scalar(grep { m{^/alone/} } keys %{paths($t)}), 0, 'alone: no Sentry');
is($t->log_lines(qr/sentry: no DSN, nothing is reported but to Spotlight/), 1,
   'alone: said');
$t->stop();

($envelope, @wrong) = parse_envelope(
    (grep { $_->{body} =~ m{/alone/7"} }
     NginxTest::Upstream::recorded($copies))[0]{body});

is($envelope->{header}{dsn}, undef, 'alone: no DSN in it');
is("@wrong", '', 'alone: an envelope');


# not there, there and silent: Sentry does not notice

for (
    [ 'refuses', $dead, 1 ],
    [ 'hangs', $hanging, 0 ],
) {
    my ($what, $port, $lines) = @$_;
    my $seconds = time();

    start("sentry_spotlight http://127.0.0.1:$port/stream;");
    http_get("/$what/$_") for 1 .. 60;
    wait_for(sub { 60 == grep { m{^/$what/} } keys %{paths($t)} });

    is(scalar(grep { m{^/$what/} } keys %{paths($t)}), 60,
       "$what: Sentry got all");
    cmp_ok(time() - $seconds, '<', deadline(5), "$what: and soon");
    is_deeply([ @{drained($t)}{qw/ delivered lost /} ], [ 60, 0 ],
              "$what: nothing was lost");
    ok(accounts($t)->{page}{reachable}, "$what: Sentry can be reached");

    $seconds = $t->stop();
    cmp_ok($seconds, '<', deadline(3), "$what: nginx ends in time");
    is(scalar(grep { /potlight is unreachable: .*, retrying$/ } news()),
       $lines, "$what: told " . ($lines ? 'once' : 'not yet'));
    is(scalar(grep { /\[(?:warn|error|crit)\]/ } news()), $lines,
       "$what: and no more");
}


sub start {
    my ($http, %conf) = @_;

    $t->{told} = () = $t->log_lines(qr/./);
    $t->conf(dsn => 1, marker => 1, %conf, http => $http,
             location => '/ { return 503; }')->run();
}


# The paths of the copies that begin so.

sub copies {
    my ($name) = @_;

    return map { $_->{body} =~ m{//[^/"]+(/$name/\d+)"} ? $1 : () }
               NginxTest::Upstream::recorded($copies);
}


sub copied {
    my ($name, $n) = @_;
    my %copies;

    wait_for(sub { $n <= (() = copies($name)) });
    $copies{$_}++ for copies($name);

    is(scalar keys %copies, $n, "$name: Spotlight got all");
    is(scalar(grep { $_ != 1 } values %copies), 0, "$name: once each");
}


sub news {
    my @lines = $t->log_lines(qr/./);

    return @lines[$t->{told} .. $#lines];
}
