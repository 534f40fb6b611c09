package Bench::Budgets;

# Copyright (C) ngx_sentry authors
#
# What the module may cost at most: measured, met or missed.  Instructions
# are compared first: they do not depend on what else the machine does.

use warnings;
use strict;

use File::Temp qw/ tempfile /;
use FindBin;

use Bench::Compare;
use Bench::Drills;
use Bench::Nginx;
use Bench::Variants;


my @libraries = qw/ libc libcjson libcurl libpcre2-8 libz /;


sub measure {
    my ($report, %opt) = @_;

    $opt{headers} = 'few';

    my %count = (cycles => 0, latency => 0);
    my %take = (callgrind => 0);
    my $traces = 'traces-0,traces-0.1,traces-1';

    for (
        [ 'return', 'fast', "bare,access-log,unused,dsn,$traces", %count ],
        [ 'return', 'fast', "bare,dsn,$traces", %count, headers => 'ten' ],
        [ 'file', 'fast', "bare,dsn,$traces", %count, headers => 'ten' ],
        [ 'proxy', 'fast', "bare,access-log,unused,dsn,$traces", %count ],
        [ 'return', 'hanging', 'bare,full', %count ],
        [ 'return', 'fast', "bare,access-log,dsn,$traces,sampled", %take,
          latency => 0 ],
        [ 'return', 'hanging', 'bare,everything', %take, cycles => 0,
          latency => 3 * $opt{latency} ],
    ) {
        my ($load, $sentry, $names, %more) = @$_;

        $report->show($report->add(Bench::Compare::compare(
            $load, [ Bench::Variants::chosen($names) ],
            %opt, %more, sentry => $sentry)));
    }

    $report->{drills} = { map {
        progress($_);
        $_ => Bench::Drills->can($_)->(%opt)
    } qw/ reload overload memory file / };
    $report->{sender} = sender(%opt);
}


sub progress {
    my ($what) = @_;

    print "\n$what ...\n";
}


sub sender {
    my (%opt) = @_;
    my (undef, $file) = tempfile(UNLINK => 1);

    progress('sender');
    system($^X, "$FindBin::Bin/sender", '--budgets', '--json', $file,
           $opt{quick} ? '--quick' : ()) == 0 or die "t/bench/run: sender\n";

    return JSON::XS::decode_json(Bench::Nginx::slurp($file));
}


# [ what, budget, unit, measured, remark ]; met when it is not more than the
# budget, or, of a negative one, not less than what it says without its sign.

sub rows {
    my ($report) = @_;

    return (instructions($report), timings($report), drills($report),
            sender_rows($report));
}


sub instructions {
    my ($report) = @_;
    my @rows;

    for (
        [ 'loaded and unused', 300, 'unused', 'return', 'few', 'fast' ],
        [ 'loaded and unused, proxied', 300, 'unused', 'proxy', 'few', 'fast' ],
        [ 'DSN only, 2xx', 100, 'dsn', 'return', 'few', 'fast' ],
        [ 'traces 0', 350, 'traces-0', 'return', 'few', 'fast' ],
        [ 'traces 0, headers set for the upstream', 1500, 'traces-0', 'proxy',
          'few', 'fast' ],
        [ 'traces 1', 1900, 'traces-1', 'return', 'few', 'fast' ],
        [ 'traces 1, ten headers', 3000, 'traces-1', 'return', 'ten', 'fast' ],
    ) {
        my ($what, $budget, $name, $load, $headers, $sentry) = @$_;
        my $one = counted($report, $name, $load, $headers, $sentry);

        push @rows, [ $what, $budget, 'instr', $one->{added}, heap($one) ];
    }

    my $sampled = counted($report, 'traces-1', 'return', 'few', 'fast');
    my $full = counted($report, 'full', 'return', 'few', 'hanging');

    return @rows, [ 'queue full: not above traces 1', $sampled->{added},
                    'instr', $full->{added}, heap($full) ];
}


sub counted {
    my ($report, $name, $load, $headers, $sentry) = @_;

    for my $run (@{$report->{runs}}) {
        next if $run->{load} ne $load || $run->{headers} ne $headers
                || $run->{sentry} ne $sentry;

        for (@{$run->{results}}) {
            return $_->{instructions}
                if $_->{name} eq $name && $_->{instructions};
        }
    }

    return {};
}


sub heap {
    my ($one) = @_;

    return defined $one->{heap_added}
           ? sprintf('allocator %+.0f', $one->{heap_added}) : '';
}


sub timings {
    my ($report) = @_;
    my ($cpu) = grep { $_->{results}[-2]{name} eq 'sampled' }
                @{$report->{runs}};
    my ($paced) = grep { $_->{results}[1]{name} eq 'everything' }
                  @{$report->{runs}};
    my %cpu = map { $_->{name} => $_ } @{$cpu->{results}};
    my %paced = map { $_->{name} => $_ } @{$paced->{results}};
    my %added = map { $_ => $cpu{$_}{loop_added_us} } keys %cpu;
    my %tail = map { $_ => $paced{$_}{latency}{'p99.9'}{ratio} } keys %paced;
    my ($sampled, $log) = map { $added{$_}{median} } qw/ sampled access-log /;

    return (
        [ 'CPU added when sampled', 0.6, 'us', $sampled,
          between($added{sampled}) . ', noise ' . between($added{again}) ],
        [ 'the same to a JSON access_log line\'s', 0.4, 'ratio',
          $log && $log > 0 ? $sampled / $log : undef,
          'line ' . between($added{'access-log'}) . ' us' ],
        [ 'requests/s, worker saturated, to bare', -0.9, 'ratio',
          $cpu{'traces-1'}{ratio}{median},
          between($cpu{'traces-1'}{ratio}) . ', noise '
          . between($cpu{again}{ratio}) ],
        [ 'CPU added under overload, not above sampled', $sampled, 'us',
          $added{'traces-1'}{median}, between($added{'traces-1'}) ],
        [ 'p99.9, half load, Sentry hanging, to bare', 1.05, 'ratio',
          $tail{everything}{median},
          between($tail{everything}) . ', noise ' . between($tail{again}) ],
    );
}


sub between {
    my ($summary) = @_;

    return sprintf '%.2f..%.2f', @$summary{qw/ low high /};
}


sub drills {
    my ($report) = @_;
    my ($reload, $overload, $memory, $file)
        = @{$report->{drills}}{qw/ reload overload memory file /};
    my %may = map { $_ => 1 } @libraries;
    my @more = grep { !$may{(split /\.so/)[0]} } @{$file->{needs}};

    return (
        [ 'overload: an error arrives', 2, 's', $overload->{slowest_s},
          'of ' . @{$overload->{error_s}} ],
        [ 'overload: neither delivered nor counted', 0, 'records',
          abs $overload->{unaccounted},
          join ', ', map { "$_ $overload->{$_}" }
                     qw/ captured delivered lost waiting left_out / ],
        [ 'memory of a worker, more than bare', 1024, 'KiB',
          $memory->{added_kib}, "two workers: @{$memory->{everything}};"
          . " bare: @{$memory->{bare}}" ],
        [ 'module, stripped', 300, 'KiB', $file->{stripped} / 1024, '' ],
        [ 'libraries but the four and libc', 0, '', scalar @more,
          join ' ', map { (split /\.so/)[0] } @{$file->{needs}} ],
        [ 'reload, Sentry hanging, more than bare', 2.2, 's',
          $reload->{added_s}, sprintf 'bare %.2f',
          Bench::Stat::median(@{$reload->{bare_s}}) ],
    );
}


sub sender_rows {
    my ($report) = @_;
    my %run = map { $_->{name} => $_ } @{$report->{sender}{runs}};
    my $encode = $run{'transaction encode'};
    my ($gzip, $plain) = @run{map { "transaction deliver http/1.1 $_" }
                              qw/ gzip plain /};
    my @sustained = grep { $_->{rate} } @{$report->{sender}{runs}};

    return (
        [ 'sender: a transaction encoded', 60000, 'instr',
          $encode->{instructions}, '' ],
        [ 'sender: a transaction encoded', 12, 'us', $encode->{cpu_us},
          spread($encode) ],
        [ 'sender: delivered, uncompressed', 45, 'us', $plain->{cpu_us},
          spread($plain) ],
        [ 'sender: delivered, gzipped (default)', 45, 'us', $gzip->{cpu_us},
          spread($gzip) ],
        map { sustained($_) } @sustained);
}


# A queue can hold what is too much for a while: what was offered must also
# have left at that rate, within the moment that the last ones take.

sub sustained {
    my ($run) = @_;
    my ($how) = $run->{name} =~ /(\S+)$/;

    return (
        [ "sender: $run->{rate}/s offered, $how: delivered/s",
          -0.95 * $run->{rate}, '', $run->{per_s},
          sprintf '%.1f us each', $run->{cpu_us} ],
        [ "sender: $run->{rate}/s offered, $how: lost", 0, 'records',
          $run->{lost}, sprintf 'of %.0f', $run->{rate} * $run->{seconds} ],
    );
}


sub spread {
    my ($run) = @_;

    return sprintf '%.1f..%.1f', @$run{qw/ cpu_us_min cpu_us_max /};
}


# [ what, budget, measured, met or MISSED, remark ], as texts.

sub judged {
    my ($report) = @_;

    return map {
        my ($what, $budget, $unit, $measured, $remark) = @$_;

        [ $what, ($budget < 0 ? 'at least ' : '') . figure(abs $budget)
                 . ($unit && $unit ne 'ratio' ? " $unit" : ''),
          defined $measured ? figure($measured) : 'unknown',
          met($budget, $measured) ? 'met' : 'MISSED', $remark ]
    } rows($report);
}


sub met {
    my ($budget, $measured) = @_;

    return 0 if !defined $measured;
    return $budget < 0 ? $measured >= -$budget : $measured <= $budget;
}


# The table; 1 when a budget was missed.

sub show {
    my ($report) = @_;
    my @judged = judged($report);
    my $missed = grep { $_->[3] ne 'met' } @judged;

    print "\n$report->{machine}\n\n";
    printf "%-46s %13s %10s %-8s %s\n", 'budget', 'at most', 'measured', '',
        '';

    printf "%-46s %13s %10s %-8s %s\n", @$_[0 .. 3],
        $_->[4] ? "($_->[4])" : '' for @judged;

    printf "\n%d of %d budgets missed\n", $missed, scalar @judged;

    return $missed ? 1 : 0;
}


sub figure {
    my ($n) = @_;
    my $places = abs $n < 100 && $n != int $n ? 2 : 0;

    return sprintf '%.*f', $places, $n;
}


1;
