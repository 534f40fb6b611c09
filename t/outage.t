#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A Sentry that is not there: requests do not notice, nothing that was kept is
# lost or sent twice when it is back, one line is logged for each change, and
# nginx ends in time without it.

use warnings;
use strict;

use List::Util qw/ max /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 20;         # events of each case while Sentry is away
my $MORE = 5;       # before that, and after
my $LEFT = 3;       # at the end, of the two cases that are away again

my $t = NginxTest->new();

$t->sentry();

# two projects have a Sentry of their own

my %receiver = map { $_ => $t->new_receiver() } 11, 12;

# what Sentry does; how to make it do so, and no more

my %cases = (
    11 => [ 'refuses connections',
            sub { $receiver{11}->stop() }, sub { $receiver{11}->start() } ],
    12 => [ 'does not accept connections',
            sub { $receiver{12}->script(stall => 1) },
            sub { $receiver{12}->script(stall => 0) } ],
    13 => away('never answers', hang => 1),
    14 => away('closes the connection', close => 1),
    15 => away('resets the connection', rst => 1),
    16 => away('does not speak HTTP', garbage => 1),
    17 => away('closes inside the status', raw => 'HTTP/1.1 2', status => 599),
    18 => away('answers too slowly', trickle => 1, status => 599),
);

my @cases = sort keys %cases;

$t->plan(11 * @cases + 6);

$t->conf(
    log_level => 'info',
    http => 'sentry_timeout 1s; sentry_shutdown_timeout 1s;',
    location => [ '/well/ { sentry_dsn off; return 503; }', map {
        "/$_/ { sentry_dsn " . receiver($_)->dsn($_) . '; return 503; }'
    } @cases ],
)->run();

my $well = flood('/well/', 2 * $N);

flood("/$_/", $MORE) for @cases;
settled($t, $MORE, project => $_) for @cases;

# away, known to be, and still away when asked again

$cases{$_}[1]->($_) for @cases;

my %flood = map { $_ => [ flood("/$_/", $N / 2) ] } @cases;

wait_for(sub {
    !grep { accounts($t, project => $_)->{page}{reachable} } @cases;
}) or diag('not all are found to be away');

push @{$flood{$_}}, flood("/$_/", $N / 2) for @cases;

wait_for(sub {
    !grep { accounts($t, project => $_)->{page}{retries} < 6 } @cases;
}, 15) or diag('not all were tried again');

my %away = map { $_ => accounts($t, project => $_) } @cases;

# back again

$t->receiver(reset => 1);
$cases{$_}[2]->() for @cases;
flood("/$_/", $MORE) for @cases;

my $n = $N + 2 * $MORE;
my %back = map { $_ => settled($t, $n, project => $_) } @cases;

check($_) for @cases;

# the end, with records for a Sentry that is not there

$cases{$_}[1]->($_) for 11, 13;
flood("/$_/", $LEFT) for 11, 13;

cmp_ok($t->stop(), '<', deadline(3), 'nginx ends in time');

is($t->log_lines(qr/sentry: \d+ records left in the queue were lost/), 1,
   'what is left is told once');
is($t->log_lines(qr/sentry: 6 records left in the queue were lost/), 1,
   'all that was left');
is(@{[ state_lines($t, 11) ]}, 3, 'away again: one more line');
is($t->log_lines(qr/\[(?:error|crit)\] sentry: /), 0, 'no errors');
is(@{[ state_lines($t, 9999) ]}, 0, 'other projects were not concerned');


sub away {
    my ($what, %script) = @_;

    return [ $what, sub {
        $t->receiver(project => $_[0], count => -1, %script);
    }, sub { } ];
}


sub receiver { return $receiver{$_[0]} || $t->{sentry} }


sub flood {
    my ($uri, $n) = @_;

    return http_flood(uri => $uri, n => $n, conns => 4);
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[@sorted / 2];
}


sub check {
    my ($i) = @_;
    my ($name) = @{$cases{$i}};
    my ($away, $back) = ($away{$i}, $back{$i});
    my @times = map { @{$_->{times}} } @{$flood{$i}};
    my %responses;

    for my $responses (map { $_->{responses} } @{$flood{$i}}) {
        $responses{$_} += $responses->{$_} for keys %$responses;
    }

    is_deeply([ map { $_, $responses{$_} * 2 } sort keys %responses ],
              [ map { $_, $well->{responses}{$_} }
                sort keys %{$well->{responses}} ],
              "$name: responses are as ever");
    cmp_ok(max(@times), '<', deadline(1), "$name: none is slow");
    cmp_ok(median(@times), '<', deadline(10 * median(@{$well->{times}}) + 0.05),
           "$name: nor are most");

    is($away->{captured}, $N + $MORE, "$name: all captured");
    is($away->{lost}, 0, "$name: none lost");
    is($away->{page}{last_error}{status}, 0, "$name: no answer came");

    is($back->{delivered}, $n, "$name: all delivered when it is back");

    my $events = receiver($i)->wait_payloads('event', $n, project => $i);
    my %ids = map { $_->{event_id} => 1 } @$events;

    # a receiver that slept reads what is there, from whom left long ago, too

    my $twice = $i == 12 ? $back->{page}{retries} : 0;

    is(keys %ids, $n, "$name: all arrived");
    cmp_ok(@$events - $n, '<=', $twice, "$name: once");

    # what the sender says gets into the log twice a second

    wait_for(sub { 2 <= (() = state_lines($t, $i)) });

    my @lines = map { s/sentry: \S+ is (\w+).*/$1/r } state_lines($t, $i);

    is_deeply(\@lines, [ '[warn] unreachable', '[notice] reachable' ],
              "$name: one line when it goes, one when it comes");
    is_deeply(receiver($i)->payloads('client_report', project => $i), [],
              "$name: nothing to tell it");
}
