#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The status page: JSON and Prometheus text, from "nothing configured" to
# several projects in trouble, and no key in either.

use warnings;
use strict;

use JSON::PP ();
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $t = NginxTest->new()->plan(58);

my $MORE = 50;      # projects that nothing happens to

my $page = '= /page { sentry_status; }';


# nothing to report to

$t->conf(location => $page)->run();

my $json = json();

is($json->{enabled}, JSON::PP::false(), 'no DSN: not enabled');
is_deeply($json->{projects}, [], 'no DSN: no projects');
is($json->{sender}{pid}, 0, 'no DSN: nobody sends');
is($json->{queue}{records}, 0, 'no DSN: an empty queue');
is(prometheus()->{ngx_sentry_enabled}{''}, 0, 'no DSN: Prometheus says so');
$t->stop();

$t->env(SENTRY_ENABLED => 'false', SENTRY_DSN => 'http://k@127.0.0.1:1/1');
$t->run();

is_deeply(json(), { version => $json->{version},
                    enabled => JSON::PP::false() }, 'switched off');
is_deeply(prometheus(), { ngx_sentry_enabled => { '' => 0 } },
          'switched off: Prometheus says so');
$t->stop();

$t->env(SENTRY_ENABLED => undef, SENTRY_DSN => undef);

# several projects

$t->sentry();

my $other = $t->dsn(2) =~ s/5e0/5f0/r;
my $path = $t->dsn(3) =~ s{(\d+)$}{mon/it-or/$1}r;
my $dead = 'http://5e00000000000000006@127.0.0.1:' . dead_port() . '/6';

$t->conf(http => "sentry_sample_rate 1;\n", location => [
    $page,
    '/1/ { return 503; }',
    '/2/ { sentry_dsn %%DSN_2%%; return 500; }',
    "/other/ { sentry_dsn $other; return 500; }",
    "/path/ { sentry_dsn $path; return 500; }",
    '/refused/ { sentry_dsn %%DSN_4%%; return 500; }',
    '/limited/ { sentry_dsn %%DSN_5%%; return 500; }',
    "/dead/ { sentry_dsn $dead; return 500; }",
    '/sampled/ { sentry_sample_rate 0; return 500; }',
    '/ignored/ { sentry_ignore 1; return 500; }',
    map { "/more$_/ { sentry_dsn %%DSN_$_%%; }" } 101 .. 100 + $MORE,
])->run();

$json = json();

is($json->{enabled}, JSON::PP::true(), 'enabled');
like($json->{version}, qr/^\d+\.\d+\.\d+$/, 'version');
is($json->{generation}, 1, 'the first configuration');
is(@{$json->{projects}}, 8 + $MORE, 'all projects');
is_deeply([ sort keys %{$json->{queue}} ],
          [ qw/ bytes corrupt fill_percent lanes record_bytes records
                segments segments_used / ], 'fields of the queue');
is($json->{queue}{bytes}, 8 * 1024 * 1024, 'its size');
cmp_ok($json->{queue}{segments}, '>=', 256, 'its segments');
is_deeply([ sort keys %{$json->{sender}} ],
          [ qw/ generation lease_ms pid taken / ], 'fields of the sender');
is_deeply(project(1), {
    project => '127.0.0.1:' . $t->{sentry}->port() . '/1',
    reachable => JSON::PP::true(), captured => { error => 0 },
    delivered => { error => 0 }, lost => {}, held_back_untold => 0,
    bytes_sent => 0, requests => 0, retries => 0, rate_limits_ms => {},
    last_error => undef,
}, 'a project before traffic');
is_deeply([ grep { /#/ } map { $_->{project} } @{$json->{projects}} ],
          [ '127.0.0.1:' . $t->{sentry}->port() . '/2 #2' ],
          'another key of a project has another name');
ok(project('mon/it-or/3'), 'a path is part of the name');

my $metrics = prometheus();

is($metrics->{ngx_sentry_enabled}{''}, 1, 'Prometheus: enabled');
is(keys %{$metrics->{ngx_sentry_captured_total}}, 8 + $MORE,
   'Prometheus: each project has a counter from the start');
is(grep({ $_ != 0 } values %{$metrics->{ngx_sentry_captured_total}}), 0,
   'Prometheus: of nothing');

# traffic and trouble

$t->receiver(project => 4, status => 400, headers => {
    'X-Sentry-Error' => "no \"project\" \\ <of> that\tname" });
$t->receiver(project => 5, status => 429, headers => {
    'X-Sentry-Rate-Limits' => '60:error;session:key' });

http_get("/$_/x") for qw/ 1 1 2 path refused limited sampled ignored /;
settled($t, $_->[1], project => $_->[0])
    for [ 1, 2 ], [ 2, 1 ], [ 3, 1 ], [ 4, 1 ], [ 5, 1 ];
http_get('/limited/x');
http_get('/dead/x');

wait_for(sub { $json = json(); !project(6)->{reachable} });

is($json->{sender}{pid}, ($t->worker_pids())[0], 'the worker sends');
cmp_ok($json->{sender}{lease_ms}, '>', 0, 'and may do so for a while');
is($json->{sender}{taken}, 1, 'since the start');
is($json->{queue}{records}, 1, 'one record waits');
cmp_ok($json->{queue}{record_bytes}, '>', 100, 'it has a size');

my $one = project(1);

is_deeply($one->{captured}, { error => 2 }, 'captured');
is_deeply($one->{delivered}, { error => 2 }, 'delivered');
is_deeply($one->{lost}, { sample_rate => { error => 1 },
                          event_processor => { error => 1 } },
          'not captured');
is($one->{requests}, 2, 'requests');
is($one->{bytes_sent}, wire(1), 'bytes as they came in');
is_deeply($one->{last_error}, undef, 'no error');

my $refused = project(4);

is_deeply($refused->{lost}, { send_error => { error => 1 } }, 'refused');
is($refused->{last_error}{status}, 400, 'with a status');
is($refused->{last_error}{text},
   'HTTP 400 "no "project" \ <of> that?name"', 'and a reason');
like($refused->{last_error}{time},
     qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, 'at a time');

my $limited = project(5);

is_deeply($limited->{lost}, { rate_limited => { error => 1 },
                              ratelimit_backoff => { error => 1 } },
          'limited');
is_deeply([ sort keys %{$limited->{rate_limits_ms}} ],
          [ qw/ error session / ], 'by category');
is(grep({ $_ < 40000 || $_ > 60000 } values %{$limited->{rate_limits_ms}}),
   0, 'for a time');

my $gone = project(6);

is($gone->{reachable}, JSON::PP::false(), 'unreachable');
cmp_ok($gone->{retries}, '>=', 1, 'tried');
is($gone->{last_error}{status}, 0, 'no answer');
like($gone->{last_error}{text}, qr/connect/i, 'it says why');

# the same as metrics

my ($port) = $one->{project} =~ /:(\d+)/;
my ($host, $dead_host) = ("127.0.0.1:$port", $gone->{project} =~ s{/.*}{}r);

$metrics = prometheus();

is($metrics->{ngx_sentry_captured_total}
       {qq(project="$host/1",category="error")}, 2, 'Prometheus: captured');
is($metrics->{ngx_sentry_delivered_total}
       {qq(project="$host/1",category="error")}, 2, 'Prometheus: delivered');
is($metrics->{ngx_sentry_lost_total}
       {qq(project="$host/4",reason="send_error",category="error")}, 1,
   'Prometheus: lost');
is($metrics->{ngx_sentry_reachable}{qq(project="$host/1")}, 1,
   'Prometheus: reachable');
is($metrics->{ngx_sentry_reachable}{qq(project="$dead_host/6")}, 0,
   'Prometheus: unreachable');
is($metrics->{ngx_sentry_queue_records}{''}, 1, 'Prometheus: queue');
is($metrics->{ngx_sentry_sender_pid}{''}, $json->{sender}{pid},
   'Prometheus: sender');

# as a page

like(http_get('/page'), qr{^Content-Type: application/json\r}m, 'JSON type');
like(http_get('/page?format=prometheus'),
     qr{^Content-Type: text/plain; version=0\.0\.4\r}m, 'Prometheus type');
like(http_get('/page?format=prom'), qr{^Content-Type: application/json\r}m,
     'JSON for any other format');
unlike(join('', map { http_get("/page$_") } '', '?format=prometheus'),
       qr/5[ef]0{8}/, 'no key in it');

my $head = http_head('/page');

like($head, qr{^HTTP/1.1 200 .*^Content-Length: [1-9]\d+\r}ms, 'HEAD');
is(http_body($head), '', 'HEAD: no body');
like(http_post('/page', 'a=b'), qr/^HTTP\/1.1 405 /, 'POST');
is(@{json()->{projects}}, 8 + $MORE, 'and all of it again');


sub json {
    my $body = body('/page');

    return JSON::PP->new()->utf8()->decode($body);
}


sub body {
    my ($uri) = @_;
    my $response = http_get($uri);
    my $body = http_body($response);
    my ($length) = $response =~ /^Content-Length: (\d+)\r$/m;

    die "not as long as it says: $response\n"
        if ($length // -1) != length $body;

    return $body;
}


sub project {
    my ($name) = @_;

    return (grep { $_->{project} =~ m{/\Q$name\E$} }
            @{$json->{projects}})[0];
}


# Bytes of the bodies that the project's Sentry got.

sub wire {
    my ($project) = @_;
    my $sum = 0;

    $sum += $_->{wire} for @{$t->envelopes(project => $project)};

    return $sum;
}


# { metric => { labels => value } }; dies where the text format does not
# allow it: a family has HELP and TYPE once, before its samples, and no other
# family between them; no series comes twice.

sub prometheus {
    my $text = body('/page?format=prometheus');
    my (%help, %type, %metrics, $family);

    die "does not end with a newline\n" if $text !~ /\n\z/;

    for (split /\n/, $text) {
        if (/^# HELP (\w+) \S/) {
            die "$1: HELP twice\n" if $help{$1}++;
            $family = $1;

        } elsif (/^# TYPE (\w+) (counter|gauge)$/) {
            die "$1: TYPE twice or elsewhere\n" if $type{$1} || $1 ne $family;
            $type{$1} = $2;
            die "$_: bad name\n" if /_total / != / counter$/;

        } elsif (/^([a-z_]+)(?:\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})?
                  [ ](\d+(?:\.\d+)?)$/x)
        {
            die "$_: not in its family\n" if !$type{$1} || $1 ne $family;
            die "$_: twice\n" if exists $metrics{$1}{$2 // ''};
            $metrics{$1}{$2 // ''} = $3;

        } else {
            die "no line of Prometheus: $_\n";
        }
    }

    return \%metrics;
}
