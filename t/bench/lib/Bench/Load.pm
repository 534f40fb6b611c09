package Bench::Load;

# Copyright (C) ngx_sentry authors
#
# Runs t/bench/load, on the second CPU where there are two.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use FindBin;
use JSON::XS;


my $clients = 16;
my $program = abs_path("$FindBin::Bin/../..") . '/build/bench/load';

my @few = ('User-Agent: load');

my @ten = (
    'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'Accept-Encoding: gzip, deflate, br',
    'Accept-Language: en-US,en;q=0.5',
    'Cache-Control: max-age=0',
    'Cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
    'DNT: 1',
    'Referer: http://localhost/list?page=2',
    'Sec-Fetch-Mode: navigate',
    'Upgrade-Insecure-Requests: 1',
    'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101',
);


sub command {
    my ($nginx, $load, $opt, @more) = @_;
    my @headers = $opt->{headers} eq 'ten' ? @ten : @few;
    my @cpu = Bench::Nginx::cpus() > 1 ? qw/ taskset -c 1 / : ();

    return (@cpu, $program, @more, (map { ('-H', $_) } @headers),
            $nginx->{port}, "/$load");
}


# What it says: requests, failed, rate, and with the worker's pid loop and
# others, in us of CPU for a request; at an offered rate p50, p99, p99.9.

sub run {
    my (@command) = @_;

    open my $pipe, '-|', @command or die "t/bench/run: $command[0]: $!\n";
    my $said = <$pipe>;
    close $pipe;

    die "t/bench/run: the load did not get its answers\n" if !defined $said;

    return decode_json($said);
}


sub requests {
    my ($nginx, $load, $n, $opt) = @_;

    return run(command($nginx, $load, $opt, '-n', $n));
}


sub saturate {
    my ($nginx, $load, %opt) = @_;

    return run(command($nginx, $load, \%opt, '-c', $clients,
                       '-t', $opt{turn}, '-p', $nginx->worker()));
}


# Watching the clock is exact, but needs a CPU that nobody else wants.

sub offered {
    my ($nginx, $load, $rate, %opt) = @_;
    my $alone = Bench::Nginx::cpus() > 1 && $load ne 'proxy'
                && $opt{sentry} =~ /^(?:hanging|refused)$/;

    return run(command($nginx, $load, \%opt, '-c', 4 * $clients,
                       '-t', $opt{pace}, '-r', $rate,
                       '-p', $nginx->worker(), $alone ? '-s' : ()));
}


1;
