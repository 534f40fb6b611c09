package Bench::Variants;

# Copyright (C) ngx_sentry authors
#
# What is compared: each variant is what its nginx.conf has more than a bare
# one.  module: loads it; http: text for the http block; fails: 5 % of the
# requests answer 502; to: what it is compared with, if not the first one.

use warnings;
use strict;


# what a server logs instead, and what budgets of CPU are measured with

my $log = <<'EOC';
log_format yardstick escape=json '{"time":"$time_iso8601",'
    '"addr":"$remote_addr","method":"$request_method","uri":"$uri",'
    '"status":$status,"bytes":$body_bytes_sent,"time":$request_time,'
    '"agent":"$http_user_agent","upstream":"$upstream_addr"}';
access_log @DIR@/access.log yardstick buffer=64k flush=1s;
EOC

my $everything = <<'EOC';
sentry_dsn @DSN@;
sentry_release bench@1.2.3;
sentry_traces_sample_rate 1;
sentry_propagate_traceparent on;
sentry_server_timing on;
sentry_breadcrumbs info;
sentry_log_events info;
sentry_request_body 8k;
sentry_slow_request 1s;
sentry_tag scheme $scheme;
sentry_user id=$remote_user ip=$remote_addr;
sentry_context bench connection=$connection;
sentry_route ~ "^/users/[0-9]+" name=user;
EOC

my @variants = (
    { name => 'bare' },
    { name => 'access-log', http => $log },
    { name => 'unused', module => 1 },
    { name => 'dsn', module => 1, http => 'sentry_dsn @DSN@;' },
    traces('0'), traces('0.01'), traces('0.1'), traces('1'),
    { %{traces('1', 'sentry_queue 128m;')}, name => 'sampled' },
    { %{traces('1', 'sentry_queue 256k;')}, name => 'full' },
    { name => 'everything', module => 1, http => $everything },
    { name => 'bare-fails', fails => 1 },
    { name => 'fails', to => 'bare-fails', fails => 1, module => 1,
      http => 'sentry_dsn @DSN@;' },
);

my @usual = qw/ bare access-log unused dsn traces-0 traces-0.01 traces-0.1
                traces-1 sampled /;


sub traces {
    my ($rate, $more) = @_;

    return { name => "traces-$rate", module => 1,
             http => "sentry_dsn \@DSN\@;\nsentry_traces_sample_rate $rate;\n"
                     . ($more // '') };
}


sub names {
    return map { $_->{name} } @variants;
}


sub usual {
    return join ',', @usual;
}


sub chosen {
    my ($names, $with) = @_;
    my %by_name = map { $_->{name} => $_ } @variants;
    my @chosen;

    for my $name (split /,/, $names // usual()) {
        die "t/bench/run: no variant \"$name\", there are: "
            . join(' ', names()) . "\n" if !$by_name{$name};

        push @chosen, $by_name{$name};
    }

    for (@{$with || []}) {
        my ($name, $file) = /^([^=]+)=(.+)$/
            or die "t/bench/run: --with must be NAME=FILE\n";

        die "t/bench/run: cannot read $file\n" if !-r $file;
        push @chosen, { name => $name, file => $file };
    }

    return @chosen;
}


1;
