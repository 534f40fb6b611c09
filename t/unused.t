#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# No directive, no cost: an nginx that has loaded the module and does not use
# it has no thread, no shared memory and no timer more than one without it.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->plan(10);

my $conf = <<'EOC';
%%GLOBALS%%

worker_processes 2;

events {
}

http {
    %%GLOBALS_HTTP%%
    %%MORE%%

    server {
        listen 127.0.0.1:8080;
        location / { return 502; }
    }
}
EOC


my $unused = look('');

is($unused->{threads}, 1, 'one thread in each worker');
is($unused->{wakeups}, 0, 'no timer');
unlike($t->log(), qr/sentry: /, 'nothing said');

SKIP: {
    skip 'the module is built in', 2 if $t->is_static();

    local $t->{module} = '';
    my $without = look('');

    is($unused->{zones}, $without->{zones}, 'no shared memory');
    is($unused->{response}, $without->{response}, 'the same response');
}

my $off = look('sentry_dsn off;');

is($off->{threads}, 1, 'off: one thread in each worker');
is($off->{zones}, $unused->{zones}, 'off: no shared memory');
is($off->{wakeups}, 0, 'off: no timer');

# that these looks can see something

$t->sentry();
my $used = look('sentry_dsn %%DSN%%;');

cmp_ok($used->{zones}, '>', $unused->{zones}, 'in use: shared memory');
cmp_ok($used->{threads} + $used->{wakeups}, '>', 1,
       'in use: a thread or a timer');


sub look {
    my ($more) = @_;
    my ($response, %before, $threads, $wakeups);

    $t->write_file_expand('nginx.conf', $conf =~ s/%%MORE%%/$more/r);
    $t->run();

    $response = http_get('/') =~ s/^Date: .*\r\n//mr;

    my @workers = $t->worker_pids();

    # what start and the request caused is over when nothing moves
    wait_for(sub {
        my $was = wakeups(@workers);
        sleep(0.3);
        return wakeups(@workers) == $was;
    }, 3);

    $wakeups = wakeups(@workers);
    $threads = 0;

    for (@workers) {
        my $n = $t->threads($_);
        $threads = $n if $n > $threads;
    }

    sleep(2);

    my $look = {
        response => $response,
        threads  => $threads,
        zones    => scalar(my @zones = $t->zones($workers[0])),
        wakeups  => wakeups(@workers) - $wakeups,
    };

    $t->stop();

    return $look;
}


# How often the workers went to sleep and so had been woken.

sub wakeups {
    my $n = 0;

    for (map { glob "/proc/$_/task/*/status" } @_) {
        $n += $1 if $t->read_file($_) =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
    }

    return $n;
}
