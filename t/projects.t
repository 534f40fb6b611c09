#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Several projects in one nginx: each its own DSN, key, environment, release,
# limits and troubles.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $t = NginxTest->new()->plan(38);

$t->sentry();

my $other = $t->new_receiver();
my $dsn5 = $other->dsn(5);

$t->conf(
    http     => 'sentry_environment common; sentry_release all@1;',
    location => [
        '/ { return 503; }',
        '/shop/ { sentry_dsn %%DSN_2%%; sentry_environment shop;'
            . ' sentry_release shop@2; return 503;'
            . ' location /shop/inner/ { return 503; }'
            . ' location /shop/off/ { sentry_dsn off; return 503; }'
            . ' location /shop/old/ { sentry_release shop@1; return 503; } }',
        '/off/ { sentry_dsn off; return 503;'
            . ' location /off/on/ { sentry_dsn %%DSN_3%%; return 503; } }',
        "/other/ { sentry_dsn $dsn5; return 503; }",
    ],
    servers  => <<'EOC',
    server {
        listen 127.0.0.1:8081;
        sentry_dsn %%DSN_4%%;
        sentry_environment second;
        location / { return 503; }
        location = /same { sentry_dsn %%DSN_2%%; return 503; }
    }
    server {
        listen 127.0.0.1:8082;
        sentry_dsn off;
        location / { return 503; }
    }
EOC
)->run();


# port, path, project, environment, release

my @cases = (
    [ 8080, '/a', 1, 'common', 'all@1' ],
    [ 8080, '/shop/b', 2, 'shop', 'shop@2' ],
    [ 8080, '/shop/inner/c', 2, 'shop', 'shop@2' ],
    [ 8080, '/shop/old/d', 2, 'shop', 'shop@1' ],
    [ 8080, '/shop/off/e' ],
    [ 8080, '/off/f' ],
    [ 8080, '/off/on/g', 3, 'common', 'all@1' ],
    [ 8080, '/other/h', 5, 'common', 'all@1' ],
    [ 8081, '/i', 4, 'second', 'all@1' ],
    [ 8081, '/same', 2, 'second', 'all@1' ],
    [ 8082, '/j' ],
);

my %counts;

http_get($_->[1], port => port($_->[0])) for @cases;
$t->marker();

for (@cases) {
    my ($port, $path, $project, $environment, $release) = @$_;
    my @found = map { [ $_->{envelope}{project},
                        @{$_->{payload}}{qw/ environment release /} ] }
                grep { $_->{payload}{request}{url} =~ /\Q$path\E$/ }
                @{$t->items('event', project => 'any')},
                @{$other->items('event', project => 'any')};

    is_deeply(\@found, $project ? [ [ $project, $environment, $release ] ]
                                : [],
              "$path: " . ($project ? "project $project" : 'nowhere'));
    $counts{$project}++ if $project;
}

for (sort keys %counts) {
    my $accounts = accounts($t, project => $_);

    is($accounts->{captured}, $counts{$_}, "project $_: captured");
    is($accounts->{delivered}, $counts{$_}, "project $_: delivered");
}

is(scalar(grep { /project [12345], / } $t->log_lines(qr/reporting to/)), 5,
   'each is announced once');


# what Sentry limits in one project is sent in the others

$t->receiver(project => 2, status => 429, headers => {
    'X-Sentry-Rate-Limits' => '60:error:key' });
http_get('/shop/limit');
ok(wait_for(sub { accounts($t, project => 2)->{page}{rate_limits_ms}{error} }),
   'limits: project 2 is limited');

fail_everywhere('limited');
$t->marker();

for (1, 3, 4) {
    is(arrived($_, 'limited'), 1, "limits: project $_ is not");
    is_deeply(accounts($t, project => $_)->{page}{rate_limits_ms}, {},
              "limits: nor says so");
}

is(arrived(2, 'limited'), 0, 'limits: nothing to project 2');
is_deeply(accounts($t, project => 2)->{reasons},
          { rate_limited => 1, ratelimit_backoff => 1 },
          'limits: its losses are its own');
is(accounts($t)->{lost}, 0, 'limits: and nobody else\'s');


# a Sentry that is dead keeps nobody else waiting

$other->stop();
http_get("/other/dead$_") for 1 .. 50;
ok(wait_for(sub { !accounts($t, project => 5)->{page}{reachable} }),
   'outage: project 5 cannot be reached');
fail_everywhere('outage');
wait_for(sub { arrived(1, 'outage') && arrived(4, 'outage') }, 3);
is(arrived($_, 'outage'), 1, "outage: project $_ goes on") for 1, 3, 4;
ok(accounts($t)->{page}{reachable}, 'outage: project 1 is reachable');

$other->start();
is(scalar @{$other->wait_payloads('event', 53, project => 5)}, 53,
   'outage: project 5 gets its own later');


sub fail_everywhere {
    my ($name) = @_;

    http_get("/$name");
    http_get("/shop/$name");
    http_get("/off/on/$name");
    http_get("/other/$name");
    http_get("/$name", port => port(8081));
}


sub arrived {
    my ($project, $name) = @_;
    my $seen = paths($t, project => $project);

    return scalar grep { m{/$name$} } keys %$seen;
}
