#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The wall clock is set a day forth and a day back while requests, deliveries,
# rate limits and retries are under way: times stay in order, and nothing
# waits for a day, or ends one early.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Faults;

my $DAY = 86400;
my $LIMIT = 2;          # seconds that Sentry wants none

my $t = NginxTest->new();
my $faults = NginxTest::Faults->new($t);

$t->plan(2 * 12 + 1);

my $app = $t->upstream('slow', delay => 0.4, status => 503);

$t->sentry()->conf(
    http => 'sentry_traces_sample_rate 1; sentry_shutdown_timeout 1s;',
    location => [ '/boom/ { sentry_traces_sample_rate off; return 503; }',
                  "/slow/ { proxy_pass http://127.0.0.1:$app; }" ],
);

for ([ 'a day forth', $DAY ], [ 'a day back', -$DAY ]) {
    $faults->clock(0);
    $t->receiver(reset => 1);
    $t->run();
    $t->marker();

    requests(@$_);
    limits(@$_);
    outage(@$_);
    end(@$_);
}

is($t->log_lines(qr/sentry: sender started/), 2, 'one sender each time');

# the receiver knows what day it is

$t->{sentry}->violations();
$t->{sentry}{wrong} = [ grep { !/is not of today/ } @{$t->{sentry}{wrong}} ];


# One that the clock is set in the middle of, and the next.

sub requests {
    my ($name, $step) = @_;
    my $before = accounts($t);
    my $slow = http_start("GET /slow/$step HTTP/1.0\r\n\r\n");

    sleep(0.15);
    $faults->clock($step);
    like(http_end($slow), qr/ 503 /, "$name: a request goes on");
    http_get("/boom/$step");

    my $taken = $before->{taken};
    my $now;

    wait_for(sub {
        ($now = accounts($t))->{captured} >= $before->{captured} + 2
            && !$now->{left};
    }, 5);

    is($now->{delivered} - $before->{delivered}, 2,
       "$name: its event and the next are sent");
    is($now->{taken}, $taken, "$name: the lease is kept");

    my $transactions;

    wait_for(sub { @{$transactions = of($step, $t->transactions(undef))} }, 5);

    is(@$transactions, 1, "$name: it is traced");
    is_deeply([ map { disorder($_) } @$transactions ], [],
              "$name: no span ends before it begins");
    is_deeply([ map { disorder($_) } @{of($step, $t->events(undef))} ], [],
              "$name: nor does an event");
}


sub of {
    my ($step, $payloads) = @_;

    return [ grep { ($_->{request}{url} // '') =~ m{/$step$} } @$payloads ];
}


# What is out of order in an event or transaction.

sub disorder {
    my ($event) = @_;
    my @wrong;

    for my $span ($event, @{$event->{spans} || []}) {
        next if !defined $span->{start_timestamp};
        push @wrong, "$span->{start_timestamp} .. $span->{timestamp}"
            if $span->{start_timestamp} gt $span->{timestamp};
    }

    for (map { values %{$_ || {}} } $event->{contexts}{nginx}) {
        push @wrong, "negative: $_" if !ref && /^-\d/;
    }

    return @wrong;
}


# A limit of Sentry's counts its seconds, whatever the clock says.

sub limits {
    my ($name, $step) = @_;
    my $before = accounts($t);

    $faults->clock(0);
    $t->receiver(count => 1, status => 429, project => 1,
                 headers => { 'Retry-After' => $LIMIT });
    http_get('/boom/limited');
    wait_for(sub { accounts($t)->{reasons}{rate_limited} });

    my $start = time();

    $faults->clock($step);
    http_get('/boom/limited');

    is(accounts($t)->{reasons}{ratelimit_backoff} // 0, 1,
       "$name: a rate limit goes on");

    wait_for(sub {
        sleep(0.2);
        http_get('/boom/limited');
        return accounts($t)->{delivered} > $before->{delivered};
    }, 8);

    cmp_ok(accounts($t)->{delivered}, '>', $before->{delivered},
           "$name: and ends");
    cmp_ok(time() - $start, '>', $LIMIT - 1, "$name: in time");
}


# So do the times between retries.

sub outage {
    my ($name, $step) = @_;
    my $before = accounts($t);

    $faults->clock(0);
    $t->receiver_stop();
    http_get('/boom/outage');
    wait_for(sub { !accounts($t)->{page}{reachable} });
    $faults->clock($step);
    $t->receiver_start();

    my $now;

    wait_for(sub {
        ($now = accounts($t))->{delivered} > $before->{delivered}
            && !$now->{left};
    }, 8);

    is($now->{left}, 0, "$name: what was kept is sent when Sentry is back");
    is($now->{taken}, $before->{taken}, "$name: the lease is kept");
}


# nginx waits for a thread that is stuck no longer than it is to.

sub end {
    my ($name, $step) = @_;

    $faults->set('net', first => 1, error => -40_000);
    http_get('/boom/end');
    wait_for(sub { $faults->given() });

    cmp_ok($t->stop(), '<', deadline(5), "$name: nginx ends in time");
    $faults->clear();
}
