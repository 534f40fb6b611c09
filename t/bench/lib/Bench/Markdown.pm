package Bench::Markdown;

# Copyright (C) ngx_sentry authors
#
# The tables of README's "Cost", from the figures of "t/bench/run --budgets
# --json=FILE", so that nobody types them.

use warnings;
use strict;

use Bench::Budgets;
use Bench::Report;


my @rows = (
    [ 'bare', 'nginx alone' ],
    [ 'access-log', 'with a buffered JSON `access_log`, for comparison' ],
    [ 'unused', 'module loaded and unused' ],
    [ 'dsn', '`sentry_dsn`' ],
    [ 'traces-0', '`sentry_traces_sample_rate 0`' ],
    [ 'traces-0.1', '`sentry_traces_sample_rate 0.1`' ],
    [ 'traces-1', '`sentry_traces_sample_rate 1`' ],
);

my @columns = (
    [ '`return 200`', 'return', 'few' ],
    [ 'the same with ten browser headers', 'return', 'ten' ],
    [ '1 KB file, ten headers', 'file', 'ten' ],
    [ 'proxied', 'proxy', 'few' ],
);


sub text {
    my ($report) = @_;

    return join "\n", instructions($report), timings($report),
        budgets($report), '';
}


sub line { return '| ' . join(' | ', @_) . ' |' }


sub instructions {
    my ($report) = @_;
    my @lines = (line('', map { $_->[0] } @columns),
                 line(map { '---' } '', @columns));

    for (@rows) {
        my ($name, $text) = @$_;

        push @lines, line($text, map {
            my $one = Bench::Budgets::counted($report, $name, @$_[1, 2],
                                              'fast');

            !defined $one->{loop} ? ''
                : $name eq 'bare' ? thousands($one->{loop})
                                  : signed($one->{added})
        } @columns);
    }

    return (sprintf('User instructions of the worker\'s event loop for a'
                    . ' request, without the inside of libc\'s allocator, which'
                    . ' depends on how the heap happens to lie (callgrind, %s'
                    . ' kept-alive requests; %s):',
                    thousands($report->{opt}{callgrind}), $report->{machine}),
            '', @lines, '');
}


sub timings {
    my ($report) = @_;
    my ($run) = grep { $_->{results}[0]{rate} } @{$report->{runs}} or return;
    my @lines = (
        line('`return 200`, one worker at full speed', 'requests/s, to nginx'
             . ' alone', 'CPU of the event loop, us', 'added',
             'CPU of the sender, us'),
        line(map { '---' } 1 .. 5));
    my %text = map { $_->[0] => $_->[1] } @rows;

    $text{sampled} = '... with a queue that holds them all';
    $text{again} = 'nginx alone again: the noise';

    for my $one (@{$run->{results}}) {
        push @lines, line(
            $text{$one->{name}} // $one->{name},
            $one == $run->{results}[0]
                ? thousands($one->{rate}) . ' requests/s'
                : Bench::Report::sure(2, 2, $one->{ratio}),
            sprintf('%.2f', $one->{loop_us}),
            $one == $run->{results}[0] ? ''
                : Bench::Report::sure(2, 2, $one->{loop_added_us}),
            $one->{others_us} ? sprintf('%.1f', $one->{others_us}) : '');
    }

    return (sprintf('Medians of %d cycles in which all take turns of %d ms,'
                    . ' and in brackets between which two the median is in 95'
                    . ' of 100 cases; other work took %.1f %% of the CPUs:',
                    scalar @{$run->{results}[0]{cycles}},
                    $report->{opt}{turn}, 100 * $run->{foreign}),
            '', @lines, '');
}


sub budgets {
    my ($report) = @_;

    return if !$report->{sender};
    return ('What it may cost (`make budgets`):', '',
            line('', 'at most', 'measured', ''), line(map { '---' } 1 .. 4),
            map { line(@$_[0 .. 3]) } Bench::Budgets::judged($report));
}


sub signed {
    my ($n) = @_;

    return ($n < -0.5 ? '-' : '+') . thousands(abs $n);
}


sub thousands {
    my $n = sprintf '%.0f', $_[0];

    1 while $n =~ s/^(\d+)(\d{3})/$1,$2/;

    return $n;
}


1;
