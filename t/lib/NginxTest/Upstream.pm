package NginxTest::Upstream;

# Copyright (C) ngx_sentry authors
#
# Servers that behave as upstreams do on their bad days:
#
#     answer     status (200), body, headers
#     hang       accepts, reads, never answers
#     close      closes when the request is there
#     reset      resets when the request is there
#     header     closes inside the header
#     badheader  a header line that nginx calls invalid
#     body       promises a body, closes inside it
#     stuck      promises a body, sends a part, then nothing
#     slow       answers after delay (1) seconds
#     garbage    bytes that are no HTTP
#
# One process per test, one more per connection where it has to wait.  With
# record => file it keeps the requests, for recorded().

use warnings;
use strict;

use IO::Socket::INET;
use POSIX ();
use Socket qw/ :DEFAULT /;
use Time::HiRes qw/ sleep /;


my %modes = map { $_ => 1 } qw/ answer hang close reset header badheader body
    stuck slow garbage /;

my %forks = map { $_ => 1 } qw/ slow /;


sub listener {
    my ($port) = @_;

    return IO::Socket::INET->new(LocalAddr => "127.0.0.1:$port", Proto => 'tcp',
        Listen => 1024, ReuseAddr => 1) || die "port $port: $!\n";
}


sub serve {
    my ($listener, $mode, %opt) = @_;
    my @held;

    die "no such upstream: $mode\n" if !$modes{$mode};

    $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $s = $listener->accept() or next;

        if ($forks{$mode}) {
            next if fork();
        }

        push @held, $s if _answer($s, $mode, %opt);

        # whether there was a request or not: nobody would end it
        POSIX::_exit(0) if $forks{$mode};
    }
}


# True when the connection is to stay open.

sub _answer {
    my ($s, $mode, %opt) = @_;
    my $request = _request($s) // return;

    _record($opt{record}, $request) if $opt{record};

    return _perform($s, $mode, %opt);
}


# The request with its body; the headers as text.

sub _request {
    my ($s) = @_;
    my $text = '';

    while ($text !~ /\r\n\r\n/) {
        sysread $s, $text, 65536, length $text or return;
    }

    my ($length) = $text =~ /^content-length: (\d+)/mi;
    my $need = index($text, "\r\n\r\n") + 4 + ($length // 0);

    while (length $text < $need) {
        sysread $s, $text, 65536, length $text or return;
    }

    return $text;
}


# In one write: whoever reads finds whole requests.

sub _record {
    my ($name, $request) = @_;

    open my $file, '>>', $name or die "$name: $!\n";
    syswrite $file, length($request) . "\n$request";
}


# What was recorded: { line, headers => { name => value }, body }; the body
# without its gzip.

sub recorded {
    my ($name) = @_;
    my @requests;

    open my $file, '<:raw', $name or return;

    while (defined(my $length = <$file>)) {
        read($file, my $request, $length);

        my ($head, $body) = split /\r\n\r\n/, $request, 2;
        my ($line, @headers) = split /\r\n/, $head;

        my %headers = map { /^([^:]+): *(.*)/ ? (lc $1 => $2) : () } @headers;

        $body = NginxTest::Receiver::inflated($body)
            if ($headers{'content-encoding'} // '') eq 'gzip';

        push @requests, { line => $line, headers => \%headers,
                          body => $body };
    }

    return @requests;
}


sub _perform {
    my ($s, $mode, %opt) = @_;
    my $status = $opt{status} || 200;
    my $body = $opt{body} // "status $status\n";
    my $headers = $opt{headers} || {};

    if ($mode eq 'hang') {
        return 1;

    } elsif ($mode eq 'reset') {
        setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;

    } elsif ($mode eq 'header') {
        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Le";

    } elsif ($mode eq 'badheader') {
        syswrite $s, "HTTP/1.1 200 OK\r\nX-A\0: b\r\n\r\n";

    } elsif ($mode eq 'body') {
        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart";

    } elsif ($mode eq 'stuck') {
        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart";
        return 1;

    } elsif ($mode eq 'garbage') {
        syswrite $s, "\0\xff\xfe garbage";

    } elsif ($mode ne 'close') {
        sleep($opt{delay} || 1) if $mode eq 'slow';

        syswrite $s, join '', "HTTP/1.1 $status Told\r\n",
            map({ "$_: $headers->{$_}\r\n" } sort keys %$headers),
            'Content-Length: ', length $body,
            "\r\nConnection: close\r\n\r\n$body";
    }

    close $s;

    return 0;
}


1;
