#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# kill -9 of workers under load, of the one that sends and of others: another
# one sends within 2 seconds, nobody else notices, and the books are right but
# for the one record that a killed worker had not published.

use warnings;
use strict;

use List::Util qw/ sum0 /;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Load;

# in flight to one project with HTTP/1.1, see snx_transport.h
my $INFLIGHT = 16;

my (%killed, @kills);

my $t = NginxTest->new()->plan(29);
my $slow = 'proxy_pass http://127.0.0.1:'
           . $t->upstream('slow', delay => 0.1, status => 500) . ';';

$t->sentry()->conf(
    main     => 'worker_processes 3;',
    http     => "sentry_log_events off;\nkeepalive_requests 100000;\n"
                . "add_header X-Worker \$pid always;",
    location => [ '/boom/ { return 503; }', "/slow/ { $slow }" ],
)->run();

# slow enough to have something in flight at any time
$t->receiver(delay => 0.02, count => -1);

my @loads = (NginxTest::Load->new($t, uri => '/boom/', rate => 100),
             NginxTest::Load->new($t, uri => '/slow/', rate => 30));

takeover($_, sub { accounts($t)->{sender} })
    for 'the sender', 'the next sender', 'the third sender';

bystander($_) for 'a worker that does not send', 'another one';

takeover('all workers', sub { $t->worker_pids() });

my @results = map { $_->stop() } @loads;

# what is left has not to wait
$t->receiver(reset => 1);

my $accounts = drained($t);
my $seen = paths($t);
my $answered = { map { %{$_->{answered}} } @results };
my @broken = map { @{$_->{broken}} } @results;
my $duplicates = sum0(map { $_ - 1 } values %$seen);
my @missing = grep { !$seen->{$_} } keys %$answered;
my %asked = map { $_ => 1 } keys %$answered,
            map { $_->{path} } @broken;
my $n = @kills;

note explain { accounts => $accounts, duplicates => $duplicates,
               missing => \@missing, answered => scalar keys %$answered,
               broken => scalar @broken };

cmp_ok(scalar keys %$answered, '>', 300, 'there was a load');
is(join(' ', map { keys %{$_->{statuses}} } @results), '503 500',
   'with the right answers');
cmp_ok(scalar @broken, '>', 0, 'clients of killed workers noticed');
is(join(' ', grep { !of_killed($_) } @broken), '',
   'clients of other workers saw no failure');

cmp_ok(scalar @missing, '<=', $n,
       'a killed worker cost at most the record it had not published');
is(join(' ', grep { !$asked{$_} } keys %$seen), '', 'nothing was made up');
cmp_ok($duplicates, '<=', $INFLIGHT * grep({ $_->{sender} } @kills),
       'only what was in flight came twice');
cmp_ok(abs $accounts->{left}, '<=', $n, 'delivered + lost = captured');
is($accounts->{lost}, 0, 'nothing was lost');
cmp_ok($accounts->{captured} - keys %$seen, '<=', $n,
       'what was captured has arrived');
is($accounts->{taken}, 1 + grep({ $_->{sender} } @kills),
   'the lease changed hands once a kill');


sub of_killed {
    my ($broken) = @_;

    return $killed{$broken->{worker}} if defined $broken->{worker};

    # accepted and not answered yet: whose it was is not known
    return grep { abs($broken->{time} - $_->{time}) < deadline(1) } @kills;
}


sub kill9 {
    my ($sender, @pids) = @_;

    $t->allow_alerts(map { qr/worker process $_ exited on signal 9/ } @pids);
    @killed{@pids} = @pids;
    push @kills, map { { pid => $_, sender => $_ == $sender,
                         time => time() } } @pids;

    $t->signal('KILL', $_) for @pids;
}


# Kills the sender and perhaps others.

sub takeover {
    my ($what, $victims) = @_;
    my ($start, $before, $now);

    wait_for(sub { accounts($t)->{delivered} >= 60 * (@kills + 1) });

    $before = accounts($t);
    kill9($before->{sender}, $victims->());
    $start = time();

    ok(wait_for(sub {
        $now = accounts($t);
        return $now->{sender} && !$killed{$now->{sender}}
               && $now->{delivered} > $before->{delivered} + $INFLIGHT;
    }), "$what: another one sends");

    cmp_ok(time() - $start, '<', deadline(2), "$what: within 2 s");
    is(scalar grep({ $_ == $now->{sender} } $t->worker_pids()), 1,
       "$what: it is a worker");
}


sub bystander {
    my ($what) = @_;
    my $before = accounts($t);
    my ($victim) = grep { $_ != $before->{sender} } $t->worker_pids();

    kill9($before->{sender}, $victim);

    ok(wait_for(sub {
        my @pids = $t->worker_pids();
        return @pids == 3 && !grep { $killed{$_} } @pids;
    }), "$what: it is replaced");
    wait_for(sub { accounts($t)->{delivered} > $before->{delivered} + 60 });
    is(accounts($t)->{sender}, $before->{sender}, "$what: sender stays");
    is(accounts($t)->{taken}, $before->{taken}, "$what: lease stays");
}
