#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Every cause happens on a real nginx, and its event says which one: type,
# value, errno, level, group, title, and what led to it.

use warnings;
use strict;

use IO::Socket::INET;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

# a full disk is a small one, which only this test and its children see

BEGIN {
    exec 'unshare', '-m', $^X,
         "$FindBin::Bin/$FindBin::Script", @ARGV
        if $> == 0 && !$ENV{TEST_CAUSE_MOUNTS}++
           && system('unshare -m true 2>/dev/null') == 0;
}

use lib 'lib';
use NginxTest;
use NginxTest::Causes qw/ black_hole raw stderr tls /;

my $t = NginxTest->new();
my $dir = $t->testdir();

my ($dead, $dead2, $dead3, $dead4, $dead5) = map { dead_port() } 1 .. 5;
my ($hang, $close, $reset, $header, $badheader)
    = map { $t->upstream($_) } qw/ hang close reset header badheader /;
my $app = $t->upstream('answer', status => 500, body => 'boom');
my $missing = $t->upstream('answer', status => 404);
my $ok = $t->upstream('answer', body => 'fine');
my $big = $t->upstream('answer', headers => { 'X-Big' => 'x' x 9000 });
my $hole = black_hole($t);
my $half = raw($t, "HTTP/1.1 503 No\r\nContent-Length: 9\r\n\r\nhalf");
my $php = stderr($t, 'PHP message: boom');
my $secure = tls($t);
my $plain = raw($t, "HTTP/1.1 400 What?\r\n\r\n");

my $disk = disk();

my $to_tls = !$t->has_module('http_ssl') ? '' : <<"EOC";
    location /plain/ { proxy_pass https://127.0.0.1:$plain; }
    location /name/ {
        proxy_pass https://127.0.0.1:$secure;
        proxy_ssl_verify on;
        proxy_ssl_name wrong.example;
        proxy_ssl_trusted_certificate $dir/cause.crt;
    }
    location /issuer/ {
        proxy_pass https://127.0.0.1:$secure;
        proxy_ssl_verify on;
        proxy_ssl_name right.example;
        proxy_ssl_trusted_certificate $dir/other.crt;
    }
    proxy_ssl_session_reuse off;     # what nginx keeps of it is never freed
EOC

$t->sentry()->conf(http => <<"EOC", server => <<'EOS', location => <<"EOL");
    limit_req_zone \$server_name zone=req:64k rate=1r/m;
    limit_conn_zone \$server_name zone=conn:64k;
    large_client_header_buffers 2 1k;
    keepalive_requests 2000;
    sentry_capture 5xx;
    upstream none { server 127.0.0.1:$dead down; server 127.0.0.1:$dead2 down; }
    upstream two { server 127.0.0.1:$dead; server 127.0.0.1:$hang backup; }
    upstream mixed { server 127.0.0.1:$app; server 127.0.0.1:$dead backup; }
    upstream five {
        server 127.0.0.1:$dead; server 127.0.0.1:$dead2;
        server 127.0.0.1:$dead3; server 127.0.0.1:$dead4;
        server 127.0.0.1:$dead5;
    }
EOC
    client_header_timeout 1s;
    sentry_capture 5xx 400 403 413 414;
    client_max_body_size 1k;
EOS
    /refused/ { proxy_pass http://127.0.0.1:$dead; }
    location /hole/ {
        proxy_pass http://127.0.0.1:$hole;
        proxy_connect_timeout 300ms;
    }
    location /hang/ {
        proxy_pass http://127.0.0.1:$hang;
        proxy_read_timeout 300ms;
    }
    location /close/ { proxy_pass http://127.0.0.1:$close; }
    location /reset/ { proxy_pass http://127.0.0.1:$reset; }
    location /header/ { proxy_pass http://127.0.0.1:$header; }
    location /badheader/ { proxy_pass http://127.0.0.1:$badheader; }
    location /big/ { proxy_pass http://127.0.0.1:$big; }
    location /none/ { proxy_pass http://none; }
    location /unix/ { proxy_pass http://unix:$dir/nobody.sock; }
    location /unresolved/ { set \$b nowhere.example; proxy_pass http://\$b; }
    location /prefix/ { set \$b nowhere; proxy_pass \$b; }
    location /tls/ { proxy_pass http://127.0.0.1:$secure; }
$to_tls
    location /app/ { proxy_pass http://127.0.0.1:$app; }
    location /half/ { proxy_pass http://127.0.0.1:$half; }
    location /php/ { fastcgi_pass 127.0.0.1:$php; }
    location /two/ { proxy_pass http://two; proxy_read_timeout 300ms; }
    location /mixed/ {
        proxy_pass http://mixed;
        proxy_next_upstream error http_500;
    }
    location /five/ { proxy_pass http://five; }
    location /auth/ { auth_request /refused/; proxy_pass http://none; }
    location /mirrored/ {
        mirror /refused/;
        proxy_pass http://127.0.0.1:$app;
    }
    location /page/ {
        proxy_pass http://127.0.0.1:$dead;
        error_page 502 =503 /hang/page;
        proxy_intercept_errors on;
    }
    location /turned/ {
        proxy_pass http://127.0.0.1:$missing;
        proxy_intercept_errors on;
        error_page 404 =500 \@turned;
    }
    location \@turned { return 500; }
    location /loop/ { rewrite ^ /loop/ last; }
    location /upload/ { proxy_pass http://127.0.0.1:$ok; }
    location /limited/ {
        limit_req zone=req;
        sentry_capture 503;
        proxy_pass http://127.0.0.1:$ok;
    }
    location /quiet/ {
        limit_req zone=req;
        limit_req_status 429;
        limit_req_log_level info;
        sentry_capture 429;
        proxy_pass http://127.0.0.1:$ok;
    }
    location /conns/ {
        limit_conn conn 1;
        sentry_capture 503;
        proxy_pass http://127.0.0.1:$hang;
        proxy_read_timeout 5s;
    }
    location /denied/ { deny all; }
    location /return/ { return 501; }
    location /full/ {
        client_max_body_size 10m;
        client_body_buffer_size 1k;
        client_body_temp_path $disk;
        proxy_pass http://127.0.0.1:$ok;
    }
    location /off/ {
        sentry_breadcrumbs off;
        location /off/refused/ { proxy_pass http://127.0.0.1:$dead; }
        location /off/hang/ {
            proxy_pass http://127.0.0.1:$hang;
            proxy_read_timeout 300ms;
        }
        location /off/close/ { proxy_pass http://127.0.0.1:$close; }
    }
EOL

END { system("umount -l $dir/disk 2>/dev/null") if $dir }

# A tmpfs, or nothing that is ever full.

sub disk {
    mkdir "$dir/disk";

    return "$dir/nodisk" if !$ENV{TEST_CAUSE_MOUNTS};

    return system("mount -t tmpfs -o size=64k,mode=755 none $dir/disk"
                  . ' 2>/dev/null') == 0 ? "$dir/disk/body" : "$dir/nodisk";
}

my $via = ' while connecting to upstream';
my $reading = ' while reading response header from upstream';
my $refused = "connect() failed (111: Connection refused)$via 127.0.0.1";

# Name; request; status, type, value, errno; what led to it: type and value.

my @cases = (
    [ 'refused', '/refused/1',
      502, 'UpstreamRefused', "$refused:$dead", 111 ],
    [ 'black hole', '/hole/', 504, 'UpstreamTimeout',
      "upstream timed out (110: Connection timed out)$via 127.0.0.1:$hole",
      110 ],
    [ 'silent', '/hang/', 504, 'UpstreamTimeout',
      "upstream timed out (110: Connection timed out)$reading"
      . " 127.0.0.1:$hang", 110 ],
    [ 'closed before the header', '/close/', 502, 'UpstreamClosed',
      "upstream prematurely closed connection$reading 127.0.0.1:$close" ],
    [ 'reset', '/reset/', 502, 'UpstreamReset',
      "recv() failed (104: Connection reset by peer)$reading"
      . " 127.0.0.1:$reset", 104 ],
    [ 'closed inside the header', '/header/', 502, 'UpstreamClosed',
      "upstream prematurely closed connection$reading 127.0.0.1:$header" ],
    [ 'invalid header', '/badheader/', 502, 'UpstreamInvalidHeader',
      $t->nginx_version() < 1021001
      ? qr/^upstream sent invalid header while .* 127\.0\.0\.1:$badheader$/
      : qr/^upstream sent invalid header: "X-A.* 127\.0\.0\.1:$badheader$/ ],
    [ 'oversized header', '/big/', 502, 'UpstreamTooBig',
      "upstream sent too big header$reading 127.0.0.1:$big" ],
    [ 'no live upstreams', '/none/', 502, 'NoLiveUpstreams',
      "no live upstreams$via none" ],
    [ 'no such socket', '/unix/', 502, 'UpstreamUnreachable',
      "connect() to unix:$dir/nobody.sock failed (2: No such file or"
      . " directory)$via", 2 ],
    [ 'no address', '/unresolved/', 502, 'UpstreamUnresolved',
      'no resolver defined to resolve nowhere.example' ],
    [ 'no URL', '/prefix/', 500, 'ConfigurationError',
      'invalid URL prefix in "nowhere"' ],
    [ 'TLS to plain HTTP', '/plain/', 502, 'UpstreamTLSError',
      qr/^SSL_do_handshake\(\) failed .*handshaking to upstream 127\.0\.0\.1:/
      ],
    [ 'plain HTTP to TLS', '/tls/', 502, 'UpstreamReset',
      "recv() failed (104: Connection reset by peer)$reading"
      . " 127.0.0.1:$secure", 104 ],
    [ 'wrong name in a certificate', '/name/', 502, 'UpstreamTLSError',
      'upstream SSL certificate does not match "wrong.example" while SSL'
      . " handshaking to upstream 127.0.0.1:$secure" ],
    [ 'unknown issuer of a certificate', '/issuer/', 502, 'UpstreamTLSError',
      qr/^upstream SSL certificate verify error: \(18:/ ],
    [ 'failing application', '/app/', 500, 'UpstreamError',
      "500 Internal Server Error in location /app/, upstream 127.0.0.1:$app"
      ],
    [ 'failing application that breaks off', '/half/', 503, 'UpstreamError',
      "503 Service Unavailable in location /half/, upstream 127.0.0.1:$half"
      ],
    [ 'what an application says itself', '/php/', 500, 'UpstreamError',
      qr/^FastCGI sent in stderr: "PHP message: boom"/ ],
    [ 'two tries', '/two/', 504, 'UpstreamTimeout',
      "upstream timed out (110: Connection timed out)$reading"
      . " 127.0.0.1:$hang", 110,
      [ UpstreamRefused => "$refused:$dead", 111 ] ],
    [ 'a try that answered', '/mixed/', 502, 'UpstreamRefused',
      "$refused:$dead", 111,
      [ UpstreamError => '500 Internal Server Error in location /mixed/,'
                         . " upstream 127.0.0.1:$app" ] ],
    [ 'no more than four', '/five/', 502, 'UpstreamRefused',
      qr/^\Q$refused\E:\d+$/, 111,
      map { [ UpstreamRefused => qr/^\Q$refused\E:\d+$/, 111 ] } 1 .. 3 ],
    [ 'failed subrequest', '/auth/', 500, 'AuthRequestError',
      'auth request unexpected status: 502 while sending to client', undef,
      [ UpstreamRefused => "$refused:$dead", 111 ] ],
    [ 'a mirror is no cause', '/mirrored/', 500, 'UpstreamError',
      "500 Internal Server Error in location /mirrored/,"
      . " upstream 127.0.0.1:$app" ],
    [ 'the error page fails too', '/page/', 504, 'UpstreamTimeout',
      qr/127\.0\.0\.1:$hang$/, 110,
      [ UpstreamRefused => "$refused:$dead", 111 ] ],
    [ 'an answer turned into another', '/turned/', 500, 'ServerError',
      "500 Internal Server Error in location /turned/,"
      . " upstream 127.0.0.1:$missing", undef,
      [ ClientError => "404 Not Found in location /turned/,"
                       . " upstream 127.0.0.1:$missing" ] ],
    [ 'redirects without an end', '/loop/', 500, 'RedirectLoop',
      'rewrite or internal redirection cycle while processing "/loop/"' ],
    [ 'access', '/denied/', 403, 'AccessDenied', 'access forbidden by rule' ],
    [ 'return', '/return/', 501, 'ServerError',
      '501 Not Implemented in location /return/' ],
    [ 'too many requests', sub { http_get('/limited/') for 1 .. 2 },
      503, 'LimitExceeded',
      qr/^limiting requests, excess: [\d.]+ by zone "req"$/ ],
    [ 'too many requests, nothing logged', '/quiet/', 429, 'LimitExceeded',
      '429 Too Many Requests (refused by limit_req) in location /quiet/' ],
    [ 'too many connections', sub {
          my $s = http_start("GET /conns/ HTTP/1.0\r\n\r\n");
          wait_for(sub { http_get('/conns/a', timeout => 1) =~ / 503 / });
          close $s;
      }, 503, 'LimitExceeded', 'limiting connections by zone "conn"' ],
    [ 'body too large', sub { http_post('/upload/', 'x' x 5000) },
      413, 'RequestTooLarge',
      'client intended to send too large body: 5000 bytes' ],
    [ 'header too large', "GET /h HTTP/1.0\r\nX-A: " . 'a' x 3000
      . "\r\n\r\n", 400, 'RequestTooLarge',
      '400 Bad Request (header too large)' ],
    [ 'URI too long', 'GET /' . 'a' x 3000 . " HTTP/1.0\r\n\r\n",
      414, 'RequestTooLarge', '414 URI Too Long' ],
    [ 'bad request line', "GE%T / HTTP/1.0\r\n\r\n", 400, 'BadRequest',
      '400 Bad Request (invalid request line)' ],
    [ 'no host', "GET /nohost HTTP/1.1\r\n\r\n", 400, 'BadRequest',
      '400 Bad Request (no valid Host header)' ],
    [ 'refused, no lines kept', '/off/refused/', 502, 'UpstreamUnreachable',
      "502 Bad Gateway in location /off/refused/, upstream 127.0.0.1:$dead" ],
    [ 'silent, no lines kept', '/off/hang/', 504, 'UpstreamTimeout',
      "504 Gateway Timeout in location /off/hang/, upstream"
      . " 127.0.0.1:$hang" ],
    [ 'closed, no lines kept', '/off/close/', 502, 'UpstreamFailed',
      "502 Bad Gateway in location /off/close/, upstream 127.0.0.1:$close" ],
);

my @full = ([ 'disk full',
    sub { http_post('/full/', 'x' x 200000) }, 500, 'DiskFull',
    qr{^pwrite\(\) "\Q$disk\E/\d+" failed \(28: No space left on device\)$},
    28 ]);

if ($disk eq "$dir/nodisk") {
    diag('no tmpfs can be mounted: no test of a full disk');
    @full = ();
}

if (!$to_tls) {
    diag('no http_ssl in nginx: no test of TLS to an upstream');
    @cases = grep { $_->[3] ne 'UpstreamTLSError' } @cases;
}

$t->plan(8 * (@cases + @full) + 3)->run();

my $seen = 0;

for (@cases, @full) {
    my ($name, $how, $status, $type, $value, $errno, @before) = @$_;

    ref $how ? $how->() : $how =~ m{^/} ? http_get($how) : http($how);

    my $events = $t->events(++$seen);
    my $event = $events->[-1];
    my @chain = @{$event->{exception}{values}};
    my $place = $event->{contexts}{nginx}{location} // '';

    is(scalar @$events . " of $event->{contexts}{response}{status_code}",
       "$seen of $status", "$name: one event");
    $seen = @$events;

    same_value($chain[-1], [ $type, $value, $errno ], $name);
    is($event->{level}, $status < 500 ? 'warning' : 'error', "$name: level");
    is_deeply($event->{fingerprint}, [ $type, "localhost $place", $status ],
              "$name: group");

    like($event->{transaction},
         $place ? qr/^(?:GET|POST) \Q$place\E$/
                : qr{^(?:GET /\S+|\(unparsed request\))$}, "$name: title");

    my @got = @chain[0 .. $#chain - 1];

    is(scalar @got, scalar @before, "$name: what led to it");

    is_deeply([ map { [ @{$_->{mechanism}}{qw/ exception_id parent_id /} ] }
                @chain ],
              @got ? [ map({ [ @chain - $_, @chain - $_ - 1 ] } 1 .. @got),
                       [ 0, undef ] ] : [ [ undef, undef ] ],
              "$name: chain") if !@before;

    same_chain(\@got, \@before, $name) if @before;
}

sub same_value {
    my ($exception, $want, $name) = @_;
    my ($type, $value, $errno) = @$want;
    my $got = join ' ', $exception->{type},
        $exception->{mechanism}{meta}{errno}{number} // 'none';

    is($got, join(' ', $type, $errno // 'none'), "$name: type and errno");
    return like($exception->{value}, $value, "$name: value") if ref $value;
    is($exception->{value}, $value, "$name: value");
}

sub same_chain {
    my ($got, $want, $name) = @_;
    my @wrong;

    for my $i (0 .. $#$got) {
        my ($type, $value, $errno) = @{$want->[$i] || []};
        my $mechanism = $got->[$i]{mechanism};

        push @wrong, $got->[$i]
            if $got->[$i]{type} ne ($type // '')
               || (ref $value ? $got->[$i]{value} !~ $value
                              : $got->[$i]{value} ne ($value // ''))
               || ($errno // 0) != ($mechanism->{meta}{errno}{number} // 0)
               || $mechanism->{type} ne 'chained'
               || $mechanism->{exception_id} != @$got - $i
               || $mechanism->{parent_id} != @$got - $i - 1;
    }

    is_deeply(\@wrong, [], "$name: chain") or diag(explain(\@wrong));
}

# a thousand addresses, one cause in one place: one issue

my $n = 1000;

http(join '', map({ "GET /refused/$_/u$_?id=$_ HTTP/1.1\r\nHost: localhost\r\n"
                    . ($_ == $n ? "Connection: close\r\n" : '') . "\r\n" }
                  1 .. $n));

my $events = $t->events($seen + $n, seconds => 30);
my %groups;

$groups{join '|', @{$_->{fingerprint}}}{$_->{request}{url}}++
    for @$events[$seen .. $#$events];

is(scalar keys %groups, 1, 'one group');
is((keys %groups)[0], 'UpstreamRefused|localhost /refused/|502', 'its name');
is(scalar keys %{(values %groups)[0]}, $n, 'of as many addresses');
