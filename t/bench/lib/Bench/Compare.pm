package Bench::Compare;

# Copyright (C) ngx_sentry authors
#
# Some variants on one load.  Each has its own nginx; they take turns, there
# and back (ABCCBA), so that a machine that gets slower or faster meets all
# alike, and the first one comes a second time as "again": what it differs by
# is noise.

use warnings;
use strict;

use Time::HiRes qw/ time /;

use Bench::Callgrind;
use Bench::Counters;
use Bench::Load;
use Bench::Nginx;
use Bench::Stat;


my $settle_s = 20;


# What Bench::Report wants: { load, sentry, headers, results }.

sub compare {
    my ($load, $variants, %opt) = @_;
    my $began = foreign();
    my $bench = Bench::Nginx->new(%opt);
    my @results = map { { name => $_->{name}, variant => $_, cycles => [],
                          paced => [] } }
                  @$variants, { %{$variants->[0]}, name => 'again' };

    if ($opt{cycles} || $opt{latency}) {
        $_->{nginx} = $bench->start($_->{variant}) for @results;

        cycles($load, \@results, %opt) if $opt{cycles};
        pace($load, \@results, %opt) if $opt{latency};

        for my $result (@results) {
            $result->{counters} = Bench::Counters::count($result->{nginx},
                                                         $load, %opt);
            ($result->{memory}) = $result->{nginx}->memory();
            $result->{status} = $result->{nginx}->settled_status(5);
        }

        $bench->stop();
    }

    if ($opt{callgrind}) {
        for my $result (grep { $_->{name} ne 'again' } @results) {
            $result->{instructions} = Bench::Callgrind::count(
                $bench, $result->{variant}, $load, %opt);
        }
    }

    $bench->end();
    pop @results if !$opt{cycles} && !$opt{latency};

    return (load => $load, sentry => $opt{sentry}, headers => $opt{headers},
            foreign => share(foreign(), $began), results => \@results);
}


sub there_and_back {
    my ($results, $turn) = @_;
    my %sums;

    for my $result (@$results, reverse @$results) {
        my $one = $turn->($result);

        $sums{$result->{name}}{$_} += $one->{$_} / 2 for keys %$one;
    }

    return \%sums;
}


sub cycles {
    my ($load, $results, %opt) = @_;

    for my $cycle (0 .. $opt{cycles}) {
        my $sums = there_and_back($results, sub {
            my ($result) = @_;
            my $one = Bench::Load::saturate($result->{nginx}, $load, %opt);

            settle($result, %opt);

            return $one;
        });

        next if !$cycle;    # the first one warms

        push @{$_->{cycles}}, $sums->{$_->{name}} for @$results;
    }
}


# A queue is emptied before others have their turns, if it can be.

sub settle {
    my ($result, %opt) = @_;

    return if $opt{sentry} ne 'fast';

    my $status = $result->{nginx}->settled_status($settle_s) // return;

    die "t/bench/run: $result->{name}: the queue was not emptied\n"
        if $status->{queue}{records};
}


# At a rate that all can do: half of the first one's, for all the same.

sub pace {
    my ($load, $results, %opt) = @_;
    my $rate = $opt{rate} // half($load, $results->[0], %opt);

    for (1 .. $opt{latency}) {
        my $sums = there_and_back($results, sub {
            return Bench::Load::offered($_[0]{nginx}, $load, $rate, %opt);
        });

        push @{$_->{paced}}, $sums->{$_->{name}} for @$results;
    }

    $_->{offered} = $rate for @$results;
}


sub half {
    my ($load, $first, %opt) = @_;
    my @cycles = @{$first->{cycles}};

    @cycles = map { Bench::Load::saturate($first->{nginx}, $load, %opt) }
              1 .. 5 if !@cycles;

    return int(Bench::Stat::median(map { $_->{rate} } @cycles) / 2);
}


# What others did on this machine meanwhile, as a share of its CPUs; those
# that were started here count once they have ended.

sub foreign {
    my @stat = split ' ', (split /\n/, Bench::Nginx::slurp('/proc/stat'))[0];
    my ($user, $system, $cuser, $csystem) = times();
    my $busy = 0;

    $busy += $_ for @stat[1, 2, 3, 6, 7, 8];

    return { time => time(), busy => $busy / 100,
             own => $user + $system + $cuser + $csystem };
}


sub share {
    my ($now, $then) = @_;
    my $busy = $now->{busy} - $then->{busy} - ($now->{own} - $then->{own});
    my $all = ($now->{time} - $then->{time}) * Bench::Nginx::cpus();

    return $busy > 0 ? $busy / $all : 0;
}


1;
