#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A DSN with https: certificates are verified unless that is switched off, and
# HTTP/2 is used where it is offered.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $t = NginxTest->new()->has('http_ssl', 'http_v2')->plan(55);

# Sentrys: one as it should be, one with an old certificate, one with somebody
# else's, one without any, one with that of tomorrow, one with an authority's

$t->sentry(tls => 1);

my %sentry = (
    1 => $t->{sentry},
    2 => $t->new_receiver(tls => { not_after => time() - 3600 }),
    3 => $t->new_receiver(tls => { names => [ 'sentry.example.org' ] }),
    4 => $t->new_receiver(),
    7 => $t->new_receiver(tls => { not_before => time() + 43200 }),
    8 => $t->new_receiver(tls => { issued => 1 }),
);

my %dsn = map { $_ => $sentry{$_}->dsn($_) } keys %sentry;
my $local = $sentry{1}->dsn(5, host => 'localhost');
my $told = 0;

$t->write_file('all.pem', join '', map {
    $t->read_file($sentry{$_}->certificate()) } 1 .. 3, 7, 8);

$t->conf(
    location => [
        '/1/ { return 503; }',
        map({ "/$_/ { sentry_dsn $dsn{$_}; return 503; }" } 2, 3, 7, 8),
        "/5/ { sentry_dsn $local; return 503; }",
    ],
);


# nobody vouches for them

start('');
http_get("/$_/unknown") for 1, 2, 8;
refused(1, 'unknown', qr/self.signed certificate/i);
refused(2, 'unknown', qr/self.signed certificate|expired/i);
refused(8, 'unknown', qr/unable to get local issuer/);
$t->stop();


# somebody does

start('sentry_ssl_trusted_certificate all.pem;');
http_get("/$_/trusted") for 1, 2, 3, 5, 7, 8;
accepted(1, 'trusted');
accepted(5, 'trusted', $sentry{1});
accepted(8, 'trusted');
refused(2, 'trusted', qr/certificate has expired/);
refused(7, 'trusted', qr/not yet valid/);
refused(3, 'trusted', qr/does not match|no alternative .* name matches/);
$t->stop();


# nobody asks

start('sentry_ssl_verify off;');
http_get("/$_/any") for 1, 2, 3;
accepted($_, 'any') for 1, 2, 3;
$t->stop();


# where there is none, and none where there is

$t->conf(location => [
    '/1/ { return 503; }',
    '/4/ { sentry_dsn ' . $sentry{4}->dsn(4) =~ s/:\d+/:@{[ port(8080) ]}/r
        =~ s/http/https/r . '; return 503; }',
    '/6/ { sentry_dsn ' . $sentry{1}->dsn(6) =~ s/https/http/r
        . '; return 503; }',
]);
start('sentry_ssl_trusted_certificate all.pem;');
http_get("/$_/mixed") for 4, 6;
refused(4, 'mixed', qr/ssl|tls/i);
refused(6, 'mixed', qr/empty reply|reset|receive/i, $sentry{1});
$t->stop();


# HTTP/2, with nginx in front of a Sentry that has no TLS

my $port = $sentry{4}->port();
my $dsn = $sentry{4}->dsn(4, host => 'localhost')
          =~ s/http/https/r =~ s/$port/@{[ port(8443) ]}/r;

$t->conf(
    http     => <<"EOC",
    sentry_ssl_trusted_certificate all.pem;
    sentry_dsn $dsn;
    log_format front '\$server_protocol \$status \$connection';
EOC
    location => '/ { return 503; }',
    servers  => <<"EOC",
    server {
        listen 127.0.0.1:8443 ssl http2;
        ssl_certificate @{[ $sentry{1}->certificate() ]};
        ssl_certificate_key $sentry{1}->{dir}.key;
        lingering_close off;
        sentry_dsn off;
        access_log %%TESTDIR%%/front.log front;
        location / {
            proxy_pass http://127.0.0.1:$port;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
        }
    }
EOC
)->run();

http_get("/h2/$_") for 1 .. 60;
$sentry{4}->wait_payloads('event', 60);
$t->stop();

my %seen = map { $_->{request}{url} =~ s{.*/}{}r => 1 }
           @{$sentry{4}->payloads('event')};
my @lines = split /\n/, $t->read_file('front.log');
my %connections = map { (split)[2] => 1 } @lines;

is(scalar keys %seen, 60, 'HTTP/2: all arrived');
is(scalar(grep { !/^HTTP\/2\.0 200 / } @lines), 0, 'HTTP/2: it was used');
is(scalar keys %connections, 1, 'HTTP/2: over one connection');


sub start {
    my ($http) = @_;

    my @before = $t->log_lines(qr/./);

    $told = @before;
    $t->conf(http => $http)->run();
}


# Does not wait for what is of no avail.

sub end {
    $t->conf(http => 'sentry_shutdown_timeout 0;') if 0;
    $t->stop();
}


sub arrived {
    my ($project, $name, $sentry) = @_;

    $sentry ||= $sentry{$project};

    return scalar grep { $_->{request}{url} =~ m{/$name$} }
                  @{$sentry->payloads('event', project => $project)};
}


sub accepted {
    my ($project, $name, $sentry) = @_;

    wait_for(sub { arrived($project, $name, $sentry) });
    is(arrived($project, $name, $sentry), 1, "$name: $project accepted");
    ok(accounts($t, project => $project)->{page}{reachable},
       "$name: $project can be reached");
}


sub refused {
    my ($project, $name, $why, $sentry) = @_;
    my $page;
    my @lines;

    wait_for(sub {
        $page = accounts($t, project => $project)->{page};
        @lines = grep { m{/$project is unreachable: } } news();
        return !$page->{reachable} && @lines;
    });

    ok(!$page->{reachable} && $page->{retries}, "$name: $project refused");
    like($page->{last_error}{text}, $why, "$name: $project why");
    is(scalar @lines, 1, "$name: $project told once");
    like($lines[0], qr/^\[warn\] .*$why.*, retrying$/,
         "$name: $project told why");
    is(arrived($project, $name, $sentry), 0, "$name: $project got nothing");
}


sub news {
    my @lines = $t->log_lines(qr/./);

    return @lines[$told .. $#lines];
}
