package NginxTest::Trace;

# Copyright (C) ngx_sentry authors
#
# Looks at transactions: their spans by kind, as a tree, and what no
# transaction may have.  Exported by this package.

use warnings;
use strict;

use Exporter qw/ import /;

our @EXPORT = qw/ trace spans_of span_tree span_faults span_ms header_of /;


# contexts.trace

sub trace { return $_[0]->{contexts}{trace} }


# Spans of an op, in their order.

sub spans_of {
    my ($transaction, $op) = @_;

    return grep { $_->{op} eq $op } @{$transaction->{spans} || []};
}


# Milliseconds of a span or transaction.

sub span_ms {
    my ($span) = @_;

    return int(_seconds($span->{timestamp}) * 1000
               - _seconds($span->{start_timestamp}) * 1000 + 0.5);
}


# What is below the span of that id (else the root), as lines of op and
# description, indented; only ops that match.

sub span_tree {
    my ($transaction, $ops, $id, $depth) = @_;
    my @lines;

    $id //= trace($transaction)->{span_id};
    $depth //= 0;

    for my $span (grep { $_->{parent_span_id} eq $id }
                       @{$transaction->{spans} || []})
    {
        my $shown = $span->{op} =~ $ops;

        push @lines, '  ' x $depth . "$span->{op} $span->{description}"
            if $shown;
        push @lines, span_tree($transaction, $ops, $span->{span_id},
                               $depth + ($shown ? 1 : 0));
    }

    return @lines;
}


# Lost parents, ids twice, times outside the parent's.

sub span_faults {
    my ($transaction) = @_;
    my $root = trace($transaction);
    my %by_id = ($root->{span_id} => $transaction);
    my @faults;

    for my $span (@{$transaction->{spans} || []}) {
        my $name = "$span->{op} " . ($span->{description} // '');

        push @faults, "$name: id twice" if $by_id{$span->{span_id}};
        push @faults, "$name: another trace"
            if $span->{trace_id} ne $root->{trace_id};
        $by_id{$span->{span_id}} = $span;
    }

    for my $span (@{$transaction->{spans} || []}) {
        my $name = "$span->{op} " . ($span->{description} // '');
        my $parent = $by_id{$span->{parent_span_id}};

        if (!$parent) {
            push @faults, "$name: no parent";
            next;
        }

        push @faults, "$name: ends before it begins"
            if $span->{timestamp} lt $span->{start_timestamp};
        push @faults, "$name: begins before its parent"
            if $span->{start_timestamp} lt $parent->{start_timestamp};
        push @faults, "$name: ends after its parent"
            if $span->{timestamp} gt $parent->{timestamp};
    }

    push @faults, 'ends before it begins'
        if $transaction->{timestamp} lt $transaction->{start_timestamp};

    return join '; ', @faults;
}


sub _seconds {
    my ($time) = @_;
    my ($h, $m, $s) = $time =~ /T(\d\d):(\d\d):([\d.]+)Z$/ or return 0;

    return $h * 3600 + $m * 60 + $s;
}


# A header of a recorded upstream request, split at "-": a sentry-trace.

sub header_of {
    my ($request, $name) = @_;

    return split /-/, $request->{headers}{$name} // '';
}


1;
