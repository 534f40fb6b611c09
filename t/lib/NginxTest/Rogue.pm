package NginxTest::Rogue;

# Copyright (C) ngx_sentry authors
#
# Servers that break every rule, each on a port of its own, all in one
# process:
#
#     my $rogue = NginxTest::Rogue->new($t, {
#         name => { at => 'head', say => "HTTP/1.1 200 OK\r\n",
#                   every => "X: y\r\n", pause => 0.1, end => 'reset',
#                   well => port },
#     });
#
# at: when it acts: "accept", "bytes" (the first ones), "head" (of the
# request), "half" (of its body), "request" (the default).  Then come the
# bytes of say, in one piece or one by one with pause seconds between them;
# then those of every, again and again; or else the end: "close" (the
# default), "reset" or "hang".  window: bytes that it is ready to receive.
#
# A proxy has one port and a behavior for each target, { targets => { host =>
# behavior } }.
#
# Once well() was called, all of them relay what comes to the port in "well",
# a proxy as it was asked to.

use warnings;
use strict;

use Errno qw/ EAGAIN EINTR /;
use Socket qw/ :DEFAULT IPPROTO_TCP TCP_NODELAY /;
use Time::HiRes qw/ time /;

use NginxTest::Upstream;


sub new {
    my ($class, $t, $servers) = @_;
    my $n = $t->{rogues}++ || 0;
    my $self = bless { t => $t, file => $t->testdir() . "/rogue$n.log",
                       sign => $t->testdir() . "/rogue$n.well" }, $class;
    my @listeners;

    for my $name (sort keys %$servers) {
        $self->{ports}{$name} = $t->reserve_port();
        push @listeners, { name => $name, how => $servers->{$name},
            s => _listen($self->{ports}{$name}, $servers->{$name}{window}) };
    }

    $t->run_daemon(sub { $self->_loop(@listeners) });

    return $self;
}


sub port { return $_[0]->{ports}{$_[1]} }


sub well { $_[0]->{t}->write_file($_[0]->{sign} =~ s{.*/}{}r, "well\n") }


# How often that was seen of a server: "accept", "act", "head TARGET".

sub seen {
    my ($self, $name, $what) = @_;

    return scalar grep { $_ eq "$name $what" }
                  split /\n/, $self->{t}->read_file($self->{file});
}


sub _listen {
    my ($port, $window) = @_;

    socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
    setsockopt $s, SOL_SOCKET, SO_RCVBUF, $window if $window;
    bind $s, pack_sockaddr_in($port, INADDR_LOOPBACK)
        or die "port $port: $!\n";
    listen $s, 64;
    $s->blocking(0);

    return $s;
}


sub _loop {
    my ($self, @listeners) = @_;
    my %conns;

    $SIG{PIPE} = 'IGNORE';
    $self->{conns} = \%conns;
    open $self->{log}, '>>', $self->{file} or die "$self->{file}: $!\n";

    while (1) {
        my ($rin, $win, $timeout) = ('', '', 0.5);
        my $now = time();

        vec($rin, fileno $_->{s}, 1) = 1 for @listeners;

        for my $c (values %conns) {
            vec($rin, fileno $c->{s}, 1) = 1 if !$c->{deaf};

            next if !length $c->{out} && !defined $c->{every};

            if (($c->{next} || 0) <= $now) {
                vec($win, fileno $c->{s}, 1) = 1;

            } elsif ($c->{next} - $now < $timeout) {
                $timeout = $c->{next} - $now;
            }
        }

        next if select($rin, $win, undef, $timeout) < 0;

        for (@listeners) {
            $self->_accept($_) if vec $rin, fileno $_->{s}, 1;
        }

        for my $fd (keys %conns) {
            _write($self, $conns{$fd}) if vec $win, $fd, 1;
            _read($self, $conns{$fd}) if $conns{$fd} && vec $rin, $fd, 1;
        }
    }
}


sub _note {
    my ($self, $c, $what) = @_;

    syswrite $self->{log}, "$c->{name} $what\n";
}


sub _accept {
    my ($self, $listener) = @_;

    accept my $s, $listener->{s} or return;

    my $c = $self->_add($s, name => $listener->{name},
                        how => $listener->{how});

    $self->_note($c, 'accept');

    if (!$c->{how}{targets} && -e $self->{sign}) {
        return $self->_relay($c, $c->{how}{well});
    }

    $self->_act($c) if ($c->{how}{at} || '') eq 'accept';
}


sub _add {
    my ($self, $s, %fields) = @_;

    $s->blocking(0);
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;

    return $self->{conns}{fileno $s} = { s => $s, in => '', out => '',
                                         %fields };
}


sub _drop {
    my ($self, $c, $reset) = @_;
    my $peer = delete $c->{peer};

    delete $self->{conns}{fileno $c->{s}};
    setsockopt $c->{s}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if $reset;
    close $c->{s};
    delete $peer->{peer} if $peer;
    $peer->{last} = 1 if $peer;
    $self->_drop($peer) if $peer && !length $peer->{out};
}


sub _read {
    my ($self, $c) = @_;
    my $n = sysread $c->{s}, my $bytes, $c->{how}{window} || 65536;

    return if !defined $n && ($! == EAGAIN || $! == EINTR);
    return $self->_drop($c) if !$n;

    if ($c->{peer}) {
        $bytes =~ s{\APOST http://[^/ ]+}{POST } if $c->{how}{proxied};
        return $c->{peer}{out} .= $bytes;
    }

    return if $c->{acted};

    $c->{in} .= $bytes;
    $self->_target($c) or return if $c->{how}{targets};
    $self->_act($c) if _due($c);
}


# A proxy: how it is to treat this one; false when that is not known yet, or
# it is treated well.

sub _target {
    my ($self, $c) = @_;
    my ($target) = $c->{in} =~ m{\A(?:CONNECT[ ]|\w+[ ]http://)([^/:\s]+)
                                 .*?\r\n\r\n}sx or return 0;

    $self->_note($c, "head $target");
    $c->{how} = $c->{how}{targets}{$target} || {};

    return 1 if !-e $self->{sign};

    if ($c->{in} =~ s/\ACONNECT .*?\r\n\r\n//s) {
        $c->{out} .= "HTTP/1.1 200 Yes\r\n\r\n";
    }

    $c->{in} =~ s{\APOST http://[^/ ]+}{POST };
    $c->{how} = { %{$c->{how}}, proxied => 1 };
    $self->_relay($c, $c->{how}{well});

    return 0;
}


sub _due {
    my ($c) = @_;
    my $at = $c->{how}{at} || 'request';
    my $end = index $c->{in}, "\r\n\r\n";
    my ($length) = $c->{in} =~ /^content-length: (\d+)/mi;
    my $body = length($c->{in}) - $end - 4;

    return 1 if $at eq 'bytes';
    return 0 if $end < 0;
    return 1 if $at eq 'head' || !$length;

    return $body >= ($at eq 'half' ? $length / 2 : $length);
}


sub _act {
    my ($self, $c) = @_;
    my $how = $c->{how};

    $self->_note($c, 'act');
    $c->{acted} = 1;
    $c->{deaf} = 1 if ($how->{at} || '') eq 'accept' || $how->{window};
    $c->{out} = $how->{say} // '';
    $c->{every} = $how->{every};

    $self->_end($c) if !length $c->{out} && !defined $c->{every};
}


sub _end {
    my ($self, $c) = @_;
    my $end = $c->{how}{end} || 'close';

    $self->_drop($c, $end eq 'reset') if $end ne 'hang';
}


sub _write {
    my ($self, $c) = @_;
    my $pause = $c->{acted} && $c->{how}{pause};

    $c->{out} = $c->{every} if !length $c->{out};

    my $n = syswrite $c->{s}, $c->{out},
                     $pause && !defined $c->{every} ? 1 : 65536;

    if (!defined $n) {
        return if $! == EAGAIN || $! == EINTR;
        return $self->_drop($c);
    }

    substr $c->{out}, 0, $n, '';
    $c->{next} = time() + $pause if $pause;

    return if length $c->{out} || defined $c->{every};

    $c->{acted} ? $self->_end($c) : $c->{last} && $self->_drop($c);
}


sub _relay {
    my ($self, $c, $port) = @_;

    socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
    connect $s, pack_sockaddr_in($port, INADDR_LOOPBACK)
        or return $self->_drop($c, 1);

    my $peer = $self->_add($s, name => $c->{name}, how => {}, peer => $c,
                           out => $c->{in});

    $c->{in} = '';
    $c->{peer} = $peer;
}


1;
