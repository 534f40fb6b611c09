#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# What a reload can change: another queue, another DSN, the module's
# directives gone and back, the module itself.  What was queued before is
# sent by those who queued it, or told to be lost.

use warnings;
use strict;

use List::Util qw/ max sum0 /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $t = NginxTest->new()->plan(31);

$t->sentry()->conf(
    main     => 'worker_processes 2;',
    http     => 'sentry_shutdown_timeout 3s;',
    location => '/boom/ { return 503; }',
)->run();


# another size

queue_up('small', 40);
reload(http => 'sentry_shutdown_timeout 3s; sentry_queue 1m;');
is_deeply(arrived('small'), [ 40, 1 ], 'resize: the old queue was emptied');
is($t->status()->{queue}{bytes}, 1048576, 'resize: the queue is new');
is(accounts($t)->{captured}, 0, 'resize: and empty');
boom('resized', 3);
is_deeply(arrived('resized', n => 3), [ 3, 1 ], 'resize: it works');


# another DSN

queue_up('before', 40);
reload(http => 'sentry_dsn %%DSN_2%%;');
boom('after', 3);

is_deeply(arrived('before', project => 1), [ 40, 1 ], 'DSN: old as before');
is_deeply(arrived('after', project => 2, n => 3), [ 3, 1 ],
          'DSN: new with the new');
is_deeply([ arrived('after', project => 1)->[0],
            arrived('before', project => 2)->[0] ], [ 0, 0 ],
          'DSN: none with the other one');
is(scalar(grep { /project 2,/ } $t->log_lines(qr/reporting to/)), 1,
   'DSN: said');


# the directives

queue_up('last', 40, project => 2);
reload(sentry => 0, http => '');
is_deeply(arrived('last', project => 2), [ 40, 1 ], 'off: all was sent');
unused('off');

reload(sentry => 1);
boom('again', 3);
is_deeply(arrived('again', n => 3), [ 3, 1 ], 'on again: it works');
is(zones($t->worker_pids()), 1, 'on again: shared memory');
is(threads(), 3, 'on again: one thread more');


# the module

SKIP: {
    skip 'the module is built in', 8 if $t->is_static();

    queue_up('unload', 40);

    {
        local $t->{module} = '';
        reload(sentry => 0);
    }

    is_deeply(arrived('unload'), [ 40, 1 ], 'unloaded: all was sent');
    unused('unloaded');
    is($t->read_file('/proc/' . $t->nginx_pid() . '/maps') =~ /ngx_sentry_m/,
       '', 'unloaded: the code is gone');

    reload(sentry => 1);
    boom('loaded', 3);
    is_deeply(arrived('loaded', n => 3), [ 3, 1 ], 'loaded again: it works');
}


# an old queue that nobody takes

$t->receiver_stop();

for (
    [ 'resized', http => 'sentry_queue 1m; sentry_shutdown_timeout 1s;' ],
    [ 'turned off', sentry => 0, http => '' ],
) {
    my ($what, @conf) = @$_;
    my $before = () = lost();

    boom('lost', 30);
    reload(@conf);
    wait_for(sub { lost() > $before }, 3);

    my @lost = lost();

    is_deeply([ @lost[$before .. $#lost] ], [ 30 ],
              "$what, Sentry is dead: told how many are lost, once");
}

$t->receiver_start();


# a configuration that cannot be used changes nothing

reload(sentry => 1, http => '');
boom('good', 3);
$t->conf(http => 'sentry_queue 1k;')->_write_conf();
$t->signal('HUP');
ok(wait_for(sub { $t->log() =~ /emerg.*"sentry_queue" must be/ }),
   'wrong: refused');
boom('wrong', 3);
is_deeply([ map { arrived($_, n => 3) } qw/ good wrong / ],
          [ [ 3, 1 ], [ 3, 1 ] ], 'wrong: all goes on');


sub boom {
    my ($name, $n) = @_;

    http_get("/boom/$name$_") for 1 .. $n;
}


# Requests whose events wait in the queue when it returns.

sub queue_up {
    my ($name, $n, %opt) = @_;

    $t->receiver(delay => 0.03, count => 2 * $n);
    boom($name, $n);
    cmp_ok(accounts($t, %opt)->{queued}, '>', 0, "$name: the queue is used");
}


sub reload {
    $t->conf(@_)->reload(all => 1);
    $t->receiver(reset => 1);
}


# How many different ones have come, and how often the most frequent one; n:
# so many are to be waited for.

sub arrived {
    my ($name, %opt) = @_;
    my ($seen, @mine);

    wait_for(sub {
        $seen = paths($t, %opt);
        @mine = grep { m{^/boom/\Q$name\E\d} } keys %$seen;
        return @mine >= ($opt{n} // 0);
    });

    return [ scalar @mine, max(0, @$seen{@mine}) ];
}


sub unused {
    my ($what) = @_;

    is(threads(), 2, "$what: no thread");
    is(zones($t->worker_pids()), 0, "$what: no shared memory");
    is(zones($t->nginx_pid()), 0, "$what: not in the master");
    like(http_get('/boom/x'), qr/ 503 /, "$what: nginx serves");
}


sub threads {
    return sum0(map { $t->threads($_) } $t->worker_pids());
}


# Shared memory, without the one that nginx always has.

sub zones {
    return max(map { scalar(() = $t->zones($_)) } @_) - 1;
}


# The numbers of records that the log says were lost.

sub lost {
    return map { /: (\d+) records left in the queue were lost$/ ? $1 : () }
               $t->log_lines(qr/sentry: /);
}
