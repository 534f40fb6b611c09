package NginxTest::Mischief;

# Copyright (C) ngx_sentry authors
#
# Clients and upstreams of all manners for t/chaos, each a loop in a process
# of its own until it is killed.  None of them expects an answer.

use warnings;
use strict;

use Exporter qw/ import /;
use IO::Socket::INET;
use POSIX ();
use Socket qw/ :DEFAULT /;
use Time::HiRes qw/ sleep time /;

use NginxTest::Upstream;

our @EXPORT = qw/ clients upstream_flaps upstream_upgrades upstream_trickles /;

our $SECRET = 'chaoticPassword';   # of all that clients know

# what a client asks for; %d makes it one of many
my @URIS = ('/ok/%d', '/ok/%d', '/boom/%d', '/app/%d', '/app/%d?q=%%0d%%0aX:1',
    '/gone/%d', '/limited/%d', '/redirect/%d', '/auth/%d', '/mirror/%d',
    '/ssi/page.html?%d', '/named/%d', '/error/%d', '/big', '/pii/%d?token=s',
    '/health', "/up/%d?token=$SECRET", '/%%00%%ff/%d', '/ignored/%d',
    '/fixed/%d');

my $TRACE = '771a43a4192642f0b136d5159a501700';

my $port;       # of HTTP/1.1; the next one speaks HTTP/2


# { name => code }; upload is a file.

sub clients {
    my ($http, $http2, $upload) = @_;

    $port = $http;

    return (
        keepalive => _loop(\&_keepalive),
        pipelining => _loop(\&_pipelining),
        upload => _loop(\&_upload),
        chunked => _loop(\&_chunked),
        slow => _loop(\&_slow),
        slow_reader => _loop(\&_slow_reader),
        abort => _loop(\&_abort),
        garbage => _loop(\&_garbage),
        websocket => _loop(\&_websocket),
        http2 => _loop(sub { _h2load($http2, '') }),
        http2_upload => _loop(sub {
            _h2load($http2, '', "-d $upload -H "
                    . "'content-type: application/x-www-form-urlencoded'");
        }),
        http2_abort => _loop(sub {
            _h2load($http2, 'timeout -s KILL ' . (0.05 + rand 0.5));
        }),
    );
}


sub _loop {
    my ($code) = @_;

    return sub {
        srand $$;
        $SIG{PIPE} = 'IGNORE';

        while (1) {
            eval { $code->(); 1 } or sleep(0.05);
            sleep(rand 0.05);
        }
    };
}


sub _connect {
    return IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port", Timeout => 5)
           || die "connect: $!\n";
}


sub _uri { return $URIS[rand @URIS] =~ s{%d}{int rand 1e6}er =~ s{%%}{%}gr }


sub _request {
    my ($last) = @_;
    my @headers = ('Host: localhost', 'User-Agent: mischief/1');

    push @headers, "sentry-trace: $TRACE-a9f442f9330b4e09"
                   . ('', '-0', '-1', '-x')[rand 4] if rand() < 0.3;
    push @headers, 'baggage: ' . ('a=b', "sentry-trace_id=$TRACE",
                                  'x' x rand 5000)[rand 3] if rand() < 0.3;
    push @headers, "Authorization: Bearer $SECRET",
        "Cookie: session=$SECRET; a=b", "Referer: http://a/?token=$SECRET"
        if rand() < 0.3;
    push @headers, 'Connection: close' if $last;

    return join "\r\n", 'GET ' . _uri() . ' HTTP/1.1', @headers, '', '';
}


# Reads what comes within the seconds.

sub _drain {
    my ($s, $seconds) = @_;
    my $end = time() + $seconds;
    my $rin = '';

    vec($rin, fileno $s, 1) = 1;

    while ((my $left = $end - time()) > 0) {
        last if select(my $ready = $rin, undef, undef, $left) < 1
                || !sysread $s, my $bytes, 65536;
    }
}


sub _keepalive {
    my $s = _connect();

    for (1 .. 1 + rand 20) {
        syswrite $s, _request() or last;
        _drain($s, 0.05);
    }
}


sub _pipelining {
    my $s = _connect();

    syswrite $s, join '', map { _request($_ == 30) } 1 .. 30;
    _drain($s, 3);
}


sub _upload {
    my $s = _connect();
    my $body = ('{"password":"x","n":' . 'x' x rand 300_000,
                qq({"password":"$SECRET","n":1}), "password=$SECRET&a=b",
                'a=b&token=c&' x rand 200, "\0\xff" x rand 2000, '')[rand 6];
    my $type = ('application/json', 'application/x-www-form-urlencoded',
                'multipart/form-data; boundary=x')[rand 3];

    syswrite $s, "POST /up/$$ HTTP/1.1\r\nHost: localhost\r\n"
        . "Content-Type: $type\r\nConnection: close\r\n"
        . (rand() < 0.2 ? "Expect: 100-continue\r\n" : '')
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body";
    _drain($s, 1);
}


sub _chunked {
    my $s = _connect();

    syswrite $s, "POST /up/$$ HTTP/1.1\r\nHost: localhost\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n";

    for (1 .. rand 20) {
        my $chunk = 'c' x rand 20_000;

        syswrite $s, sprintf "%x\r\n%s\r\n", length $chunk, $chunk or last;
        sleep(rand 0.02);
    }

    syswrite $s, ("0\r\n\r\n", 'zz', '')[rand 3];
    _drain($s, 0.5);
}


sub _slow {
    my $s = _connect();

    for (split /(.{1,12})/s, _request(1)) {
        syswrite $s, $_ if length;
        sleep(rand 0.1);
        return if rand() < 0.01;
    }

    _drain($s, 3);
}


sub _slow_reader {
    my $s = _connect();

    setsockopt $s, SOL_SOCKET, SO_RCVBUF, 2048;
    syswrite $s, "GET /big HTTP/1.0\r\nHost: localhost\r\n\r\n";

    for (1 .. 40) {
        sysread $s, my $bytes, 4096 or return;
        sleep(rand 0.1);
    }
}


# Leaves before the answer, politely or not, or inside the request.

sub _abort {
    my $s = _connect();
    my $request = _request() =~ s{ \S+ }{ /slow/1 }r;

    $request = substr $request, 0, rand length $request if rand() < 0.3;
    syswrite $s, $request;
    sleep(rand 0.2);
    setsockopt $s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0 if rand() < 0.5;
    close $s;
}


sub _garbage {
    my $s = _connect();
    my $noise = join '', map { chr rand 256 } 1 .. rand 500;
    my @requests = (
        $noise, "GET /boom/0.9\r\n", "GET /ok/\0 HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/9.9\r\nHost: a\r\n\r\n",
        'GET /' . 'u' x 70_000 . " HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /boom/h HTTP/1.1\r\nHost: a\r\nX: " . 'h' x 70_000 . "\r\n\r\n",
        "GET /boom/h HTTP/1.1\r\nHost: a\r\n" . join('', map {
            "baggage: k$_=" . 'v' x 400 . "\r\n" } 1 .. 18) . "\r\n",
        "GET /ok/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "POST /up/ HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "POST /up/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
        . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "BREW /boom/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n$noise",
        "GET /app/$noise HTTP/1.1\r\nHost: $noise\r\nX: $noise\r\n\r\n",
    );

    syswrite $s, $requests[rand @requests];
    _drain($s, 0.2);
}


# Through the upgrade and some bytes more, then no word of leaving.

sub _websocket {
    my $s = _connect();

    syswrite $s, "GET /ws/$$ HTTP/1.1\r\nHost: localhost\r\n"
        . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n";

    for (1 .. rand 20) {
        _drain($s, 0.1);
        syswrite $s, 'frame' x rand 2000 or last;
    }
}


sub _h2load {
    my ($port, $timeout, $more) = @_;
    my @uris = map { 'http://127.0.0.1:' . $port . _uri() } 1 .. 10;

    local $SIG{PIPE} = 'DEFAULT';
    $more //= '';

    system "exec >/dev/null 2>&1; $timeout h2load -n 200 -c 3 -m 10 -T 2 -N 2 "
           . "$more " . join ' ', map { "'$_'" } @uris;
}


# Refuses at times, else answers in any way there is.

sub upstream_flaps {
    my ($port) = @_;
    my @modes = qw/ answer answer answer answer fail fail hang close reset
        header badheader body stuck garbage /;

    srand $$;
    $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $listener = NginxTest::Upstream::listener($port);
        my $end = time() + 0.5 + rand 4;
        my @held;

        while (time() < $end) {
            $listener->timeout(0.2);
            my $s = $listener->accept() or next;
            my $mode = $modes[rand @modes];

            setsockopt $s, SOL_SOCKET, SO_RCVTIMEO, pack 'l!l!', 1, 0;
            NginxTest::Upstream::_request($s) // next;
            push @held, $s if NginxTest::Upstream::_perform($s,
                $mode eq 'fail' ? 'answer' : $mode,
                status => $mode eq 'fail' ? 500 + int rand 5 : 200);
        }

        close $listener;
        sleep(rand 1.5);
    }
}


# 101, then what comes goes back.

sub upstream_upgrades {
    my ($port) = @_;

    _each($port, sub {
        my ($s) = @_;

        syswrite $s, "HTTP/1.1 101 Switching Protocols\r\n"
            . "Upgrade: websocket\r\nConnection: upgrade\r\n\r\n";

        while (sysread $s, my $bytes, 65536) {
            syswrite $s, $bytes or last;
        }
    });
}


# Late and bit by bit.

sub upstream_trickles {
    my ($port) = @_;

    _each($port, sub {
        my ($s) = @_;

        sleep(0.05 + rand 0.2);
        syswrite $s, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n";

        for (1 .. 10) {
            syswrite $s, 'abc' or last;
            sleep(0.02);
        }
    });
}


# Answers each request in a process of its own.

sub _each {
    my ($port, $answer) = @_;
    my $listener = NginxTest::Upstream::listener($port);

    $SIG{CHLD} = $SIG{PIPE} = 'IGNORE';

    while (1) {
        my $s = $listener->accept() or next;

        next if fork();

        $answer->($s) if defined NginxTest::Upstream::_request($s);
        POSIX::_exit(0);
    }
}


1;
