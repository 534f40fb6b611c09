package NginxTest::Causes;

# Copyright (C) ngx_sentry authors
#
# Upstreams that fail in ways of their own: functions that take the test and
# return a port.

use warnings;
use strict;

use Exporter qw/ import /;
use IO::Select;
use IO::Socket::INET;
use NginxTest::Upstream;
use Socket;

our @EXPORT_OK = qw/ black_hole raw stderr tls /;

my @held;


# Nobody accepts, and the queue is full: the kernel answers no SYN.

sub black_hole {
    my ($t) = @_;
    my $port = $t->reserve_port();
    my $listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port",
        Proto => 'tcp', Listen => 1, ReuseAddr => 1) || die "$port: $!\n";

    listen $listener, 0;
    push @held, $listener;

    for (1 .. 10) {
        socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
        $s->blocking(0);
        connect $s, pack_sockaddr_in($port, INADDR_LOOPBACK);
        push @held, $s;

        my $connected = IO::Select->new($s)->can_write(0.2);

        return $port if !$connected;
    }

    die "the queue of port $port is never full\n";
}


# These bytes for every request, then the end.

sub raw {
    my ($t, $bytes) = @_;

    return _daemon($t, sub {
        my ($s) = @_;

        sysread $s, my $request, 65536;
        syswrite $s, $bytes;
    });
}


# A FastCGI application that complains and answers 500.

sub stderr {
    my ($t, $text) = @_;
    my $record = sub {
        my ($type, $content) = @_;
        return pack('CCnnCC', 1, $type, 1, length $content, 0, 0) . $content;
    };

    return raw($t, $record->(7, $text)
                   . $record->(6, "Status: 500 No\r\n\r\nboom")
                   . $record->(3, pack 'NN', 0, 0));
}


# A TLS server for right.example with %%TESTDIR%%/cause.crt; beside it there
# is an other.crt that signs nothing.

sub tls {
    my ($t) = @_;
    my $dir = $t->testdir();

    require IO::Socket::SSL;

    for (qw/ cause other /) {
        system("openssl req -x509 -newkey rsa:2048 -nodes -days 1"
               . " -subj /CN=right.example -keyout $dir/$_.key"
               . " -out $dir/$_.crt 2>/dev/null") == 0
            or die "no openssl\n";
    }

    return _daemon($t, sub {
        my ($s) = @_;

        IO::Socket::SSL->start_SSL($s, SSL_server => 1,
            SSL_cert_file => "$dir/cause.crt",
            SSL_key_file => "$dir/cause.key") or return;
        sysread $s, my $request, 65536;
    });
}


sub _daemon {
    my ($t, $serve) = @_;
    my $port = $t->reserve_port();
    my $listener = NginxTest::Upstream::listener($port);

    $t->run_daemon(sub {
        $SIG{PIPE} = 'IGNORE';

        while (1) {
            my $s = $listener->accept() or next;

            $serve->($s);
            close $s;
        }
    });

    return $port;
}


1;
