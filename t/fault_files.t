#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Files, random numbers and sockets that fail, or give less than was asked
# for: the configuration is read without, events are sent all the same.  And
# disks that are full, which is nothing to a module that writes no file.

use warnings;
use strict;

use POSIX ();
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Faults;
use NginxTest::FaultSite;

my $SHORT = 0;
my @ERRORS = (POSIX::EIO(), $SHORT);
my @WORDS = ('an error', 'less than asked for');

my $t = NginxTest->new();
my $faults = NginxTest::Faults->new($t);
my @kinds = fault_kinds();

$t->plan(2 * 3 + 2 * 4 + 4 + 5);

$t->sentry();
fault_site($t);
$t->write_file('more.conf', "location /more/ {\n    return 503;\n}\n");
$t->write_file('ca.pem', 'of use to nobody');

configuration($_) for 0, 1;
$t->run();
workers($_) for 0, 1;
sockets();
$t->stop();
disks();


# The lines around an error are left out; the certificates must be there.

sub configuration {
    my ($i) = @_;
    my ($n, $given, $refused, @wrong) = (0, 1, 0);

    while ($given && $n < 200) {
        $faults->set('file', nth => ++$n, error => $ERRORS[$i]);

        my ($code, $output) = $t->check_config(%{$t->{conf}},
            http => "$t->{conf}{http} sentry_ssl_trusted_certificate"
                    . ' %%TESTDIR%%/ca.pem;',
            server => 'include %%TESTDIR%%/mor*.conf;');

        $given = $faults->given();
        $refused += $code != 0;

        push @wrong, "$n, " . $faults->name() . ": $code, $output"
            if $code && ($code != 1
                         || $output !~ /\[emerg\].*certificate.*readable/);
    }

    $faults->clear();

    ok(!$given && $n > 3, "configuration, $WORDS[$i]: each of " . ($n - 1));
    is($refused, $ERRORS[$i] ? 1 : 0,
       "configuration, $WORDS[$i]: only what must be there is missed");
    is_deeply(\@wrong, [], "configuration, $WORDS[$i]: with one clear line");
}


# Without /proc, random numbers and the kernel's name.

sub workers {
    my ($i) = @_;
    my %n = map { $_ => 2 } @kinds;

    $faults->set('file', first => 1, error => $ERRORS[$i]);
    $t->reload(all => 1);

    my $before = accounts($t);
    my $events = @{$t->events(undef)};
    my %seen;

    fault_request($_) for @kinds, @kinds;

    is(fault_books($t, $before, %n), '', "workers, $WORDS[$i]: the books");
    isnt($faults->given(), 0, "workers, $WORDS[$i]: it was so");
    $faults->clear();

    $seen{$_->{event_id}}++ for @{$t->events(undef)},
                                @{$t->transactions(undef)};

    is(grep({ $_ > 1 } values %seen), 0,
       "workers, $WORDS[$i]: no id was drawn twice");
    cmp_ok(@{$t->events(undef)}, '>', $events, "workers, $WORDS[$i]: events");
}


# A sender without a socket, then with seven bytes at a time.

sub sockets {
    my $before = accounts($t);

    $faults->set('net', first => 1, error => POSIX::EMFILE());
    $t->reload(all => 1);
    fault_request('error');

    ok(wait_for(sub { !accounts($t)->{page}{reachable} }),
       'sockets: none, and Sentry cannot be reached');
    $faults->clear();
    is(fault_books($t, $before, error => 1), '', 'sockets: it is, later');

    $before = accounts($t);
    $faults->set('net', first => 1, error => $SHORT);
    fault_request($_) for @kinds;
    is(fault_books($t, $before, map { $_ => 1 } @kinds), '',
       'sockets: a few bytes at a time');
    cmp_ok($faults->calls(), '>', 500, 'sockets: many times');
    $faults->clear();
}


# Whoever writes to a file dies of it; there is no room for the log.

sub disks {
    # none of these is written

    $t->conf(main => 'error_log /dev/full info; worker_processes 2;',
             log_level => 'emerg')->run();

    my @workers = $t->worker_pids();
    my $before = accounts($t);

    $t->limit($_, fsize => 0) for @workers;

    my %expected = map { $_ => 1 } @kinds;

    fault_request($_) for @kinds;
    is(fault_books($t, $before, %expected), '', 'disks: the books');

    $t->receiver_stop();
    fault_request('error');
    ok(wait_for(sub { !accounts($t)->{page}{reachable} }),
       'disks: Sentry is away');
    $t->receiver_start();
    is(fault_books($t, $before, %expected, error => 2), '',
       'disks: what is kept is not kept there');

    http_get('/status?format=prometheus', port => port(8079));
    is_deeply([ $t->worker_pids() ], \@workers, 'disks: no worker died');

    # that it would have

    $t->limit($$, fsize => 0);

    my $child = fork() // die "fork: $!\n";

    if (!$child) {
        open my $file, '>>', $t->testdir() . '/written';
        syswrite $file, 'x';
        POSIX::_exit(0);
    }

    waitpid $child, 0;

    my $signal = $? & 127;

    $t->limit($$, fsize => $t->hard_limit('file size'));
    is($signal, POSIX::SIGXFSZ(), 'disks: as it would have of a byte');
}
