package NginxTest::Process;

# Copyright (C) ngx_sentry authors
#
# What the kernel knows about a process.  Methods of NginxTest.

use warnings;
use strict;

sub threads {
    my ($self, $pid) = @_;
    my @tasks = glob "/proc/$pid/task/[0-9]*";

    return scalar @tasks;
}


sub rss_kib {
    my ($self, $pid) = @_;

    return $self->read_file("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m
           ? $1 : 0;
}


# Address ranges of the shared mappings without a file: nginx's zones.

sub zones {
    my ($self, $pid) = @_;

    return $self->read_file("/proc/$pid/maps")
           =~ m{^([0-9a-f]+-[0-9a-f]+) rw-s .*/dev/zero}mg;
}


# The bytes of all shared memory, to look for what must not be there.

sub shared_memory {
    my ($self, $pid) = @_;
    my $bytes = '';

    $pid ||= $self->nginx_pid();
    open my $memory, '<:raw', "/proc/$pid/mem" or die "/proc/$pid/mem: $!\n";

    no warnings 'portable';

    for ($self->zones($pid)) {
        my ($start, $end) = map { hex } split /-/;

        sysseek $memory, $start, 0;
        sysread $memory, $bytes, $end - $start, length $bytes;
    }

    return $bytes;
}


1;
