#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# nginx loads modules with RTLD_GLOBAL: the module exports what nginx looks
# up and nothing else, and inside it nothing has a name that another library
# in the process could have.  It is small and needs few libraries.

use warnings;
use strict;

use File::Basename qw/ dirname /;
use File::Temp qw/ tempfile /;
use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

my $KIB = 300;      # with all of it

my $module = $ENV{TEST_NGINX_MODULE} // '../build/ngx_sentry_module.so';

plan(skip_all => 'the module is built in') if !length $module;
plan(tests => 6);

my @exported = sort map { (split)[-1] }
               `nm -D --defined-only $module 2>/dev/null`;

is_deeply(\@exported, [ sort qw/ ngx_modules ngx_module_names
    ngx_module_order ngx_sentry_module / ], 'only what nginx looks up');

is_deeply([ grep { /^(?:ngx_sentry_|snx_)/ } map { (split)[-1] }
            `nm -D --undefined-only $module 2>/dev/null` ], [],
          'nothing of its own is missing');

my @objects = glob dirname($module) . '/{dynamic/,}addon/*/*.o';
my @globals = map { /^\S+ [A-TV-Z] (\S+)$/ ? $1 : () }
              `nm -g --defined-only @objects 2>/dev/null`;

cmp_ok(scalar @globals, '>', 0, 'objects have symbols');
is_deeply([ grep { !/^(?:ngx_sentry_|snx_)/ } @globals ], [],
          'all begin with ngx_sentry_ or snx_');

is_deeply([ grep { $_ ne 'cjson' } sort map {
            /NEEDED\s+lib([a-z]+[\d-]*[a-z\d]*)\.so/ ? $1 : () }
            `objdump -p $module 2>/dev/null` ],
          [ qw/ c curl pcre2-8 z / ], 'needs these libraries by itself');

my ($fh, $stripped) = tempfile(UNLINK => 1);

system 'strip', '-o', $stripped, $module;
cmp_ok(-s $stripped, '<=', $KIB * 1024, 'stripped it is small');
diag(sprintf 'stripped: %.1f KiB', (-s $stripped) / 1024);
