package NginxTest::Load;

# Copyright (C) ngx_sentry authors
#
# Clients that keep asking, in a process of their own, while the test does
# something to nginx:
#
#     my $load = NginxTest::Load->new($t, uri => '/boom/');
#     ...
#     my $result = $load->stop();
#
# Each request has a path of its own, /boom/1 and so on.  Half of the clients
# keep their connection.  Which worker they talk to is known when nginx says
# so: add_header X-Worker $pid always;
#
# A kept connection that ends before the first byte of an answer was closed
# for being idle: like a browser, the client asks once more on a new one.

use warnings;
use strict;

use Errno qw/ EAGAIN EINTR EINPROGRESS /;
use JSON::PP ();
use POSIX ();
use Socket qw/ :DEFAULT IPPROTO_TCP TCP_NODELAY /;
use Time::HiRes qw/ time /;


# uri; port; conns (6); rate requests a second (400).

sub new {
    my ($class, $t, %opt) = @_;
    my $n = $t->{loads}++ || 0;
    my $self = bless { t => $t, file => $t->testdir() . "/load$n" }, $class;

    $opt{port} ||= NginxTest::port(8080);

    pipe my $read, my $write or die "pipe: $!\n";

    $self->{pid} = $t->run_daemon(sub {
        close $write;

        my $result = _run($read, %opt);

        open my $file, '>', $self->{file} or die "$self->{file}: $!\n";
        print $file JSON::PP->new()->encode($result);
        close $file;
    });

    $self->{life} = $write;

    return $self;
}


# Waits for the last answers.  { answered => { path => status }, statuses =>
# { status => n }, retried => n, slowest => seconds, broken => [ { path,
# worker, reused, bytes, time, why } ], failed => those of them that were not
# asked again }.

sub stop {
    my ($self) = @_;

    # not by closing alone: a later load has a copy of this end
    syswrite $self->{life}, '.';
    close delete $self->{life};
    waitpid $self->{pid}, 0;

    return JSON::PP->new()->decode($self->{t}->read_file($self->{file}));
}


sub _run {
    my ($stop, %opt) = @_;
    my $conns = $opt{conns} || 6;
    my $pause = 1 / ($opt{rate} || 400);
    my @clients = map { { keep => $_ % 2, in => '', out => '' } } 1 .. $conns;
    my $load = { %opt, n => 0, retry => [], result => {
        answered => {}, statuses => {}, broken => [], failed => [],
        retried => 0, slowest => 0 } };
    my $next = time();
    my $stopping = 0;

    $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $now = time();
        my @idle = grep { !defined $_->{path} } @clients;

        while (@idle && @{$load->{retry}}) {
            _ask($load, shift @idle, shift @{$load->{retry}});
        }

        while (@idle && !$stopping && $next <= $now) {
            _ask($load, shift @idle, $opt{uri} . ++$load->{n});
            $next += $pause;
        }

        $next = $now if $next < $now;

        last if $stopping && !@{$load->{retry}}
                && !grep { defined $_->{path} } @clients;

        $stopping = 1 if _wait($load, $stop, $stopping, \@clients,
                               $stopping ? 1 : $next - $now);
    }

    return $load->{result};
}


# True when the test says so.

sub _wait {
    my ($load, $stop, $stopping, $clients, $seconds) = @_;
    my ($rin, $win) = ('', '');

    vec($rin, fileno $stop, 1) = 1 if !$stopping;

    for (grep { $_->{s} } @$clients) {
        vec(length $_->{out} ? $win : $rin, fileno $_->{s}, 1) = 1;
    }

    return 0 if select($rin, $win, undef, $seconds > 0 ? $seconds : 0) < 1;

    for my $c (grep { $_->{s} } @$clients) {
        my $fd = fileno $c->{s};

        vec($win, $fd, 1) ? _output($load, $c)
                          : vec($rin, $fd, 1) && _input($load, $c);
    }

    return !$stopping && vec $rin, fileno $stop, 1;
}


sub _ask {
    my ($load, $c, $path) = @_;

    @$c{qw/ path in start /} = ($path, '', time());
    $c->{out} = "GET $path HTTP/1.1\r\nHost: localhost\r\n"
                . ($c->{keep} ? '' : "Connection: close\r\n") . "\r\n";

    return if $c->{s};

    @$c{qw/ worker reused /} = (undef, 0);

    socket $c->{s}, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    $c->{s}->blocking(0);
    setsockopt $c->{s}, IPPROTO_TCP, TCP_NODELAY, 1;

    connect $c->{s}, pack_sockaddr_in($load->{port}, INADDR_LOOPBACK)
        or $! == EINPROGRESS or _broken($load, $c, "connect: $!");
}


sub _output {
    my ($load, $c) = @_;
    my $n = syswrite $c->{s}, $c->{out};

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return _broken($load, $c, "write: $!");
    }

    substr $c->{out}, 0, $n, '';
}


sub _input {
    my ($load, $c) = @_;
    my $n = sysread $c->{s}, $c->{in}, 65536, length $c->{in};

    return if !defined $n && ($! == EAGAIN || $! == EINTR);
    return _broken($load, $c, defined $n ? 'end of file' : "read: $!") if !$n;

    my ($head, $status) = $c->{in} =~ m{\A(HTTP/1\.1 (\d+) .*?\r\n\r\n)}s;
    my ($length) = ($head // '') =~ /^content-length: (\d+)/mi;

    return if !defined $length
              || length $c->{in} < length($head) + $length;

    ($c->{worker}) = $head =~ /^X-Worker: (\d+)/m;
    _answered($load, $c, $status);

    if ($head =~ /^connection: close/mi) {
        close delete $c->{s};
    }
}


sub _answered {
    my ($load, $c, $status) = @_;
    my $result = $load->{result};
    my $seconds = time() - $c->{start};

    $result->{answered}{$c->{path}} = $status;
    $result->{statuses}{$status}++;
    $result->{slowest} = $seconds if $seconds > $result->{slowest};

    undef $c->{path};
    $c->{in} = '';
    $c->{reused} = 1;
}


sub _broken {
    my ($load, $c, $why) = @_;
    my $result = $load->{result};
    my ($path, $bytes) = ($c->{path}, length $c->{in});

    close delete $c->{s};
    @$c{qw/ path in out /} = (undef, '', '');

    return if !defined $path;

    my $broken = { path => $path, worker => $c->{worker}, time => time(),
                   reused => $c->{reused}, bytes => $bytes, why => $why };

    push @{$result->{broken}}, $broken;

    if ($c->{reused} && !$bytes) {
        push @{$load->{retry}}, $path;
        $result->{retried}++;

    } else {
        push @{$result->{failed}}, $broken;
    }
}


1;
