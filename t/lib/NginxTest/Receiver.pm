package NginxTest::Receiver;

# Copyright (C) ngx_sentry authors
#
# A test's view of one t/lib/receiver: scripts its answers, reads back what
# it kept, judges every envelope once.

use warnings;
use strict;

use Compress::Raw::Zlib;
use File::Basename qw/ dirname /;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();

use SentryEnvelope qw/ parse_envelope /;


my $json = JSON::PP->new()->utf8()->canonical();
my $fast = eval { require JSON::XS; JSON::XS->new()->utf8() } || $json;


# tls: with a certificate for localhost and 127.0.0.1 in certificate(); its
# names (a list), not_before and not_after can be given in a hash, and that an
# authority is to issue it, then in certificate().

sub new {
    my ($class, $t, %opt) = @_;
    my $n = @{$t->{receivers} || []};
    my $self = bless {
        t => $t, dir => $t->testdir() . '/sentry' . ($n || ''),
        port => $t->reserve_port(), tls => $opt{tls}, offset => 0,
        envelopes => [], wrong => [],
    }, $class;
    my @args = ('--dir', $self->{dir}, '--port', $self->{port});

    mkdir $self->{dir}, 0700;
    push @args, '--tls', join ',', $self->_certificate() if $opt{tls};

    pipe my $read, my $write or die "pipe: $!\n";
    $self->{life} = $write;
    $self->{pid} = fork() // die "fork: $!\n";

    if (!$self->{pid}) {
        close $write;
        open STDIN, '<&', $read;
        open STDOUT, '>', "$self->{dir}/output.log";
        open STDERR, '>&', \*STDOUT;
        exec $^X, dirname(dirname(__FILE__)) . '/receiver', @args
            or POSIX::_exit(127);
    }

    NginxTest::wait_for(sub { eval { $self->stats() } })
        or die "the receiver does not run: "
               . $t->read_file("$self->{dir}/output.log");

    return $self;
}


sub _certificate {
    my ($self) = @_;
    my $tls = ref $self->{tls} ? $self->{tls} : {};
    my $names = $tls->{names} || [ 'localhost', '127.0.0.1' ];

    require IO::Socket::SSL::Utils;
    IO::Socket::SSL::Utils->import();

    my @ca = $tls->{issued} ? IO::Socket::SSL::Utils::CERT_create(CA => 1,
        subject => { commonName => "authority $self->{port}" }) : ();

    my ($cert, $key) = IO::Socket::SSL::Utils::CERT_create(
        $tls->{issued} ? (issuer => \@ca) : (),
        purpose => 'server',
        subject => { commonName => $names->[0] },
        subjectAltNames => [ map { [ /^[\d.]+$/ ? 'IP' : 'DNS', $_ ] }
                             @$names ],
        not_before => $tls->{not_before} || time() - 86400,
        not_after => $tls->{not_after} || time() + 86400);

    IO::Socket::SSL::Utils::PEM_cert2file($cert, "$self->{dir}.crt");
    IO::Socket::SSL::Utils::PEM_key2file($key, "$self->{dir}.key");

    IO::Socket::SSL::Utils::PEM_cert2file($ca[0], "$self->{dir}.ca")
        if @ca;

    return ("$self->{dir}.crt", "$self->{dir}.key");
}


sub certificate {
    my ($self) = @_;

    return -e "$self->{dir}.ca" ? "$self->{dir}.ca" : "$self->{dir}.crt";
}


sub port { return $_[0]->{port} }


# The key of a project follows from its number: the receiver checks it.

sub dsn {
    my ($self, $project, %opt) = @_;

    return sprintf '%s://5e%030d@%s:%d/%d', $self->{tls} ? 'https' : 'http',
                   $project, $opt{host} || '127.0.0.1', $self->{port},
                   $project;
}


# How the next envelope (count => n, -1: all) is answered: status, headers,
# body, delay, trickle (seconds between bytes), or raw (bytes, then closes),
# or hang, close, rst, partial, garbage => 1; project restricts it.  reset => 1
# forgets all; stall => 1 or 0: accepts and reads nothing.

sub script {
    my ($self, %script) = @_;

    $self->_control('reset') if delete $script{reset};
    $self->_control('stall', { on => delete $script{stall} })
        if exists $script{stall};
    $self->_control('next', \%script) if %script;

    return $self->{t};
}


# Refuses connections and resets those it has; the port stays ours.

sub stop { $_[0]->_control('stop'); return $_[0]->{t} }
sub start { $_[0]->_control('start'); return $_[0]->{t} }
sub stats { return $_[0]->_control('stats') }


sub _control {
    my ($self, $what, $input) = @_;
    my $body = $input ? $json->encode($input) : '';
    my $s = $self->{control} ||= IO::Socket::UNIX->new(
        Peer => "$self->{dir}/control") || die "control: $!\n";
    my $answer = '';

    syswrite $s, "POST /__$what HTTP/1.1\r\nContent-Length: "
                 . length($body) . "\r\n\r\n$body";

    while ($answer !~ /\r\n\r\n\{.*\}\z/s) {
        sysread $s, $answer, 65536, length $answer
            or die "the receiver is gone\n";
    }

    return $json->decode($answer =~ s/.*\r\n\r\n//sr);
}


# Reads what has come since the last time.

sub _read {
    my ($self) = @_;

    open my $file, '<:raw', "$self->{dir}/envelopes" or return;
    seek $file, $self->{offset}, 0;

    while (my $line = <$file>) {
        last if $line !~ /\n\z/;

        my $meta = $fast->decode($line);
        my $n = read $file, my $raw, $meta->{length} + 1;

        last if $n < $meta->{length} + 1;

        chop $raw;
        $self->{offset} = tell $file;

        my ($envelope, @wrong) = parse_envelope($raw);

        push @{$self->{wrong}},
             map { "project $meta->{project}: $_" } @wrong;
        push @{$self->{envelopes}}, { %$meta, %$envelope, raw => $raw };
    }
}


# All envelopes: { project, status (0: not answered), time, headers, header,
# items, raw }.  project => n or 'any', without the markers'; answered => 1
# only those that got a 2xx.

sub envelopes {
    my ($self, %opt) = @_;
    my $project = $opt{project} // '';

    $self->_read();

    return [ grep {
        ($project eq 'any' || $project eq $_->{project}
         || $project eq '' && $_->{project} != 9999)
        && (!$opt{answered} || $_->{status} =~ /^2/)
    } @{$self->{envelopes}} ];
}


# Items of one type, each with its envelope.

sub items {
    my ($self, $type, %opt) = @_;

    return [ map {
        my $envelope = $_;
        map { { %$_, envelope => $envelope } }
        grep { $_->{type} eq $type } @{$envelope->{items}}
    } @{$self->envelopes(%opt)} ];
}


sub payloads {
    my ($self, $type, %opt) = @_;

    return [ map { $_->{payload} }
             @{$self->items($type, answered => 1, %opt)} ];
}


# seconds: how long to wait (10).

sub wait_payloads {
    my ($self, $type, $n, %opt) = @_;
    my $seconds = delete $opt{seconds};

    NginxTest::wait_for(sub {
        @{$self->payloads($type, %opt)} >= $n
    }, $seconds) if $n;

    return $self->payloads($type, %opt);
}


sub violations {
    my ($self) = @_;

    $self->_read();

    return (@{$self->{wrong}}, split /\n/,
            $self->{t}->read_file("$self->{dir}/violations")
            . $self->{t}->read_file("$self->{dir}/output.log"));
}


sub close {
    my ($self) = @_;

    return if !$self->{pid};

    CORE::close delete $self->{life};
    kill 'TERM', $self->{pid};
    waitpid delete $self->{pid}, 0;
}


# What gzip members anywhere in the bytes hold.

sub inflated {
    my ($bytes) = @_;
    my $out = '';

    while ($bytes =~ /\x1f\x8b\x08/g) {
        my $in = substr $bytes, $-[0];
        my $inflate = Compress::Raw::Zlib::Inflate->new(
            -WindowBits => WANT_GZIP, -ConsumeInput => 1);
        my $member;

        $inflate->inflate($in, $member);
        $out .= $member // '';
    }

    return $out;
}


1;
