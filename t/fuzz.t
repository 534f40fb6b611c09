#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Each fuzzer's harness on its corpus, and on what was found by it before,
# built by the compiler of the unit tests.  "make fuzz" looks for more.  With
# TEST_UNIT_SAN=asan or tsan under a sanitizer.

use warnings;
use strict;

use Fcntl qw/ LOCK_EX /;
use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }


my $san = $ENV{TEST_UNIT_SAN} // '';
my $dir = 'build/unit' . ($san && "-$san");
my @names = map { m{fuzz_(.*)\.c$} } sort glob 't/fuzz/fuzz_*.c';

delete $ENV{MAKEFLAGS};
delete $ENV{MAKELEVEL};
$ENV{ASAN_OPTIONS} //= 'detect_leaks=1:detect_stack_use_after_return=1';
$ENV{UBSAN_OPTIONS} //= 'print_stacktrace=1';
$ENV{TSAN_OPTIONS} //= 'halt_on_error=1';

plan(tests => 2 + @names);

# t/unit.t builds the same library
mkdir 'build';
open my $lock, '>', 'build/unit.lock' or die "build/unit.lock: $!\n";
flock($lock, LOCK_EX) or die "build/unit.lock: $!\n";

my $built = `make -s fuzz-build SAN=$san 2>&1`;
my $failed = $?;

close $lock;

is($failed, 0, 'they build') or diag($built);

my %known = map { $_ => 1 } @names;

is_deeply([ grep { !$known{ m{([^/]+)$} && $1 } }
            grep { $_ ne "t/fuzz/corpus/nginx" }    # of t/fuzz/nginx
            glob "t/fuzz/corpus/* t/fuzz/regressions/*" ], [],
          'each corpus has a fuzzer');

replay($_) for @names;


# Names of inputs, then how many there were; the last name is that of the one
# that failed.

sub replay {
    my ($name) = @_;
    my @corpus = glob "t/fuzz/corpus/$name/*";
    my @inputs = (@corpus, glob "t/fuzz/regressions/$name/*");

    if (!@corpus) {
        fail("$name has a corpus");
        return;
    }

    open my $out, '-|', "timeout 300 $dir/fuzz_$name @inputs 2>&1"
        or die "$dir/fuzz_$name: $!\n";

    my @lines = <$out>;

    close $out;

    my ($n) = ($lines[-1] // '') =~ /^(\d+) inputs$/;
    my $passed = !$? && $n && $n == @inputs;

    ok($passed, "$name: " . @inputs . ' inputs');
    return if $passed;

    my ($last) = grep { $lines[$_] =~ m{^t/fuzz/} } reverse 0 .. $#lines;

    diag("status $?, ", @lines[$last // 0 .. $#lines]);
}
