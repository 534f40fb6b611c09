#!/usr/bin/perl

# Copyright (C) ngx_sentry authors

# The quick start, as README.md gives it, with the receiver of its own: makes
# its requests, finds their issues and leaves nothing behind.

###############################################################################

use warnings;
use strict;

use Test::More;

use File::Temp qw/ tempdir /;
use FindBin;

###############################################################################

plan(skip_all => 'no python3') if system('python3 -V >/dev/null 2>&1') != 0;

plan(tests => 8);

my $top = "$FindBin::Bin/..";
my $dir = tempdir('ngx_sentry-XXXXXX', TMPDIR => 1, CLEANUP => 1);

chmod 0755, $dir;

# The module of this run of the tests; "static": built into the binary

local $ENV{TMPDIR} = $dir;
local $ENV{NGINX} = $ENV{TEST_NGINX_BINARY} || 'nginx';
local $ENV{NGX_SENTRY_MODULE} =
    ($ENV{TEST_NGINX_MODULE} // "$top/build/ngx_sentry_module.so") || 'static';

# None of the caller's variables changes what the quick start shows

local $ENV{SENTRY_ENABLED} = 'false';

###############################################################################

my $out = `'$top/examples/quickstart/run' --once --look=receiver 2>&1`;

is($?, 0, 'quick start') or diag($out);

like($out, qr/6 of 6 issues arrived/, 'issues');
like($out, qr/7 of 7 traces arrived/, 'traces');
like($out, qr/^\ +0\.0\ +[\d.]+\ ms\ \ http\.server\ \ GET\ .*
    \n\ +[\d.]+\ +[\d.]+\ ms\ \ \ \ http\.client\ /mx, 'spans');
like($out, qr/token=\[Filtered\]/, 'redacted');
unlike($out, qr/hunter2/, 'no secret printed');
is(join(' ', glob "$dir/*"), '', 'no file left');

like(`'$top/examples/quickstart/run' --nonsense 2>&1`,
    qr/unknown argument "--nonsense"/, 'unknown argument');

###############################################################################
