package Bench::Load;

# Copyright (C) ngx_sentry authors
#
# Load by h2load over kept-alive HTTP/1.1 connections: a number of requests
# as fast as they go, or an offered rate with the time of each answer.

use warnings;
use strict;

use Time::HiRes qw/ time /;


my $clients = 16;

my @ten = (
    'accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'accept-encoding: gzip, deflate, br',
    'accept-language: en-US,en;q=0.5',
    'cache-control: max-age=0',
    'cookie: session=0123456789abcdef0123456789abcdef; theme=dark',
    'dnt: 1',
    'referer: http://localhost/list?page=2',
    'sec-fetch-mode: navigate',
    'upgrade-insecure-requests: 1',
    'user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101',
);


sub command {
    my ($nginx, $load, $opt, @more) = @_;
    my @headers = $opt->{headers} eq 'ten' ? map { ('-H', $_) } @ten : ();
    my @cpu = Bench::Nginx::cpus() > 1 ? qw/ taskset -c 1 / : ();

    return (@cpu, 'h2load', '--h1', '-t', 1, @headers, @more,
            "http://127.0.0.1:$nginx->{port}/$load");
}


sub run {
    my (@command) = @_;

    open my $pipe, '-|', @command
        or die "t/bench/run: cannot run h2load: $!\n";
    local $/;
    my $said = <$pipe> // '';
    close $pipe;

    my ($done) = $said =~ /(\d+) done/;
    my ($ok) = $said =~ /(\d+) 2xx/;
    my ($failed) = $said =~ /(\d+) 5xx/;

    die "t/bench/run: h2load did not get its answers:\n$said"
        if !$done || $ok + $failed != $done;

    return ($done, $said =~ /finished in [^,]+, ([\d.]+) req/);
}


# { rate, loop, others }: requests a second, and the CPU time of a request in
# the event loop and in other threads, in us.

sub saturate {
    my ($nginx, $load, %opt) = @_;
    my $before = $nginx->cpu();
    my $began = time();
    my ($done) = run(command($nginx, $load, \%opt, '-c', $clients, '-n',
                             $opt{requests}));
    my $took = time() - $began;
    my $after = $nginx->cpu();

    return {
        rate => $done / $took,
        loop => ($after->{loop} - $before->{loop}) * 1e6 / $done,
        others => ($after->{others} - $before->{others}) * 1e6 / $done,
    };
}


# The times of the answers in us.  One connection for each 250 requests a
# second, so that one slow answer delays few others.

sub offered {
    my ($nginx, $load, $rate, %opt) = @_;
    my $n = int($rate / 250) || 1;
    my $log = "$nginx->{dir}/times";

    unlink $log;
    run(command($nginx, $load, \%opt, '-c', $n, '--rps', $rate / $n,
                '-n', int($rate * $opt{latency} / 3),
                "--log-file=$log"));

    open my $in, '<', $log or die "$log: $!\n";

    return [ map { (split /\t/)[2] } <$in> ];
}


1;
