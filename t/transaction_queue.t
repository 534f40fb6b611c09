#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# When Sentry does not answer: transactions are refused where the queue is
# three quarters full, errors still enter, the rate is halved; and all is as
# before when it answers again.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my ($N, $ERRORS) = (2000, 8);

my $t = NginxTest->new();

$t->sentry()->conf(http => <<'EOC', location => <<'EOL')->plan(16)->run();
    sentry_traces_sample_rate 1;
    sentry_event_limit off;
    sentry_queue 256k;
    keepalive_requests 10000;
EOC
    /traced/ { return 200; }
    location /failing/ { sentry_traces_sample_rate off; return 500; }
    location /ask/ { sentry_ignore 1; return 200 "<$sentry_sampled>"; }
EOL

is(share(), 100, 'at first: all are sampled');

$t->receiver(stall => 1);

is(http_flood(uri => '/traced/', n => $N, conns => 4)->{200}, $N,
   'all are answered');

my $status = $t->status();
my $lost = $status->{projects}[0]{lost};
my $refused = $lost->{queue_overflow}{transaction} // 0;
my $fill = 100 * $status->{queue}{segments_used}
           / $status->{queue}{segments};

cmp_ok($refused, '>', $N / 4, 'many transactions are refused');
is($lost->{queue_overflow}{span}, $refused, 'and their spans with them');
cmp_ok($fill, '>=', 75, "the queue is full for them ($fill%)");
cmp_ok($fill, '<', 100, 'and not for errors');

http_get("/failing/$_") for 1 .. $ERRORS;

$status = $t->status();

is($status->{projects}[0]{captured}{error}, $ERRORS, 'errors are captured');
is($status->{projects}[0]{lost}{queue_overflow}{error}, undef,
   'and none is lost');

my $share;
ok(wait_for(sub { ($share = share()) < 75 }, 5),
   "the rate is halved ($share of 100)");

$lost = $t->status()->{projects}[0]{lost};
cmp_ok($lost->{backpressure}{transaction}, '>=', 100 - $share,
       'and what that left out is counted');

# Sentry answers again

$t->receiver(stall => 0);

is(scalar @{$t->events($ERRORS)}, $ERRORS, 'all errors arrive');
ok(wait_for(sub { share() == 100 }, 10), 'all are sampled again');

$lost = $t->status()->{projects}[0]{lost};

my $sent = $N - $lost->{queue_overflow}{transaction};
my @sent = map { $_->{event_id} } @{$t->transactions($sent)};

cmp_ok(scalar @sent, '>=', $sent - $lost->{backpressure}{transaction},
       'each transaction that was not refused arrives');
is(scalar keys %{{ map { $_ => 1 } @sent }}, scalar @sent, 'once');

$t->stop();

my $reports = $t->client_reports();

is_deeply([ map { $reports->{queue_overflow}{$_} // 0 }
                qw/ transaction span error / ],
          [ $refused, $refused, 0 ], 'Sentry is told what was refused');
is_deeply([ @{$reports->{backpressure}}{qw/ transaction span /} ],
          [ ($lost->{backpressure}{transaction}) x 2 ],
          'and what the halved rate left out');


sub share { return scalar grep { http_get('/ask/') =~ /<1>/ } 1 .. 100 }
