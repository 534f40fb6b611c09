#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The trail of an event: what happened to the request, in order, as Sentry's
# breadcrumb interface wants it.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->has('http-cache');
my ($dead, $dead2) = (dead_port(), dead_port());
my $hang = $t->upstream('hang');
my $app = $t->upstream('answer', status => 502);
my $missing = $t->upstream('answer', status => 404);

$t->secrets('53cr3tTr41l')->sentry();
$t->conf(http => <<"EOC", servers => <<'EOV', location => <<"EOL")->plan(38);
    limit_req_zone \$remote_addr zone=slow:64k rate=5r/s;
    limit_conn_zone \$remote_addr zone=conn:64k;
    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
    proxy_read_timeout 300ms;
    upstream two { server 127.0.0.1:$dead max_fails=0;
                   server 127.0.0.1:$app backup max_fails=0; }
    upstream late { server 127.0.0.1:$hang max_fails=0;
                    server 127.0.0.1:$dead backup max_fails=0; }
EOC
    server {
        listen 127.0.0.1:8081;
        error_page 502 503 504 /sorry.html;
        proxy_intercept_errors on;

        location /old/ {
            rewrite ^/old/(.*) /new/$1 last;
        }
        location /new/ {
            limit_req zone=slow burst=5 nodelay;
            limit_conn conn 10;
            proxy_cache cache;
            proxy_pass http://two;
        }
        location = /sorry.html { internal; }
        location /late/ { proxy_pass http://late; }
        location /again/ {
            proxy_pass http://127.0.0.1:%%PORT_8099%%;
            error_page 502 = @second;
        }
        location @second { proxy_pass http://late; }
    }
EOV
    /rewritten/ { rewrite ^ /plain/ last; }
    location /plain/ { return 500; }
    location /slow/ {
        limit_req zone=slow burst=5;
        proxy_pass http://127.0.0.1:$dead;
    }
    location /files/ { try_files \$uri \@app; }
    location \@app { proxy_pass http://127.0.0.1:$missing; sentry_capture 404; }
EOL

mkdir $t->testdir() . '/html';
$t->write_file('html/sorry.html', 'sorry');
$t->run();

my $seen = 0;

sub crumbs {
    my ($uri, %opt) = @_;

    http_get($uri, %opt);

    my $event = $t->events(++$seen)->[$seen - 1];
    my @crumbs = @{$event->{breadcrumbs}{values}};
    my @times = map { $_->{timestamp} } @crumbs;

    is_deeply(\@times, [ sort @times ], "$uri: times in order");

    return ($event, @crumbs);
}

sub names { return [ map { s/^nginx\.//r } map { $_->{category} } @_ ] }

# a request that is redirected, limited, looked up, retried and led to an
# error page

my ($event, @crumbs) = crumbs('/old/1?token=53cr3tTr41l',
                              port => port(8081));

is_deeply(names(@crumbs), [ qw/ request location redirect limit limit cache
    upstream error_log upstream error_page response / ], 'steps');
is_deeply([ map { $_->{type} } @crumbs ], [ qw/ http default navigation
    default default default http error http navigation http / ], 'types');
is_deeply([ map { $_->{level} } @crumbs ], [ qw/ info info info info info info
    error error error warning error / ], 'levels');

is_deeply($crumbs[0]{data}, { method => 'GET',
    url => 'http://localhost:' . port(8081) . '/old/1' }, 'request');
is_deeply($crumbs[1]{data}, { to => '/old/' }, 'location');
is_deeply($crumbs[2]{data}, { from => '/old/', to => '/new/' }, 'redirect');
is($crumbs[3]{message}, 'limit_req: passed', 'limit_req');
is($crumbs[4]{message}, 'limit_conn: passed', 'limit_conn');
is_deeply($crumbs[5]{data}, { status => 'MISS' }, 'cache');
is($crumbs[6]{message}, "upstream 127.0.0.1:$dead did not answer", 'a try');
is($crumbs[6]{data}{address}, "127.0.0.1:$dead", 'its address');
like($crumbs[7]{message}, qr/^connect\(\) failed \(111/, 'its line');
is($crumbs[8]{message}, "upstream 127.0.0.1:$app answered", 'the next try');
is($crumbs[8]{data}{status_code}, 502, 'its status');
is_deeply($crumbs[9]{data}, { from => '/new/', to => '/sorry.html' },
          'error page');
is($crumbs[10]{data}{status_code}, $event->{contexts}{response}{status_code},
   'response');
cmp_ok($crumbs[10]{data}{'http.response.body.size'}, '>', 0, 'its size');

# what takes time takes it in the trail too

($event, @crumbs) = crumbs('/late/', port => port(8081));

is_deeply(names(@crumbs), [ qw/ request location upstream error_log upstream
    error_log error_page response / ], 'a slow try: steps');
cmp_ok(took(@crumbs[2, 3]), '>', 0.29, 'a line at the end of a try');
cmp_ok(took(@crumbs[2, 4]), '>', 0.29, 'the next try after it');
cmp_ok($crumbs[2]{data}{response_time}, '>', 0.29, 'how long it took');
cmp_ok(took(@crumbs[2, 4]), '<', 5, 'and not much later');

# tries of two groups

($event, @crumbs) = crumbs('/again/', port => port(8081));

is_deeply(names(@crumbs), [ qw/ request location upstream error_log
    error_page upstream error_log upstream error_log response / ],
    'two groups: steps');
is_deeply([ map { $_->{data}{address} }
            grep { $_->{category} eq 'nginx.upstream' } @crumbs ],
          [ map { "127.0.0.1:$_" } port(8099), $hang, $dead ],
          'two groups: addresses');

# where no error page is in force the first location is not worth a note

($event, @crumbs) = crumbs('/rewritten/');

is_deeply(names(@crumbs), [ qw/ request redirect response / ], 'rewritten');
is_deeply($crumbs[1]{data}, { to => '/plain/' }, 'rewritten: where to');

# a delay

crumbs('/slow/');
($event, @crumbs) = crumbs('/slow/') for 1 .. 2;
my ($limit) = grep { $_->{category} eq 'nginx.limit' } @crumbs;

is("$limit->{level}: $limit->{message}", 'warning: limit_req: delayed',
   'delayed');

# a named location; an answer that is the application's own

($event, @crumbs) = crumbs('/files/a');

is_deeply(names(@crumbs), [ qw/ request redirect upstream response / ],
          'named location');
is($crumbs[1]{message}, 'redirected to location @app', 'its name');
is_deeply([ map { $_->{level} } @crumbs[2, 3] ], [ qw/ warning warning / ],
          'levels of a 404');

sub took {
    my @at = map { /:(\d\d)\.(\d+)Z/ ? "$1.$2" : 0 }
             map { $_->{timestamp} } @_;

    return sprintf '%.3f', $at[1] - $at[0] + ($at[1] < $at[0] ? 60 : 0);
}
