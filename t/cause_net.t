#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Causes that only a network can make: a host that swallows all packets, and
# one without a way to it.  In a network namespace of its own, where the
# loopback interface is everything there is.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

BEGIN {
    if (!$ENV{NGX_SENTRY_NET}) {
        my $routes = 'ip link set lo up'
                     . ' && ip route add 192.0.2.1/32 dev lo'
                     . ' && ip route add unreachable 192.0.2.2/32';

        for my $unshare ('unshare -n', 'unshare -rn') {
            next if system("$unshare sh -c '$routes' 2>/dev/null") != 0;

            $ENV{NGX_SENTRY_NET} = 1;
            exec 'sh', '-c', "exec $unshare sh -c '$routes && exec"
                             . ' "$0" "$@"\' "$0" "$@"', $^X,
                 "$FindBin::Bin/$FindBin::Script", @ARGV;
        }

        if ($ENV{CI}) {
            plan(tests => 1);
            fail('no network namespace can be made, or there is no "ip"');
        }

        plan(skip_all => 'no network namespace can be made');
    }
}

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->plan(9);

$t->sentry()->conf(http => <<'EOC', location => <<'EOL')->run();
    proxy_connect_timeout 300ms;
    upstream both {
        server 192.0.2.2:80 max_fails=0;
        server 192.0.2.1:80 backup max_fails=0;
    }
EOC
    /hole/ { proxy_pass http://192.0.2.1; }
    location /nowhere/ { proxy_pass http://192.0.2.2; }
    location /both/ { proxy_pass http://both; }
EOL

is(cause('/hole/', 504), 'UpstreamTimeout 110: upstream timed out (110:'
   . ' Connection timed out) while connecting to upstream 192.0.2.1:80',
   'black hole');
is(cause('/nowhere/', 502), 'UpstreamUnreachable 113: connect() to'
   . ' 192.0.2.2:80 failed (113: No route to host) while connecting to'
   . ' upstream', 'no way to it');
is(cause('/both/', 504), 'UpstreamUnreachable 113: connect() to'
   . ' 192.0.2.2:80 failed (113: No route to host) while connecting to'
   . ' upstream, then'
   . ' UpstreamTimeout 110: upstream timed out (110: Connection timed out)'
   . ' while connecting to upstream 192.0.2.1:80', 'one after the other');


sub cause {
    my ($uri, $status) = @_;
    our $seen;

    http_get($uri);

    my $event = $t->events(++$seen)->[-1];

    is($event->{contexts}{response}{status_code}, $status, "$uri: status");
    is_deeply($event->{fingerprint},
              [ $event->{exception}{values}[-1]{type}, "localhost $uri",
                $status ], "$uri: group");

    return join ', then ', map {
        "$_->{type} $_->{mechanism}{meta}{errno}{number}: $_->{value}"
    } @{$event->{exception}{values}};
}
