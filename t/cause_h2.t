#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# 64 streams of one HTTP/2 connection at the same time, each of which fails
# in another way: no event has the cause of another stream.  The same with
# the requests of 64 connections in one worker.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Streams qw/ http2_streams /;

my $t = NginxTest->new()->has('http_v2');
my (@locations, %want);

# type and what the value must say, by path

sub fails {
    my ($path, $directives, @want) = @_;

    push @locations, "$path { $directives }";
    $want{$path} = \@want;
}

for my $i (1 .. 8) {
    my %port = map { $_ => $t->upstream($_) }
               qw/ hang close reset badheader /;
    my $app = $t->upstream('answer', status => 500 + $i);
    my ($dead, $dead2) = (dead_port(), dead_port());

    fails("/refused/$i/", "proxy_pass http://127.0.0.1:$dead;",
          'UpstreamRefused', qr/ 127\.0\.0\.1:$dead$/);
    fails("/hang/$i/", "proxy_pass http://127.0.0.1:$port{hang};",
          'UpstreamTimeout', qr/ 127\.0\.0\.1:$port{hang}$/);
    fails("/close/$i/", "proxy_pass http://127.0.0.1:$port{close};",
          'UpstreamClosed', qr/ 127\.0\.0\.1:$port{close}$/);
    fails("/reset/$i/", "proxy_pass http://127.0.0.1:$port{reset};",
          'UpstreamReset', qr/ 127\.0\.0\.1:$port{reset}$/);
    fails("/bad/$i/", "proxy_pass http://127.0.0.1:$port{badheader};",
          'UpstreamInvalidHeader', qr/ 127\.0\.0\.1:$port{badheader}$/);
    fails("/app/$i/", "proxy_pass http://127.0.0.1:$app;",
          'UpstreamError', qr/^50$i .* 127\.0\.0\.1:$app$/);
    fails("/retry/$i/", "proxy_pass http://retry$i;",
          'UpstreamTimeout', qr/ 127\.0\.0\.1:$port{hang}$/,
          qr/ 127\.0\.0\.1:$dead2$/);
    fails("/loop/$i/", "rewrite ^ /loop/$i/ last;",
          'RedirectLoop', qr{"/loop/$i/"$});

    $want{upstreams} .= "upstream retry$i {
        server 127.0.0.1:$dead2 max_fails=0;
        server 127.0.0.1:$port{hang} backup max_fails=0;
    }\n";
}

my $upstreams = delete $want{upstreams};
my @paths = map { "${_}x" } sort keys %want;

$t->sentry()->conf(http => <<"EOC", server => <<'EOS', location => \@locations);
    $upstreams
    proxy_read_timeout 400ms;
EOC
    listen 127.0.0.1:8081 http2;
EOS

$t->plan(11)->run();

sub check {
    my ($events, $what) = @_;
    my (%seen, @wrong);

    for my $event (@$events) {
        my ($path) = $event->{request}{url} =~ m{(/\w+/\d+/)x$};
        my ($type, $value, @before) = @{$want{$path // ''} || []};
        my @chain = @{$event->{exception}{values}};
        my $lines = grep { $_->{category} eq 'nginx.error_log' }
                    @{$event->{breadcrumbs}{values}};

        $seen{$path}++;

        push @wrong, [ $path, \@chain ]
            if $chain[-1]{type} ne $type || $chain[-1]{value} !~ $value
               || @chain != @before + 1
               || @before && $chain[0]{value} !~ $before[0];

        push @wrong, [ $path, $lines ]
            if $lines != ($type eq 'UpstreamError' ? 0 : @chain);
    }

    is(scalar keys %seen, scalar @paths, "$what: an event of each");
    is(scalar grep({ $_ != 1 } values %seen), 0, "$what: one of each");
    is_deeply(\@wrong, [], "$what: each has its own cause")
        or diag(explain($wrong[0]));
}

is(scalar @paths, 64, '64 ways to fail');
is(http2_streams(port(8081), @paths), 64, 'all streams ended');

my $events = $t->events(64);

is(scalar keys %{{ map { $_->{contexts}{nginx}{connection} => 1 } @$events }},
   1, 'one connection');
check($events, 'streams');

my @clients = map { http_start("GET $_ HTTP/1.0\r\nHost: localhost\r\n\r\n") }
              @paths;
is(scalar grep({ http_end($_) =~ m{^HTTP/1\.1 50\d} } @clients), 64,
   'all connections answered');

my @all = @{$t->events(128)};

is(scalar @all, 128, 'as many events');
check([ @all[64 .. $#all] ], 'connections');
