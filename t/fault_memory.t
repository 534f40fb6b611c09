#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# No memory for the module: at the first call that asks for some, at the
# second... until a request needs no more, alone and with all after it.
# Clients get what they get without, and each event is sent or is counted as
# lost.  t/faults has the rest: the sender, the configuration, at random.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Faults;
use NginxTest::FaultSite;

my $t = NginxTest->new();
my $faults = NginxTest::Faults->new($t);
my @kinds = fault_kinds();

$t->plan(7 * @kinds + 10);

$t->sentry();
fault_site($t)->run();

my @workers = $t->worker_pids();
my %expected = map { $_ => fault_request($_) } @kinds;
my %n = map { $_ => 1 } @kinds;

is(fault_books($t, {}, %n), '', 'nothing fails: the books');

for my $kind (@kinds) {
    each_call($kind, 'alone', 'nth');
    each_call($kind, 'and all after it', 'first');
}

# none at all, from the start of a worker

my $before = accounts($t);

$faults->set('request', first => 1);
$t->reload();

is(fault_request($_), $expected{$_}, "no memory at all: $_") for @kinds;

isnt($faults->given(), 0, 'there was none');
$faults->clear();

# nginx says once that there is none, and that is an event as well

is(fault_books($t, $before, %n, lines => 1), '', 'the books');

is_deeply([ grep { $_ == $workers[0] } $t->worker_pids() ], [],
          'a new worker serves');

# nor for the sender, whose threads end as often as they are started

$before = accounts($t);

$faults->set('sender', first => 1);
$t->reload(all => 1);

is(fault_request('error'), $expected{error}, 'no memory for the sender');

wait_for(sub { $faults->given() });

my $given = $faults->given();

ok(wait_for(sub { $faults->given() > $given + 2 }), 'it is tried again');
is($t->log_lines(qr/\[crit\] sentry: the sender cannot start/), 1,
   'and told once');

$faults->clear();
is(fault_books($t, $before, error => 1), '', 'the books');
is($t->log_lines(qr/sender started/), 2, 'it has started, as it did at first');
is($t->log_lines(qr/exited on signal/), 0, 'no worker died');


sub each_call {
    my ($kind, $name, $how) = @_;
    my $before = accounts($t);
    my ($n, $given, %wrong) = (0, 0);

    do {
        $faults->set('request', $how => ++$n);

        my $response = fault_request($kind);

        $given = $faults->given();
        $wrong{$faults->name() . " ($n)"} = $response
            if $response ne $expected{$kind};

    } while ($given && $n < 200);

    $faults->clear();

    ok(!$given && $n > 2, "$kind: each of " . ($n - 1) . " failed, $name");
    is_deeply(\%wrong, {}, "$kind: the answer is the same");
    is(fault_books($t, $before, $kind => $n), '', "$kind: the books");
}
