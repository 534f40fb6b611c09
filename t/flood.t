#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Requests that fail as fast as nginx can answer: each gets nginx's own
# answer, and each is delivered or counted, once.

use warnings;
use strict;

use List::Util qw/ sum0 /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 5000;       # of each kind

my $t = NginxTest->new()->plan(26);

my $dead = dead_port();
my @conf = (
    main => 'worker_processes 2;',
    location => [ '/gone/ { return 503; }',
                  "/dead/ { proxy_pass http://127.0.0.1:$dead; }" ],
);


# nginx alone

$t->conf(@conf, http => 'keepalive_requests 1000000;');

my $alone = alone();

# a fast Sentry

$t->sentry()->conf()->run();

is_deeply(flood(), $alone, 'the same answers as without the module');

my $accounts = settled($t, 2 * $N, seconds => 60);
my $events = $t->events($accounts->{delivered}, seconds => 60);

is($accounts->{captured}, 2 * $N, 'all captured');
is($accounts->{left}, 0, 'none left');
is(unique($events), $accounts->{delivered}, 'delivered ones have arrived');
is(@$events, $accounts->{delivered}, 'once');
is(unique($events) + $accounts->{lost}, 2 * $N, 'arrived and lost are all');
is($accounts->{reasons}{queue_overflow} // 0, $accounts->{lost},
   'lost is only what the queue had no room for');
is(of($events, 'GET /gone/') + of($events, 'GET /dead/'), @$events,
   'each tells of one of the requests');
is($accounts->{page}{retries}, 0, 'no delivery failed');

my $queue = $t->status()->{queue};

is($queue->{records}, 0, 'the queue is empty');
is($queue->{corrupt}, 0, 'and whole');

told();
$t->stop();

my @lines = complaints();

is_deeply($t->client_reports(), reported(), 'Sentry is told of what was lost');
ok(seldom(), 'and the log, once a minute and at the end, if at all');
is(logged(), $accounts->{lost}, 'all of it');

# a small queue, and a Sentry that does not answer for a while

$t->conf(http => <<'EOC')->run();
    keepalive_requests 1000000;
    sentry_dsn %%DSN_2%%;
    sentry_queue 256k;
EOC

$t->receiver(stall => 1);

is_deeply(flood(), $alone, 'overflow: the same answers');

# the last ones are answered a moment before they are logged

wait_for(sub { accounts($t, project => 2)->{captured} >= 2 * $N });

$accounts = accounts($t, project => 2);
is($accounts->{captured}, 2 * $N, 'overflow: all captured');
is($accounts->{delivered}, 0, 'overflow: none delivered');
cmp_ok($accounts->{reasons}{queue_overflow}, '>', $N, 'overflow: most lost');

$t->receiver(stall => 0);

$accounts = settled($t, 2 * $N, project => 2);
$events = $t->events($accounts->{delivered}, project => 2);

is($accounts->{left}, 0, 'overflow: none left');
is(@$events, unique($events), 'overflow: arrived once');
is(unique($events) + $accounts->{reasons}{queue_overflow}, 2 * $N,
   'overflow: arrived and lost are all');
cmp_ok(scalar @$events, '>', 100, 'overflow: what had room has arrived');

told();
$t->stop();

is_deeply($t->client_reports(project => 2), reported(),
          'overflow: Sentry is told of what was lost');
is(state_lines($t, 2), 0, 'overflow: Sentry was never unreachable');

# the log goes on from the first part, which may have lost some too

@lines = splice @{[ complaints() ]}, @lines;

ok(seldom(), 'overflow: one line about it, another at the end');
is(logged(), $accounts->{lost}, 'overflow: of all that was lost');


# In a minute; floods take less, unless a sanitizer slows them down.

sub seldom {
    my $most = 2 + int((time() - $^T) / 60);

    return $accounts->{lost} ? @lines >= 1 && @lines <= $most : !@lines;
}


# Of lines that say nothing else.

sub logged {
    my $told = qr/^\[warn\] sentry: the queue is full, (\d+) events lost$/;

    return sum0(map { $_ =~ $told ? $1 : 'NaN' } @lines);
}


sub complaints {
    return $t->log_lines(qr/\[(?:warn|error|crit)\] sentry: /);
}


sub alone {
    local $t->{module} = '' if !$t->is_static();

    $t->run();
    my $answers = flood();
    $t->stop();

    return $answers;
}


# How often which answer came to each kind of request.

sub flood {
    return { map {
        $_ => http_flood(uri => $_, n => $N, conns => 10)->{responses}
    } '/gone/', '/dead/' };
}


sub unique {
    my ($found) = @_;

    return scalar keys %{{ map { $_->{event_id} => 1 } @$found }};
}


sub of {
    my ($found, $transaction) = @_;

    return scalar grep { $_->{transaction} eq $transaction } @$found;
}


# What a client report must add up to.

sub reported {
    my $lost = $accounts->{reasons}{queue_overflow};

    return $lost ? { queue_overflow => { error => $lost } } : {};
}


sub told {
    diag(sprintf '%d captured, %d delivered, %d lost',
         @$accounts{qw/ captured delivered lost /});
}
