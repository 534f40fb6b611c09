#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The end of nginx, by QUIT and by TERM: what is queued is sent in the time
# given, and what cannot be sent is told to be lost.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 40;
my $told = 0;

# a search for leaks takes longer than nginx waits after a TERM
$ENV{TEST_ASAN_OPTIONS} = 'detect_leaks=0';

my $t = NginxTest->new()->plan(22);

$t->sentry()->conf(
    main     => 'worker_processes 2;',
    location => '/boom/ { return 503; }',
);

for my $signal (qw/ QUIT TERM /) {
    my ($seconds, @news);

    # Sentry takes its time

    $t->run()->receiver(delay => 0.03, count => -1);
    boom("slow-$signal");
    $t->stop($signal);
    $t->receiver(reset => 1);

    is(arrived("slow-$signal"), $N, "$signal: all was sent");
    is(scalar(grep { /\[warn\]/ } news()), 0, "$signal: without a warning");


    # nobody there

    $t->receiver_stop()->run();
    boom("dead-$signal");
    $seconds = $t->stop($signal);
    @news = news();

    cmp_ok($seconds, '<', deadline(1.5), "$signal, Sentry is dead: at once");
    is_deeply([ lost(@news) ], [ $N ],
              "$signal, Sentry is dead: told how many are lost, once");
    is(scalar(grep { /unreachable/ } @news), 1,
       "$signal, Sentry is dead: told why, once");


    # takes it and does not answer

    $t->receiver_start()->run()->receiver(hang => 1, count => -1);
    boom("hang-$signal");
    $seconds = $t->stop($signal);
    $t->receiver(reset => 1);

    cmp_ok($seconds, '<', deadline(3), "$signal, Sentry hangs: in time");
    cmp_ok($seconds, '>', 0.8, "$signal, Sentry hangs: it was given some");
    is_deeply([ lost(news()) ], [ $N ],
              "$signal, Sentry hangs: told how many are lost, once");
}


# no time at all, and a long one

$t->conf(http => 'sentry_shutdown_timeout 0;')->run();
$t->receiver(hang => 1, count => -1);
boom('none');
cmp_ok($t->stop(), '<', deadline(1), 'no time: gone at once');
is_deeply([ lost(news()) ], [ $N ], 'no time: told what was lost');
$t->receiver(reset => 1);

$t->conf(http => 'sentry_shutdown_timeout 10s;')->run();
$t->receiver(delay => 0.25, count => -1);
boom('long');
cmp_ok($t->stop(), '>', 2.2, 'more time: it is used');
is(arrived('long'), $N, 'more time: all was sent');
$t->receiver(reset => 1);

$t->run()->receiver(hang => 1, count => -1);
boom('more');
cmp_ok($t->stop('TERM'), '<', deadline(3), 'TERM: not as long as to be killed');
is_deeply([ lost(news()) ], [ $N ], 'TERM: told what was lost');


sub boom {
    my ($name) = @_;

    http_get("/boom/$name-$_") for 1 .. $N;
}


sub arrived {
    my ($name) = @_;

    return scalar grep { m{^/boom/$name-\d} } keys %{paths($t)};
}


# Our lines of the log since the last time.

sub news {
    my @lines = $t->log_lines(qr/sentry: /);
    my @news = @lines[$told .. $#lines];

    $told = @lines;

    return @news;
}


# The numbers of records that they say were lost.

sub lost {
    return map { /: (\d+) records left in the queue were lost$/ ? $1 : () }
               @_;
}
