package NginxTest::HTTP;

# Copyright (C) ngx_sentry authors
#
# Clients: raw sockets, HTTP/2 by curl, and a flood.  Exported by NginxTest.

use warnings;
use strict;

use Exporter qw/ import /;
use Errno qw/ EAGAIN EINTR /;
use IO::Socket::INET;
use Socket qw/ :DEFAULT IPPROTO_TCP TCP_NODELAY /;
use Test::More ();
use Time::HiRes qw/ time /;

our @EXPORT = qw/ http http_get http_head http_post http_start http_end
    http_body http2 http_flood /;

sub http_get {
    my ($uri, %opt) = @_;

    return http("GET $uri HTTP/1.0\r\nHost: localhost\r\n"
                . _headers(%opt) . "\r\n", %opt);
}


sub http_head {
    my ($uri, %opt) = @_;

    return http("HEAD $uri HTTP/1.0\r\nHost: localhost\r\n"
                . _headers(%opt) . "\r\n", %opt);
}


sub http_post {
    my ($uri, $body, %opt) = @_;

    return http("POST $uri HTTP/1.0\r\nHost: localhost\r\n"
                . _headers(%opt) . 'Content-Length: ' . length($body)
                . "\r\n\r\n$body", %opt);
}


sub _headers {
    my (%opt) = @_;
    my $headers = $opt{headers} || {};

    return join '', map { "$_: $headers->{$_}\r\n" } sort keys %$headers;
}


# Sends raw bytes, returns all that comes until the server closes.
# port; timeout seconds; ssl => 1 (or arguments of IO::Socket::SSL); family.

sub http {
    my ($request, %opt) = @_;
    my $s = http_start($request, %opt) or return;

    return http_end($s, %opt);
}


sub http_start {
    my ($request, %opt) = @_;
    my $port = $opt{port} || NginxTest::port(8080);
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port",
                                  Timeout => NginxTest::deadline(8));

    if (!$s) {
        Test::More::diag("connect to port $port: $!");
        return;
    }

    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;

    if ($opt{ssl}) {
        require IO::Socket::SSL;
        IO::Socket::SSL->start_SSL($s, SSL_verify_mode => 0,
                                   ref $opt{ssl} ? %{$opt{ssl}} : ())
            or Test::More::diag("TLS: " . IO::Socket::SSL::errstr()), return;
    }

    local $SIG{PIPE} = 'IGNORE';
    my $sent = 0;

    while ($sent < length $request) {
        my $n = syswrite $s, $request, 65536, $sent;

        last if !defined $n && $! != EINTR;
        $sent += $n // 0;
    }

    return $s;
}


# Reads to the end, or until the text matches until => qr//.

sub http_end {
    my ($s, %opt) = @_;
    my $end = time() + ($opt{timeout} || NginxTest::deadline(20));
    my $response = '';

    while (time() < $end) {
        my $rin = '';

        vec($rin, fileno $s, 1) = 1;

        if (!($s->can('pending') && $s->pending())) {
            next if !select $rin, undef, undef, 0.2;
        }

        my $n = sysread $s, $response, 65536, length $response;

        next if !defined $n && ($! == EAGAIN || $! == EINTR);
        return $response if !$n;
        return $response if $opt{until} && $response =~ $opt{until};
    }

    Test::More::diag('no end of the response within the time given');

    return $response;
}


sub http_body {
    my ($response) = @_;

    return (split /\r\n\r\n/, $response // '', 2)[1] // '';
}


# Over HTTP/2 without TLS, by curl; returns header and body as text.

sub http2 {
    my ($uri, %opt) = @_;
    my $port = $opt{port} || NginxTest::port(8080);
    my @args = map { ('-H', "$_: $opt{headers}{$_}") }
               sort keys %{$opt{headers} || {}};

    push @args, '--data-binary', $opt{body} if defined $opt{body};
    push @args, '-X', $opt{method} if $opt{method};

    open my $curl, '-|', 'curl', qw/ -q -s -i --http2-prior-knowledge
        --path-as-is --globoff --noproxy * --max-time 20 /, @args,
        "http://127.0.0.1:$port$uri" or die "curl: $!\n";
    local $/;

    return scalar(<$curl>) // '';
}


# Sends n requests over conns connections as fast as it can; returns counts
# by status, or "error", under "times" the seconds of each, and under
# "responses" counts of each whole response, but for its date.

sub http_flood {
    my (%opt) = @_;
    my $port = $opt{port} || NginxTest::port(8080);
    my $request = $opt{request}
        || "GET $opt{uri} HTTP/1.1\r\nHost: localhost\r\n"
           . _headers(%opt) . "\r\n";
    my $left = $opt{n};
    my $end = time() + NginxTest::deadline($opt{timeout} || 120);
    my %result = (times => [], responses => {});
    my %conn;

    local $SIG{PIPE} = 'IGNORE';

    my $open = sub {
        socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
        $s->blocking(0);
        setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;
        connect $s, pack_sockaddr_in($port, INADDR_LOOPBACK);
        $conn{fileno $s} = { s => $s, in => '', out => $request,
                             start => time() };
        $left--;
    };

    my $done = sub {
        my ($c, $status) = @_;

        _flood_count($c, $status, \%result);
        delete $conn{fileno $c->{s}};
        $open->() if $left > 0;
    };

    for (1 .. $opt{conns} || 10) {
        $open->() if $left > 0;
    }

    while (%conn && time() < $end) {
        my ($rin, $win) = ('', '');

        vec($conn{$_}{out} eq '' ? $rin : $win, $_, 1) = 1 for keys %conn;
        next if select($rin, $win, undef, 1) < 1;

        for my $c (my @all = values %conn) {
            my $fd = fileno $c->{s};

            if (vec $win, $fd, 1) {
                my $n = syswrite $c->{s}, $c->{out};

                if (!defined $n) {
                    $done->($c, 'error') if $! != EAGAIN;
                    next;
                }

                substr $c->{out}, 0, $n, '';

            } elsif (vec $rin, $fd, 1) {
                _flood_input($c, $request, \$left, \%result, $done);
            }
        }
    }

    $result{error} += $left + keys %conn if $left || %conn;

    return \%result;
}


sub _flood_input {
    my ($c, $request, $left, $result, $done) = @_;
    my $n = sysread $c->{s}, $c->{in}, 65536, length $c->{in};

    return if !defined $n && ($! == EAGAIN || $! == EINTR);

    my ($head) = $c->{in} =~ /\A(HTTP.*?\r\n\r\n)/s;
    my ($status) = ($head // '') =~ m{^HTTP/1\.\d (\d+)};
    my ($length) = ($head // '') =~ /^content-length: (\d+)/mi;
    my $closes = !$head || $head =~ /^connection: close/mi;

    return $done->($c, $status // 'error') if !$n;
    return if !defined $length
              || length $c->{in} < length($head) + $length;
    return $done->($c, $status) if $closes || $$left <= 0;

    _flood_count($c, $status, $result);

    $$left--;
    $c->{in} = '';
    $c->{out} = $request;
    $c->{start} = time();
}


sub _flood_count {
    my ($c, $status, $result) = @_;

    $result->{$status}++;
    $result->{responses}{$c->{in} =~ s/^Date: .*\r\n//mr}++;
    push @{$result->{times}}, time() - $c->{start};
}


1;
