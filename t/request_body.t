#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The body of a failed request: JSON and forms, filtered per key; of anything
# else, and of what is not in memory as a whole, the size alone.  No planted
# secret is found in an envelope, in the log or in the queue's memory.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $JSON = 'application/json';
my $FORM = 'application/x-www-form-urlencoded';

my $t = NginxTest->new();
my ($n, @secrets) = (0);

sub secret {
    push @secrets, sprintf 'S3cr3t%02dx%08x', ++$n, 7919 * $n;

    return $secrets[-1];
}

# name, content type, body, data (undef: filtered whole), options

my @cases = (
    [ 'JSON', $JSON, '{"a": 1, "b": ["c"]}', '{"a":1,"b":["c"]}' ],
    [ 'JSON with a charset', 'Application/JSON ; charset=utf-8', '{"a":1}',
      '{"a":1}' ],
    [ '+json', 'application/vnd.api+json', '{"a":1}', '{"a":1}' ],
    [ 'secrets by key', $JSON,
      '{"user":{"name":"u","password":"' . secret()
      . '"},"pass\u0077ord":"' . secret() . '","token":["' . secret()
      . '",{"a":"' . secret() . '"}],"acme":"' . secret() . '"}',
      '{"user":{"name":"u","password":"[Filtered]"},'
      . '"pass\u0077ord":"[Filtered]","token":"[Filtered]",'
      . '"acme":"[Filtered]"}' ],
    [ 'secrets in texts', $JSON,
      '{"a":"https://u:' . secret() . '@h/","b":"Bearer ' . secret() . '"}',
      '{"a":"https://[Filtered]@h/","b":"Bearer [Filtered]"}' ],
    [ 'truncated JSON', $JSON, '{"a":1,"password":"' . secret() ],
    [ 'malformed JSON', $JSON, '{"a":1,\'password\':"' . secret() . '"}' ],
    [ 'bad UTF-8', $JSON, "{\"a\":\"\xff\",\"b\":\"" . secret() . '"}' ],
    [ 'deep JSON', $JSON, '[' x 40 . '"' . secret() . '"' . ']' x 40 ],
    [ 'form', $FORM, 'a=b&password=' . secret() . '&c=d',
      'a=b&password=[Filtered]&c=d' ],
    [ 'form, coded keys', $FORM, 'pass%77ord=' . secret()
      . '&user%5Btoken%5D=' . secret(),
      'pass%77ord=[Filtered]&user%5Btoken%5D=[Filtered]' ],
    [ 'form that is JSON', $FORM, '{"password":"' . secret() . '"}',
      '{"password":"[Filtered]"}' ],
    [ 'form that is none', $FORM, secret(), '[Filtered]' ],
    [ 'text', 'text/plain', secret() ],
    [ 'multipart', 'multipart/form-data; boundary=x',
      "--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n"
      . secret() . "\r\n--x--\r\n" ],
    [ 'no type', undef, secret() ],
    [ 'coded JSON', $JSON, '{"a":"' . secret() . '"}', undef,
      { more => "Content-Encoding: gzip\r\n" } ],
    [ 'as big as may be', $JSON, '["' . 'a' x 996 . '"]',
      '["' . 'a' x 996 . '"]' ],
    [ 'too big', $JSON, '["' . 'a' x 997 . '","' . secret() . '"]' ],
    [ 'in two pieces', $JSON, '{"a":"b","c":"' . 'd' x 500 . '"}',
      '{"a":"b","c":"' . 'd' x 500 . '"}', { split => 10 } ],
    [ 'chunked', $JSON, '{"a":"b"}', '{"a":"b"}', { chunked => 1 } ],
    [ 'chunked, in two pieces', $JSON, '{"a":"b","secret":"' . secret()
      . '"}', '{"a":"b","secret":"[Filtered]"}',
      { chunked => 1, split => 20 } ],
    [ 'in a file', $JSON, '{"a":"' . secret() . '"}', undef,
      { uri => '/file/' } ],
    [ 'passed on as it comes', $JSON, '{"a":"' . secret() . '"}', undef,
      { uri => '/unbuffered/', split => 5 } ],
    [ 'never read', $JSON, '{"a":"' . secret() . '"}', undef,
      { uri => '/unread/' } ],
);

my $dead = dead_port();

$t->sentry()->secrets(@secrets)->conf(http => <<'EOC', location => <<"EOL");
    sentry_flush_interval 60s;
    sentry_request_body 1000;
    sentry_scrub acme;
    sentry_debug on;
EOC
    / { proxy_pass http://127.0.0.1:$dead; }
    location /file/ {
        client_body_in_file_only clean;
        proxy_pass http://127.0.0.1:$dead;
    }
    location /unbuffered/ {
        proxy_request_buffering off;
        proxy_pass http://127.0.0.1:$dead;
    }
    location /unread/ { return 500; }
    location /off/ {
        sentry_request_body off;
        proxy_pass http://127.0.0.1:$dead;
    }
EOL

$t->plan(2 * @cases + 6)->run();

my $i = 0;
my $answered = 0;

for (@cases) {
    my ($name, $type, $body, $data, $opt) = @$_;

    $answered++ if post(++$i, $type, $body, %{$opt || {}}) =~ / 50[02] /;
}

is($answered, scalar @cases, 'responses are unchanged');

http_get('/nobody/');
post(0, $JSON, '{"a":"' . $secrets[0] . '"}', uri => '/off/');

my $memory = $t->shared_memory();

like($memory, qr/\[Filtered\]/, 'the memory is the right one');
is_deeply([ grep { index($memory, $_) >= 0 } @secrets ], [],
          'no secret in the queue\'s memory');

$t->stop();

my %event = map { $_->{request}{url} =~ m{(/\w*/?\d*)$} ? ($1 => $_) : () }
            @{$t->events(@cases + 2)};

$i = 0;

for (@cases) {
    my ($name, $type, $body, $data, $opt) = @$_;
    my $request = $event{($opt->{uri} || '/') . ++$i}{request};

    is($request->{data}, $data // '[Filtered]', "$name: data");
    is($request->{body_size}, length $body, "$name: size");
}

ok(!exists $event{'/nobody/'}{request}{data}, 'no body: nothing');
ok(!exists $event{'/off/0'}{request}{data}, 'off: nothing');
ok(!exists $event{'/off/0'}{request}{body_size}, 'off: no size');


sub post {
    my ($i, $type, $body, %opt) = @_;
    my $head = 'POST ' . ($opt{uri} || '/') . "$i HTTP/1.1\r\n"
        . "Host: localhost\r\nConnection: close\r\n" . ($opt{more} || '')
        . ($opt{split} ? "Expect: 100-continue\r\n" : '')
        . (defined $type ? "Content-Type: $type\r\n" : '');

    if ($opt{chunked}) {
        $head .= "Transfer-Encoding: chunked\r\n\r\n";
        $body = join('', map { sprintf "%x\r\n%s\r\n", length, $_ }
                         $body =~ /(.{1,7})/gs) . "0\r\n\r\n";

    } else {
        $head .= 'Content-Length: ' . length($body) . "\r\n\r\n";
    }

    return http($head . $body) if !$opt{split};

    # nginx says so when it has read the head and what came with it

    my $s = http_start($head . substr($body, 0, $opt{split})) or return '';
    my $response = http_end($s, until => qr/ 100 .*\r\n\r\n/);

    return $response if $response !~ / 100 /;

    syswrite $s, substr $body, $opt{split};

    return $response . http_end($s);
}
