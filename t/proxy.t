#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# sentry_proxy is used for everything, the environment's proxies for nothing;
# a proxy that refuses is an outage like any other.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Proxy;

my $t = NginxTest->new()->plan(36);

my $open = NginxTest::Proxy->new($t);
my $closed = NginxTest::Proxy->new($t, user => 'fred:s3cr3tpw');
my $refusing = NginxTest::Proxy->new($t, status => 403);
my $dead = dead_port();

$t->secrets('s3cr3tpw')->sentry();

my $tls = $t->new_receiver(tls => 1);
my $dsn = $tls->dsn(2);
my $told = 0;

$t->conf(
    marker   => 0,
    main     => join('', map { "env $_;" } qw/ http_proxy HTTP_PROXY
                     https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy /),
    location => [
        '/plain/ { return 503; }',
        "/tls/ { sentry_dsn $dsn; return 503; }",
        '= /status { sentry_status; }',
    ],
);


# the environment's, which leads nowhere

$t->env(map({ $_ => "http://127.0.0.1:$dead" } qw/ http_proxy HTTP_PROXY
        https_proxy HTTPS_PROXY all_proxy ALL_PROXY /));
start('');
http_get("/$_/environment") for qw/ plain tls /;
arrives($_, 'environment') for 1, 2;
$t->stop();


# ours, although the environment says that there is to be none

$t->env(no_proxy => '*');
start('sentry_proxy http://127.0.0.1:' . $open->port() . ';');
http_get("/plain/open$_") for 1 .. 3;
http_get("/tls/open$_") for 1 .. 3;
arrives(1, "open$_") for 1 .. 3;
arrives(2, "open$_") for 1 .. 3;
$t->stop();

my @plain = grep { /^POST/ } $open->requests();
my @connect = grep { /^CONNECT/ } $open->requests();
my $address = '127.0.0.1:' . $t->{sentry}->port();

is(scalar @plain, 3, 'proxy: all of plain HTTP');
is(scalar(grep { m{^POST http://$address/api/1/envelope/ HTTP/1.1\n} }
               @plain), 3, 'proxy: by its URL');
ok(@connect >= 1 && @connect <= 3, 'proxy: tunnels for HTTPS');
like($connect[0], qr/^CONNECT 127\.0\.0\.1:@{[ $tls->port() ]} HTTP/,
     'proxy: to the right place');
like($connect[0], qr{^User-Agent: ngx_sentry\.nginx/}m,
     'proxy: it is told who asks');
unlike(join('', @connect), qr/X-Sentry-Auth|5e0000/, 'proxy: it sees no key');


# with a password

start('sentry_proxy http://fred:s3cr3tpw@127.0.0.1:' . $closed->port() . ';');
http_get("/$_/password") for qw/ plain tls /;
arrives($_, 'password') for 1, 2;
$t->stop();

is(scalar(grep { /^Proxy-Authorization: Basic /m } $closed->requests()), 2,
   'password: given to the proxy');
is(scalar(grep { $_->{headers}{'proxy-authorization'} }
               @{$t->envelopes()}, @{$tls->envelopes()}), 0,
   'password: and to nobody else');


# those that are of no use

start('sentry_proxy http://127.0.0.1:' . $closed->port() . ';');
http_get('/tls/denied');
refused(2, 'denied', qr/407/);
http_get('/plain/denied');
refused(1, 'denied', qr/407/);
$t->stop();

start('sentry_proxy http://127.0.0.1:' . $refusing->port() . ';');
http_get('/tls/refused');
refused(2, 'refused', qr/403/);
$t->stop();

start("sentry_proxy http://127.0.0.1:$dead;");
http_get('/plain/dead');
refused(1, 'dead', qr/refused|connect/);

# and this one comes back

NginxTest::Proxy->new($t, port => $dead);
arrives(1, 'dead');
is(page(1)->{lost}{network_error}, undef, 'dead: nothing was lost');


sub start {
    my ($http) = @_;
    my @before = $t->log_lines(qr/./);

    $told = @before;
    $t->conf(http => "sentry_ssl_verify off; $http")->run();
}


sub page {
    my ($project) = @_;

    return accounts($t, project => $project, status => $t->status('/status',
                    port => port(8080)))->{page};
}


sub count {
    my ($project, $name) = @_;
    my $sentry = $project == 2 ? $tls : $t->{sentry};

    return scalar grep { $_->{request}{url} =~ m{/$name$} }
                  @{$sentry->payloads('event', project => $project)};
}


sub arrives {
    my ($project, $name) = @_;

    wait_for(sub { count($project, $name) });
    is(count($project, $name), 1, "$name: arrives, project $project");
}


# As an outage: told once, kept, tried again.

sub refused {
    my ($project, $name, $why) = @_;
    my ($page, @lines);

    wait_for(sub {
        $page = page($project);
        @lines = grep { m{/$project is unreachable: } } news();
        return !$page->{reachable} && @lines;
    });

    is(scalar @lines, 1, "$name: told once, project $project");
    like($lines[0] // '', qr/^\[warn\] .*$why.*, retrying$/,
         "$name: why, project $project");
    is_deeply($page->{lost}, {}, "$name: nothing is lost, project $project");
    is(count($project, $name), 0, "$name: nothing came, project $project");
}


sub news {
    my @lines = $t->log_lines(qr/./);

    return @lines[$told .. $#lines];
}
