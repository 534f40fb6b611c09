#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Far more than the sender can take, every request sampled: requests are
# answered, the queue stays within its bound, each loss is counted, and an
# error event is with Sentry soon all the same.

use warnings;
use strict;

use List::Util qw/ max sum0 /;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $SECONDS = 3;
my $ERRORS = 12;
my $SOON = 2;       # seconds from the request to Sentry

my $t = NginxTest->new()->plan(12);

$t->sentry()->conf(
    main     => 'worker_processes 2;',
    http     => <<'EOC',
    sentry_traces_sample_rate 1;
    sentry_flush_interval 500ms;
    sentry_queue 2m;
    keepalive_requests 1000000;
EOC
    location => [ '/traced/ { return 200; }',
                  '/failing/ { sentry_traces_sample_rate off; return 500; }' ],
)->run();

# Sentry takes 4 at a time, each in a while

$t->receiver(delay => 0.02, count => -1);

# as fast as nginx answers, by several clients

my @clients = map { my $i = $_; client($i) } 1 .. 2;

ok(wait_for(sub { lost()->{queue_overflow}{transaction} }),
   'the queue is full');

my $begun = time();
my ($rss, $used) = (0, 0);
my %asked;

for my $i (1 .. $ERRORS) {
    $asked{"/failing/$i"} = time();
    http_get("/failing/$i");

    my $queue = $t->status()->{queue};

    $used = max($used, $queue->{segments_used} / $queue->{segments});
    $rss = max($rss, map { $t->rss_kib($_) } $t->worker_pids());
    wait_for(sub { time() > $begun + $i * $SECONDS / $ERRORS });
}

my $under = lost();
my $events = $t->events($ERRORS);
my %taken = map {
    ($_->{payload}{request}{url} =~ s{.*//[^/]+}{}r => $_->{envelope}{time})
} @{$t->items('event')};
my @seconds = map { ($taken{$_} // 'inf') - $asked{$_} } keys %asked;

is(scalar @$events, $ERRORS, 'each error arrives');
cmp_ok(max(@seconds), '<', deadline($SOON), 'soon');
diag(sprintf 'errors took %.3f s at most, %.3f on average', max(@seconds),
     sum0(@seconds) / @seconds);
is($under->{queue_overflow}{error}, undef, 'no error was lost');
cmp_ok($used, '<', 1, 'the queue has room for more');
cmp_ok($under->{queue_overflow}{transaction}, '>', 100,
       'transactions were lost all the time');

my %answers;

for (@clients) {
    syswrite $_->{stop}, '.';      # the other one may have this end, too
    waitpid $_->{pid}, 0;

    my %got = split / /, $t->read_file($_->{file});

    $answers{$_} += $got{$_} for keys %got;
}

is(join(' ', keys %answers), 200, 'each request was answered');

# all that it had to take

$t->receiver(reset => 1);

my ($page, $n);

ok(wait_for(sub {
    my $status = $t->status();

    ($page) = grep { $_->{project} =~ m{/1$} } @{$status->{projects}};
    return $status->{queue}{records} == 0;
}, 30), 'the queue is emptied');

is($page->{captured}{transaction},
   $page->{delivered}{transaction} + sum0(map {
       $page->{lost}{$_}{transaction} // 0
   } grep { $_ ne 'backpressure' && $_ ne 'sample_rate' }
     keys %{$page->{lost}}), 'captured = delivered + lost');
is($page->{captured}{transaction}
   + ($page->{lost}{backpressure}{transaction} // 0), $answers{200},
   'each request is in the books');
is($page->{lost}{queue_overflow}{span},
   $page->{lost}{queue_overflow}{transaction}, 'spans like transactions');
is(scalar @{$t->transactions($page->{delivered}{transaction})},
   $page->{delivered}{transaction}, 'what was delivered has arrived');

diag("$answers{200} requests, $page->{delivered}{transaction} delivered,"
     . " lost: " . join ', ', map {
         "$_ " . ($page->{lost}{$_}{transaction} // 0)
     } sort keys %{$page->{lost}});
diag(sprintf 'the queue was %d %% full at most, a worker took %d KiB',
     100 * $used, $rss);


sub lost {
    my ($page) = grep { $_->{project} =~ m{/1$} } @{$t->status()->{projects}};

    return $page->{lost};
}


# Asks until it is told to stop, counts the answers.

sub client {
    my ($i) = @_;
    my $file = $t->testdir() . "/client$i";

    pipe my $read, my $write or die "pipe: $!\n";

    my $pid = $t->run_daemon(sub {
        my (%sum, $rin);

        close $write;

        do {
            my $got = http_flood(uri => '/traced/', n => 2000, conns => 8);

            $sum{$_} += $got->{$_} for grep { /^\d+$|error/ } keys %$got;
            vec($rin = '', fileno $read, 1) = 1;
        } while (!select $rin, undef, undef, 0);

        open my $out, '>', $file or die "$file: $!\n";
        print $out join ' ', %sum;
        close $out;
    });

    close $read;

    return { pid => $pid, file => $file, stop => $write };
}
