#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A new binary (USR2) under load, there and back again: no request fails,
# each arrives once, and what the environment says stays said.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Load;

my $t = NginxTest->new()->plan(22);

$t->sentry()->env(
    SENTRY_DSN         => $t->dsn(1),
    SENTRY_ENVIRONMENT => 'upgraded',
    SENTRY_RELEASE     => 'shop@7',
)->conf(
    main     => 'worker_processes 2;',
    dsn      => 0,
    location => [ '/boom/ { return 503; }', '/back/ { return 503; }' ],
)->run();


# forward

my $old = $t->nginx_pid();
my $load = NginxTest::Load->new($t, uri => '/boom/', rate => 100);

wait_for(sub { keys %{paths($t)} > 50 });
$t->upgrade();
isnt($t->nginx_pid(), $old, 'upgrade: a new master');
ok(wait_for(sub { $t->worker_pids() == 2 }), 'upgrade: its workers');

my $seen = keys %{paths($t)};

ok(wait_for(sub { keys %{paths($t)} > $seen + 50 }), 'upgrade: it goes on');
books('upgrade', $load);

my $event = $t->events()->[-1];

is($event->{environment}, 'upgraded', 'upgrade: SENTRY_ENVIRONMENT');
is($event->{release}, 'shop@7', 'upgrade: SENTRY_RELEASE');
is(scalar $t->log_lines(qr/project 1, environment "upgraded", release "shop/),
   2, 'upgrade: both said so');


# and back: the new one does not please

my ($new, @workers);

$old = $t->nginx_pid();
$load = NginxTest::Load->new($t, uri => '/back/', rate => 100);
$seen = keys %{paths($t)};

wait_for(sub { keys %{paths($t)} > $seen + 50 });
@workers = $t->worker_pids();
$t->signal('USR2');
ok(wait_for(sub {
    $new = $t->nginx_pid();
    return $new && $new != $old && $t->worker_pids() == 2;
}), 'rollback: a new master with workers');

$t->signal('WINCH', $old);
ok(wait_for(sub { !$t->worker_pids(all => 1, master => $old) }),
   'rollback: no old workers');

$seen = keys %{paths($t)};
wait_for(sub { keys %{paths($t)} > $seen + 50 });

$t->signal('HUP', $old);
ok(wait_for(sub { $t->worker_pids(master => $old) == 2 }),
   'rollback: old workers again');

$t->signal('QUIT', $new);
ok(wait_for(sub { ($t->nginx_pid() // 0) == $old }),
   'rollback: the old master');

$seen = keys %{paths($t)};
ok(wait_for(sub { keys %{paths($t)} > $seen + 50 }), 'rollback: it goes on');
books('rollback', $load);
$t->stop();


# what switches everything off

my $said = () = $t->log_lines(qr/sentry: /);

$t->env(SENTRY_ENABLED => 'false')->run();
$t->upgrade();
like(http_get('/boom/off'), qr/ 503 /, 'SENTRY_ENABLED=false: nginx serves');
$t->stop();

is(scalar(() = $t->log_lines(qr/sentry: /)), $said,
   'SENTRY_ENABLED=false: nothing is reported before and after');
is(paths($t)->{'/boom/off'}, undef, 'SENTRY_ENABLED=false: nor sent');


sub books {
    my ($what, $load) = @_;
    my $result = $load->stop();
    my @answered = keys %{$result->{answered}};
    my $seen;

    wait_for(sub {
        $seen = paths($t);
        return !grep { !$seen->{$_} } @answered;
    });

    note explain { %$result, answered => scalar @answered,
                   broken => scalar @{$result->{broken}} };

    cmp_ok(scalar @answered, '>', 100, "$what: there was a load");
    is_deeply($result->{failed}, [], "$what: no request failed");
    is(join(' ', keys %{$result->{statuses}}), 503, "$what: all answered well");
    is(join(' ', grep { ($seen->{$_} // 0) != 1 } @answered), '',
       "$what: each request arrived once");
}
