#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Reloads under load: no request fails, nothing is lost or sent twice, the new
# workers send at once, and old ones leave in time whatever Sentry does.

use warnings;
use strict;

use List::Util qw/ max /;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Load;

my $RELOADS = 20;

my $t = NginxTest->new()->plan(25);

$t->sentry()->conf(
    main     => 'worker_processes 2;',
    http     => "sentry_timeout 4s;\n",
    location => [ '/boom/ { return 503; }', '/hang/ { return 503; }' ],
)->run();


# one after the other, not waiting for old workers

my $load = NginxTest::Load->new($t, uri => '/boom/', rate => 150);
my @seconds = map { taken_over() } 1 .. $RELOADS;

cmp_ok(max(@seconds), '<', deadline(1), 'new workers send at once');
note 'longest: ', max @seconds;

for my $n (1, 4, 2) {
    $t->conf(main => "worker_processes $n;");
    cmp_ok(taken_over(), '<', deadline(1), "worker_processes $n: at once");
    ok(wait_for(sub { $t->worker_pids() == $n }), 'as many workers');
}

ok(wait_for(sub { $t->worker_pids(all => 1) == 2 }), 'old workers have left');
books('reloads', $load);

is($t->status()->{generation}, 1 + $RELOADS + 3, 'configurations are counted');


# Sentry accepts everything and answers nothing

$t->receiver(hang => 1, count => -1);
$load = NginxTest::Load->new($t, uri => '/hang/', rate => 60);

wait_for(sub { accounts($t)->{queued} > 20 });

for ('first', 'second') {
    my $start = time();
    my @old = $t->worker_pids();

    cmp_ok(taken_over(), '<', deadline(1),
           "Sentry hangs: new workers send at once, $_ reload");

    wait_for(sub { !grep { kill 0, $_ } @old });
    cmp_ok(time() - $start, '<', deadline(3.5),
           "Sentry hangs: old workers leave in time, $_ reload");
}

$t->receiver(reset => 1);
books('Sentry hangs', $load);


# Seconds until a worker of the new configuration sends.

sub taken_over {
    my $start = time();
    my %workers;

    $t->reload();
    %workers = map { $_ => 1 } $t->worker_pids();

    ok(0, 'nobody sends') if !wait_for(sub {
        $workers{accounts($t)->{sender}}
    });

    return time() - $start;
}


sub books {
    my ($what, $load) = @_;
    my $result = $load->stop();
    my $accounts = drained($t);
    my @answered = keys %{$result->{answered}};
    my $seen = paths($t);

    note explain { %$result, answered => scalar @answered,
                   broken => scalar @{$result->{broken}} };

    cmp_ok(scalar @answered, '>', 80, "$what: there was a load");
    is_deeply($result->{failed}, [], "$what: no request failed");
    is(join(' ', keys %{$result->{statuses}}), 503, "$what: all answered well");
    is(join(' ', grep { ($seen->{$_} // 0) != 1 } @answered), '',
       "$what: each request arrived once");
    is($accounts->{left}, 0, "$what: delivered + lost = captured");
    is($accounts->{captured}, keys %$seen, "$what: captured = arrived");
}
