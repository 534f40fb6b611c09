package Bench::Callgrind;

# Copyright (C) ngx_sentry authors
#
# User instructions of a request, counted by valgrind: the same for the same
# program and requests, whatever else the machine does.  The event loop is
# counted apart from other threads, and the inside of libc's allocator apart
# from both: what it takes to find or to merge a block of some KB depends on
# how the heap happens to lie, some 200 of a request one way or the other.

use warnings;
use strict;

use File::Copy qw/ copy /;


my $warm = 1000;
my $inside = qr/^(?:_int_malloc|_int_free|malloc_consolidate|unlink_chunk)\b/;


sub count {
    my ($bench, $variant, $load, %opt) = @_;
    my $dir = $bench->dir();
    my $out = "$dir/callgrind.$variant->{name}";

    my $nginx = $bench->start($variant, under => [
        qw/ valgrind --tool=callgrind --separate-threads=yes -q /,
        "--callgrind-out-file=$out"
    ]);

    Bench::Load::requests($nginx, $load, $warm, \%opt);
    control('-z', $nginx);
    Bench::Load::requests($nginx, $load, $opt{callgrind}, \%opt);
    control('-d', $nginx);
    $bench->stop();

    my %counted = (loop => 0, others => 0, heap => 0, others_heap => 0);

    for my $file (glob "$out.1-*") {
        my $thread = $file =~ /-01$/ ? 'loop' : 'others';
        my ($all, $heap) = totals(Bench::Nginx::slurp($file));

        $counted{$thread} += ($all - $heap) / $opt{callgrind};
        $counted{$thread eq 'loop' ? 'heap' : 'others_heap'}
            += $heap / $opt{callgrind};
        keep($file, $variant, $load, %opt) if $opt{keep};
    }

    die "t/bench/run: callgrind counted nothing\n" if !$counted{loop};

    return \%counted;
}


# All instructions of a thread, and those inside the allocator.  Names come
# with a number the first time and are the number alone after that; the line
# after "calls" is what was called, which is counted where it is.

sub totals {
    my ($text) = @_;
    my ($all) = $text =~ /^(?:totals|summary): (\d+)/m;
    my ($heap, $is, $called, %inside) = (0, 0, 0);

    for (split /\n/, $text) {
        if (my ($what, $id, $name) = /^(c?fn)=\((\d+)\)(?: (.*))?/) {
            $inside{$id} = $name =~ $inside ? 1 : 0 if defined $name;
            $is = $inside{$id} if $what eq 'fn';

        } elsif (/^calls=/) {
            $called = 1;

        } elsif (/^[-+*\d]\S* (\d+)$/) {
            $heap += $1 if $is && !$called;
            $called = 0;
        }
    }

    return ($all // 0, $heap);
}


# For callgrind_annotate.

sub keep {
    my ($file, $variant, $load, %opt) = @_;
    my ($thread) = $file =~ /-(\d+)$/;

    mkdir $opt{keep};
    copy($file, "$opt{keep}/callgrind.$variant->{name}.$load."
                . "$opt{headers}.$thread");
}


sub control {
    my ($what, $nginx) = @_;

    system("callgrind_control $what $nginx->{pid} > /dev/null 2>&1") == 0
        or die "t/bench/run: callgrind_control failed\n";
}


1;
