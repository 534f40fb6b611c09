package NginxTest::Process;

# Copyright (C) ngx_sentry authors
#
# What the kernel knows about a process.  Methods of NginxTest.

use warnings;
use strict;

use POSIX ();


sub threads {
    my ($self, $pid) = @_;
    my @tasks = glob "/proc/$pid/task/[0-9]*";

    return scalar @tasks;
}


# Seconds of CPU that the sender's thread in the process has used, and those
# that look up names for it; by whole clock ticks.

sub sender_cpu {
    my ($self, $pid) = @_;
    my $ticks = 0;

    for my $task (glob "/proc/$pid/task/[0-9]*") {
        next if $self->read_file("$task/comm") ne "ngx-sentry\n";

        my @fields = split / /, $self->read_file("$task/stat") =~ s/.*\) //sr;

        $ticks += ($fields[11] // 0) + ($fields[12] // 0);
    }

    return $ticks / POSIX::sysconf(POSIX::_SC_CLK_TCK());
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


# The hard limit, by its name in /proc/PID/limits, of this process: nobody has
# changed it.

sub hard_limit {
    my ($self, $name) = @_;

    return $self->read_file('/proc/self/limits') =~ /^Max $name +\S+ +(\S+)/m
           ? $1 : 'unlimited';
}


# The soft limit of a process, by prlimit as the user that it belongs to:
# limit($pid, nofile => 1).

sub limit {
    my ($self, $pid, $what, $value) = @_;
    my ($uid, $gid) = $self->read_file("/proc/$pid/status")
                      =~ /^Uid:\s+(\d+).*^Gid:\s+(\d+)/ms;
    my $child = fork() // die "fork: $!\n";

    if (!$child) {
        POSIX::setgid($gid);
        POSIX::setuid($uid);
        exec 'prlimit', "--pid=$pid", "--$what=$value:"
            or POSIX::_exit(127);
    }

    waitpid $child, 0;
    die "prlimit: $?\n" if $?;

    return;
}


1;
