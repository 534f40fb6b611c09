#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Sentry's rate limits: per DSN and category, the longest one stays, and when
# it is over all goes on.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

# What is said of the limits; the answers to the first events, all of them
# under way at once; the limits in force afterwards, in seconds.

my @cases = (
    [ 'one category', [ limits('60:error:key') ], { error => 60 } ],
    [ 'another category', [ limits('60:transaction:key') ],
      { transaction => 60 } ],
    [ 'no category is all', [ limits('60::organization') ], { all => 60 } ],
    [ 'the default category is that of events',
      [ limits('60:default:key') ], { error => 60 } ],
    [ 'unknown categories are none',
      [ limits('60:attachment;replay:key') ], {} ],
    [ 'an unknown beside a known one', [ limits('60:foo;error:key') ],
      { error => 60 } ],
    [ 'several limits, and what may come',
      [ limits('60:transaction:key, 70:error;span:org:why:ns:more') ],
      { error => 70, span => 70, transaction => 60 } ],
    [ 'fractions and spaces', [ limits(' 60.5 : error ; session : key ') ],
      { error => 61, session => 61 } ],
    [ 'two headers', [ { headers => {
        'X-Sentry-Rate-Limits' => '60:error:key',
        'x-sentry-rate-limits' => '60:session:key' } } ],
      { error => 60, session => 60 } ],
    [ 'not for ever', [ limits('999999999999999999999:error:key') ],
      { error => 86400 } ],
    [ 'not in the past', [ limits('-60:error:key') ], {} ],
    [ 'the longer one first', [ limits('60:error:key', delay => 0.6),
                                limits('5:error:key', delay => 1.2) ],
      { error => 60 } ],
    [ 'the longer one last', [ limits('5:error:key', delay => 0.6),
                               limits('60:error:key', delay => 1.2) ],
      { error => 60 } ],
    [ 'the header rather than Retry-After', [ { status => 429, headers => {
        'X-Sentry-Rate-Limits' => '60:session:key', 'Retry-After' => 70 } } ],
      { session => 60 } ],
    [ 'Retry-After only with a 429',
      [ { headers => { 'Retry-After' => 70 } },
        { status => 503, headers => { 'Retry-After' => 70 } } ], {} ],
    [ 'Retry-After of nonsense',
      [ { status => 429, headers => { 'Retry-After' => 'soon' } } ],
      { all => 60 } ],
    [ 'Retry-After of less than nothing',
      [ { status => 429, headers => { 'Retry-After' => '-5' } } ],
      { all => 60 } ],
    [ 'Retry-After of the past', [ { status => 429, headers => {
        'Retry-After' => 'Sun, 06 Nov 1994 08:49:37 GMT' } } ], {} ],
    [ 'Retry-After of the year 9999', [ { status => 429, headers => {
        'Retry-After' => 'Fri, 31 Dec 9999 23:59:59 GMT' } } ],
      { all => 86400 } ],
    [ 'not a number', [ limits('NaN:error:key, inf:error:key, '
                               . '0x3c:error:key, +60:error:key') ], {} ],
    [ 'ten thousand categories',
      [ limits('60:error;' . 'x;' x 10000 . 'span:key') ], { error => 60 } ],
    [ 'three thousand limits', [ limits('70:error:key, ' . join ', ', map {
        "60:x$_:key" } 1 .. 3000) ], { error => 70 } ],
);

my %all = map { $_ => 1 } qw/ error transaction span session log_item
    internal /;

my $t = NginxTest->new()->plan(5 * @cases + 9);

$t->sentry()->conf(log_level => 'info', location => [
    map({ "/$_/ { sentry_dsn %%DSN_$_%%; return 503; }" } 100 .. 99 + @cases),
    '/again/ { sentry_dsn %%DSN_100%%; return 503; }',
    '/short/ { sentry_dsn %%DSN_50%%; return 503; }',
    '/free/ { return 503; }',
])->run();

for my $i (0 .. $#cases) {
    my (undef, $answers) = @{$cases[$i]};

    $t->receiver(project => 100 + $i, %$_) for @$answers;
    http_get('/' . (100 + $i) . '/') for @$answers;
}

check($_) for 0 .. $#cases;

# the same DSN elsewhere, another DSN, another generation

my $before = accounts($t, project => 100);

http_get('/again/');
http_get('/free/');

is(settled($t, 1)->{delivered}, 1, 'another DSN is free');
is(held(), 1, 'the same DSN in another location is not');

$t->reload(all => 1);
http_get('/again/');

is(held(), 2, 'nor after a reload');
is(accounts($t, project => 100)->{delivered}, $before->{delivered},
   'nothing more was sent');

# when it is over

$t->receiver(project => 50, %{limits('2.5:error:key')});
http_get('/short/');
settled($t, 1, project => 50);
http_get('/short/');

my $held = settled($t, 2, project => 50);

is_deeply($held->{reasons}, { ratelimit_backoff => 1 }, 'limited');
cmp_ok($held->{page}{rate_limits_ms}{error}, '<=', 2500, 'for a while');

wait_for(sub { !%{accounts($t, project => 50)->{page}{rate_limits_ms}} });

http_get('/short/');
is(settled($t, 3, project => 50)->{delivered}, 2, 'and no longer');

$t->stop();

is_deeply($t->client_reports(project => 50),
          { ratelimit_backoff => { error => 1 } }, 'Sentry is told');
is_deeply($t->client_reports(project => 102), {},
          'but not when it wants to hear nothing at all');


sub limits {
    my ($header, %script) = @_;

    return { headers => { 'X-Sentry-Rate-Limits' => $header }, %script };
}


sub held {
    my $accounts = settled($t, $before->{captured} + 1, project => 100);

    return $accounts->{reasons}{ratelimit_backoff}
           - ($before->{reasons}{ratelimit_backoff} // 0);
}


sub check {
    my ($i) = @_;
    my ($name, $answers, $limits) = @{$cases[$i]};
    my $n = @$answers;
    my $before = settled($t, $n, project => 100 + $i);
    my %left = %{$before->{page}{rate_limits_ms}};
    my %expected = %$limits;
    my $taken = grep { ($_->{status} || 200) == 200 } @$answers;

    %expected = map { $_ => $expected{all} } keys %all if $expected{all};

    is($before->{delivered}, $taken, "$name: delivered as answered");
    is_deeply([ sort keys %left ], [ sort keys %expected ],
              "$name: the right categories");
    is_deeply([ grep { $left{$_} > 1000 * $expected{$_}
                       || $left{$_} < 1000 * $expected{$_} - 15000 }
                keys %left ], [], "$name: for as long");

    http_get('/' . (100 + $i) . '/');

    my $after = settled($t, $n + 1, project => 100 + $i);
    my $free = $expected{error} ? 0 : 1;

    is($after->{delivered} - $before->{delivered}, $free,
       "$name: events are " . ($free ? 'free' : 'held back'));
    is($after->{reasons}{ratelimit_backoff} // 0, 1 - $free,
       "$name: counted");
}
