#!/usr/bin/perl

# Copyright (C) ngx_sentry authors

# Every configuration in examples/ loads.  "nginx -t" only: nothing is
# started, and no name in them is looked up.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Basename qw/ basename /;
use File::Temp qw/ tempdir /;
use FindBin;

###############################################################################

my $top = "$FindBin::Bin/..";
my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
my $module = $ENV{TEST_NGINX_MODULE} // "$top/build/ngx_sentry_module.so";
my $prefix = tempdir('ngx_sentry-XXXXXX', TMPDIR => 1, CLEANUP => 1);

local $ENV{PATH} = "$ENV{PATH}:/usr/sbin";
delete $ENV{$_} for grep { /^SENTRY_/ } keys %ENV;

mkdir "$prefix/$_" for qw/ modules logs temp /;
symlink $module, "$prefix/modules/ngx_sentry_module.so" if $module;
write_file('ca.pem', '');

my @examples = sort glob "$top/examples/*.conf";
my @quickstart = "$top/examples/quickstart/nginx.conf";

plan(skip_all => "nginx was built $1")
    if `$nginx -V 2>&1` =~ /(--without-http_\w+)/;
plan(tests => @examples + @quickstart + 3);

###############################################################################

for my $file (@examples, @quickstart) {
    my $out = load($file);

    like($out, qr/test is successful/, 'loads: ' . basename($file))
        or diag($out);
}

# the example without directives is read by the module, too

my $env = "$top/examples/environment.conf";

like(with(SENTRY_DSN => 'https://examplePublicKey@o0.ingest.sentry.io/0',
    SENTRY_ENVIRONMENT => 'staging', SENTRY_RELEASE => 'shop@1.2.3',
    SENTRY_SAMPLE_RATE => '0.5', $env), qr/test is successful/,
    'environment.conf with its variables');
like(with(SENTRY_DSN => 'nonsense', $env), qr/\[emerg\].*"SENTRY_DSN"/,
    'environment.conf with a bad one');

unlike(join('', map { slurp($_) } @examples),
    qr/sentry_dsn\s++(?!off|https?:\/\/example\w*Key\@)/,
    'no real key in an example');

###############################################################################

sub with {
    my $file = pop;

    local %ENV = (%ENV, @_);

    return load($file);
}

# What an example takes for granted of the machine is moved below a directory
# of ours: logs, certificates, ports (to sockets).

sub load {
    my ($file) = @_;
    my $conf = slurp($file);

    $conf =~ s/^load_module .*//m unless $module;
    $conf =~ s!/var/log/nginx/!logs/!g;
    $conf =~ s!/dev/stdout!logs/access.log!g;
    $conf =~ s!/etc/ssl/certs/ca-certificates.crt!ca.pem!g;
    $conf =~ s!^(\s+listen\s+)(?:[\d.]+:)?(\d+|\@PORT\@)!
        "${1}unix:$prefix/$2"!gme;
    $conf =~ s!127\.0\.0\.1:\@\w+\@!127.0.0.1:1!g;

    write_file('nginx.conf', $conf);

    my $pid = $conf =~ /^pid /m ? '' : 'pid logs/nginx.pid;';

    # nginx 1.18 has no -e
    my $log = `$nginx -V 2>&1` =~ m{nginx/1\.1} ? '' : '-e stderr';

    return `$nginx -t -p $prefix/ -c $prefix/nginx.conf $log \\
        -g '$pid' 2>&1`;
}

sub slurp {
    my ($name) = @_;

    local $/;
    open my $f, '<', $name or die "$name: $!\n";

    return scalar <$f>;
}

sub write_file {
    my ($name, $content) = @_;

    open my $f, '>', "$prefix/$name" or die "$prefix/$name: $!\n";
    print $f $content;
    close $f;
}

###############################################################################
