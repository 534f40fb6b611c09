package NginxTest::Check;

# Copyright (C) ngx_sentry authors
#
# What every test asserts at its end about all that it left behind: four
# assertions, so that a test cannot forget them.

use warnings;
use strict;

use File::Find ();
use Test::More ();

our $N = 4;

my $ALERTS = qr/\[alert\]|exited with (?:fatal )?code [1-9]/;
my $SANITIZER
    = qr{(?:ERROR|WARNING): \w*Sanitizer|^\S+:\d+:\d+: runtime error: };


sub _wrong {
    my ($self, $what) = @_;

    push @{$self->{wrong}}, $what;

    return $self;
}


# Four assertions about all that the test left behind.

sub _final {
    my ($self) = @_;

    _none('no alerts', $self->_alerts(), @{$self->{wrong}});
    _none('no sanitizer report', $self->_reports());
    _none('no secret left behind', $self->_leaks());
    _none('all as the protocol says',
          map { $_->violations() } @{$self->{receivers} || []});
}


# What may have made a test die: an nginx that is gone.

sub _last_words {
    my ($self) = @_;

    Test::More::diag($_) for $self->_alerts(), $self->_reports();
}


sub _alerts {
    my ($self) = @_;

    return grep {
        my $line = $_;
        $line =~ $ALERTS && !grep { $line =~ $_ } @{$self->{allowed}}
    } map { split /\n/, $self->read_file($_) } $self->_logs();
}


sub _reports {
    my ($self) = @_;

    return grep({ $_ =~ $SANITIZER }
                map { split /\n/, $self->read_file($_) } $self->_logs()),
           map { $self->read_file($_) } glob "$self->{dir}/sanitizer/*";
}


sub _none {
    my ($what, @found) = @_;

    Test::More::ok(!@found, $what);
    Test::More::diag($_) for @found > 20 ? (@found[0 .. 19], '...') : @found;
}


sub _logs {
    my ($self) = @_;

    return grep { -f } glob "$self->{dir}/*.log $self->{dir}/*.out";
}


# Looks through all files but those the test wrote itself and nginx's own
# buffers.  In logs only our lines count, up to the request that nginx adds.

sub _leaks {
    my ($self) = @_;
    my @secrets = @{$self->{secrets}};
    my @in_log = (@secrets, @{$self->{log_secrets}});
    my (%log, @found);

    for my $file ($self->_logs()) {
        $log{$file} = 1;

        for my $line (grep { /\bsentry: / } split /\n/,
                      $self->read_file($file))
        {
            (my $ours = $line) =~ s/, client: .*//;
            push @found, map { "$_ in $file: $ours" }
                         grep { index($ours, $_) >= 0 } @in_log;
        }
    }

    return @found if !@secrets;

    File::Find::find({ no_chdir => 1, wanted => sub {
        my $file = $File::Find::name;

        return $File::Find::prune = 1 if -d && /_temp$/;
        return if !-f || $log{$file} || $self->{written}{$file};

        my $bytes = $self->read_file($file);
        $bytes .= NginxTest::Receiver::inflated($bytes);

        push @found, map { "$_ in $file" }
                     grep { index($bytes, $_) >= 0 } @secrets;
    } }, $self->{dir});

    return @found;
}


1;
