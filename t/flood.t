#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Requests that fail as fast as nginx can: each gets nginx's own answer, and
# each is delivered or counted, once.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $N = 5000;       # of each kind

my $t = NginxTest->new()->plan(22);

my $dead = dead_port();
my @conf = (
    main => 'worker_processes 2;',
    http => 'keepalive_requests 1000000;',
    location => [ '/gone/ { return 503; }',
                  "/dead/ { proxy_pass http://127.0.0.1:$dead; }" ],
);

# nginx alone

$t->conf(@conf);
my $alone = alone();

# a fast Sentry

$t->sentry()->conf(@conf)->run();
my $flood = flood();

is_deeply($flood, $alone, 'the same answers as without the module');

my $accounts = $t->settled(1, 2 * $N, seconds => 60);
my $events = $t->events($accounts->{delivered}, seconds => 60);
my %ids = map { $_->{event_id} => 1 } @$events;

is($accounts->{captured}, 2 * $N, 'all captured');
is($accounts->{left}, 0, 'none left');
is(@$events, $accounts->{delivered}, 'what counts as delivered has arrived');
is(keys %ids, @$events, 'once');
is(keys(%ids) + $accounts->{gone}, 2 * $N, 'delivered and lost are all');
is_deeply([ grep { $_ ne 'queue_overflow' } keys %{$accounts->{lost}} ], [],
          'lost is only what the queue has no room for');
is(@{[ grep { $_->{transaction} eq 'GET /gone/' } @$events ]}
   + @{[ grep { $_->{transaction} eq 'GET /dead/' } @$events ]},
   @$events, 'each is one of ours');
is($accounts->{page}{retries}, 0, 'no delivery failed');

my $queue = $t->status()->{queue};

is($queue->{records}, 0, 'queue: empty');
is($queue->{corrupt}, 0, 'queue: whole');

diag(sprintf '%d captured, %d delivered, %d lost', @$accounts{
     qw/ captured delivered gone /});
$t->stop();

# a queue that is too small, for a Sentry that says nothing for a while

$t->conf(http => "keepalive_requests 1000000; sentry_queue 256k;\n"
                 . '    sentry_dsn %%DSN_2%%;')->run();
$t->receiver(stall => 1);

is_deeply(flood(), $alone, 'overflow: the same answers');

$accounts = $t->accounts(2);
is($accounts->{captured}, 2 * $N, 'overflow: all captured');
is($accounts->{delivered}, 0, 'overflow: none delivered');
cmp_ok($accounts->{lost}{queue_overflow}, '>', $N, 'overflow: most are lost');

$t->receiver(stall => 0);

$accounts = $t->settled(2, 2 * $N);
$events = $t->events($accounts->{delivered}, project => 2);
%ids = map { $_->{event_id} => 1 } @$events;

is($accounts->{left}, 0, 'overflow: none left');
is(keys(%ids), @$events, 'overflow: arrived once');
is(keys(%ids) + $accounts->{lost}{queue_overflow}, 2 * $N,
   'overflow: delivered and lost are all');
cmp_ok(scalar @$events, '>', 100, 'overflow: what had room is delivered');

diag(sprintf 'overflow: %d captured, %d delivered, %d lost', @$accounts{
     qw/ captured delivered gone /});
$t->stop();

is_deeply($t->client_reports(project => 2),
          { queue_overflow => { error => $accounts->{lost}{queue_overflow} } },
          'overflow: Sentry is told');
is_deeply($t->client_reports(project => 1),
          %{$accounts = {}} ? {} : {}, 'and was not, where nothing was lost');
is(scalar $t->state_lines(2), 0, 'overflow: Sentry was never unreachable');


sub alone {
    local $t->{module} = '' if !$t->is_static();

    $t->run();
    my $answers = flood();
    $t->stop();

    return $answers;
}


# Kinds of answers to each kind of request, all together as many as sent.

sub flood {
    my %answers;

    for my $uri (qw{ /gone/ /dead/ }) {
        my $flood = http_flood(uri => $uri, n => $N, conns => 10);

        $answers{$uri} = $flood->{responses};
    }

    return \%answers;
}
