package Bench::Counters;

# Copyright (C) ngx_sentry authors
#
# User instructions of a request by the CPU's counters, where the machine
# has them and perf may read them: those of the event loop's thread and of
# all others, at full speed.

use warnings;
use strict;


my $available;


sub available {
    my ($event) = @_;

    $available //= `perf stat -x, -e $event true 2>&1` =~ /^\d/m ? 1 : 0;

    return $available;
}


# undef without counters.

sub count {
    my ($nginx, $load, %opt) = @_;
    my $event = $opt{'perf-event'};

    return if !available($event);

    my $worker = $nginx->worker();
    my @others = grep { $_ != $worker }
                 map { m{/(\d+)$} } glob "/proc/$worker/task/*";
    my $loop = threads($nginx, $load, $event, \%opt, $worker);
    my $others = @others ? threads($nginx, $load, $event, \%opt, @others) : 0;

    return { loop => $loop, others => $others };
}


sub threads {
    my ($nginx, $load, $event, $opt, @threads) = @_;
    my $file = "$nginx->{dir}/perf";
    my $said = Bench::Load::run(
        qw/ perf stat -x/, ',', '-e', $event, '-o', $file,
        '-t', join(',', @threads), '--',
        Bench::Load::command($nginx, $load, $opt, '-c', 16, '-t',
                             5 * $opt->{turn}));
    my ($counted) = Bench::Nginx::slurp($file) =~ /^([\d.]+),/m;

    return ($counted // 0) / $said->{requests};
}


1;
