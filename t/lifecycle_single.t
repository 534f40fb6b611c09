#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# "master_process off": the one process sends, and tells at its end what was
# lost.  After a reload such an nginx serves nobody any more, with the module
# or without; what was queued is sent all the same.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 30;

my $t = NginxTest->new()->plan(11);

$t->sentry()->conf(
    main     => 'master_process off;',
    location => '/boom/ { return 503; }',
)->run();

boom('first');

my $accounts = drained($t);
my $pid = $t->nginx_pid();

is(arrived('first'), $N, 'all has arrived');
is($accounts->{captured}, $N, 'and was captured');
is($accounts->{left}, 0, 'delivered + lost = captured');
is($accounts->{sender}, $pid, 'it sends');
is($t->threads($pid), 2, 'with one thread');


# its end

$t->receiver(delay => 0.03, count => 2 * $N);
boom('last');
$t->stop();
$t->receiver(reset => 1);
is(arrived('last'), $N, 'end: all was sent');

$t->run()->receiver_stop();
boom('lost');
$t->stop();
is(lost(), $N, 'end, Sentry is dead: told how many are lost');


# a reload

for (
    [ 'reload', http => '' ],
    [ 'reload, another queue', http => 'sentry_queue 1m;' ],
) {
    my ($what, @conf) = @$_;

    $t->conf(http => '')->receiver_start()->run();
    $t->receiver(delay => 0.03, count => 2 * $N);
    boom($what =~ tr/a-z//cdr);

    $t->conf(@conf)->_write_conf();
    $t->signal('HUP');
    wait_for(sub { arrived($what =~ tr/a-z//cdr) == $N });
    $t->receiver(reset => 1);

    is(arrived($what =~ tr/a-z//cdr), $N, "$what: all was sent");

    # the old one may have sent it before nginx saw the signal
    wait_for(sub { started() == 2 });

    $t->stop();
    is(started(), 2, "$what: a new sender");
}


sub boom {
    my ($name) = @_;

    http_get("/boom/$name-$_") for 1 .. $N;
}


sub arrived {
    my ($name) = @_;

    return scalar grep { m{^/boom/$name-\d} } keys %{paths($t)};
}


# The records that the log says were lost.

sub lost {
    my ($lost, @more) = map { /: (\d+) records left in the queue/ ? $1 : () }
                            $t->log_lines(qr/sentry: /);

    return @more ? "$lost @more" : $lost;
}


sub started {
    return scalar grep { /sender started/ } since_start();
}


sub since_start {
    my @lines = $t->log_lines(qr/./);
    my ($start) = grep { $lines[$_] =~ /\] OS: / } reverse 0 .. $#lines;

    return @lines[$start .. $#lines];
}
