#!/usr/bin/perl

# Copyright (C) ngx_sentry authors

# README.md tells of every directive, where it is allowed, of every
# environment variable and every line in the log, and its links lead
# somewhere.

###############################################################################

use warnings;
use strict;

use Test::More tests => 8;

use FindBin;

###############################################################################

my $top = "$FindBin::Bin/..";
my $readme = slurp('README.md');
my $sources = join '', map { slurp($_) }
    map { s!^\Q$top\E/!!r } glob "$top/src/*/*.c";

# directives, their contexts as in the module's table

my %table = slurp('ngx_sentry_module.c')
    =~ /ngx_string\("(sentry_\w+)"\),\s+(\S+?),/g;
my %told = $readme
    =~ /^### (sentry_\w+)\n.*?^Context:  ([\w, ]+)$/gms;

for (values %table) {
    my %in;

    $in{http} = $in{server} = $in{location} = 1 if /NGX_SENTRY_S/;
    $in{http} = 1 if /MAIN_CONF/;
    $in{server} = 1 if /SRV_CONF/;
    $in{location} = 1 if /LOC_CONF/;

    $_ = join ', ', grep { $in{$_} } qw/ http server location /;
}

is_deeply(\%told, \%table, 'directives and their contexts');

is_deeply([ $readme =~ /^### (\w+)\n\n```\nSyntax:   \1\b/mg ],
    [ $readme =~ /^### (\w+)/mg ], 'each with its syntax');

my ($index) = $readme =~ /^(\[sentry_.*)$/m;

is_deeply([ $index =~ /\[(\w+)\]/g ], [ sort keys %table ], 'index');

# environment

my %env = map { $_ => 1 } $sources =~ /^\s+"(SENTRY_\w+)",?$/mg;
my ($variables) = $readme =~ /^## Environment variables\n(.*?)^## /ms;

is_deeply([ grep { $variables !~ /`\Q$_\E`/ } sort keys %env ], [],
    'environment variables');

# log lines: without what is filled in, and case for the value's sake

my ($trouble) = $readme =~ /^## Troubleshooting\n(.*?)^## /ms;
my @lines = map { s/"\s*"//gr } $sources =~ /ngx_log_error\([^";]*
    "sentry:[ ]((?:[^"\\]|\\.|"\s+")+)"/gx;

push @lines, map { s/"\s*"//gr } $sources =~ /snx_mailbox_put\([^";]*
    "((?:[^"\\]|\\.|"\s+")+)"/gx;

@lines = grep { $_ ne '%s' } @lines;
cmp_ok(scalar @lines, '>', 10, 'log lines found');
is_deeply([ grep { !told($_) } @lines ], [], 'log lines');

# links

my @files = grep { !/^(?:https?:|#)/ } $readme =~ /\]\(([^)\s]+)\)/g;
my %anchors = map { lc(s/[^\w -]//gr =~ s/ /-/gr) => 1 }
    $readme =~ /^#+ (.*)$/mg;

is_deeply([ grep { !-e "$top/$_" } @files ], [], 'files');
is_deeply([ grep { !$anchors{$_} } $readme =~ /\]\(#([^)]+)\)/g ], [],
    'anchors');

###############################################################################

# Whether the table has the constant parts of a format, in their order.

sub told {
    my ($format) = @_;
    my @parts = grep { /\w{3}/ }
        split /%[.*]*\w*[a-zA-Z]|\\"/, $format;
    my $regex = join '.*', map { quotemeta s/^[ ,]+|[ ,]+$//gr } @parts;

    return $trouble =~ /^\|.*$regex/m;
}

sub slurp {
    my ($name) = @_;

    local $/;
    open my $f, '<', "$top/$name" or die "$name: $!\n";

    return scalar <$f>;
}

###############################################################################
