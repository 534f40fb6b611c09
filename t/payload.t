#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# What an event holds beyond the error: contexts, request, user, tags, names,
# fingerprint, trace; with and without PII; long and odd values.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->has(qw/ http_ssl http_v2 http-cache /);
my $app = $t->upstream('answer', status => 500, body => 'boom');
my $dead = dead_port();

$t->sentry()->conf(http => <<"EOC", server => <<'EOS', location => <<"EOL",
    upstream pool { server 127.0.0.1:$dead; server 127.0.0.1:$app backup; }
    proxy_cache_path %%TESTDIR%%/cache keys_zone=cache:64k;
EOC
    sentry_tag host $host;
    sentry_tag empty $arg_none;
    sentry_context app version=7 tenant=$http_x_tenant none=$arg_none;
    sentry_context other a=b;
EOS
    /pool/ {
        proxy_pass http://pool;
        proxy_next_upstream error http_500;
        proxy_cache cache;
    }
    location /plain/ { return 500; }
    location /named/ { sentry_transaction "checkout \$arg_step"; return 500; }
    location /print/ {
        sentry_fingerprint "{{ default }}" \$host \$arg_none;
        return 500;
    }
    location /user/ {
        sentry_user id=\$arg_id username=ann email=ann\@example.com
                    ip=\$remote_addr;
        return 500;
    }
    location /pii/ { sentry_send_default_pii on; return 500; }
    location /deeper/ { sentry_tag deeper yes; sentry_context off; return 500; }
    location /none/ { sentry_tag off; return 500; }
    location ~ /capture(\\d+) { sentry_tag number \$1; return 500; }
EOL
    servers => <<'EOV');
    server {
        listen 127.0.0.1:8081 ssl http2;
        server_name secure.example;
        ssl_certificate %%TESTDIR%%/sentry.crt;
        ssl_certificate_key %%TESTDIR%%/sentry.key;
        location / { return 500; }
    }
EOV

my $pem = $t->testdir() . '/sentry';

system("openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
       . " -keyout $pem.key -out $pem.crt 2>/dev/null") == 0
    or die "no openssl\n";

$t->plan(60)->run();

my $seen = 0;

sub event {
    my ($uri, %opt) = @_;

    http("GET $uri HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         . join('', map { "$_\r\n" } @{$opt{headers} || []}) . "\r\n", %opt);

    return $t->events(++$seen)->[-1];
}

# contexts

my $e = event('/pool/x?q=1', headers => [ 'X-Tenant: acme' ]);
my $nginx = $e->{contexts}{nginx};
my $tries = $nginx->{upstream};

is($nginx->{location}, '/pool/', 'location');
is($nginx->{server}, 'localhost', 'server');
is($nginx->{worker_pid}, ($t->worker_pids())[0], 'worker');
like($nginx->{connection}, qr/^\d+$/, 'connection');
is($nginx->{connection_requests}, 1, 'requests of the connection');
cmp_ok($nginx->{request_length}, '>', 60, 'request length');
cmp_ok($nginx->{bytes_sent}, '>', 100, 'bytes sent');
like($nginx->{request_time}, qr/^[\d.]+$/, 'request time');
is($nginx->{cache_status}, 'MISS', 'cache status');
is(scalar(@$tries), 2, 'two tries');
is($tries->[0]{address}, "127.0.0.1:$dead", 'first address');
is($tries->[0]{status}, 502, 'first status');
ok(!exists $tries->[0]{header_time}, 'no header, no time of it');
is($tries->[1]{address}, "127.0.0.1:$app", 'second address');
is($tries->[1]{status}, 500, 'second status');
like($tries->[1]{connect_time}, qr/^[\d.]+$/, 'connect time');
is($e->{contexts}{response}{status_code}, 500, 'response status');
is($e->{contexts}{os}{name}, 'Linux', 'os');
is($e->{request}{env}{SERVER_NAME}, 'localhost', 'server name');
is($e->{request}{env}{SERVER_PORT}, port(8080), 'server port');
is($e->{request}{headers}{'X-Tenant'}, 'acme', 'header');

# directives

is_deeply($e->{tags}, { host => 'localhost' }, 'tags, empty ones left out');
is_deeply($e->{contexts}{app}, { version => '7', tenant => 'acme' },
          'context, empty ones left out');
is_deeply($e->{contexts}{other}, { a => 'b' }, 'second context');

$e = event('/deeper/');
is_deeply($e->{tags}, { deeper => 'yes' }, 'the deeper list wins');
ok(!$e->{contexts}{app}, 'context off');

$e = event('/none/');
ok(!$e->{tags} || !%{$e->{tags}}, 'tag off');

$e = event('/capture42');
is($e->{tags}{number}, '42', 'captures of the location');

$e = event('/named/?step=pay');
is($e->{transaction}, 'checkout pay', 'transaction by directive');
is($e->{transaction_info}{source}, 'custom', 'its source');

$e = event('/print/');
is_deeply($e->{fingerprint}, [ '{{ default }}', 'localhost' ], 'fingerprint');

$e = event('/user/?id=42');
is_deeply($e->{user}, { id => '42', username => 'ann',
    email => 'ann@example.com', ip_address => '127.0.0.1' }, 'user');

# PII

my @private = ('Cookie: theme=dark; sessionid=1; lone',
               'X-Forwarded-For: 10.1.2.3', 'Authorization: Basic YTpi');

$e = event('/plain/', headers => \@private);
ok(!exists $e->{user}, 'no user');
ok(!exists $e->{request}{env}{REMOTE_ADDR}, 'no address');
is($e->{request}{headers}{'X-Forwarded-For'}, '[Filtered]', 'forwarded');
is($e->{request}{headers}{Cookie}, '[Filtered]', 'cookie header');

$e = event('/pii/', headers => \@private);
is($e->{request}{env}{REMOTE_ADDR}, '127.0.0.1', 'PII: address');
is($e->{request}{headers}{Cookie}, 'theme=dark; sessionid=[Filtered]',
   'PII: cookies but secret ones');
is($e->{request}{headers}{'X-Forwarded-For'}, '10.1.2.3', 'PII: forwarded');
is($e->{request}{headers}{Authorization}, '[Filtered]', 'PII: authorization');

# trace

my ($trace, $span) = ('0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331');

$e = event('/plain/', headers => [ "sentry-trace: $trace-$span-1" ]);
is($e->{contexts}{trace}{trace_id}, $trace, 'trace continued');
is($e->{contexts}{trace}{parent_span_id}, $span, 'parent span');
isnt($e->{contexts}{trace}{span_id}, $span, 'span of its own');
is($e->{contexts}{trace}{op}, 'http.server', 'op');
is($e->{contexts}{trace}{status}, 'internal_error', 'span status');

$e = event('/plain/', headers => [ "traceparent: 00-$trace-$span-01" ]);
is($e->{contexts}{trace}{trace_id}, $trace, 'W3C trace continued');

$e = event('/plain/', headers => [ 'sentry-trace: ' . '0' x 32 . "-$span-1" ]);
isnt($e->{contexts}{trace}{trace_id}, '0' x 32, 'zero trace ignored');

my ($envelope) = grep { $_->{header}{event_id} eq $e->{event_id} }
                 @{$t->envelopes()};

is($envelope->{header}{trace}{trace_id}, $e->{contexts}{trace}{trace_id},
   'trace in the envelope header');
ok($envelope->{header}{sent_at}, 'sent_at');

# TLS

$seen++;
http("GET /tls HTTP/1.1\r\nHost: secure.example\r\nConnection: close\r\n\r\n",
     port => port(8081), ssl => 1);
$e = $t->events($seen)->[-1];
is($e->{request}{url}, 'https://secure.example:' . port(8081) . '/tls',
   'https url');
like($e->{contexts}{nginx}{tls_protocol}, qr/^TLSv1/, 'TLS protocol');
ok($e->{contexts}{nginx}{tls_cipher}, 'TLS cipher');

# odd values

$e = event('/plain/', headers => [ "X-Long: " . 'l' x 5000 ]);
cmp_ok(length $e->{request}{headers}{'X-Long'}, '<=', 1024, 'long header cut');

$e = event('/plain/', headers => [ map { "X-N$_: $_" } 1 .. 100 ]);
cmp_ok(scalar(keys %{$e->{request}{headers}}), '<=', 64, 'many headers cut');

$e = event('/plain/', headers => [ "X-Bytes: a\x80\xffb\xc3\xa9" ]);
is($e->{request}{headers}{'X-Bytes'}, "a\x{fffd}\x{fffd}b\x{e9}",
   'bytes made UTF-8');

$e = event('/plain/', headers => [ 'X-Two: 1', 'X-Two: 2' ]);
is($e->{request}{headers}{'X-Two'}, '1, 2', 'repeated header merged');

$e = event('/plain/' . 'p' x 5000);
cmp_ok(length $e->{request}{url}, '<=', 2048 + 30, 'long url cut');

$e = event('/plain/?' . 'q' x 5000);
cmp_ok(length $e->{request}{query_string}, '<=', 2048, 'long query cut');

$e = event('/plain/?a="\\<>');
is($e->{request}{query_string}, 'a="\\<>', 'quotes survive');

is(scalar(@{$t->events()}), $seen, 'one event each');
