#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The tests' own Sentry: takes what is right, refuses or notes what is not,
# answers as told.  Everything else stands on it.

use warnings;
use strict;

use Compress::Zlib ();
use POSIX qw/ strftime /;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use SentryEnvelope qw/ parse_envelope /;


my $id = '9ec79c33ec9942ab8353589fcb2e04dc';
my $now = strftime('%Y-%m-%dT%H:%M:%S.123Z', gmtime);
my $sdk = '{"name":"ngx_sentry.nginx","version":"0.1.0"}';
my $trace = qq({"trace_id":"$id","span_id":"0123456789abcdef"});

my $header = qq({"event_id":"$id","sent_at":"$now","sdk":$sdk,)
             . qq("trace":{"trace_id":"$id","public_key":"k"}});
my $event = qq({"event_id":"$id","timestamp":"$now","platform":"other",)
            . qq("sdk":$sdk,"level":"error","tags":{"a.b":"c"},)
            . qq("contexts":{"trace":$trace,"response":{"status_code":502}},)
            . qq("request":{"url":"http://h/p","headers":{"A":"b"}},)
            . q("breadcrumbs":{"values":[{"timestamp":1.5,"message":"m"}]},)
            . q("exception":{"values":[{"type":"T","value":"v",)
            . q("mechanism":{"type":"auto.http.nginx","handled":false}}]}});
my $transaction = qq({"type":"transaction","event_id":"$id",)
                  . qq("start_timestamp":"$now","timestamp":"$now",)
                  . qq("platform":"other","transaction":"GET /","sdk":$sdk,)
                  . q("contexts":{"trace":)
                  . $trace =~ s/\{/{"op":"http.server",/r . '}}';
my $span = qq({"trace_id":"$id",)
           . q("span_id":"1111111111111111","parent_span_id":)
           . qq("0123456789abcdef","start_timestamp":"$now",)
           . qq("timestamp":"$now","op":"http","data":{"a.b":1,"c":true}});
my $report = qq({"timestamp":"$now","discarded_events":[{"reason":)
             . q("send_error","category":"error","quantity":2}]});


sub envelope {
    my ($type, $payload, %opt) = @_;
    my $length = length $payload;

    return ($opt{header} // $header) . "\n"
           . qq({"type":"$type","length":$length}\n$payload)
           . ($opt{end} // "\n");
}


sub spans {
    return envelope(transaction => $transaction =~ s/\}\z//r
                                   . ',"spans":[' . join(',', @_) . ']}');
}


sub event { return envelope('event', $event =~ s/\Q$_[0]\E/$_[1]/r) }


my @right = (
    [ event => envelope(event => $event) ],
    [ 'no last newline' => envelope(event => $event, end => '') ],
    [ 'UTF-8' => event('"T"', "\"\xc3\xa9\xf0\x9f\x98\x80\"") ],
    [ 'quotes and colons' => event('"T"', '"a\\\\\":\"b\":"') ],
    [ transaction => envelope(transaction => $transaction) ],
    [ spans => spans($span, $span =~ s/"1{16}"/"2222222222222222"/r
                                  =~ s/"0123456789abcdef"/"1111111111111111"/r)
    ],
    [ client_report => envelope(client_report => $report,
                                header => qq({"sent_at":"$now","sdk":$sdk})) ],
    [ 'report beside an event' =>
      envelope(event => $event)
      . '{"type":"client_report","length":' . length($report)
      . "}\n$report\n" ],
);

my @wrong = (
    [ 'length too short', envelope(event => $event)
      =~ s/"length":(\d+)/'"length":' . ($1 - 1)/er, qr/no newline after/ ],
    [ 'length too long', envelope(event => $event)
      =~ s/"length":(\d+)/'"length":' . ($1 + 9)/er, qr/bytes left/ ],
    [ 'no length', envelope(event => $event) =~ s/,"length":\d+//r,
      qr/no length/ ],
    [ 'CRLF', envelope(event => $event) =~ s/\n/\r\n/r,
      qr/padding or no object/ ],
    [ 'bytes after it', envelope(event => $event, end => "\nx"),
      qr/item header without a newline/ ],
    [ 'unknown item', envelope(evnt => $event), qr/unknown type "evnt"/ ],
    [ 'unknown envelope header', envelope(event => $event,
        header => $header =~ s/\{/{"foo":1,/r), qr/unknown key "foo"/ ],
    [ 'no sent_at', envelope(event => $event,
        header => $header =~ s/"sent_at":"[^"]*",//r), qr/sent_at: not RFC/ ],
    [ 'sent_at twice', envelope(event => $event,
        header => $header =~ s/("sent_at":"[^"]*",)/$1$1/r),
      qr/duplicate keys/ ],
    [ 'a DSC of numbers', envelope(event => $event,
        header => $header =~ s/"public_key"/"sample_rate":1,"public_key"/r),
      qr/sample_rate is no string/ ],
    [ 'two events', envelope(event => $event)
      . envelope(event => $event) =~ s/.*?\n//r, qr/with 2 events/ ],
    [ 'event and transaction', envelope(event => $event)
      . envelope(transaction => $transaction) =~ s/.*?\n//r, qr/mixes/ ],
    [ 'other event_id', event($id, $id =~ tr/9/8/r), qr/differs/ ],
    [ 'upper-case id', event($id, uc $id), qr/lower-case hex/ ],
    [ 'invalid UTF-8', event('"T"', "\"\xff\""), qr/invalid UTF-8/ ],
    [ 'overlong UTF-8', event('"T"', "\"\xc0\xaf\""), qr/invalid UTF-8/ ],
    [ 'surrogate in UTF-8', event('"T"', "\"\xed\xa0\x80\""),
      qr/invalid UTF-8/ ],
    [ 'lone surrogate', event('"T"', '"\ud800"'), qr/no JSON/ ],
    [ 'NUL', event('"T"', '"a\u0000"'), qr/NUL/ ],
    [ 'raw control', event('"T"', "\"a\x01\""), qr/no JSON/ ],
    [ 'duplicate key', event('"level"', '"level":"info","level"'),
      qr/duplicate keys/ ],
    [ 'duplicate nested key', event('"A":', '"A":"x","A":'),
      qr/duplicate keys/ ],
    [ 'trailing comma', event('"T"', '"T",'), qr/no JSON/ ],
    [ 'null', event('"T"', 'null'), qr/null/ ],
    [ 'a number as tag', event('"c"', '1'), qr/tag a.b is no string/ ],
    [ 'empty tag', event('"c"', '""'), qr/tag a.b is no string/ ],
    [ 'tag key', event('a.b', 'a b'), qr/bad tag key/ ],
    [ 'unknown field', event('"level"', '"message":"m","level"'),
      qr/unknown field "message"/ ],
    [ 'level', event('"error"', '"warn"'), qr/bad level/ ],
    [ 'timestamp', event("\"$now\"", '"yesterday"'), qr/not RFC 3339/ ],
    [ 'an old timestamp', event("\"$now\"", '12'), qr/not of today/ ],
    [ 'no trace context', event('"trace"', '"trac"'), qr/trace context: m/ ],
    [ 'short span_id', event('0123456789abcdef', '0123'), qr/span_id/ ],
    [ 'status_code as text', event('502', '"502"'), qr/status_code/ ],
    [ 'query in the URL', event('http://h/p', 'http://h/p?q'),
      qr/request.url is not absolute or has a query/ ],
    [ 'userinfo in the URL', event('http://h', 'http://u:p@h'),
      qr/userinfo/ ],
    [ 'exception as a list', event('{"values":[{"type"', '[{"type"')
      =~ s/\}\]\}\}$/}]}/mr, qr/exception without values|bytes left/ ],
    [ 'mechanism without type', event('"type":"auto', '"source":"auto'),
      qr/mechanism without type/ ],
    [ 'handled as a number', event('false', '0'), qr/handled is no boolean/ ],
    [ 'breadcrumb level', event('"message":"m"', '"level":"warn"'),
      qr/breadcrumb: bad level/ ],
    [ 'no exception', event('"exception"', '"extra"'), qr/neither/ ],
    [ 'transaction times as numbers', envelope(transaction =>
        $transaction =~ s/"timestamp":"[^"]*"/'"timestamp":' . time()/er),
      qr/timestamp is no RFC 3339 string/ ],
    [ 'transaction that ends early', envelope(transaction =>
        $transaction =~ s/("timestamp":)"[^"]*"/$1"2001-01-01T00:00:00Z"/r),
      qr/ends before it starts/ ],
    [ 'two spans of an id', spans($span, $span), qr/two spans with one id/ ],
    [ 'span of no parent', spans($span =~ s/"0123456789abcdef"
                                          /"2222222222222222"/rx),
      qr/span of no parent/ ],
    [ 'span that leaves', spans($span =~ s/("timestamp":)"[^"]*"
                                          /$1"2099-01-01T00:00:00Z"/rx),
      qr/span leaves its parent/ ],
    [ 'unknown key of a span', spans($span =~ s/"op"/"name":"x","op"/r),
      qr/span: .*"name"/ ],
    [ 'span with an object', spans($span =~ s/"a.b":1/"a.b":{}/r),
      qr/a\.b is no plain value/ ],
    [ 'unknown reason', envelope(client_report =>
        $report =~ s/send_error/rate_limited/r), qr/unknown reason/ ],
    [ 'report of nothing', envelope(client_report =>
        $report =~ s/ty":2/ty":0/r), qr/bad quantity/ ],
);

my @requests = (
    # what to change in a good request, status
    [ 'a good one', sub { }, 200 ],
    [ 'GET', sub { $_[0]{method} = 'GET' }, 405 ],
    [ 'no slash at the end', sub { chop $_[0]{path} }, 404 ],
    [ 'store', sub { $_[0]{path} = '/api/1/store/' }, 404 ],
    [ 'no auth', sub { delete $_[0]{'X-Sentry-Auth'} }, 400 ],
    [ 'wrong key', sub { $_[0]{'X-Sentry-Auth'} =~ s/.$/2/ }, 401 ],
    [ 'auth grammar', sub { $_[0]{'X-Sentry-Auth'} =~ s/, /,/ }, 401 ],
    [ 'version', sub { $_[0]{'X-Sentry-Auth'} =~ s/7/8/ }, 401 ],
    [ 'auth in the path too',
      sub { $_[0]{path} .= '?sentry_key=k' }, 404 ],
    [ 'Authorization too', sub { $_[0]{Authorization} = 'Sentry a' }, 401 ],
    [ 'no type', sub { delete $_[0]{'Content-Type'} }, 400 ],
    [ 'other type', sub { $_[0]{'Content-Type'} = 'text/plain' }, 415 ],
    [ 'no agent', sub { delete $_[0]{'User-Agent'} }, 400 ],
    [ 'no gzip', sub { $_[0]{'Content-Encoding'} = 'gzip' }, 400 ],
    [ 'deflate', sub { $_[0]{'Content-Encoding'} = 'deflate' }, 415 ],
    [ 'bytes after the gzip', sub {
        $_[0]{'Content-Encoding'} = 'gzip';
        $_[0]{body} = Compress::Zlib::memGzip($_[0]{body}) . 'x';
    }, 400 ],
    [ 'nothing', sub { $_[0]{body} = '' }, 400 ],
);

my $t = NginxTest->new()->plan(@right + @wrong + @requests + 16);

for (@right) {
    my ($what, $bytes) = @$_;
    my (undef, @found) = parse_envelope($bytes);

    is_deeply(\@found, [], "right: $what");
}

for (@wrong) {
    my ($what, $bytes, $expected) = @$_;
    my (undef, @found) = parse_envelope($bytes);

    like(join('; ', @found), $expected, "wrong: $what");
}


$t->sentry();

my $sentry = $t->{sentry};
my $refused = 0;

for (@requests) {
    my ($what, $change, $status) = @$_;

    like(post($change), qr/^HTTP\/1.1 $status /, "request: $what");
    $refused++ if $status != 200;
}

is($t->receiver_stats()->{refused}, $refused, 'refused ones are counted');
is(@{[ $sentry->violations() ]}, $refused, 'and noted');

# they were meant: the test must not fail for them
$t->write_file('sentry/violations', '');

like(post(sub {
    $_[0]{'Content-Encoding'} = 'gzip';
    $_[0]{body} = Compress::Zlib::memGzip($_[0]{body});
}), qr/ 200 .*"id":"$id"/s, 'gzip');

is(@{$t->events(2)}, 2, 'both good ones are kept');
is($t->envelopes()->[0]{raw}, envelope(event => $event), 'unchanged');

$t->receiver(status => 429, headers => { 'Retry-After' => 7 }, count => 2);

like(post(), qr/ 429 .*Retry-After: 7/s, 'scripted');
like(post(), qr/ 429 /, 'twice');
like(post(), qr/ 200 /, 'and no more');

$t->receiver(close => 1);
is(post(), '', 'closes');

$t->receiver(delay => 0.3);
my $start = time();
post();
cmp_ok(time() - $start, '>=', 0.3, 'delays');

$t->receiver(trickle => 0.005);
$start = time();
like(post(), qr/ 200 .*"id":"$id"/s, 'trickles');
cmp_ok(time() - $start, '>=', 0.3, 'byte by byte');

$t->receiver(raw => "HTTP/1.0 299 Raw\r\n\r\n{}", status => 599);
is(post(), "HTTP/1.0 299 Raw\r\n\r\n{}", 'raw');

$t->receiver_stop();
is(post(), undef, 'refuses connections');
$t->receiver_start();
like(post(), qr/ 200 /, 'and takes them again');

is(@{$t->events(6)}, 6, 'those that were answered well');


sub post {
    my ($change) = @_;
    my %request = (
        method => 'POST', path => '/api/1/envelope/',
        body => envelope(event => $event), Host => 'localhost',
        'X-Sentry-Auth' => 'Sentry sentry_version=7, sentry_client='
            . 'ngx_sentry.nginx/0.1.0, sentry_key=5e' . '0' x 29 . '1',
        'Content-Type' => 'application/x-sentry-envelope',
        'User-Agent' => 'ngx_sentry.nginx/0.1.0 (nginx 1.22.1)',
        Connection => 'close',
    );

    $change->(\%request) if $change;

    my ($method, $path, $body) = delete @request{qw/ method path body /};
    my $s = eval {
        local $SIG{__WARN__} = sub { };
        IO::Socket::INET->new(PeerAddr => '127.0.0.1:' . $sentry->port());
    } or return;

    close $s;

    return http(join('', "$method $path HTTP/1.1\r\n",
                     map({ "$_: $request{$_}\r\n" } sort keys %request),
                     'Content-Length: ', length $body, "\r\n\r\n$body"),
                port => $sentry->port(), until => qr/\r\n\r\n\{.*\}$/s);
}
