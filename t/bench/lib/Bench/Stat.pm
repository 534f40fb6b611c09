package Bench::Stat;

# Copyright (C) ngx_sentry authors
#
# Medians, and how sure they are.

use warnings;
use strict;


# Of a sorted list, between its neighbours; q is from 0 to 1.

sub quantile {
    my ($q, @sorted) = @_;

    return if !@sorted;

    my $at = $q * $#sorted;
    my $low = int $at;
    my $high = $low < $#sorted ? $low + 1 : $low;

    return $sorted[$low] + ($at - $low) * ($sorted[$high] - $sorted[$low]);
}


sub median {
    return quantile(0.5, sort { $a <=> $b } grep { defined } @_);
}


# { median, low, high, n }: the interval holds the median of 95 of 100 such
# series, by the bootstrap (drawn again with replacement, 1000 times; always
# the same draws, so that the same figures give the same report).

sub summary {
    my @values = grep { defined } @_;

    return if !@values;

    my $seed = 20231;
    my @medians;

    for (1 .. 1000) {
        my @drawn;

        for (@values) {
            $seed = ($seed * 1103515245 + 12345) & 0x7fffffff;
            push @drawn, $values[($seed >> 8) % @values];
        }

        push @medians, median(@drawn);
    }

    @medians = sort { $a <=> $b } @medians;

    return { median => median(@values), low => quantile(0.025, @medians),
             high => quantile(0.975, @medians), n => scalar @values };
}


1;
