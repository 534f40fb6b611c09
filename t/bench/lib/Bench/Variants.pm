package Bench::Variants;

# Copyright (C) ngx_sentry authors
#
# What is compared: each variant is what its nginx.conf has more than a bare
# one.  module: loads it; http: text for the http block; fails: 5 % of the
# requests answer 500.

use warnings;
use strict;


my $log = <<'EOC';
log_format yardstick escape=json '{"time":"$time_iso8601",'
    '"addr":"$remote_addr","method":"$request_method","uri":"$uri",'
    '"status":$status,"bytes":$body_bytes_sent,"time":$request_time,'
    '"agent":"$http_user_agent","upstream":"$upstream_addr"}';
access_log @DIR@/access.log yardstick buffer=64k flush=1s;
EOC

my @variants = (
    { name => 'bare' },
    { name => 'access-log', http => $log },
    { name => 'unused', module => 1 },
    { name => 'dsn', module => 1, http => 'sentry_dsn @DSN@;' },
    traces('0'), traces('0.01'), traces('0.1'), traces('1'),
    { name => 'bare-fails', fails => 1 },
    { name => 'fails', fails => 1, module => 1, http => 'sentry_dsn @DSN@;' },
);


sub traces {
    my ($rate) = @_;

    return { name => "traces-$rate", module => 1,
             http => "sentry_dsn \@DSN\@;\nsentry_traces_sample_rate $rate;" };
}


sub names {
    return map { $_->{name} } @variants;
}


sub chosen {
    my ($names, $with) = @_;
    my %by_name = map { $_->{name} => $_ } @variants;
    my @chosen;

    for my $name (split /,/, $names
                  // 'bare,unused,dsn,traces-0,traces-0.1,traces-1')
    {
        die "t/bench/run: no variant \"$name\", there are: "
            . join(' ', names()) . "\n" if !$by_name{$name};

        push @chosen, $by_name{$name};
    }

    for (@{$with || []}) {
        my ($name, $file) = /^([^=]+)=(.+)$/
            or die "t/bench/run: --with must be NAME=FILE\n";

        push @chosen, { name => $name, file => $file };
    }

    return @chosen;
}


1;
