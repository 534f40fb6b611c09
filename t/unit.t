#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Builds and runs the unit tests, one program per file in t/unit.  With
# TEST_UNIT_SAN=asan or tsan under a sanitizer, with TEST_UNIT_VALGRIND=1
# under valgrind's memcheck.

use warnings;
use strict;

use Fcntl qw/ LOCK_EX /;
use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }


my $san = $ENV{TEST_UNIT_SAN} // '';
my $dir = 'build/unit' . ($san && "-$san");
my @tests = map { m{t/unit/(.*)\.c$} } sort glob 't/unit/*_test.c';

plan(skip_all => 'no unit tests') if !@tests;
plan(tests => 1 + @tests);

delete $ENV{MAKEFLAGS};
delete $ENV{MAKELEVEL};
$ENV{ASAN_OPTIONS} //= 'detect_leaks=1:detect_stack_use_after_return=1';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';
$ENV{TSAN_OPTIONS} //= 'halt_on_error=1';

# t/fuzz.t builds the same library
mkdir 'build';
open my $lock, '>', 'build/unit.lock' or die "build/unit.lock: $!\n";
flock($lock, LOCK_EX) or die "build/unit.lock: $!\n";

# what is left behind in a killed child is no leak; a test that comes before
# libc with a malloc() of its own keeps it
my $under = $ENV{TEST_UNIT_VALGRIND}
    ? 'valgrind -q --leak-check=full --show-leak-kinds=definite,indirect'
      . ' --errors-for-leak-kinds=definite,indirect --error-exitcode=99'
      . ' --child-silent-after-fork=yes --fair-sched=yes'
      . ' --soname-synonyms=somalloc=nouserintercepts'
    : '';

my $built = `make -s unit-build SAN=$san 2>&1`;
my $failed = $?;

close $lock;

is($failed, 0, 'they build') or diag($built);
run($_) for @tests;


# The program's own lines are passed on, indented as those of a subtest.

sub run {
    my ($name) = @_;
    my ($ok, $failed, $plan, $seconds, $skip) = (0, 0, -1, $under ? 900 : 300);
    my $out = Test::More->builder()->output();

    open my $test, '-|', "timeout $seconds $under $dir/$name 2>&1"
        or die "$dir/$name: $!\n";

    while (my $line = <$test>) {
        $ok++ if $line =~ /^ok\b/;
        $failed++ if $line =~ /^not ok\b/ && $line !~ /# TODO/;
        $plan = $1 if $line =~ /^1\.\.(\d+)/;
        $skip = $1 if $line =~ /^1\.\.0 # SKIP (.*)/i;

        print $out "    $line";
        diag($line =~ s/\n//r)
            if $line =~ /^not ok|^#   |Sanitizer|^ {4}\#\d|runtime error|^==\d/;
    }

    close $test;

    if (!$? && defined $skip) {
        SKIP: { skip("$name: $skip", 1) }
        return;
    }

    my $passed = !$? && !$failed && $ok && $plan == $ok;

    ok($passed, "$name: $ok checks");
    diag("$name: status $?, plan $plan, $ok ok, $failed failed") if !$passed;
}
