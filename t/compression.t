#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Envelopes are sent with gzip when that is worth it and not switched off;
# what the status page counts is what went over the wire.

use warnings;
use strict;

use List::Util qw/ sum0 /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $t = NginxTest->new()->plan(24);

$t->sentry();

# the least that is compressed, see snx_deliver.h
my $MIN = 1024;

my %names = ('' => 'by default', 'sentry_compression gzip;' => 'gzip',
             'sentry_compression off;' => 'off');

for my $http ('', 'sentry_compression gzip;', 'sentry_compression off;') {
    my $what = $names{$http};
    my $name = $what =~ tr/a-z//cdr;
    my (@all, @big, $accounts);

    $t->conf(http => "$http large_client_header_buffers 4 16k;",
             location => '/ { return 503; }')->run();

    http_get("/$name/$_", headers => {
        map({ ("X-Header-$_" => 'value of it ' x 8) } 1 .. 40) }) for 1 .. 5;
    http_get("/$name/small");

    # a report of what was refused is small and comes alone, at the latest
    # at the end
    $t->receiver(status => 400);
    http_get("/$name/refused");
    wait_for(sub { 6 == grep { m{^/$name/} } keys %{paths($t)} });
    $accounts = drained($t);
    $t->stop();

    @all = grep { !$_->{seen}++ } @{$t->envelopes()};
    @big = grep { $_->{length} > 3 * $MIN } @all;

    cmp_ok(scalar @big, '>=', 5, "$what: there are large ones");
    cmp_ok(scalar(grep { $_->{length} <= $MIN } @all), '>', 0,
           "$what: and small ones");

    if ($what eq 'off') {
        is(scalar(grep { $_->{headers}{'content-encoding'} } @all), 0,
           "$what: none is compressed");
        is(scalar(grep { $_->{wire} != $_->{length} } @all), 0,
           "$what: all as they are");

    } else {
        is(scalar(grep { ($_->{headers}{'content-encoding'} // '') ne 'gzip' }
                  grep { $_->{length} > $MIN } @all), 0,
           "$what: all above $MIN bytes are compressed");
        is(scalar(grep { $_->{headers}{'content-encoding'} }
                  grep { $_->{length} <= $MIN } @all), 0,
           "$what: none that is smaller");
        cmp_ok(2 * sum0(map { $_->{wire} } @big), '<',
               sum0(map { $_->{length} } @big), "$what: to less than half");
    }

    is(scalar(grep { $_->{headers}{'content-length'} != $_->{wire} } @all), 0,
       "$what: content-length");
    cmp_ok($accounts->{page}{bytes_sent}, '>=',
           sum0(map { $_->{wire} } grep { $_->{items}[0]{type} eq 'event' }
                @all),
           "$what: bytes are counted");
    cmp_ok($accounts->{page}{bytes_sent}, '<=',
           sum0(map { $_->{wire} } @all), "$what: and no more than those");
}

is(scalar @{$t->events(undef)}, 18, 'all can be read');
