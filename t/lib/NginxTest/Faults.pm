package NginxTest::Faults;

# Copyright (C) ngx_sentry authors
#
# Lets calls fail in an nginx that runs, and moves its clock: speaks with
# t/lib/fault.c through a file.
#
#     my $faults = NginxTest::Faults->new($t);
#
#     $faults->set('request', nth => 3);      # the third allocation
#     http_get('/boom');
#     is($faults->given(), 1);

use warnings;
use strict;

use Test::More ();

# what may fail: memory for the module while it serves and while it is
# configured; of the sender: memory, whoever asks for it, and sockets; files,
# for the module; threads of workers

my %WHAT = (request => 1, sender => 2, conf => 4, file => 8, net => 16,
            thread => 32);
my $ALL = 2 ** 32 - 1;


# Skips the whole file where it cannot be done.

sub new {
    my ($class, $t) = @_;
    my $self = bless { path => $t->testdir() . '/fault.control' }, $class;

    Test::More::plan(skip_all => 'the module is built in') if $t->is_static();
    Test::More::plan(skip_all => 'a sanitizer has allocators of its own')
        if $ENV{TEST_UNIT_SAN};
    Test::More::plan(skip_all => 'for glibc on 64-bit machines')
        if `getconf GNU_LIBC_VERSION 2>&1` !~ /\Aglibc/
           || `getconf LONG_BIT` != 64;

    $t->write_file('fault.control', "\0" x 72);
    chmod 0666, $self->{path};

    $t->env(LD_PRELOAD => _library($t), FAULT_CONTROL => $self->{path});

    return $self;
}


sub _library {
    my ($t) = @_;
    my $library = $t->testdir() . '/fault.so';
    my $output = `cc -O1 -Wall -Wextra -Werror -shared -fPIC -o $library \\
        $NginxTest::ROOT/t/lib/fault.c -ldl 2>&1`;

    die "fault.c: $output\n" if $?;
    chmod 0755, $library;

    return $library;
}


# Several kinds are separated by spaces.  nth => N: the Nth call of these from
# now on, alone; first => N: that one and all after it; every => N: one in N
# at random.  error => errno (12), 0: a short count, -n: it is n ms late.

sub set {
    my ($self, $what, %opt) = @_;
    my $nth = $opt{nth} // $opt{first} // 0;

    $self->clear();
    $self->_write(4, pack 'L5 l L', $nth, $opt{first} ? $ALL : $nth,
                  $opt{every} // 0, 0, 0, $opt{error} // 12, $opt{seed} // 1);
    $self->_write(40, "\0" x 32);
    $self->_write(0, pack 'L', _mask($what));

    return $self;
}


sub _mask {
    my ($what) = @_;
    my $mask = 0;

    $mask |= $WHAT{$_} // die "no fault: $_\n" for split / /, $what;

    return $mask;
}


# Nothing fails any more; what was counted stays.

sub clear {
    my ($self) = @_;

    $self->_write(0, pack 'L', 0);

    return $self;
}


sub calls { return $_[0]->_number(16) }
sub given { return $_[0]->_number(20) }


# What failed last.

sub name {
    my ($self) = @_;

    return unpack 'Z*', $self->_read(40, 32);
}


# The clock on the wall is so many seconds ahead.

sub clock {
    my ($self, $seconds) = @_;

    $self->_write(32, pack 'q', $seconds * 1_000_000);

    return $self;
}


sub _number {
    my ($self, $at) = @_;

    return unpack 'L', $self->_read($at, 4);
}


sub _read {
    my ($self, $at, $n) = @_;

    open my $file, '<:raw', $self->{path} or die "$self->{path}: $!\n";
    sysseek $file, $at, 0;
    sysread $file, my($bytes), $n;

    return $bytes;
}


sub _write {
    my ($self, $at, $bytes) = @_;

    open my $file, '+<:raw', $self->{path} or die "$self->{path}: $!\n";
    sysseek $file, $at, 0;
    syswrite $file, $bytes;

    return;
}


1;
