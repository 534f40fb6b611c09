package NginxTest::Streams;

# Copyright (C) ngx_sentry authors
#
# A client of HTTP/2 without TLS that begins any number of streams in one
# write on one connection, which curl does not promise.

use warnings;
use strict;

use Exporter qw/ import /;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw/ time /;

our @EXPORT_OK = qw/ http2_streams /;

my ($DATA, $HEADERS, $RST_STREAM, $SETTINGS) = (0, 1, 3, 4);
my ($END_STREAM, $ACK, $END_HEADERS) = (1, 1, 4);


# GETs all paths at once; returns how many streams were ended by the server.

sub http2_streams {
    my ($port, @paths) = @_;
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "port $port: $!\n";
    my $id = -1;
    my $out = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" . _frame($SETTINGS, 0, 0, '');

    $out .= _frame($HEADERS, $END_STREAM | $END_HEADERS, $id += 2, _head($_))
        for @paths;

    syswrite $s, $out;

    return _ended($s, scalar @paths);
}


sub _frame {
    my ($type, $flags, $id, $payload) = @_;

    return substr(pack('N', length $payload), 1)
           . pack('CCN', $type, $flags, $id) . $payload;
}


# Static table: 2 is GET, 6 http, 4 the name :path, 1 :authority; the values
# are literals that no table remembers.

sub _head {
    my ($path) = @_;

    return "\x82\x86" . join '', map { pack 'CC/a', @$_ }
                                 [ 4, $path ], [ 1, 'localhost' ];
}


sub _ended {
    my ($s, $n) = @_;
    my ($in, $ended, $end) = ('', 0, time() + NginxTest::deadline(10));
    my $select = IO::Select->new($s);

    while ($ended < $n && time() < $end) {
        next if !$select->can_read(0.2);
        last if !sysread $s, $in, 65536, length $in;

        while (length $in >= 9) {
            my ($high, $low, $type, $flags) = unpack 'CnCC', $in;
            my $length = 9 + ($high << 16 | $low);

            last if length $in < $length;
            substr $in, 0, $length, '';

            $ended++ if $type == $RST_STREAM
                || $flags & $END_STREAM && ($type == $DATA
                                            || $type == $HEADERS);
            syswrite $s, _frame($SETTINGS, $ACK, 0, '')
                if $type == $SETTINGS && !($flags & $ACK);
        }
    }

    return $ended;
}


1;
