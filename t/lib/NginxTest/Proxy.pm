package NginxTest::Proxy;

# Copyright (C) ngx_sentry authors
#
# A forward proxy: CONNECT, and requests with an absolute URL.  Keeps the
# request line and the headers of each request in a file.
#
#     my $proxy = NginxTest::Proxy->new($t, status => 403);
#
# status: refuses all with it; user: "name:password" or else 407.

use warnings;
use strict;

use IO::Socket::INET;
use MIME::Base64 qw/ encode_base64 /;
use POSIX ();

use NginxTest::Upstream;


sub new {
    my ($class, $t, %opt) = @_;
    my $n = $t->{proxies}++ || 0;
    my $self = bless { t => $t, port => $opt{port} || $t->reserve_port(),
                       file => $t->testdir() . "/proxy$n", %opt }, $class;
    my $listener = NginxTest::Upstream::listener($self->{port});

    $t->run_daemon(sub {
        $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';

        while (1) {
            my $s = $listener->accept() or next;

            next if fork();

            close $listener;
            1 while $self->_serve($s);
            POSIX::_exit(0);
        }
    });

    return $self;
}


sub port { return $_[0]->{port} }


# The requests: each its line and headers as text.

sub requests {
    my ($self) = @_;

    return split /\n\n/, $self->{t}->read_file($self->{file});
}


# One request of a connection; false at its end.

sub _serve {
    my ($self, $s) = @_;
    my $request = NginxTest::Upstream::_request($s) // return;
    my ($head, $body) = split /\r\n\r\n/, $request, 2;
    my ($line, @headers) = split /\r\n/, $head;
    my ($auth) = grep { /^Proxy-Authorization: /i } @headers;
    my ($address, $upstream);

    open my $file, '>>', $self->{file} or die "$self->{file}: $!\n";
    syswrite $file, join("\n", $line, @headers) . "\n\n";

    return _refuse($s, $self->{status}) if $self->{status};

    return _refuse($s, 407)
        if $self->{user} && ($auth // '')
           !~ /: Basic @{[ encode_base64($self->{user}, '') ]}$/;

    ($address) = $line =~ m{^(?:CONNECT |\w+ http://)([^/ ]+)};
    $upstream = IO::Socket::INET->new($address) or return _refuse($s, 502);

    if ($line =~ /^CONNECT/) {
        syswrite $s, "HTTP/1.1 200 Connection established\r\n\r\n";
        _relay($s, $upstream);
        return;
    }

    $line =~ s{ http://[^/]+}{ };
    syswrite $upstream, join "\r\n", $line,
                        grep({ !/^Proxy-/i } @headers), '', $body;

    return _answer($s, $upstream);
}


sub _refuse {
    my ($s, $status) = @_;

    syswrite $s, "HTTP/1.1 $status No\r\nContent-Length: 0\r\n"
                 . "Connection: close\r\n\r\n";

    return;
}


sub _answer {
    my ($s, $upstream) = @_;
    my $answer = NginxTest::Upstream::_request($upstream) // return;

    return syswrite $s, $answer;
}


sub _relay {
    my (@ends) = @_;

    while (1) {
        my $rin = '';

        vec($rin, fileno $_, 1) = 1 for @ends;
        select $rin, undef, undef, undef;

        for my $i (0, 1) {
            next if !vec $rin, fileno $ends[$i], 1;

            sysread $ends[$i], my $bytes, 65536 or return;
            syswrite $ends[!$i], $bytes;
        }
    }
}


1;
