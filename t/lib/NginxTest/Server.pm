package NginxTest::Server;

# Copyright (C) ngx_sentry authors
#
# Starts, reloads, upgrades and ends nginx, and knows its processes.  Methods
# of NginxTest.

use warnings;
use strict;

use POSIX ();
use Socket;
use Time::HiRes qw/ time sleep /;


sub run {
    my ($self) = @_;
    my $why;

    $self->_write_conf();
    $self->{orphan} = 0;
    $self->{child} = $self->_start();
    $why = $self->_wait_started();

    if (defined $why) {
        $self->_kill_nginx();
        die "nginx does not run: $why\n" . $self->read_file('stderr.log')
            . $self->log();
    }

    return $self;
}


# Unless the test wrote it itself, or nothing has changed.

sub _write_conf {
    my ($self) = @_;

    $self->write_file_expand('nginx.conf', $self->_conf_text())
        if !$self->{written}{"$self->{dir}/nginx.conf"};
}


sub _command {
    my ($self) = @_;

    return [ $self->{binary}, '-p', "$self->{dir}/", '-c', 'nginx.conf',
             $self->error_log("$self->{dir}/error.log") ];
}


# Where the log goes before the configuration is read; 1.19.5 can be told.

sub error_log {
    my ($self, $log) = @_;

    return $self->nginx_version() < 1019005 ? () : ('-e', $log);
}


# nginx refuses a binary upgrade while the process that started it lives:
# there is one in between that can be ended.  It also ends nginx when the
# test is killed.

sub _start {
    my ($self) = @_;
    my $test = $$;
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;

    local $SIG{CHLD} = sub { };
    $pid = $self->_spawn($self->_command(), "$self->{dir}/stderr.log");
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';

    while (waitpid($pid, POSIX::WNOHANG()) != $pid) {
        kill 'TERM', $pid if getppid() != $test;
        sleep(0.5);
    }

    POSIX::_exit($? ? 1 : 0);
}


sub _orphan {
    my ($self) = @_;

    return if $self->{orphan}++;

    kill 'KILL', $self->{child};
    waitpid $self->{child}, 0;
    $self->{child} = $self->nginx_pid();
}


sub _spawn {
    my ($self, $command, $output) = @_;
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;

    for (keys %{$self->{env}}) {
        defined $self->{env}{$_} ? ($ENV{$_} = $self->{env}{$_})
                                 : delete $ENV{$_};
    }

    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $output;
    open STDERR, '>&', \*STDOUT;
    exec @$command or POSIX::_exit(127);
}


# undef when it runs, else why not.

sub _wait_started {
    my ($self) = @_;
    my $conf = $self->read_file('nginx.conf');
    my @ports = $conf
        =~ /^\s*listen\s+127\.0\.0\.1:(\d+)(?![^;]*(?:udp|quic))/mg;
    my ($workers) = $conf =~ /^\s*worker_processes\s+(\d+)/m;
    my $dead;

    $workers = 0 if $conf =~ /^\s*master_process\s+off/m;

    my $up = NginxTest::wait_for(sub {
        return $dead = 1
            if waitpid($self->{child}, POSIX::WNOHANG()) == $self->{child};
        return -s "$self->{dir}/nginx.pid"
               && $self->worker_pids() >= ($workers // 1)
               && !grep { !_connects($_) } @ports;
    });

    return 'it ended' if $dead;
    return $up ? undef : 'it does not listen';
}


sub _connects {
    my ($port) = @_;

    socket my $s, PF_INET, SOCK_STREAM, 0 or return 0;

    return connect($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) ? 1 : 0;
}


sub waitforsocket {
    my ($self, $peer) = @_;
    my ($port) = $peer =~ /(\d+)$/;

    return NginxTest::wait_for(sub { _connects($port) });
}


sub waitforfile {
    my ($self, $name) = @_;

    return NginxTest::wait_for(sub { -s "$self->{dir}/$name" });
}


sub nginx_pid {
    my ($self) = @_;
    my ($pid) = $self->read_file('nginx.pid') =~ /(\d+)/;

    return $pid;
}


# Workers that serve, or with all => 1 those shutting down too; of the
# current master or of another one.

sub worker_pids {
    my ($self, %opt) = @_;
    my $master = $opt{master} || $self->nginx_pid() || return;
    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid) = $stat =~ /(\d+)/;
        my (undef, $ppid) = _stat($pid);

        next if !defined $ppid || $ppid != $master;

        my $title = $self->read_file("/proc/$pid/cmdline");

        push @pids, $pid
            if $title =~ /^nginx: worker process(?! is shutting)/
               || $opt{all} && $title =~ /^nginx: worker/;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


sub _stat {
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/stat" or return;
    my $line = <$file> // return;

    return $line =~ /\) (\S) (\d+)/;
}


sub _alive {
    my ($pid) = @_;
    my ($state) = _stat($pid);

    return defined $state && $state ne 'Z';
}


sub signal {
    my ($self, $signal, $pid) = @_;

    kill $signal, $pid || $self->nginx_pid();

    return $self;
}


# With what conf() was told since.  Waits until only new workers serve; with
# all => 1 also until the old ones are gone.

sub reload {
    my ($self, %opt) = @_;
    my %old = map { $_ => 1 } $self->worker_pids(all => 1);

    $self->_write_conf();
    $self->signal('HUP');

    NginxTest::wait_for(sub {
        my @now = $self->worker_pids();
        return @now && !grep { $old{$_} } @now;
    }) or $self->_wrong('reload: the old workers still serve');

    if ($opt{all}) {
        NginxTest::wait_for(sub { !grep { _alive($_) } keys %old })
            or $self->_wrong('reload: old workers do not end');
    }

    return $self;
}


# Binary upgrade: the old master is asked to leave once the new one runs.
# The configuration's reserved ports and the pid file follow.

sub upgrade {
    my ($self) = @_;
    my $old = $self->nginx_pid();

    $self->_orphan();
    $self->signal('USR2');

    NginxTest::wait_for(sub {
        my $new = $self->nginx_pid();
        return $new && $new != $old && $self->worker_pids();
    }) or return $self->_wrong('upgrade: no new master');

    kill 'QUIT', $old;
    NginxTest::wait_for(sub { !_alive($old) })
        or $self->_wrong('upgrade: the old master does not end');

    return $self;
}


# Gracefully; returns the seconds it took.

sub stop {
    my ($self, $signal) = @_;
    my $start = time();
    my $pid = $self->nginx_pid();
    my @all = $self->_processes();
    my $seconds;

    return 0 if !$self->{child};

    kill $signal || 'QUIT', $pid if $pid;

    NginxTest::wait_for(sub {
        waitpid $self->{child}, POSIX::WNOHANG();
        !grep { _alive($_) } @all;
    }) or $self->_wrong('nginx did not end within 10 s of '
                        . ($signal || 'QUIT'));

    $seconds = time() - $start;
    $self->_kill_nginx(@all);

    return $seconds;
}


sub _processes {
    my ($self) = @_;
    my ($old) = $self->read_file('nginx.pid.oldbin') =~ /(\d+)/;
    my @masters = grep { $_ } $self->{child}, $self->nginx_pid(), $old;

    return @masters,
           map { $self->worker_pids(all => 1, master => $_) } @masters;
}


# Those that are left over, by their own pids.

sub _kill_nginx {
    my ($self, @all) = @_;

    return if !$self->{child};

    # a recycled pid is not ours: ask what it runs
    for (@all, $self->_processes()) {
        kill 'KILL', $_
            if _alive($_) && $self->read_file("/proc/$_/cmdline")
                             =~ /nginx|\Q$0\E/;
    }

    waitpid $self->{child}, 0;
    unlink "$self->{dir}/nginx.pid";
    delete $self->{child};
}


# nginx -t for a whole configuration, or the parts that conf() takes:
# (exit code, output).

sub check_config {
    my ($self, @conf) = @_;
    my ($text, $output, $pid);

    if (@conf == 1) {
        $text = $conf[0];

    } else {
        local $self->{conf} = { marker => 0, @conf };
        $text = $self->_conf_text();
    }

    $self->{checked}++;
    $self->write_file_expand("check$self->{checked}.conf", $text);

    # nginx frees nothing when a configuration fails
    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0";

    $output = "$self->{dir}/check$self->{checked}.out";
    $pid = $self->_spawn([ $self->{binary}, '-t', '-p', "$self->{dir}/",
        '-c', "check$self->{checked}.conf", $self->error_log('stderr') ],
        $output);
    waitpid $pid, 0;

    return ($? >> 8 || $?, $self->read_file($output));
}


# A child that runs the code until the test ends.

sub run_daemon {
    my ($self, $code, @args) = @_;
    my $test = $$;
    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        $self->{pid} = 0;

        # not longer than the test, whatever it waits for
        _end_with_parent();
        POSIX::_exit(1) if getppid() != $test;

        ref $code ? $code->(@args) : exec $code, @args;
        POSIX::_exit(0);
    }

    push @{$self->{daemons}}, $pid;

    return $pid;
}


# prctl(PR_SET_PDEATHSIG, SIGKILL): a signal handler that asks now and then
# would meet perl in the middle of something, or not at all.

sub _end_with_parent {
    my %prctl = (x86_64 => 157, aarch64 => 167, i686 => 172, armv7l => 172);
    my $number = $prctl{(POSIX::uname())[4]} or return;

    syscall $number, 1, POSIX::SIGKILL(), 0, 0, 0;
}


sub stop_daemons {
    my ($self) = @_;

    for (@{$self->{daemons}}) {
        kill 'KILL', $_;
        waitpid $_, 0;
    }

    $self->{daemons} = [];

    return $self;
}


1;
