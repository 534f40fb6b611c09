package Bench::Report;

# Copyright (C) ngx_sentry authors
#
# The figures: medians over the cycles, ratios to the first variant taken
# within each cycle, and how far these spread.

use warnings;
use strict;

use JSON::XS;
use POSIX qw/ strftime uname /;


sub new {
    my ($class, %opt) = @_;

    return bless { opt => \%opt, runs => [] }, $class;
}


sub add {
    my ($self, %run) = @_;

    push @{$self->{runs}}, { %run, results => [ map {
        figures($_, $run{results}[0])
    } @{$run{results}} ] };
}


sub figures {
    my ($result, $first) = @_;
    my @cycles = @{$result->{cycles}};
    my @ratios = map { $cycles[$_]{rate} / $first->{cycles}[$_]{rate} }
                 0 .. $#cycles;
    my @times = sort { $a <=> $b } @{$result->{times} || []};
    my %figures = (
        name => $result->{name},
        rate => scalar(median(map { $_->{rate} } @cycles)),
        ratio => scalar(median(@ratios)),
        ratios => \@ratios,
        loop_us => scalar(median(map { $_->{loop} } @cycles)),
        others_us => scalar(median(map { $_->{others} } @cycles)),
        memory_kib => $result->{memory},
    );

    $figures{loop_added_us} = median(map {
        $cycles[$_]{loop} - $first->{cycles}[$_]{loop}
    } 0 .. $#cycles);

    if (@times) {
        $figures{offered} = $result->{offered};
        $figures{latency_us} = { map {
            $_ => $times[int($#times * $_ / 100)]
        } qw/ 50 99 99.9 / };
    }

    if (my $counted = $result->{instructions}) {
        $figures{instructions} = $counted->{loop};
        $figures{instructions_others} = $counted->{others};
        $figures{instructions_added}
            = $counted->{loop} - $first->{instructions}{loop};
    }

    $figures{share_delivered} = delivered($result->{status});

    return \%figures;
}


# Of what was to be sent, by category.

sub delivered {
    my ($status) = @_;
    my ($project) = @{($status || {})->{projects} || []} or return;
    my %share;

    for my $category (keys %{$project->{captured}}) {
        my $captured = $project->{captured}{$category} or next;

        $share{$category}
            = ($project->{delivered}{$category} // 0) / $captured;
    }

    return \%share;
}


sub median {
    my @sorted = sort { $a <=> $b } grep { defined } @_;

    return if !@sorted;
    return @sorted % 2 ? $sorted[$#sorted / 2]
           : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}


sub show_last {
    my ($self) = @_;
    my $run = $self->{runs}[-1];
    my $offered = $run->{results}[0]{offered};

    print machine(), "\n" if @{$self->{runs}} == 1;
    printf "\n%s, Sentry %s, %s headers, %d turns of %d requests%s\n\n",
        $run->{load}, $run->{sentry}, $self->{opt}{headers},
        $self->{opt}{cycles}, $self->{opt}{requests},
        $offered ? "; latency at $offered/s" : '';
    printf "%-12s %8s %17s %8s %8s %8s %9s %8s %7s %7s %7s %6s %s\n",
        '', 'req/s', 'ratio (spread)', 'loop us', 'added', 'thread',
        'instr', 'added', 'p50 us', 'p99', 'p99.9', 'KiB', 'delivered';

    for my $one (@{$run->{results}}) {
        my @ratios = sort { $a <=> $b } @{$one->{ratios}};
        my $share = $one->{share_delivered} || {};
        my $latency = $one->{latency_us} || {};

        printf "%-12s %8s %17s %8s %8s %8s %9s %8s %7s %7s %7s %6s %s\n",
            $one->{name}, whole($one->{rate}),
            @ratios ? sprintf('%6.3f (%.2f-%.2f)', $one->{ratio}, $ratios[0],
                              $ratios[-1]) : '',
            (map { defined $_ ? sprintf('%.2f', $_) : '' }
                 @$one{qw/ loop_us loop_added_us others_us /}),
            whole($one->{instructions}),
            whole($one->{instructions_added}),
            (map { whole($latency->{$_}) } qw/ 50 99 99.9 /),
            $one->{memory_kib} // '',
            join ', ', map { sprintf '%s %.1f %%', $_, 100 * $share->{$_} }
                       sort keys %$share;
    }
}


sub whole {
    my ($n) = @_;

    return defined $n ? sprintf('%.0f', $n) : '';
}


sub machine {
    my $info = Bench::Nginx::slurp('/proc/cpuinfo');
    my ($model) = $info =~ /^model name\s*:\s*(.*)$/m;
    my ($version) = `nginx -v 2>&1` =~ m{(nginx/\S+)};
    my @uname = uname();

    return sprintf '%s, %s, %d CPUs (%s), %s %s',
        strftime('%Y-%m-%d', gmtime), $version // 'nginx', Bench::Nginx::cpus(),
        $model // $uname[4], $uname[0], $uname[2];
}


sub write_json {
    my ($self, $file) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out JSON::XS->new->canonical->pretty->encode(
        { machine => machine(), runs => $self->{runs} });
    close $out;
}


1;
