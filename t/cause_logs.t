#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Lines of the error log are kept of a request wherever they go and whatever
# is too much for the log itself; and no log says more than it was told to.

use warnings;
use strict;

use IO::Select;
use IO::Socket::INET;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new();
my $dead = dead_port();
my $syslog = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'udp')
    or die "udp: $!\n";
my $udp = 'syslog:server=127.0.0.1:' . $syslog->sockport();

# where it goes; what is to arrive there: [ file, times ]

my @logs = (
    [ 'inherited', '' ],
    [ 'a file', 'error_log %%/a.log;', [ a => 1 ] ],
    [ 'only what is worse', 'error_log %%/crit.log crit;', [ crit => 0 ] ],
    [ 'nowhere', 'error_log /dev/null crit;' ],
    [ 'nowhere at all', 'error_log /dev/null emerg;' ],
    [ 'debug', 'error_log %%/debug.log debug;', [ debug => 1 ] ],
    [ 'debug of a part', 'error_log %%/part.log debug_core;', [ part => 1 ] ],
    [ 'stderr', 'error_log stderr;', [ stderr => 1 ] ],
    [ 'syslog', "error_log $udp;", [ syslog => 1 ] ],
    [ 'syslog, only what is worse', "error_log $udp alert;", [ syslog => 0 ] ],
    [ 'memory', 'error_log memory:64k debug;' ],
    [ 'several', "error_log %%/b.log crit; error_log %%/c.log;"
      . " error_log $udp error; error_log stderr info;"
      . ' error_log memory:64k;',
      [ b => 0 ], [ c => 1 ], [ syslog => 1 ], [ stderr => 1 ] ],
);

if (!$t->has_module('debug')) {
    $_->[1] =~ s/error_log memory[^;]+;// for @logs;
}

# A rewrite is logged at notice, twice, a server given up at warn, why at error.

my @levels = (
    [ off => ], [ emerg => ], [ crit => ],
    [ error => qw/ error / ],
    [ warn => qw/ error warning / ],
    [ notice => qw/ info info error warning / ],
    [ info => qw/ info info error warning / ],
);

my @locations = map {
    my $log = $logs[$_][1] =~ s/%%/$t->testdir()/ger;
    "/log/$_/ { $log proxy_pass http://127.0.0.1:$dead; }"
} 0 .. $#logs;

for my $i (0 .. $#levels) {
    push @locations, "/level/$i/ {
        sentry_breadcrumbs $levels[$i][0];
        rewrite_log on;
        rewrite ^ /level/$i/to break;
        proxy_pass http://level$i;
    }";
}

$t->sentry()->conf(log_level => 'warn', http => join('', map {
    "upstream level$_ { server 127.0.0.1:$dead; server 127.0.0.1:$dead down; }"
    } 0 .. $#levels), server => <<"EOS", location => \@locations);
    location /basic/ {
        error_log %%TESTDIR%%/basic.log crit;
        auth_basic closed;
        auth_basic_user_file %%TESTDIR%%/nobody;
        sentry_capture 401;
        sentry_breadcrumbs info;
    }
EOS

my $values = 0;
$values += @$_ - 2 for grep { @$_ > 2 } @logs;

$t->plan(2 * @logs + $values + 2 * @levels + 5)->run();

my $seen = 0;

sub event {
    my ($uri) = @_;

    http_get($uri);

    return $t->events(++$seen)->[$seen - 1];
}

sub lines {
    my ($name) = @_;
    my $text = '';

    if ($name ne 'syslog') {
        return scalar(() = $t->read_file("$name.log") =~ /111: /g);
    }

    my $n = 0;

    while (IO::Select->new($syslog)->can_read(0)) {
        recv $syslog, $text, 65536, 0;
        $n += () = $text =~ /111: /g;
    }

    return $n;
}

for my $i (0 .. $#logs) {
    my ($name, undef, @files) = @{$logs[$i]};
    my %before = map { $_->[0] => lines($_->[0]) } @files;
    my $event = event("/log/$i/");
    my ($exception) = @{$event->{exception}{values}};

    is("$exception->{type} $exception->{mechanism}{meta}{errno}{number}",
       'UpstreamRefused 111', "$name: cause");
    is(scalar grep({ $_->{category} eq 'nginx.error_log' }
                   @{$event->{breadcrumbs}{values}}), 1, "$name: one line");

    is(lines($_->[0]) - ($_->[0] eq 'syslog' ? 0 : $before{$_->[0]}), $_->[1],
       "$name: what is in $_->[0]") for @files;
}

for my $i (0 .. $#levels) {
    my ($level, @want) = @{$levels[$i]};
    my $event = event("/level/$i/");
    my ($exception) = @{$event->{exception}{values}};

    # nginx 1.18 tries what is down, too, and says so
    is_deeply([ map { $_->{level} }
                grep { $_->{category} eq 'nginx.error_log'
                       && $_->{message} !~ /^no live upstreams/ }
                @{$event->{breadcrumbs}{values}} ], \@want,
              "$level: lines of that level");
    is($exception->{type}, @want ? 'UpstreamRefused' : 'UpstreamUnreachable',
       "$level: type");
}

my $event = event('/basic/');
my ($exception) = @{$event->{exception}{values}};

is($exception->{type}, 'AccessDenied', 'info: type');
is($exception->{value}, 'no user/password was provided for basic'
   . ' authentication', 'info: value');
is($t->read_file('basic.log'), '', 'info: nothing in a log for worse');
unlike($t->log(), qr/\[(?:notice|info|debug)\]/, 'the log is not noisier');

$t->reload();
is(event('/log/3/')->{exception}{values}[0]{type}, 'UpstreamRefused',
   'after a reload');
