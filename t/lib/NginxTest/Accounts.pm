package NginxTest::Accounts;

# Copyright (C) ngx_sentry authors
#
# The books: what nginx says it captured, delivered and lost, and what has
# arrived, for tests in which everything must add up.

use warnings;
use strict;

use Exporter qw/ import /;
use List::Util qw/ sum0 /;
use Test::More ();

our @EXPORT = qw/ accounts drained paths settled state_lines /;


# { captured, delivered, lost, left: errors of the project (1), with what
# was not even to be sent left out of lost; reasons: { reason => n }; queued,
# sender, taken of the whole nginx; left is what is not accounted for; page:
# all that the status page says of the project }.

sub accounts {
    my ($t, %opt) = @_;
    my $project = $opt{project} || 1;
    my $status = $opt{status} || $t->status();
    my ($found) = grep { $_->{project} =~ m{/$project\z} }
                  @{$status->{projects}};
    my %reasons = map { $_ => $found->{lost}{$_}{error} // 0 }
                  keys %{$found->{lost}};
    my %accounts = (
        captured => $found->{captured}{error} // 0,
        delivered => $found->{delivered}{error} // 0,
        lost => sum0(map { $reasons{$_} }
                     grep { !/^(?:sample_rate|event_processor|held_back)$/ }
                     keys %reasons),
        reasons => \%reasons,
        queued => $status->{queue}{records},
        sender => $status->{sender}{pid},
        taken => $status->{sender}{taken},
        page => $found,
    );

    $accounts{left} = $accounts{captured} - $accounts{delivered}
                      - $accounts{lost};

    return \%accounts;
}


# Waits until the queue is empty; the accounts then.

sub drained {
    my ($t, %opt) = @_;
    my $accounts;

    NginxTest::wait_for(sub {
        ($accounts = accounts($t, %opt))->{queued} == 0
    }, 20) or $t->_wrong("$accounts->{queued} records stay in the queue");

    return $accounts;
}


# Waits until n errors of the project were captured and none is left; the
# accounts then.  seconds: how long (20).

sub settled {
    my ($t, $n, %opt) = @_;
    my $accounts;

    NginxTest::wait_for(sub {
        $accounts = accounts($t, %opt);
        return $accounts->{captured} >= $n && $accounts->{left} == 0;

    }, $opt{seconds} || 20) or Test::More::diag('project '
        . ($opt{project} || 1) . ": $accounts->{captured} captured,"
        . " $accounts->{left} left");

    return $accounts;
}


# The lines of the log that tell of a project's state, without time and
# process.

sub state_lines {
    my ($t, $project) = @_;

    return $t->log_lines(qr{sentry: \S+/$project (?:is|refused|rate)\b});
}


# How often the event of each path has arrived.

sub paths {
    my ($t, %opt) = @_;
    my %seen;

    for (@{$t->{sentry}->payloads('event', %opt)}) {
        $seen{$1}++ if ($_->{request}{url} // '') =~ m{//[^/]+(/.*)};
    }

    return \%seen;
}


1;
