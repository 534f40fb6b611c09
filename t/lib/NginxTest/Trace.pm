package NginxTest::Trace;

# Copyright (C) ngx_sentry authors
#
# Asks for transactions and looks at them: their spans by kind, as a tree, and
# what no transaction may have.  Exported by this package.

use warnings;
use strict;

use Exporter qw/ import /;
use Test::More;

use NginxTest::HTTP;

our @EXPORT = qw/ traced trace spans_of span_tree span_faults span_ms
    header_of $CALLER /;

my $TRACE_ID = '0123456789abcdef0123456789abcdef';
my $SPAN_ID = 'fedcba9876543210';

our $CALLER = "$TRACE_ID-$SPAN_ID-1";   # the sentry-trace of who calls


# The only transaction of a request, which says whose it is: of a path, or of
# what code does, which returns its path.  $t->{traced} counts them.

sub traced {
    my ($t, $request, $name) = @_;
    my ($place) = (ref $request ? $request->() : $request) =~ m{^(/\w+/)};

    http_get($request, headers => { 'sentry-trace' => $CALLER })
        if !ref $request;

    my $n = ++$t->{traced};
    my $got = $t->transactions($n);
    my $tx = $got->[-1];
    my $root = trace($tx);

    is(scalar @$got, $n, "$name: one transaction");
    is(span_faults($tx), '', "$name: spans in order");
    is_deeply([ $tx->{transaction}, $root->{trace_id},
                $root->{parent_span_id} ],
              [ "GET $place", $TRACE_ID, $SPAN_ID ], "$name: name and parent");
    $t->{traced} = @$got;

    return $tx;
}


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
