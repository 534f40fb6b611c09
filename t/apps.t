#!/usr/bin/perl

# Copyright (C) ngx_sentry authors

# The applications of examples/, with Sentry's SDKs for Node.js and Python,
# behind nginx: one trace, one decision; see t/e2e/apps.

###############################################################################

use warnings;
use strict;

use Test::More;

use FindBin;

###############################################################################

my @apps = map { ("$_-static", "$_-stream") } qw/ node fastapi flask /;

my @checks = ("begun by nginx: one trace, below its upstream span",
    "begun by nginx: one DSC, nginx's",
    "caller says -1: one trace, below the caller's span",
    "caller says -1: one DSC, the caller's",
    'caller says -0: nothing',
    'nginx says 0: nothing',
    'nginx is off: the application decides alone',
    'errors of both are of the same trace');

my $out = `'$FindBin::Bin/e2e/apps' 2>&1`;

if ($? >> 8 == 77) {
    plan(skip_all => $out =~ s!^skipped: |\s+\z!!gr);
}

plan(tests => @apps * @checks + 2);

###############################################################################

for my $app (@apps) {
    like($out, qr/^ok   \Q$app: $_\E$/m, "$app: $_") for @checks;
}

like($out, qr/^ok   nginx: no alert$/m, 'no alert');
is($?, 0, 'all well') or diag($out);

###############################################################################
