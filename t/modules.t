#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Beside popular modules of others, on the same requests: Lua, njs, echo,
# headers-more, set-misc, subs_filter, brotli, image_filter, realip and
# auth_request change none of what is told, whether they are loaded before
# ours or after it; and what they do is told as nginx's own is.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Trace;

my @modules = qw/ ndk_http ngx_http_lua ngx_http_js ngx_http_set_misc
    ngx_http_headers_more_filter ngx_http_echo ngx_http_brotli_filter
    ngx_http_subs_filter ngx_http_image_filter /;

# installed, or fetched by t/other-modules
my ($root) = grep { -e "$_/usr/lib/nginx/modules/ngx_http_lua_module.so" }
             '', abs_path('..') . '/build/matrix/modules';

plan(skip_all => 'no modules of others here: t/other-modules fetches them')
    if !defined $root;

my ($libraries) = glob "$root/usr/lib/*-linux-*";
my @paths = map { "$root/usr/lib/nginx/modules/${_}_module.so" } @modules;

for (@paths) {
    plan(skip_all => "no $_") if !-e;
    plan(skip_all => "$_ lacks a library")
        if `LD_LIBRARY_PATH=$libraries ldd $_` =~ /not found/;
}

my $t = NginxTest->new();

$t->has(qw/ http_realip http_auth_request http_ssl threads compat /);
plan(skip_all => 'the modules are for nginx 1.22.1')
    if $t->nginx_version() != 1022001;

my $dir = $t->testdir();
my ($dead, $app) = (dead_port(), $t->upstream('answer', body => 'fine',
    record => "$dir/app.requests"));

$t->write_file('app.js', <<'EOC');
export default { fail, part, name };

function fail(r) { r.return(503, 'from njs'); }

function name(r) { return 'njs'; }

function part(r) {
    r.subrequest('/app/njs').then(got => r.return(200, got.responseText));
}
EOC

$t->write_file('broken.jpg', 'no picture');
$t->env(LUA_PATH => "$root/usr/share/lua/5.1/?.lua;;",
        LD_LIBRARY_PATH => $libraries);

# what nginx does without them, too

my $plain = <<"EOC";
    /dead/ { proxy_pass http://127.0.0.1:$dead; }
    location /app/ { proxy_pass http://127.0.0.1:$app; }
    location = /gone { return 503; }
    location = /page { return 200 "<html>a page</html>"; }
    location /auth/ {
        auth_request /app/auth;
        proxy_pass http://127.0.0.1:$app;
    }
    location /denied/ { auth_request /dead/auth; return 200; }
    location = /file { try_files /none =500; }
EOC

my @plain = qw{ /dead/1 /app/1 /gone /page /auth/1 /denied/1 /file };

# what only they do

my $theirs = <<'EOC';
    /lua/exit { content_by_lua_block { ngx.exit(503) } }
    location /lua/dies { content_by_lua_block { error("no such luck") } }
    location /lua/access {
        access_by_lua_block { ngx.exit(502) }
        proxy_pass http://127.0.0.1:8099;
    }
    location /lua/part {
        content_by_lua_block {
            ngx.sleep(0.03)
            local got = ngx.location.capture("/app/lua")
            ngx.status = 500
            ngx.print(got.body, " in ", ngx.var.sentry_trace_id)
        }
        header_filter_by_lua_block { ngx.header["X-Lua"] = "yes" }
    }
    location /lua/exec { content_by_lua_block { ngx.exec("/dead/lua") } }
    location /lua/log {
        content_by_lua_block { ngx.exit(500) }
        log_by_lua_block {
            ngx.log(ngx.WARN, "logged ", ngx.var.sentry_event_id)
        }
    }
    location /js/fail { js_content app.fail; }
    location /js/part { js_content app.part; }
    location /echo/part { echo_location /app/echo; echo_location /app/more; }
    location /echo/async { echo_location_async /app/echo; echo after; }
    location /echo/exec { echo_exec /dead/echo; }
    location /echo/status { echo_status 503; echo_sleep 0.03; echo slept; }
    location /more/ {
        more_set_headers -s 503 'Retry-After: 9' 'Content-Type: text/html';
        more_clear_headers Server;
        more_set_input_headers 'X-Put: there';
        return 503;
    }
    location /misc/ {
        set_md5 $digest $arg_x;
        sentry_tag digest $digest;
        sentry_tag js $named;
        return 500;
    }
    location /subs/ {
        subs_filter a b;
        default_type text/html;
        return 500 "aaa";
    }
    location = /broken.jpg {
        root %%TESTDIR%%;
        sentry_capture 415;
        image_filter resize 10 10;
    }
EOC

my @theirs = (
    [ '/lua/exit', 503 ],
    [ '/lua/dies', 500, type => 'ScriptError',
      value => qr/lua entry thread aborted.*no such luck/ ],
    [ '/lua/access', 502, type => 'UpstreamError' ],
    [ '/lua/part', 500, parts => 1 ],
    [ '/lua/exec', 502, type => 'UpstreamRefused', target => '/dead/lua' ],
    [ '/lua/log', 500 ],
    [ '/js/fail', 503 ],
    [ '/js/part', 200, parts => 1 ],
    [ '/echo/part', 200, parts => 2 ],
    [ '/echo/async', 200, parts => 1 ],
    [ '/echo/exec', 502, type => 'UpstreamRefused', target => '/dead/echo' ],
    [ '/echo/status', 503 ],
    [ '/more/', 503 ],
    [ '/misc/?x=1', 500, tags => {
        digest => 'c4ca4238a0b923820dcc509a6f75849b', js => 'njs' } ],
    [ '/subs/', 500 ],
    [ '/broken.jpg', 415, type => 'ClientError' ],
);

my %common = (
    http => <<'EOC',
    sentry_traces_sample_rate 1;
    sentry_send_default_pii on;
    sentry_server_timing on;
    set_real_ip_from 127.0.0.1;
    real_ip_header X-Real-IP;
    gzip on;
    gzip_min_length 1;
EOC
    server => 'default_type text/html;',
);

my $also = <<'EOC';
    js_import app from %%TESTDIR%%/app.js;
    js_set $named app.name;
    brotli on;
    brotli_min_length 1;
    more_set_headers 'X-More: yes';
    lua_package_cpath ';';
EOC

my $calls = qr/^(?:handler|http\.client)$/;
my (%seen, $number);

$t->sentry()->plan(2 * (@plain + 3 * @theirs + 1 + 6) + @theirs + 1);
$theirs =~ s/8099/$app/;

for my $order ('alone', 'ours first', 'ours last') {
    local $ENV{TEST_NGINX_BEFORE} = $order eq 'ours last' ? "@paths" : '';
    local $ENV{TEST_NGINX_AFTER} = $order eq 'ours first' ? "@paths" : '';

    my $alone = $order eq 'alone';
    my $seen = $seen{$order} = {};
    my @uris = (@plain, $alone ? () : map { $_->[0] } @theirs);

    $t->conf(%common, $alone ? () : (http => $common{http} . $also),
             location => [ $plain, $alone ? () : $theirs ]);
    $t->run();

    $seen->{$_} = ask($_) for @uris;

    if (!$alone) {
        my $page = http_get('/page', headers => { 'Accept-Encoding' => 'br' });

        like($page, qr/^content-encoding: br\r$/mi, "$order: brotli");
        is(() = $page =~ /^server-timing: /mig, 1,
           "$order: one Server-Timing");
        like($page, qr/^X-More: yes\r$/m, "$order: headers-more");
        like(http_get('/more/'), qr/ 503 (?!.*^Server:).*^Retry-After: 9/ms,
             "$order: headers-more on an error");
    }

    $t->marker();
    told($seen->{$_}) for @uris;
    $t->stop();

    next if $alone;

    is_deeply($seen->{$_}, $seen{alone}{$_}, "$order: $_ as without them")
        for @plain;

    theirs($order, $seen->{$_->[0]}, @$_) for @theirs;

    is($seen->{'/lua/part'}{body}, 'fine in its trace', "$order: Lua asks");
    like(join(',', @{$seen->{'/lua/log'}{events}[0]{crumbs}}),
         qr/\[lua\] log_by_lua\(\S+: logged its event while logging/,
         "$order: Lua's log phase");
}

is(join("\n", map { $_->{line} } grep {
       ($_->{headers}{'sentry-trace'} // '') !~ /^0{28}/
   } NginxTest::Upstream::recorded("$dir/app.requests")), '',
   'the application is told of each trace');

is_deeply($seen{'ours last'}{$_}, $seen{'ours first'}{$_}, "$_ in both orders")
    for map { $_->[0] } @theirs;


# A request of its own trace, by which all that is told of it is found.

sub ask {
    my ($uri) = @_;
    my $trace = sprintf '%032x', ++$number;
    my $response = http_get($uri, headers => {
        'sentry-trace' => "$trace-00000000000000aa-1",
        'X-Real-IP'    => '192.0.2.7',
    });

    return { trace => $trace, status => $response =~ m{^HTTP/\S+ (\d+)},
             body => http_body($response) =~ s/\Q$trace/its trace/r };
}


# Adds what was told, without what differs from request to request.

sub told {
    my ($seen) = @_;
    my $trace = delete $seen->{trace};
    my $mine = sub { $_->{contexts}{trace}{trace_id} eq $trace };

    $seen->{events} = [ map { my $id = $_->{event_id}; {
        transaction => $_->{transaction},
        path        => $_->{request}{url} =~ m{^http://[^/]+(/.*)},
        query       => $_->{request}{query_string},
        headers     => join(' ', sort map { lc }
                            keys %{$_->{request}{headers}}),
        address     => $_->{request}{env}{REMOTE_ADDR},
        type        => $_->{exception}{values}[-1]{type},
        value       => $_->{exception}{values}[-1]{value},
        tags        => $_->{tags},
        crumbs      => [ map { $_->{message} =~ s/\b$id\b/its event/r }
                             @{$_->{breadcrumbs}{values} || []} ],
        location    => $_->{contexts}{nginx}{location},
        status      => $_->{contexts}{response}{status_code},
    } } grep { $mine->() } @{$t->events()} ];

    $seen->{transactions} = [ map { {
        transaction => $_->{transaction},
        status      => trace($_)->{data}{'http.response.status_code'},
        spans       => join("\n", span_tree($_, $calls)),
        faults      => span_faults($_),
    } } grep { $mine->() } @{$t->transactions()} ];
}


# parts: how many subrequests went to the application.

sub theirs {
    my ($order, $seen, $uri, $status, %want) = @_;
    my $what = "$order: $uri";
    my $failed = $status >= 500 || $status == 415;
    my ($event, $tx) = map { $seen->{$_}[0] || {} } qw/ events transactions /;

    is_deeply([ $seen->{status}, map { scalar @{$seen->{$_}} }
                                     qw/ events transactions / ],
              [ $status, $failed ? 1 : 0, 1 ],
              "$what: status, events, transactions");
    is_deeply([ @$tx{qw/ status faults spans /} ],
              [ $status, '', spans(%want) ], "$what: its transaction");

    if (!$failed) {
        is_deeply($event, {}, "$what: no event");
        return;
    }

    is_deeply([ @$event{qw/ status address type tags /} ],
              [ $status, '192.0.2.7', $want{type} // 'ServerError',
                $want{tags} ], "$what: its event");
    like($event->{value}, $want{value}, "$what: why") if $want{value};
}


# The spans that these make.

sub spans {
    my (%want) = @_;

    return ($want{type} // '') eq 'UpstreamRefused'
           ? "http.client GET http://127.0.0.1:$dead$want{target}"
           : join "\n", ("handler /app/\n  http.client 127.0.0.1:$app")
                         x ($want{parts} || 0);
}
