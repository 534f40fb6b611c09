package Bench::Report;

# Copyright (C) ngx_sentry authors
#
# The figures: medians over the cycles, ratios to the first variant taken
# within each cycle, and how sure these are.

use warnings;
use strict;

use JSON::XS;
use POSIX qw/ strftime uname /;

use Bench::Stat;


my @quantiles = qw/ p50 p99 p99.9 /;


sub new {
    my ($class, %opt) = @_;
    my ($loadavg) = split ' ', Bench::Nginx::slurp('/proc/loadavg');

    return bless {
        machine => machine(\%opt), load_before => $loadavg + 0,
        opt => { map { $_ => $opt{$_} }
                 qw/ cycles turn latency pace callgrind / },
        runs => [], drills => {}
    }, $class;
}


sub add {
    my ($self, %run) = @_;
    my %by_name = map { $_->{name} => $_ } @{$run{results}};
    my $first = $run{results}[0];

    push @{$self->{runs}}, { %run, results => [ map {
        figures($_, $by_name{$_->{variant}{to} // ''} // $first)
    } @{$run{results}} ] };

    return $self->{runs}[-1];
}


sub figures {
    my ($result, $first) = @_;
    my @cycles = @{$result->{cycles}};
    my @paced = @{$result->{paced}};
    my %figures = (name => $result->{name}, cycles => \@cycles,
                   paced => \@paced, memory_kib => $result->{memory},
                   share_delivered => scalar delivered($result->{status}));

    if (@cycles) {
        $figures{rate} = of('rate', @cycles);
        $figures{loop_us} = of('loop', @cycles);
        $figures{others_us} = of('others', @cycles);
        $figures{ratio} = pairs('rate', \@cycles, $first->{cycles},
                                sub { $_[0] / $_[1] });
        $figures{loop_added_us} = pairs('loop', \@cycles, $first->{cycles},
                                        sub { $_[0] - $_[1] });
    }

    if (@paced) {
        $figures{offered} = $result->{offered};
        $figures{paced_loop_us} = of('loop', @paced);

        for my $what (@quantiles) {
            $figures{latency}{$what} = {
                us => of($what, @paced),
                ratio => pairs($what, \@paced, $first->{paced},
                               sub { $_[0] / $_[1] })
            };
        }
    }

    for my $how (qw/ instructions counters /) {
        my $counted = $result->{$how} // next;

        $figures{$how} = { %$counted,
                           added => $counted->{loop} - $first->{$how}{loop} };
        $figures{$how}{heap_added} = $counted->{heap} - $first->{$how}{heap}
            if defined $counted->{heap};
    }

    return \%figures;
}


sub of {
    my ($what, @turns) = @_;

    return Bench::Stat::median(map { $_->{$what} } @turns);
}


sub pairs {
    my ($what, $these, $those, $how) = @_;

    return Bench::Stat::summary(map {
        $how->($these->[$_]{$what}, $those->[$_]{$what})
    } 0 .. $#$these);
}


# Of what was to be sent, by category.

sub delivered {
    my ($status) = @_;
    my ($project) = @{($status || {})->{projects} || []} or return;
    my %share;

    for my $category (keys %{$project->{captured}}) {
        my $captured = $project->{captured}{$category} or next;

        $share{$category}
            = ($project->{delivered}{$category} // 0) / $captured;
    }

    return \%share;
}


sub show {
    my ($self, $run) = @_;
    my $opt = $self->{opt};
    my $offered = $run->{results}[0]{offered};

    print $self->{machine}, "\n" if $run == $self->{runs}[0];
    my $cycles = @{$run->{results}[0]{cycles}};
    my $rounds = @{$run->{results}[0]{paced}};

    printf "\n%s, Sentry %s, %s headers%s%s; other work took %.1f %% of the"
        . " CPUs\n\n", @$run{qw/ load sentry headers /},
        $cycles ? "; $cycles cycles, turns of $opt->{turn} ms" : '',
        $rounds ? "; latency at $offered/s, $rounds rounds of $opt->{pace} ms"
                : '', 100 * $run->{foreign};
    printf "%-11s %7s %19s %7s %20s %7s %7s %7s %19s %7s %7s %6s %6s %s\n",
        '', 'req/s', 'ratio', 'loop us', 'added', 'thread', 'p50 us', 'p99',
        'p99.9 and ratio', 'instr', 'added', 'heap', 'KiB', 'delivered';

    show_one($_) for @{$run->{results}};
}


sub show_one {
    my ($one) = @_;
    my $share = $one->{share_delivered} || {};
    my $latency = $one->{latency} || {};
    my $instructions = $one->{instructions} // $one->{counters} // {};
    my $tail = $latency->{'p99.9'};

    printf "%-11s %7s %19s %7s %20s %7s %7s %7s %19s %7s %7s %6s %6s %s\n",
        $one->{name}, number(0, $one->{rate}), sure(3, 2, $one->{ratio}),
        number(2, $one->{loop_us}), sure(2, 2, $one->{loop_added_us}),
        number(2, $one->{others_us}),
        (map { number(0, $latency->{$_}{us}) } qw/ p50 p99 /),
        $tail ? number(0, $tail->{us}) . ' ' . sure(2, 2, $tail->{ratio}) : '',
        (map { number(0, $instructions->{$_}) } qw/ loop added heap_added /),
        $one->{memory_kib} // '',
        join ', ', map { sprintf '%s %.1f %%', $_, 100 * $share->{$_} }
                   sort keys %$share;
}


sub number {
    my ($places, $n) = @_;

    return defined $n ? sprintf('%.*f', $places, $n) : '';
}


# The median, and between which two it is in 95 of 100 cases.

sub sure {
    my ($places, $few, $summary) = @_;

    return '' if !$summary;
    return sprintf '%.*f (%.*f %.*f)', $places, $summary->{median},
        $few, $summary->{low}, $few, $summary->{high};
}


sub machine {
    my ($opt) = @_;
    my $info = Bench::Nginx::slurp('/proc/cpuinfo');
    my ($model) = $info =~ /^model name\s*:\s*(.*)$/m;
    my $nginx = $opt->{nginx} // 'nginx';
    local $ENV{PATH} = "$ENV{PATH}:/usr/sbin:/sbin";
    my ($version) = `$nginx -v 2>&1` =~ m{(nginx/\S+)};
    my @uname = uname();

    return sprintf '%s, %s, %d CPUs (%s), %s %s',
        strftime('%Y-%m-%d', gmtime), $version // 'nginx', Bench::Nginx::cpus(),
        $model // $uname[4], $uname[0], $uname[2];
}


sub write_json {
    my ($self, $file) = @_;

    open my $out, '>', $file or die "$file: $!\n";
    print $out JSON::XS->new->canonical->pretty->encode({ %$self });
    close $out;
}


sub read_json {
    my ($class, $file) = @_;
    my $text = Bench::Nginx::slurp($file);

    die "t/bench/run: $file: nothing there\n" if !length $text;

    return bless decode_json($text), $class;
}


# The figures of a variant in the runs that are alike; nothing if there are
# none.

sub find {
    my ($self, $name, %like) = @_;

    for my $run (reverse @{$self->{runs}}) {
        next if grep { $run->{$_} ne $like{$_} } keys %like;

        my ($one) = grep { $_->{name} eq $name } @{$run->{results}};

        return $one if $one;
    }

    return;
}


1;
