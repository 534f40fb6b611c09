#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Many requests of one connection at a time: streams of HTTP/2, and one after
# the other over connections that are kept, to nginx and to the upstream.
# Each is a transaction of its own, with its own tries.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Streams qw/ http2_streams /;
use NginxTest::Trace;

my $STREAMS = 48;

my $t = NginxTest->new()->has(qw/ http_v2 /);
my ($dead, $bad) = (dead_port(), $t->upstream('answer', status => 502));
my $app = $t->upstream('slow', delay => 0.2, body => 'fine',
                       record => $t->testdir() . '/app');

$t->sentry()->conf(server => 'listen 127.0.0.1:8081 http2;',
                   http => <<"EOC", location => <<'EOL', servers => <<'EOS');
    sentry_traces_sample_rate 1;
    upstream three {
        server 127.0.0.1:$dead max_fails=0;
        server 127.0.0.1:$bad max_fails=0;
        server 127.0.0.1:$app backup max_fails=0;
    }
    upstream kept { server 127.0.0.1:%%PORT_8082%%; keepalive 1; }
EOC
    /stream/ {
        proxy_next_upstream error http_502;
        proxy_pass http://three;
    }
    location /kept/ {
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_pass http://kept;
        add_header X-Told $upstream_http_x_told;
    }
EOL
    server {
        listen 127.0.0.1:8082;
        sentry_dsn off;
        location / {
            add_header X-Told "$http_sentry_trace $connection_requests";
            return 200 "kept\n";
        }
    }
EOS

$t->plan(14)->run();

# all streams at once

is(http2_streams(port(8081), map { "/stream/$_" } 1 .. $STREAMS), $STREAMS,
   'streams: all ended');

my @got = @{$t->transactions($STREAMS)};

is(scalar @got, $STREAMS, 'streams: a transaction each');
is(join(' ', map { path($_) =~ /(\d+)$/ }
             sort { number($a) <=> number($b) } @got),
   "@{[ 1 .. $STREAMS ]}", 'streams: of each');
is_deeply([ grep { $_ } map { span_faults($_) } @got ], [],
          'streams: spans in order');
is(distinct(map { trace($_)->{trace_id} } @got), $STREAMS,
   'streams: different traces');
is(distinct(map { trace($_)->{span_id}, ids($_) } @got),
   $STREAMS + scalar(map { ids($_) } @got), 'streams: different spans');
is(join(' ', sort { $a <=> $b }
             map { $_->{contexts}{nginx}{connection} } @got) =~ s/^(\d+)
             (?:\ \1)*$/one/xr, 'one', 'streams: of one connection');

# refused, 502 in whatever order, and then who answered

is_deeply([ grep { $_ ne join ' ', sort($dead, $bad), $app }
            map { my @ports = ports($_);
                  join ' ', sort(@ports[0, 1]), @ports[2 .. $#ports] } @got ],
          [], 'streams: three tries each');

my %told = map { $_->{line} =~ m{ (\S+)} ? ($1 => $_) : () }
                NginxTest::Upstream::recorded($t->testdir() . '/app');

is_deeply([ grep { join('-', (header_of($told{path($_)}, 'sentry-trace'))[0, 1])
                   ne join '-', trace($_)->{trace_id}, (ids($_))[2] } @got ],
          [], 'streams: the app was told the try it answered');

# one after the other

my $s = http_start('');
my @told;

for my $i (1 .. 3) {
    syswrite $s, "GET /kept/$i HTTP/1.1\r\nHost: localhost\r\n\r\n";
    push @told, http_end($s, until => qr/kept\n/) =~ /^X-Told: (.+?)\r/m;
}

close $s;

@got = sort { number($a) <=> number($b) }
       (@{$t->transactions($STREAMS + 3)})[$STREAMS .. $STREAMS + 2];

is_deeply([ map { "$_->{transaction} "
                  . $_->{contexts}{nginx}{connection_requests} } @got ],
          [ map { "GET /kept/ $_" } 1 .. 3 ], 'kept: a transaction each');
is_deeply([ map { scalar(ports($_)), span_faults($_) } @got ],
          [ (1, '') x 3 ], 'kept: a try each');
is_deeply([ map { join '-', trace($_)->{trace_id}, ids($_), 1 } @got ],
          [ map { s/ .*//r } @told ], 'kept: told its span');
is_deeply([ map { s/.* //r } @told ], [ 1 .. 3 ],
          'kept: over one connection to the upstream');
is(distinct(map { trace($_)->{trace_id} } @got), 3, 'kept: a trace each');


sub path { return $_[0]{request}{url} =~ s{^\w+://[^/]+}{}r }
sub number { return path($_[0]) =~ s/.*\D//r }
sub ids { return map { $_->{span_id} } spans_of($_[0], 'http.client') }
sub distinct { return scalar keys %{{ map { $_ => 1 } @_ }} }


sub ports {
    my ($tx) = @_;

    return map { $_->{data}{'server.port'} } spans_of($tx, 'http.client');
}
