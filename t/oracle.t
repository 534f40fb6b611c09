#!/usr/bin/perl

# Copyright (C) ngx_sentry authors

# The envelopes of ordinary failures and of traces, captured from a real run,
# before parsers that are not ours: see t/e2e/validate.

###############################################################################

use warnings;
use strict;

use Test::More;

use FindBin;
use lib "$FindBin::Bin/lib";
use NginxTest;

###############################################################################

for my $program (qw/ node npm /) {
    plan(skip_all => "no $program, which t/e2e/validate needs")
        if system("command -v $program >/dev/null") != 0;
}

my @names = qw/ dead-port retried hang early-close app-500 return-503 too-large
    bad-request-line /;

my $t = NginxTest->new();

$t->sentry();

my ($dead, $hang, $close, $app) = (dead_port(), $t->upstream('hang'),
    $t->upstream('close'), $t->upstream('answer', status => 500));
my $fine = $t->upstream('answer', body => 'fine',
                        headers => { 'Cache-Control' => 'max-age=60' });

$t->conf(
    http => <<'EOC',
    sentry_environment staging;
    sentry_release shop@1.2.3;
    sentry_capture 400 413 5xx;
    sentry_traces_sample_rate 1;
    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:1m;
    sentry_tag host $host;
    sentry_tag request_id $request_id;
    sentry_user id=$arg_user ip=192.0.2.1;
    sentry_context shop cart=$arg_cart;
    upstream two { server 127.0.0.1:%%PORT_8098%%;
                   server 127.0.0.1:%%PORT_8099%% backup; }
EOC
    location => [
        '/two/ { error_page 502 @page; proxy_pass http://two; }',
        '@page { rewrite ^ /closed/ last; }',
        "/dead/ { proxy_pass http://127.0.0.1:$dead; }",
        "/hang/ { proxy_pass http://127.0.0.1:$hang;"
            . ' proxy_read_timeout 200ms; }',
        "/close/ { proxy_pass http://127.0.0.1:$close; }",
        "/app/ { proxy_pass http://127.0.0.1:$app; }",
        '/closed/ { return 503; }',
        "/fine/ { auth_request /auth/; mirror /mirror/; proxy_cache cache;"
            . " proxy_pass http://127.0.0.1:$fine; }",
        '/auth/ { proxy_pass_request_body off;'
            . ' proxy_set_header Content-Length "";'
            . " proxy_pass http://127.0.0.1:$fine; }",
        "/mirror/ { proxy_pass http://127.0.0.1:$fine; }",
        '/ssi/ { ssi on; try_files /page.html =404; }',
        '/upload/ { client_max_body_size 10;'
            . " proxy_pass http://127.0.0.1:$app; }",
    ]);
$t->write_file('page.html', '<!--#include virtual="/fine/in" -->');
$t->conf(server => "root " . $t->testdir() . ";\n        ssi_types *;")->run();

my %opt = (headers => { Authorization => 'Bearer x', Cookie => "a=b; c=\xff",
    'User-Agent' => 'oracle/1.0', Referer => 'http://example.com/?key=x',
    'X-Bytes' => "\x80\x01\xe2\x82\xac" });

http_get('/dead/12?user=7&cart=3&token=x', %opt);
http_get('/two/');
http_get("/hang/caf\xe9?user=%E2%82%AC", %opt);
http_get('/close/', %opt);
http_get('/app/0123456789abcdef', %opt);
http_get('/closed/', %opt);
http_post('/upload/', 'x' x 100, %opt);
http("GET / HTTP/1.1 nonsense \x01\r\n\r\n");

http_get('/fine/1?key=x', %opt);
http_get('/fine/1', %opt);
http_post('/fine/2', 'x=1', %opt);
http_get('/ssi/', %opt);

my @traces = ('GET /fine/', 'GET /fine/', 'POST /fine/', 'GET /ssi/');

$t->events(scalar @names);
$t->transactions(@names - 1 + @traces);

###############################################################################

# one event each, in any order: workers and connections may overtake

my %expected = map { $_ => 1 } ('502 GET /dead/', '504 GET /hang/',
    '502 GET /close/', '500 GET /app/', '503 GET /closed/',
    '503 GET /two/', '413 POST /upload/', '400 (unparsed request)');
my (@files, %seen, %traced);

my %trace = map { (split ' ', $_, 2)[1] => 1 } grep { !/^400/ } keys %expected;

$trace{$_}++ for @traces;

for my $envelope (@{$t->envelopes(project => 1)}) {
    my $file = sprintf '%s/%02d.envelope', $t->testdir(), scalar @files;

    open my $f, '>:raw', $file or die "$file: $!\n";
    print $f $envelope->{raw};
    close $f;

    push @files, $file;

    for (grep { $_->{type} eq 'event' } @{$envelope->{items}}) {
        my $event = $_->{payload};

        $seen{"$event->{contexts}{response}{status_code} "
            . $event->{transaction}}++;
    }

    $traced{$_->{payload}{transaction}}++
        for grep { $_->{type} eq 'transaction' } @{$envelope->{items}};
}

my $out = `'$FindBin::Bin/e2e/validate' @files 2>&1`;

if ($? >> 8 == 77) {
    plan(skip_all => $out =~ s!^skipped: |\s+\z!!gr);
}

$t->plan(3);

is_deeply(\%seen, \%expected, 'one event for each failure');
is_deeply(\%traced, \%trace, 'one transaction for each request');
is($?, 0, 'accepted') or diag($out);
note($out);

###############################################################################
