#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A Sentry that answers, but not as it should, or not at once: requests do
# not notice, what is lost is counted and told, one line is logged, and all is
# well when Sentry is.

use warnings;
use strict;

use List::Util qw/ max sum0 /;
use POSIX qw/ strftime /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $N = 20;         # events of each case before Sentry is well again
my $MORE = 5;       # and after

my $date = strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time() + 90));

# What Sentry says; what becomes of the events: "taken", "refused" or
# "limited"; the line in the log.

my @cases = (
    [ 'internal error', { status => 500 }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 500' ],
    [ 'unavailable, with a long body',
      { status => 503, body => 'x' x 1000000 }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 503' ],
    [ 'forbidden', { status => 403, headers => {
        'X-Sentry-Error' => "bad sentry\x01mood \xff" } }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 403 "bad sentry?mood ?"' ],
    [ 'forbidden, with causes', { status => 403, headers => {
        'X-Sentry-Error' => 'less' }, body => '{"detail":"no such '
        . '\u00e9 \u001b project","causes":["a","token=s3cret, b"]}' },
      'refused', '[error] sentry: # refused an envelope: HTTP 403 '
      . '"no such ?? ? project; a; token=[Filtered], b"' ],
    [ 'bad, with causes that are none', { status => 400, headers => {
        'X-Sentry-Error' => 'header' },
        body => '{"detail":{"detail":"x"},"causes":{"a":[1,null]}}' },
      'refused', '[error] sentry: # refused an envelope: HTTP 400 "header"' ],
    [ 'bad, with garbage', { status => 400,
        body => '{"detail":"not \xff\0 its end' }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 400' ],
    [ 'bad, with depth', { status => 400,
        body => '{"detail":"deep","causes":' . '[' x 4000 }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 400' ],
    [ 'forbidden, with a megabyte', { status => 403,
        body => '{"detail":"' . 'x' x 1000000 . '"}' }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 403' ],
    [ 'too large', { status => 413 }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 413' ],
    [ 'redirect', { status => 302,
        headers => { Location => '/api/777/envelope/' } }, 'refused',
      '[error] sentry: # refused an envelope: HTTP 302' ],
    [ 'limit of a category', { status => 429,
        headers => { 'X-Sentry-Rate-Limits' => '60:error:key' } }, 'limited',
      '[info] sentry: # rate limits error for 60 s' ],
    [ 'limit by Retry-After', { status => 429,
        headers => { 'Retry-After' => 70 } }, 'limited all',
      '[info] sentry: # rate limits everything for 70 s' ],
    [ 'limit by date', { status => 429,
        headers => { 'Retry-After' => $date } }, 'limited all',
      qr/^\[info\] sentry: \S+ rate limits everything for [6-9]\d s$/ ],
    [ 'bare 429', { status => 429 }, 'limited all',
      '[info] sentry: # rate limits everything for 60 s' ],
    [ 'limit with a 200', { headers => {
        'X-Sentry-Rate-Limits' => '60:error:key' } }, 'taken, limited',
      '[info] sentry: # rate limits error for 60 s' ],
    [ '202', { status => 202 }, 'taken' ],
    [ '204', { status => 204 }, 'taken' ],
    [ 'HTTP/1.0', { raw => "HTTP/1.0 200 OK\r\n\r\n{}" }, 'taken' ],
    [ 'closed inside the header',
      { raw => "HTTP/1.1 200 OK\r\nContent-Le" }, 'taken' ],
    [ 'closed inside the body',
      { raw => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{" },
      'taken' ],
    [ 'no end of the body',
      { raw => "HTTP/1.1 200 OK\r\n\r\n" . 'x' x 500000 }, 'taken' ],
    [ 'interim answers', { raw => "HTTP/1.1 100 Continue\r\n\r\n"
        . "HTTP/1.1 103 Hints\r\nX-Sentry-Rate-Limits: 60:error:key\r\n\r\n"
        . "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }, 'taken' ],
    [ 'a megabyte of headers', { headers => {
        map { ("X-Large-$_" => 'x' x 1000) } 1 .. 1000 } }, 'taken' ],
    [ 'a line of 200 kilobytes',
      { headers => { 'X-Large' => 'x' x 200000 } }, 'taken' ],
    [ 'byte by byte', { trickle => 0.002 }, 'taken' ],
    [ 'slowly', { delay => 0.3 }, 'taken' ],
);

my $t = NginxTest->new()->plan(10 * @cases + 4);

$t->sentry()->conf(
    log_level => 'info',
    location => [ '/well/ { sentry_dsn off; return 503; }', map {
        "/$_/ { sentry_dsn %%DSN_$_%%; return 503; }"
    } 1 .. @cases ],
)->run();

my $well = flood('/well/', $N);

for (1 .. @cases) {
    $t->receiver(count => -1, project => $_, %{$cases[$_ - 1][1]});
}

my %flood = map { $_ => flood("/$_/", $N) } 1 .. @cases;
my %first = map { $_ => settled($t, $N, project => $_) } 1 .. @cases;

# reports go out while Sentry refuses them, too

wait_for(sub {
    grep { $_->{envelope}{status} == 500 } @{$t->items('client_report')}
});

$t->receiver(reset => 1);
flood("/$_/", $MORE) for 1 .. @cases;

my %second = map { $_ => settled($t, $N + $MORE, project => $_) } 1 .. @cases;

check_status($_) for 1 .. @cases;

$t->stop();

check($_) for 1 .. @cases;

is(@{$t->envelopes(project => 777)}, 0, 'a redirect is not followed');
is($t->receiver_stats()->{refused}, 0, 'nothing strange was sent');
is($t->log_lines(qr/\[(?:warn|error|crit)\] sentry: /),
   grep({ $_->[2] eq 'refused' } @cases), 'nothing else was logged');
is(state_lines($t, 9999), 0, 'other projects were not concerned');


sub flood {
    my ($uri, $n) = @_;

    return http_flood(uri => $uri, n => $n, conns => 4);
}


sub median {
    my @sorted = sort { $a <=> $b } @_;

    return $sorted[@sorted / 2];
}


sub check_status {
    my ($i) = @_;
    my ($name, $script, $what) = @{$cases[$i - 1]};
    my $page = $second{$i}{page};
    my $error = $page->{last_error};

    is($page->{reachable} ? 1 : 0, 1, "$name: reachable");
    is($error ? $error->{status} : 0,
       $what =~ /^taken/ ? 0 : $script->{status}, "$name: last error");
}


sub check {
    my ($i) = @_;
    my ($name, $script, $what, $line) = @{$cases[$i - 1]};
    my ($first, $second, $flood) = ($first{$i}, $second{$i}, $flood{$i});
    my $limited = $what =~ /limited/;

    is_deeply($flood->{responses}, $well->{responses},
              "$name: responses are as ever");
    cmp_ok(max(@{$flood->{times}}), '<', deadline(1), "$name: none is slow");
    cmp_ok(median(@{$flood->{times}}), '<',
           deadline(10 * median(@{$well->{times}}) + 0.05),
           "$name: nor are most");

    is($first->{captured} + $second->{captured}, 2 * $N + $MORE,
       "$name: all captured");

    if ($what eq 'taken') {
        is($second->{delivered}, $N + $MORE, "$name: all delivered");

    } elsif ($what eq 'refused') {
        is_deeply($first->{reasons}, { send_error => $N },
                  "$name: all refused");

    } else {
        is($first->{delivered} + ($first->{reasons}{rate_limited} // 0)
           + $first->{reasons}{ratelimit_backoff}, $N,
           "$name: all delivered, refused or held back");
    }

    is($second->{delivered} - $first->{delivered}, $limited ? 0 : $MORE,
       "$name: " . ($limited ? 'the limit stays' : 'all is well again'));

    my %told = %{$second->{reasons}};

    delete $told{rate_limited};
    %told = () if $what eq 'limited all';

    is_deeply(reports($i), \%told, "$name: Sentry is told");

    my @lines = state_lines($t, $i);
    my @expected = $line // ();

    s{sentry: \S+/$i }{sentry: # } for ref $expected[0] ? () : @lines;

    ref $line ? like("@lines", $line, "$name: a line")
              : is_deeply(\@lines, \@expected, "$name: as many lines");
}


# Quantities by reason, of reports that were answered other than by 5xx.

sub reports {
    my ($project) = @_;
    my %sum;

    for (grep { $_->{envelope}{status} =~ /^[234]/ }
         @{$t->items('client_report', project => $project)})
    {
        $sum{$_->{reason}} += $_->{quantity}
            for @{$_->{payload}{discarded_events}};
    }

    return \%sum;
}
