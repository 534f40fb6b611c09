#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A library that is missing is told in one sentence, and so is an nginx that
# cannot be.  The compiler is one that cannot find the header in question;
# nginx's own auto/feature asks it.

use warnings;
use strict;

use Cwd;
use File::Temp qw/ tempdir /;
use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }


my $root = getcwd();
my $src = $ENV{NGINX_SRC} || '/usr/share/nginx/src';
my $dir = tempdir(CLEANUP => 1);

plan(skip_all => "no nginx sources in $src") if !-e "$src/auto/feature";

my @missing = (
    [ 'stdatomic.h', 'a C11 compiler with atomics is missing: install gcc'
                     . ' 4.9, clang 3.6 or newer' ],
    [ 'curl/curl.h', 'libcurl 7.62 or newer is missing: install'
                     . ' libcurl4-openssl-dev (Debian) or libcurl-devel' ],
    [ 'ASYNCHDNS', 'a libcurl with AsynchDNS is missing: install one built'
                   . ' with the threaded resolver or c-ares' ],
    [ 'cjson/cJSON.h', 'cJSON 1.7.13 or newer is missing: install'
                       . ' libcjson-dev (Debian) or cjson-devel' ],
    [ 'zlib.h', 'zlib is missing: install zlib1g-dev (Debian) or'
                . ' zlib-devel' ],
    [ 'pcre2.h', 'PCRE2 is missing: install libpcre2-dev (Debian) or'
                 . ' pcre2-devel' ],
);

my @refused = (
    [ 'no HTTP', 'HTTP=NO',
      'nginx must be built with HTTP, not --without-http' ],
    [ 'Windows', 'NGX_PLATFORM=win32', 'nginx on Windows is not supported' ],
    [ 'too old', "cd $dir/old",
      'nginx 1.18.0 or newer is needed, these are the sources of 1.17.10' ],
);

plan(tests => 2 * @missing + 2 * @refused + 4);

for (@missing) {
    my ($header, $sentence) = @$_;
    my ($status, $said) = config(compiler($header));

    is($said, "ngx_sentry: $sentence\n", "$header: one sentence");
    is($status, 1, "$header: configure ends");
}

mkdir "$dir/$_" for qw( old old/src old/src/core );
symlink "$src/auto", "$dir/old/auto";
open my $header, '>', "$dir/old/src/core/nginx.h" or die "nginx.h: $!\n";
print $header <<'EOC';
#define nginx_version      1017010
#define NGINX_VERSION      "1.17.10"
EOC
close $header;

for (@refused) {
    my ($name, $setting, $sentence) = @$_;
    my ($status, $said) = config(compiler('no/such.h'), $setting);

    is($said, "ngx_sentry: $sentence\n", "$name: one sentence");
    is($status, 1, "$name: configure ends");
}

my ($status, $said) = config(compiler('no/such.h'));

is($said . $status, '0', 'nothing to say when all is there');

# and so does make; "configure" is still the one written above

delete $ENV{MAKEFLAGS};
compiler('cjson/cJSON.h');
chmod 0755, "$dir/configure";
$said = `make -s build=$dir/build NGINX_SRC=$dir 2>&1`;

isnt($?, 0, 'make fails');
like($said, qr/^ngx_sentry: cJSON 1.7.13 or newer is missing: install /m,
     'make passes the sentence on');

$said = `make -s build=$dir/build NGINX_SRC=$dir/none 2>&1`;

like($said, qr/^ngx_sentry: nginx's sources are missing: install nginx-dev/m,
     'nginx itself');


# A compiler that fails for programs that mention the word.

sub compiler {
    my ($word) = @_;
    my $path = "$dir/cc";

    open my $file, '>', $path or die "$path: $!\n";
    print $file <<"EOC";
#!/bin/sh
for arg; do
    case \$arg in
        *autotest.c) ! grep -q '$word' "\$arg" || exit 1 ;;
    esac
done
exec cc "\$@"
EOC
    close $file;
    chmod 0755, $path;

    return $path;
}


# What nginx's configure does with an addon; (exit code, standard error).

sub config {
    my ($cc, $setting) = (@_, ':');

    open my $file, '>', "$dir/configure" or die "$dir/configure: $!\n";
    print $file <<"EOC";
#!/bin/sh
cd $src
NGX_OBJS=$dir
NGX_AUTOTEST=$dir/autotest
NGX_AUTOCONF_ERR=$dir/autoconf.err
NGX_AUTO_CONFIG_H=$dir/ngx_auto_config.h
NGX_INCLUDE_UNISTD_H='#include <unistd.h>'
CC=$cc
ngx_n= ngx_c=
ngx_module_link=DYNAMIC
ngx_addon_dir=$root
$setting
. \$ngx_addon_dir/config
EOC
    close $file;

    system("sh $dir/configure > $dir/out 2> $dir/err");

    my $status = $? >> 8;

    return ($status, scalar `cat $dir/err`);
}
