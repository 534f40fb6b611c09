package Bench::Callgrind;

# Copyright (C) ngx_sentry authors
#
# User instructions of a request, counted by valgrind: the same for the same
# program and requests, whatever else the machine does.  The event loop is
# counted apart from other threads.

use warnings;
use strict;

use Time::HiRes qw/ sleep /;


sub count {
    my ($bench, $variant, $load, %opt) = @_;
    my $dir = $bench->dir();
    my $out = "$dir/callgrind.$variant->{name}";
    my $nginx = $bench->start($variant, under => [
        qw/ valgrind --tool=callgrind --separate-threads=yes -q /,
        "--callgrind-out-file=$out"
    ]);

    requests($nginx, $load, 1000, \%opt);
    control('-z', $nginx);
    requests($nginx, $load, $opt{callgrind}, \%opt);
    control('-d', $nginx);
    $bench->stop();

    my ($loop, $others) = (0, 0);

    for my $file (glob "$out.1-*") {
        my ($total) = Bench::Nginx::slurp($file) =~ /^(?:totals|summary): (\d+)/m;

        if ($file =~ /-01$/) { $loop += $total // 0 }
        else { $others += $total // 0 }
    }

    die "t/bench/run: callgrind counted nothing\n" if !$loop;

    return { loop => $loop / $opt{callgrind},
             others => $others / $opt{callgrind} };
}


sub requests {
    my ($nginx, $load, $n, $opt) = @_;

    Bench::Load::run(Bench::Load::command($nginx, $load, $opt, '-c', 1, '-n',
                                          $n));
}


sub control {
    my ($what, $nginx) = @_;

    system("callgrind_control $what $nginx->{pid} > /dev/null 2>&1");
}


1;
