#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Attacks by clients and by Sentry's host, as SECURITY.md lists them: nothing
# of what they send becomes a header, a line or a field of its own.

use warnings;
use strict;

use JSON::PP ();
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $TRACE = '771a43a4192642f0b136d5159a501700';
my $SPAN = 'a9f442f9330b4e09';
my $ADDRESS = '203.0.113.77';

# members that want to be more than a member, each allowed in a header

my @MEMBERS = (
    "sentry-release=a\"\x01b", "sentry-release=\"evil", 'sentry-a=b c',
    "sentry-user_id=\x0bevil", "sentry-x=\x7fevil", "sentry-y=evil\\",
    "evil1=\x01\x02", "evil2=\x0b\x0c", "evil3=a\x7f", "sentry-\xff=evil",
    'sentry-a;evil', "sentry-z=\xc3\x28evil",
);

my $t = NginxTest->new()->plan(45);

$t->secrets($ADDRESS)->sentry();

my $record = $t->testdir() . '/requests';
my $app = $t->upstream('answer', record => $record, body => '<html></html>',
                       headers => { 'Content-Type' => 'text/html',
                                    'Cache-Control' => 'private' });

$t->conf(http => <<'EOC',
    sentry_request_body 4k;
    sentry_tag id $http_x_id;
    large_client_header_buffers 8 16k;
EOC
    location => [
    "/app/ { sentry_server_timing on; proxy_pass http://127.0.0.1:$app;"
    . ' sentry_traces_sample_rate 0;'
    . ' add_header X-Ours "$sentry_baggage|$sentry_trace"; }',
    '/boom/ { return 503; }',
    '/refused/ { sentry_dsn %%DSN_2%%; return 503; }',
])->run();

my @workers = $t->worker_pids();


# baggage: upstreams, responses and browsers get members and nothing else

for my $member (@MEMBERS) {
    my ($response, @lines) = told("sentry-trace: $TRACE-$SPAN-1",
                                  "baggage: good=1,$member,"
                                  . "sentry-trace_id=$TRACE");
    my $name = $member =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    my ($baggage) = grep { /^baggage: /i } @lines;

    is($baggage, "baggage: good=1,sentry-trace_id=$TRACE",
       "baggage: $name");
    unlike($response, qr/evil|[^\r\n\t -~]|^Server-Timing: .*".*".*".*".*"/m,
           "response: $name");
}

for my $bytes ("\r\nX-Evil: 1", "\nX-Evil: 1", "\rX-Evil: 1", "\0X-Evil: 1") {
    my $name = $bytes =~ s/([^ -~])/sprintf '\\x%02x', ord $1/ger;
    my (undef, @lines) = told("baggage: a=b$bytes");

    # a header of its own comes through as the client's, by nginx
    is(scalar(grep { /^baggage: .*evil/i } @lines), 0, "split: $name");
}

my (undef, @lines) = told("sentry-trace: $TRACE-$SPAN-1",
                          'sentry-trace: ' . 'b' x 32 . "-$SPAN-0");

is(scalar(grep { /^sentry-trace: \w{32}-\w{16}(?:-[01])?$/i } @lines), 1,
   'two traces: one is told');
is(scalar(grep { /^sentry-trace:/i } @lines), 1, 'two traces: and no other');

(undef, @lines) = told("sentry-trace: $TRACE-$SPAN-1",
    map { my $n = $_; 'baggage: ' . join ',', map { "k$n$_=" . 'v' x 90 }
                                              1 .. 140 } 1 .. 7);

my ($baggage) = grep { /^baggage: /i } @lines;

cmp_ok(length $baggage, '<=', 8192 + length 'baggage: ',
       'huge baggage: within the limit');


# what an event is made of

http_get('/boom/%0d%0aX-Evil:%201%22%7d%ff?a=%0d%0a&b="}');
http_post('/boom/json', '{"a":"\"}],\"level\":\"fatal\"","b":"'
          . "\0\x01\xff" . '"}],"level":"fatal"',
          headers => { 'Content-Type' => 'application/json' });
http_get('/boom/tag', headers => {
    'X-Id' => "\"},\"level\":\"fatal\",\"x\":{\"\x01\xff",
    'User-Agent' => "a\"\\\x1b[31m" });
http_get('/boom/pii', headers => {
    'X-Forwarded-For' => "$ADDRESS, 10.0.0.1", 'X-Real-IP' => $ADDRESS,
    'Forwarded' => "for=$ADDRESS", 'True-Client-IP' => $ADDRESS,
    'Via' => $ADDRESS, 'CF-Connecting-IP' => $ADDRESS });

my %event = map { $_->{request}{url} =~ m{(/boom/.*)} ? ($1 => $_) : () }
            @{$t->events(4)};
my ($url) = grep { m{%0d%0a}i } keys %event;

ok($url, 'a URL stays encoded');
unlike(join("\n", $url, $event{$url}{transaction}), qr/[^ -~\n]|\nX-Evil/,
       'no byte of it is decoded');
is($event{$_}{level}, 'error', "no field is made up: $_")
    for '/boom/json', '/boom/tag';
is($event{'/boom/tag'}{contexts}{nginx}{location}, '/boom/',
   'nor is one lost');
ok($event{'/boom/pii'}, 'addresses in headers: an event');
unlike(JSON::PP->new()->encode($event{'/boom/pii'}), qr/\Q$ADDRESS\E/,
       'addresses in headers: none');


# what is too much

like(http("GET /boom/ HTTP/1.1\r\nHost: localhost\r\nX: " . 'h' x 65536
          . "\r\n\r\n"), qr/ (?:400|494) /, '64 KB in a header');
like(http('GET /' . 'u' x 65536 . " HTTP/1.1\r\nHost: localhost\r\n\r\n"),
     qr/ 414 /, '64 KB in a URI');


# Sentry's host

$t->receiver(project => 2, status => 400, headers => {
    'X-Sentry-Error' => "evil\x1b[31m\" \x07 " . 'x' x 2000 });
http_get('/refused/');
settled($t, 1, project => 2);
wait_for(sub { state_lines($t, 2) });

my @ours = state_lines($t, 2);

is(scalar(@ours), 1, 'a refusal: one line');
cmp_ok(length "@ours", '<', 1024, 'a refusal: a short one');
unlike("@ours", qr/[^ -~]/, 'a refusal: no control characters');
is(ref $t->status(), 'HASH', 'a refusal: the page is JSON');

is_deeply([ $t->worker_pids() ], \@workers, 'no worker died');


# The response, and the lines that the upstream was sent.

sub told {
    my (@headers) = @_;

    unlink $record;

    my $response = http(join "\r\n", 'GET /app/x HTTP/1.0',
                        'Host: localhost', @headers, '', '');
    my ($request) = $t->read_file($record) =~ /\A\d+\n(.*?)\r\n\r\n/s;

    return ($response, split /\r\n/, $request // '');
}
