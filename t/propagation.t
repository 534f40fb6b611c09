#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# What upstreams of all kinds are told: the trace goes on or begins, once, in
# subrequests and behind redirects too; others' baggage is kept; nothing of it
# is in the response.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Echo;

my $t = NginxTest->new()->has(qw/ http_v2 http_auth_request /);

$t->sentry();

my $record = $t->testdir() . '/record';
my %port = map { $_ => echo_start($t, $_) } qw/ fastcgi scgi uwsgi /;
my $http = echo_start($t, 'http', record => $record);
my $dead = dead_port();

my $TRACE = '771a43a4192642f0b136d5159a501700';
my $SPAN = 'a9f442f9330b4e09';
my $DSC = "sentry-trace_id=$TRACE,sentry-sample_rate=0.25,"
          . 'sentry-sample_rand=0.123456,sentry-sampled=true,'
          . 'sentry-public_key=abc,sentry-release=x%2C1';
my $KEY = '5e000000000000000000000000000001';

$t->conf(server => 'listen 127.0.0.1:8083 http2;',
         http => <<"EOC", location => <<"EOL", servers => <<"EOV");
    large_client_header_buffers 8 16k;
    sentry_release "r 1";
    upstream several { server 127.0.0.1:$dead; server 127.0.0.1:$http; }
EOC
    /http/ { proxy_pass http://127.0.0.1:$http; }
    location /fastcgi/ {
        fastcgi_param REQUEST_URI \$request_uri;
        fastcgi_pass 127.0.0.1:$port{fastcgi};
    }
    location /scgi/ {
        scgi_param REQUEST_URI \$request_uri;
        scgi_pass 127.0.0.1:$port{scgi};
    }
    location /uwsgi/ {
        uwsgi_param REQUEST_URI \$request_uri;
        uwsgi_pass 127.0.0.1:$port{uwsgi};
    }
    location /grpc/ { grpc_pass 127.0.0.1:8082; }
    location /several/ { proxy_pass http://several; }

    location /on/ {
        sentry_traces_sample_rate 1;
        proxy_pass http://127.0.0.1:$http;
        add_header X-Trace "\$sentry_trace_id \$sentry_sampled";
    }
    location /zero/ {
        sentry_traces_sample_rate 0;
        proxy_pass http://127.0.0.1:$http;
    }
    location /w3c/ {
        sentry_traces_sample_rate 1;
        sentry_propagate_traceparent on;
        proxy_pass http://127.0.0.1:$http;
    }
    location /ignore/ {
        sentry_trace_context ignore;
        proxy_pass http://127.0.0.1:$http;
        add_header X-Trace "\$sentry_trace_id \$sentry_sampled";
    }
    location /extract/ {
        sentry_trace_context extract;
        sentry_traces_sample_rate 0.5;
        proxy_pass http://127.0.0.1:$http;
        add_header X-Trace "\$sentry_trace_id \$sentry_sampled";
    }
    location /inject/ {
        sentry_trace_context inject;
        proxy_pass http://127.0.0.1:$http;
    }
    location /own/ {
        proxy_set_header Sentry-Trace own;
        proxy_set_header Baggage "";
        proxy_pass http://127.0.0.1:$http;
    }
    location /variable/ {
        sentry_trace_context extract;
        proxy_set_header x-trace \$sentry_trace;
        proxy_set_header x-baggage \$sentry_baggage;
        proxy_pass http://127.0.0.1:$http;
    }
    location /none/ { sentry_dsn off; proxy_pass http://127.0.0.1:$http;
        add_header X-Trace "<\$sentry_trace_id\$sentry_trace>" always; }
    location /org/ {
        sentry_dsn http://key\@o42.ingest.localhost:1/2;
        proxy_pass http://127.0.0.1:$http;
    }

    location /error/ {
        proxy_pass http://127.0.0.1:$dead;
        error_page 502 = \@app;
    }
    location \@app { proxy_pass http://127.0.0.1:$http; }
    location /error-ignore/ {
        proxy_pass http://127.0.0.1:$dead;
        error_page 502 = /ignore/x;
    }
    location /try/ { try_files /nothing \@app; }
    location /rewrite/ { rewrite ^ /http/x last; }
    location /auth/ {
        auth_request /on/auth;
        proxy_pass http://127.0.0.1:$http;
    }
    location /mirror/ {
        mirror /http/mirrored;
        proxy_pass http://127.0.0.1:$http;
    }
    location /ssi/ { ssi on; default_type text/html; root %%TESTDIR%%; }
EOL
    server {
        listen 127.0.0.1:8082 http2;
        sentry_dsn off;
        location / {
            default_type application/grpc;
            add_header x-seen "\$http_sentry_trace|\$http_baggage";
            add_header grpc-status 0;
            return 200;
        }
    }
EOV

mkdir $t->testdir() . '/ssi';
$t->write_file('ssi/page.html', 'A<!--#include virtual="/http/i1" -->B'
               . '<!--#include virtual="/http/i2" -->C');

$t->plan(129)->run();


# new traces, all kinds

for my $kind (qw/ http fastcgi scgi uwsgi several /) {
    my $response = http_get("/$kind/new");
    my ($trace, $span, $flag) = told(my $seen = echo_parse($response), $kind);

    is($flag, undef, "$kind: no flag");
    like("@{$seen->{baggage}}", qr/^sentry-trace_id=$trace,
         sentry-public_key=$KEY,sentry-environment=production,
         sentry-release=r%201,sentry-sample_rand=0\.\d{6}$/x,
         "$kind: baggage");
    unlike($response =~ s/\r\n\r\n.*//sr, qr/sentry|baggage|trace/i,
           "$kind: not in the response");
}


# a caller's, all kinds

my @caller = ("Sentry-Trace: $TRACE-$SPAN-1",
              'Baggage: other=1;p=2, sentry-trace_id=' . $TRACE
              . ',sentry-sample_rate=0.25',
              'X-Between: x',
              'baggage: sentry-sample_rand=0.123456,sentry-sampled=true,'
              . 'sentry-public_key=abc,,bad,sentry-release=x%2C1 , last=2');

for my $kind (qw/ http fastcgi scgi uwsgi several zero on /) {
    my $seen = echo_parse(get("/$kind/caller", @caller));
    my ($trace, $span, $flag) = told($seen, $kind);

    is($trace, $TRACE, "$kind: continued");
    isnt($span, $SPAN, "$kind: a span of its own");
    is($flag, 1, "$kind: the caller's flag");
    is("@{$seen->{baggage}}", "other=1;p=2,last=2,$DSC",
       "$kind: frozen, others kept");
}

my $grpc = http2('/grpc/x', port => port(8083), headers => {
    'sentry-trace' => "$TRACE-$SPAN-0", baggage => "a=b,$DSC" });

like($grpc, qr/x-seen: $TRACE-(?!$SPAN)\w{16}-0\|a=b,\Q$DSC\E\r/, 'grpc');


# no baggage: none made up, others' kept; malformed: a new trace

my $seen = echo_parse(get('/zero/x', "sentry-trace: $TRACE-$SPAN"));
is((told($seen, 'old SDK'))[2], 0, 'old SDK: our decision');
is($seen->{baggage}, undef, 'old SDK: no baggage made up');

$seen = echo_parse(get('/http/x', "sentry-trace: $TRACE-$SPAN",
                       'baggage: a=b'));
is("@{$seen->{baggage}}", 'a=b', 'old SDK: others alone');

$seen = echo_parse(get('/http/x', "sentry-trace: $TRACE-$SPAN-7",
                       "baggage: a=b,$DSC"));
isnt((told($seen, 'malformed'))[0], $TRACE, 'malformed: a new trace');
unlike("@{$seen->{baggage}}", qr/$TRACE|key=abc,/,
       'malformed: not their members');
like("@{$seen->{baggage}}", qr/^a=b,sentry-trace_id=/, 'malformed: others');

$seen = echo_parse(get('/on/x', "sentry-trace: $TRACE-$SPAN",
                       "baggage: sentry-trace_id=$TRACE,"
                       . 'sentry-sample_rand=0.9,sentry-sample_rate=0.1'));
is("@{$seen->{baggage}}", "sentry-trace_id=$TRACE,sentry-sample_rand=0.9,"
   . 'sentry-sample_rate=1', 'our rate decided and is told');


# W3C

$seen = echo_parse(get('/w3c/x', "traceparent: 00-$TRACE-$SPAN-00"));
is("@{$seen->{traceparent}}" =~ /^00-$TRACE-(\w+)-00$/ && $1,
   (told($seen, 'traceparent'))[1], 'traceparent: read and written');
like("@{$seen->{baggage}}", qr/trace_id=$TRACE,.*public_key=$KEY.*=false/,
     'traceparent: Sentry begins here');

$seen = echo_parse(get('/http/x', "traceparent: 00-$TRACE-$SPAN-01"));
is("@{$seen->{traceparent}}", "00-$TRACE-$SPAN-01", 'left alone');
is((told($seen, 'w3c'))[2], 1, 'its flag goes on');


# limits

my @many = map { my $n = $_; 'baggage: ' . join ',', map {
    "k$n-$_=" . 'v' x 90 } 1 .. 40 } 1 .. 4;
$seen = echo_parse(get('/http/x', "sentry-trace: $TRACE-$SPAN-1",
                       "baggage: $DSC", @many));
my ($all) = @{$seen->{baggage}};

cmp_ok(length $all, '<=', 8192, 'long: within the limit');
cmp_ok(length $all, '>', 8050, 'long: and all that fits');
like($all, qr/^k1-1=v{90},k1-2=(?:[^,]+,)+k3-\d+=v{90},\Q$DSC\E$/,
     'long: whole members by their order, ours all');


# what an operator says

$seen = echo_parse(get('/own/x', @caller));
is("@{$seen->{'sentry-trace'}}", 'own', 'set by the operator');
is($seen->{baggage}, undef, 'removed by the operator');

my $response = get('/ignore/x', @caller);
$seen = echo_parse($response);
is("@{$seen->{'sentry-trace'}}", "$TRACE-$SPAN-1", 'ignore: as it came');
is(scalar @{$seen->{baggage}}, 2, 'ignore: both baggages');
unlike($response, qr/X-Trace: $TRACE/, 'ignore: another trace');

$response = get('/extract/x', @caller);
$seen = echo_parse($response);
is("@{$seen->{'sentry-trace'}}", "$TRACE-$SPAN-1", 'extract: as it came');
like($response, qr/X-Trace: $TRACE 1\r/, 'extract: read');

$seen = echo_parse(get('/inject/x', @caller));
isnt((told($seen, 'inject'))[0], $TRACE, 'inject: not read');
like("@{$seen->{baggage}}", qr/^other=1;p=2,last=2,sentry-trace_id=(?!$TRACE)/,
     'inject: others kept');

$seen = echo_parse(get('/variable/x', @caller));
like("@{$seen->{'x-trace'}}", qr/^$TRACE-\w{16}-1$/, '$sentry_trace');
is("@{$seen->{'x-baggage'}}", "other=1;p=2,last=2,$DSC", '$sentry_baggage');

$response = get('/none/x', @caller);
is("@{echo_parse($response)->{'sentry-trace'}}", "$TRACE-$SPAN-1",
   'nothing reported: as it came');
like($response, qr/X-Trace: <>\r/, 'nothing reported: no variables');

$seen = echo_parse(get('/org/x', "sentry-trace: $TRACE-$SPAN-1",
                       "baggage: a=b,$DSC,sentry-org_id=7"));
isnt((told($seen, 'org'))[0], $TRACE, 'another organization: a new trace');
like("@{$seen->{baggage}}", qr/^a=b,.*sentry-org_id=42/, 'and its baggage');
$seen = echo_parse(get('/org/x', "sentry-trace: $TRACE-$SPAN-1",
                       "baggage: $DSC,sentry-org_id=42"));
is((told($seen, 'org'))[0], $TRACE, 'the same organization');


# redirects: once; and the client's where nothing is to be written

for my $uri (qw{ /error/x /try/x /rewrite/x }) {
    $seen = echo_parse(get($uri, @caller));
    is((told($seen, $uri))[0], $TRACE, "$uri: continued");
    is("@{$seen->{baggage}}", "other=1;p=2,last=2,$DSC", "$uri: baggage");
}

$seen = echo_parse(get('/http/x?accel=/http/y', @caller));
is($seen->{target}, '/http/y', 'X-Accel-Redirect');
told($seen, 'X-Accel-Redirect');

$seen = echo_parse(get('/error-ignore/x', @caller));
is("@{$seen->{'sentry-trace'}}", "$TRACE-$SPAN-1", 'put back');
is(scalar @{$seen->{baggage}}, 2, 'put back: both');


# subrequests: each its own span

for my $case ([ '/auth/x', '/on/auth', '/auth/x' ],
              [ '/mirror/x', '/http/mirrored', '/mirror/x' ],
              [ '/ssi/page.html', '/http/i1', '/http/i2' ])
{
    my ($uri, @targets) = @$case;

    unlink $record;
    get($uri, @caller);
    wait_for(sub { echo_recorded($t, 'record') == 2 });

    my %spans;
    my @seen = sort { $a->{target} cmp $b->{target} }
               echo_recorded($t, 'record');

    is_deeply([ map { $_->{target} } @seen ], [ sort @targets ], $uri);
    $spans{(told($_, $uri))[1]}++ for @seen;
    is(keys %spans, 2, "$uri: different spans");
    is_deeply([ map { "@{$_->{baggage}}" } @seen ],
              [ ("other=1;p=2,last=2,$DSC") x 2 ], "$uri: baggage");
}


# HTTP/2 from the client; an event of the trace that the upstream was told

$seen = echo_parse(http2('/http/x', port => port(8083), headers => {
    'sentry-trace' => "$TRACE-$SPAN-1", baggage => "a=b,$DSC" }));
is((told($seen, 'h2'))[0], $TRACE, 'HTTP/2');

$seen = echo_parse(get('/http/fail?status=502', 'X-Client: yes', @caller));
my ($trace, $span) = told($seen, '502');
my ($event) = grep { $_->{request}{url} =~ m{/http/fail$} } @{$t->events(1)};
my $context = $event->{contexts}{trace};

is("$context->{trace_id} $context->{parent_span_id}", "$TRACE $SPAN",
   'event: the same trace');
my %headers = map { ref $_ ? (lc $_->[0] => $_->[1]) : () }
    ref $event->{request}{headers} eq 'ARRAY'
        ? @{$event->{request}{headers}}
        : map { [ $_, $event->{request}{headers}{$_} ] }
          keys %{$event->{request}{headers}};

is($headers{'sentry-trace'}, "$TRACE-$SPAN-1", 'event: the client\'s header');


# the room that is kept for requests is in part nginx's: headers of all sizes,
# beside a request that is not over

my $slow = http_start("POST /on/slow HTTP/1.0\r\nHost: localhost\r\nX-Long: "
                      . 'a' x 3000 . "\r\nContent-Length: 4\r\n\r\n12");
my @wrong = grep {
    my $seen = echo_parse(get('/on/long', 'X-Long: ' . 'b' x $_));

    "@{$seen->{'x-long'} || []}" ne 'b' x $_
        || "@{$seen->{'sentry-trace'} || []}" !~ /^\w{32}-\w{16}-1$/
} map { 1 + 397 * $_ } 0 .. 30;

is("@wrong", '', 'headers of all sizes');

syswrite $slow, '34';
$seen = echo_parse(http_end($slow));

is("@{$seen->{'x-long'}}", 'a' x 3000, 'beside another request');
told($seen, 'beside another request');


# With headers, several of a name.

sub get {
    my ($uri, @headers) = @_;

    return http(join "\r\n", "GET $uri HTTP/1.0", 'Host: localhost', @headers,
                '', '');
}


# One of each, and what is in sentry-trace.

sub told {
    my ($seen, $name) = @_;
    my @traces = @{$seen->{'sentry-trace'} || []};
    my @baggage = @{$seen->{baggage} || []};

    ok(@traces == 1 && @baggage <= 1
       && $traces[0] =~ /^(\w{32})-(\w{16})(?:-([01]))?$/,
       "$name: one of each") or diag(explain $seen);

    return ($traces[0] // '') =~ /^(\w+)-(\w+)(?:-(\d))?/;
}
