#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# What a worker takes: less than 1 MiB more after 100,000 requests than one
# without the module, nothing more after that, no thread more than at first,
# and descriptors for the connections that much to send may open; not with
# Sentry away either.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $GROWTH = 1024;      # KiB, over nginx without the module
my $STEADY = 128;       # KiB, for what comes after 100,000 requests
my $WIDER = 12;         # connections more while more is waiting

plan(skip_all => 'a sanitizer takes more memory than nginx')
    if $ENV{TEST_UNIT_SAN};

my $t = NginxTest->new()->plan(13);

my $dead = dead_port();

my $http = 'keepalive_requests 1000000;';

$t->conf(http => $http, location => [
    '/ok/ { return 200 "fine\n"; }', '/gone/ { return 503; }',
    "/dead/ { proxy_pass http://127.0.0.1:$dead; }" ]);


# nginx alone

my $alone = alone();

# with the module

$t->sentry()->conf(http => $http . ' sentry_queue 512k;')->run();

my ($worker) = $t->worker_pids();

wait_for(sub { $t->log_lines(qr/sentry: sender started/) });

my $fresh = look();

requests(2_000);
settled($t, 40);

my $warm = look();

is(requests(100_000), 98_000, 'each request is answered');
settled($t, 2_040, seconds => 60);

my $used = look();

is(requests(50_000), 49_000, 'again');
my $accounts = settled($t, 3_040, seconds => 60);

my $steady = look();

is($accounts->{captured}, 3_040, 'each failed one is captured');
is($accounts->{left}, 0, 'delivered or counted');
cmp_ok($accounts->{delivered}, '>', 500, 'and many of them delivered');

my $growth = $used->{rss} - $fresh->{rss} - $alone->{growth};

cmp_ok($growth, '<', $GROWTH, 'the worker grows by less than 1 MiB');
cmp_ok($steady->{rss} - $used->{rss}, '<', $STEADY, 'and no more');
cmp_ok($used->{anon} - $warm->{anon}, '<', $GROWTH / 4 + 16 * $WIDER,
       'hardly at all once it has worked');
is($steady->{threads}, $warm->{threads}, 'as many threads');
cmp_ok($steady->{fds}, '<=', $warm->{fds} + 1 + $WIDER, 'and descriptors');

# Sentry is away, the queue fills up

$t->receiver_stop();
is(requests(100_000), 98_000, 'away: each request is answered');

my $away = look();

cmp_ok($away->{rss} - $steady->{rss}, '<', $STEADY, 'away: it does not grow');
cmp_ok($away->{fds}, '<=', $warm->{fds} + 1, 'away: descriptors');

diag("nginx alone grows by $alone->{growth} KiB, with the module by "
     . ($used->{rss} - $fresh->{rss}) . " KiB in 100,000 requests, then by "
     . ($steady->{rss} - $used->{rss}) . ' KiB in 50,000, by '
     . ($away->{rss} - $steady->{rss}) . ' KiB with Sentry away');
diag("anonymous memory $used->{anon} KiB, alone $alone->{anon} KiB; shared "
     . "with all workers $used->{shared} KiB; $used->{threads} threads, "
     . "$used->{fds} descriptors");
diag("$accounts->{captured} captured, $accounts->{delivered} delivered, "
     . "$accounts->{lost} lost");


# The worker that a configuration without the module has.

sub alone {
    local $t->{module} = '' if !$t->is_static();

    $t->run();
    ($worker) = $t->worker_pids();

    my $fresh = look();

    requests(102_000);

    my $used = look();

    $t->stop();

    return { anon => $used->{anon}, growth => $used->{rss} - $fresh->{rss} };
}


# KiB and counts.

sub look {
    my $status = $t->read_file("/proc/$worker/status");
    my @fds = glob "/proc/$worker/fd/*";
    my %kib = $status =~ /^(VmRSS|RssAnon|RssShmem):\s+(\d+)/mg;

    return { rss => $kib{VmRSS}, anon => $kib{RssAnon},
             shared => $kib{RssShmem}, fds => scalar @fds,
             threads => $t->threads($worker) };
}


# Sends n requests, 100 in each connection, of which one in fifty fails in
# one way or another; returns how many were answered well.

sub requests {
    my ($n) = @_;
    my $uri = sub { $_[0] % 50 ? '/ok/' : $_[0] % 100 ? '/gone/' : '/dead/' };
    my $pipeline = join '', map {
        'GET ' . $uri->($_) . "$_?q=$_ HTTP/1.1\r\nHost: localhost\r\n"
        . 'Connection: ' . ($_ == 100 ? 'close' : 'keep-alive') . "\r\n\r\n"
    } 1 .. 100;
    my %answers;

    for (1 .. $n / 100) {
        my $response = http($pipeline);

        $answers{$1}++ while $response =~ m{^HTTP/1\.1 (\d+)}mg;
    }

    diag(join ' ', 'answers:', %answers)
        if ($answers{502} // 0) + ($answers{503} // 0) != $n / 50;

    return $answers{200};
}
