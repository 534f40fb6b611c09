package NginxTest::Echo;

# Copyright (C) ngx_sentry authors
#
# An application that answers with the headers it was sent, a line each in
# their order, as "name: value", behind the request's target: over HTTP,
# FastCGI, SCGI or uwsgi.  With record => file it keeps these answers too.
# A target with "status=502" is answered with that, one with "accel=/x" with
# an X-Accel-Redirect there.

use warnings;
use strict;

use Exporter qw/ import /;

use NginxTest::Upstream;

our @EXPORT = qw/ echo_start echo_parse echo_recorded /;

my %protocols = (http => \&_http, fastcgi => \&_fastcgi, scgi => \&_scgi,
                 uwsgi => \&_uwsgi);


# The port it listens on.

sub echo_start {
    my ($t, $protocol, %opt) = @_;
    my $port = $t->reserve_port();
    my $listener = NginxTest::Upstream::listener($port);

    $t->run_daemon(sub {
        while (1) {
            my $s = $listener->accept() or next;

            $protocols{$protocol}->($s, $opt{record});
            close $s;
        }
    });

    return $port;
}


# { target, name => [ values ] } of an answer or its body.

sub echo_parse {
    my ($text) = @_;
    my ($target, @lines) = split /\n/, ($text // '') =~ s/.*?\r\n\r\n//sr;
    my %seen = (target => $target // '');

    for (@lines) {
        my ($name, $value) = /^([^:]+): (.*)/ or next;
        push @{$seen{$name}}, $value;
    }

    return \%seen;
}


sub echo_recorded {
    my ($t, $name) = @_;

    return map { echo_parse($_) } split /\0/, $t->read_file($name);
}


# Before the answer goes: who waits for that finds it recorded.

sub _record {
    my ($name, $seen) = @_;

    return if !defined $name;

    open my $file, '>>', $name or die "$name: $!\n";
    syswrite $file, "$seen\0";
}


sub _answer {
    my ($seen) = @_;
    my ($status) = $seen =~ /\A.*status=(\d+)/;
    my ($accel) = $seen =~ /\A.*accel=([^&\s]+)/;

    return ($status // 200, $accel ? "X-Accel-Redirect: $accel\r\n" : '');
}


sub _take {
    my ($s, $n) = @_;
    my $bytes = '';

    while (length $bytes < $n) {
        sysread $s, $bytes, $n - length $bytes, length $bytes or return;
    }

    return $bytes;
}


sub _http {
    my ($s, $record) = @_;
    my $request = NginxTest::Upstream::_request($s) // return;
    my ($head) = split /\r\n\r\n/, $request;
    my ($line, @headers) = split /\r\n/, $head;
    my $seen = join "\n", (split / /, $line)[1], map { s/^([^:]+)/lc $1/er }
                                                 @headers;
    my ($status, $more) = _answer($seen);

    _record($record, $seen);
    syswrite $s, "HTTP/1.1 $status Told\r\nContent-Type: text/plain\r\n"
        . "${more}Content-Length: " . length($seen)
        . "\r\nConnection: close\r\n\r\n$seen";
}


# What all three make of CGI's variables.

sub _cgi {
    my (@vars) = @_;
    my ($target, @lines) = ('');

    while (my ($name, $value) = splice @vars, 0, 2) {
        $target = $value if $name eq 'REQUEST_URI';
        push @lines, lc($1 =~ tr/_/-/r) . ": $value" if $name =~ /^HTTP_(.+)/;
    }

    my $seen = join "\n", $target, @lines;
    my ($status, $more) = _answer($seen);

    return ($seen, "Status: $status Told\r\nContent-Type: text/plain\r\n"
                   . "$more\r\n$seen");
}


sub _scgi {
    my ($s, $record) = @_;
    my ($length, $c) = ('', '');

    $length .= $c while defined($c = _take($s, 1)) && $c ne ':';

    my $vars = _take($s, $length + 1) // return;
    my ($seen, $answer) = _cgi(split /\0/, substr $vars, 0, -1);

    _record($record, $seen);
    syswrite $s, $answer;
}


sub _uwsgi {
    my ($s, $record) = @_;
    my ($size) = unpack 'xvx', _take($s, 4) // return;
    my ($seen, $answer) = _cgi(unpack '(v/a)*', _take($s, $size) // '');

    _record($record, $seen);
    syswrite $s, $answer;
}


sub _fastcgi {
    my ($s, $record) = @_;
    my ($params, @vars) = ('');

    while (1) {
        my ($type, $length, $pad)
            = unpack 'x C x2 n C x', _take($s, 8) // return;
        my $content = _take($s, $length + $pad) // return;

        $params .= substr $content, 0, $length if $type == 4;
        last if $type == 5 && $length == 0;
    }

    while (length $params) {
        my @length = map {
            unpack('C', $params) < 128
                ? unpack 'C', substr $params, 0, 1, ''
                : (unpack 'N', substr $params, 0, 4, '') & 0x7fffffff
        } 1 .. 2;

        push @vars, map { substr $params, 0, $_, '' } @length;
    }

    my ($seen, $answer) = _cgi(@vars);

    _record($record, $seen);
    syswrite $s, pack('C C n n C x a*', 1, 6, 1, length $answer, 0, $answer)
        . pack('C C n n x2', 1, 6, 1, 0) . pack('C C n n x2 x8', 1, 3, 1, 8);
}


1;
