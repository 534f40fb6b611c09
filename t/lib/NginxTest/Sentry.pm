package NginxTest::Sentry;

# Copyright (C) ngx_sentry authors
#
# What has arrived at Sentry, and how it is to answer; the servers behind
# nginx.  Methods of NginxTest.

use warnings;
use strict;

use Carp;
use JSON::PP ();
use Test::More ();

use NginxTest::HTTP qw/ http_get http_body /;


# Starts the receiver: tls => 1 with a certificate in %%TESTDIR%%/sentry.crt.
# Further ones by new_receiver().

sub sentry {
    my ($self, %opt) = @_;

    $self->{sentry} = $self->new_receiver(%opt);
    push @{$self->{log_secrets}}, '5e0000000000000000';

    return $self;
}


sub new_receiver {
    my ($self, %opt) = @_;
    my $receiver = NginxTest::Receiver->new($self, %opt);

    push @{$self->{receivers}}, $receiver;

    return $receiver;
}


sub dsn {
    my ($self, $project) = @_;

    return $self->_sentry()->dsn($project);
}


sub _sentry { return $_[0]->{sentry} || croak 'call sentry() first' }

sub receiver { shift->_sentry()->script(@_) }
sub receiver_stop { shift->_sentry()->stop() }
sub receiver_start { shift->_sentry()->start() }
sub receiver_stats { shift->_sentry()->stats() }

sub envelopes { shift->_sentry()->envelopes(@_) }
sub items { shift->_sentry()->items(@_) }


# Waits for n error events and returns what has come, without markers.

sub events {
    my ($self, $n, %opt) = @_;
    my $events = $self->_sentry()->wait_payloads('event', $n, %opt);

    $self->_explain($n, 'event', $events);

    return $events;
}


sub transactions {
    my ($self, $n, %opt) = @_;
    my $transactions
        = $self->_sentry()->wait_payloads('transaction', $n, %opt);

    $self->_explain($n, 'transaction', $transactions);

    return $transactions;
}


# { reason => { category => quantity } }, added up over all reports of the
# project (1).

sub client_reports {
    my ($self, %opt) = @_;
    my %sum;

    for my $report (@{$self->_sentry()->payloads('client_report', %opt)}) {
        $sum{$_->{reason}}{$_->{category}} += $_->{quantity}
            for @{$report->{discarded_events}};
    }

    return \%sum;
}


# Everything that was captured before this call has arrived when it returns,
# unless it never will: sends requests that fail and waits for their events,
# the second after the first so that deliveries beside it are done too.

sub marker {
    my ($self) = @_;

    for (1 .. 2) {
        my $uri = sprintf '/marker/%d-%d', $$, ++$self->{markers};

        http_get($uri, port => NginxTest::port(8079));

        NginxTest::wait_for(sub {
            grep { ($_->{request}{url} // '') =~ /\Q$uri\E$/ }
                @{$self->_sentry()->payloads('event', project => 9999)};

        }) or $self->_wrong("the marker $uri did not arrive");
    }

    # deliveries to another project may still be under way

    NginxTest::wait_for(sub { $self->status()->{queue}{records} == 0 }, 3);

    return $self;
}


# The decoded status page.

sub status {
    my ($self, $uri, %opt) = @_;
    my $response = http_get($uri || '/status',
                            port => $opt{port} || NginxTest::port(8079));

    return eval { JSON::PP->new()->utf8()->decode(http_body($response)) }
           || die "no status in: $response\n";
}


sub _explain {
    my ($self, $n, $what, $got) = @_;

    return if !defined $n || @$got >= $n;

    Test::More::diag("$n ${what}s expected, " . @$got . ' came');
    Test::More::diag("log: $_")
        for $self->log_lines(qr/sentry|\[(?:error|crit|alert)/);
}


# A port whose server misbehaves as told; see NginxTest::Upstream.

sub upstream {
    my ($self, $mode, %opt) = @_;
    my $port = $self->reserve_port();
    my $listener = NginxTest::Upstream::listener($port);

    $self->run_daemon(sub {
        NginxTest::Upstream::serve($listener, $mode, %opt);
    });

    return $port;
}


1;
