#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A storm: thousands of requests fail for one cause.  The first events pass at
# once, then as many as sentry_event_limit allows, and each tells how many
# like it were held back; all of them add up, over all workers.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

use IO::Socket::INET;
use List::Util qw/ sum0 /;
use Time::HiRes qw/ time /;

my $PATHS = 1000;
my $CONNS = 10;         # of a round, 20 requests each
my $ROUNDS = 100;       # a tenth of a second each
my $N = $ROUNDS * $CONNS * 20;

my $t = NginxTest->new()->plan(39);
my $dead = dead_port();

$t->sentry()->conf(main => 'worker_processes 2;', http => <<'EOC',
    sentry_event_limit 60r/m burst=5;
    keepalive_requests 100000;
EOC
server => <<'EOC', location => [
        listen 127.0.0.1:8081 reuseport;
        add_header X-Worker $pid always;
EOC
    "/api/ { proxy_pass http://127.0.0.1:$dead; }",
    '/more/ { return 503; }',
    '/tenants/ { sentry_fingerprint "{{ default }}" $arg_tenant;'
    . ' if ($arg_why) { return 500; } return 503; }',
    '/fixed/ { sentry_fingerprint fixed; if ($arg_why) { return 500; }'
    . ' return 503; }',
    '~ ^/routes/ { return 503; }',
])->run();

# 20,000 requests in 10 seconds

my $start = time();
my ($statuses, $workers) = storm();
my $seconds = time() - $start;

is_deeply($statuses, { 502 => $N }, 'all fail');
is($workers, 2, 'in both workers');

# the last answers are read before their requests have ended

my $accounts;

wait_for(sub {
    $accounts = settled($t, 1);
    $accounts->{captured} + ($accounts->{reasons}{held_back} // 0) >= $N;
});

my $passed = $accounts->{captured};
my $events = $t->events($passed);

diag(sprintf '%d requests in %.1f s: %d events', $N, $seconds, $passed);

is($accounts->{left}, 0, 'what passed has arrived');
is(@$events, $passed, 'once');
cmp_ok($passed, '<=', 5 + int(1 + $seconds), 'no more than the limit');
cmp_ok($passed, '>=', 5 + int($seconds - 1), 'and no less');
is($t->status()->{groups}{used}, 1, 'they are one group');
is(fingerprints($events), 1, 'and one issue');
is_deeply($events->[0]{fingerprint},
          [ 'UpstreamRefused', 'localhost /api/', '502' ], 'the expected one');
is_deeply([ map { held($_) } @$events[0 .. 4] ], [ (0) x 5 ],
          'the first ones come at once');

my $untold = $accounts->{page}{held_back_untold};

is($accounts->{reasons}{held_back}, $N - $passed, 'the others are held back');
is(told($events) + $untold, $N - $passed, 'told and still to be told are all');
cmp_ok(told($events), '>', $N / 2, 'most were told');

# the bucket fills again

refilled(1);
http_get('/api/last');

$events = $t->events($passed + 1);
is(held($events->[-1]), $untold, 'the next event tells the rest');
is($t->status()->{projects}[0]{held_back_untold}, 0, 'nothing is left');
is(told($events) + @$events, $N + 1, 'all are accounted for');

# another configuration: the groups are the same

$t->reload(all => 1);
refilled(1);
http_get('/api/again') for 1 .. 9;
$seconds = time() - $start - $seconds;      # since the bucket was empty
$accounts = settled($t, $passed + 2);
cmp_ok($accounts->{captured}, '<=', $passed + int(1 + $seconds),
       'a reload brings no burst');
is($t->status()->{groups}{used}, 1, 'one group still');

# what makes a group

$t->stop();
$t->conf(http => <<'EOC')->run();
    sentry_dsn %%DSN_2%%;
    sentry_event_limit 1r/m burst=5;
EOC

my $seen = 0;

is(passing('/more/'), 5, 'another place is another group');
is(passing('/tenants/?tenant=a'), 5, 'another fingerprint');
is(passing('/tenants/?tenant=b'), 5, 'by a variable');
is(passing('/tenants/?tenant=a&why=1'), 5, 'the default is part of it');
is(passing('/tenants/?tenant=a'), 0, 'the first one is known');
is(passing('/fixed/'), 5, 'a fingerprint');
is(passing('/fixed/?why=1'), 0, 'that does not depend on the status');
is(passing("/routes/$_/"), 0 + ($_ == 1 ? 5 : 0), "path $_") for 1, 2;

is($seen, 6 * 5, 'five of each group');
$events = $t->events($seen, project => 2);
is(@$events, $seen, 'all have arrived');
is((grep { $_->{fingerprint}[0] eq '{{ default }}'
           && $_->{fingerprint}[1] eq 'b' } @$events), 5,
   'Sentry gets the default and the variable');

# what is still held back when it dies down

my $page = settled($t, $seen, project => 2)->{page};

is(told($events) + $page->{held_back_untold}, $page->{lost}{held_back}{error},
   'told and untold are all');
is($page->{held_back_untold}, 60, 'the last ones are not');

my $metrics = http_body(http_get('/status?format=prometheus',
                                 port => port(8079)));

like($metrics, qr/^ngx_sentry_lost_total\{project="[^"]+\/2",reason=
    "held_back",category="error"\}\ $page->{lost}{held_back}{error}$/mx,
    'Prometheus: held back');
like($metrics, qr/^ngx_sentry_held_back_untold\{project="[^"]+\/2"\}
    \ $page->{held_back_untold}$/mx, 'Prometheus: untold');
like($metrics, qr/^ngx_sentry_groups (\d+)$/m, 'Prometheus: groups');

$t->stop();

is_deeply($t->client_reports(project => 2), { event_processor => {
    error => $page->{lost}{held_back}{error} } }, 'Sentry is told');

# by default, and without a limit

$t->conf(http => 'sentry_dsn %%DSN_3%%;', event_limit => 0)->run();
http_get('/more/') for 1 .. 30;
is(settled($t, 10, project => 3)->{captured}, 10, 'the default: 10 at once');
$t->stop();

$t->conf(http => "sentry_dsn %%DSN_4%%;\n sentry_event_limit off;")->run();
http_get('/more/') for 1 .. 30;
is(settled($t, 30, project => 4)->{captured}, 30, 'off: all of them');
is(settled($t, 30, project => 4)->{delivered}, 30, 'delivered');


# Counts by status, and the workers that answered; a new set of connections
# every tenth of a second.

sub storm {
    my (%statuses, %workers);
    my ($n, $begin) = (0, time());

    for my $round (1 .. $ROUNDS) {
        my @conns = map { [ request(\$n) ] } 1 .. $CONNS;

        for (@conns) {
            my $answers = http_end(@$_);

            $statuses{$_}++ for $answers =~ m{^HTTP/1\.1 (\d+) }mg;
            $workers{$_}++ for $answers =~ /^X-Worker: (\d+)/mg;
        }

        wait_for(sub { time() >= $begin + $round / 10 });
    }

    return (\%statuses, scalar keys %workers);
}


# Twenty in a row on one connection.

sub request {
    my ($n) = @_;
    my $text = '';

    for (1 .. 20) {
        my $path = $$n++ % $PATHS;

        $text .= "GET /api/users/$path/orders?id=$path HTTP/1.1\r\n"
                 . "Host: localhost\r\n"
                 . ($_ == 20 ? "Connection: close\r\n" : '') . "\r\n";
    }

    return http_start($text, port => port(8081));
}


sub refilled {
    my ($tokens) = @_;
    my $end = time() + $tokens * 1.05;

    wait_for(sub { time() >= $end });
}


# How many of ten requests give events.

sub passing {
    my ($uri) = @_;
    my $count = sub {
        my $accounts = accounts($t, project => 2);

        return $accounts->{captured} + ($accounts->{reasons}{held_back} // 0);
    };
    my $all = $count->();

    http_get($uri) for 1 .. 10;
    wait_for(sub { $count->() >= $all + 10 });

    my $before = $seen;
    $seen = accounts($t, project => 2)->{captured};

    return $seen - $before;
}


sub held {
    my ($event) = @_;

    return $event->{contexts}{nginx}{held_back} // 0;
}


sub told { return sum0(map { held($_) } @{$_[0]}) }


sub fingerprints {
    my ($events) = @_;

    return scalar keys %{{ map { join(' ', @{$_->{fingerprint}}) => 1 }
                           @$events }};
}
