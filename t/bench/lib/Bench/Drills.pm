package Bench::Drills;

# Copyright (C) ngx_sentry authors
#
# What is measured once and not in turns: how old workers leave while Sentry
# hangs, whether an error gets through while all requests are recorded at full
# speed, what workers take, and what the module's file is.

use warnings;
use strict;

use File::Temp qw/ tempfile /;
use Time::HiRes qw/ sleep time /;

use Bench::Load;
use Bench::Nginx;
use Bench::Stat;
use Bench::Variants;


my %few = (headers => 'few');
my %left_out = map { $_ => 1 }
               qw/ sample_rate event_processor backpressure held_back /;


# Seconds that the old worker stays at a reload, with Sentry hanging and a
# delivery on its way.

sub reload {
    my (%opt) = @_;
    my %seconds;

    for my $name (qw/ bare everything /) {
        my $bench = Bench::Nginx->new(%opt, sentry => 'hanging');
        my $nginx = $bench->start(Bench::Variants::chosen($name));

        for (1 .. ($opt{quick} ? 1 : 5)) {
            Bench::Load::requests($nginx, 'return', 1000, \%few);
            $nginx->get('/fail');
            sleep 1.5;      # a delivery was begun
            push @{$seconds{$name}}, leaves($nginx);
        }

        $bench->end();
    }

    return { bare_s => $seconds{bare}, everything_s => $seconds{everything},
             added_s => (sort { $b <=> $a } @{$seconds{everything}})[0]
                        - Bench::Stat::median(@{$seconds{bare}}) };
}


sub leaves {
    my ($nginx) = @_;
    my @old = $nginx->workers();
    my $began = time();

    kill 'HUP', $nginx->{pid};

    while (grep { -e "/proc/$_" } @old) {
        die "t/bench/run: an old worker does not leave\n"
            if time() > $began + 60;
        sleep 0.005;
    }

    delete $nginx->{worker};

    return time() - $began;
}


# Every request recorded at full speed: seconds until errors were answered
# for by Sentry, and the accounts afterwards.

sub overload {
    my (%opt) = @_;
    my $bench = Bench::Nginx->new(%opt, sentry => 'fast');
    my $nginx = $bench->start(Bench::Variants::chosen('traces-1'));
    my @load = Bench::Load::command($nginx, 'return', \%few, '-c', 16,
                                    '-t', $opt{quick} ? 4000 : 15000);
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        open STDOUT, '>', '/dev/null';
        exec @load;
        exit 127;
    }

    sleep 2;    # the queue is full

    my @seconds = map { error($nginx) } 1 .. ($opt{quick} ? 2 : 10);

    waitpid $pid, 0;
    die "t/bench/run: the load failed\n" if $?;

    my $status = $nginx->settled_status(30);

    $bench->end();

    return { error_s => \@seconds,
             slowest_s => (sort { $b <=> $a } @seconds)[0],
             accounts($status) };
}


sub error {
    my ($nginx) = @_;
    my $began = time();
    my $want = 1 + errors($nginx->status());

    $nginx->get('/fail');

    while (errors($nginx->status()) < $want) {
        return 60 if time() > $began + 60;
        sleep 0.01;
    }

    return time() - $began;
}


sub errors { return $_[0]{projects}[0]{delivered}{error} // 0 }


# What was captured is delivered, lost or waiting; what was left out on
# purpose was not captured.

sub accounts {
    my ($status) = @_;
    my $project = $status->{projects}[0];
    my %sums = (captured => sum($project->{captured}),
                delivered => sum($project->{delivered}),
                waiting => $status->{queue}{records}, lost => 0, left_out => 0);

    for my $reason (keys %{$project->{lost}}) {
        my $what = $left_out{$reason} ? 'left_out' : 'lost';

        $sums{$what} += sum($project->{lost}{$reason});
    }

    return (%sums, unaccounted => $sums{captured} - $sums{delivered}
                                  - $sums{lost} - $sums{waiting});
}


sub sum {
    my ($by_category) = @_;
    my $sum = 0;

    # a transaction that is lost is told as its spans, too

    $sum += $by_category->{$_} for grep { $_ ne 'span' } keys %$by_category;

    return $sum;
}


# KiB of two workers, without what they share; one of them sends.

sub memory {
    my (%opt) = @_;
    my %kib;

    for my $name (qw/ bare everything /) {
        my $bench = Bench::Nginx->new(%opt, sentry => 'fast');
        my ($variant) = Bench::Variants::chosen($name);
        my $nginx = $bench->start({ %$variant, workers => 2 });

        for my $load (qw/ return proxy fail /) {
            Bench::Load::run(Bench::Load::command($nginx, $load, \%few,
                '-c', 64, '-n', $opt{quick} ? 2000 : 40000));
            $nginx->settled_status(30);
        }

        $kib{$name} = [ $nginx->memory() ];
        $bench->end();
    }

    return { %kib, added_kib => $kib{everything}[0] - $kib{bare}[0] };
}


sub file {
    my (%opt) = @_;
    my $bench = Bench::Nginx->new(%opt, sentry => 'refused');
    my (undef, $stripped) = tempfile(UNLINK => 1);

    system('strip', '-o', $stripped, $bench->{module}) == 0
        or die "t/bench/run: strip failed\n";

    my @needs = sort map { /NEEDED\s+(\S+)/ ? $1 : () }
                `objdump -p $bench->{module}`;

    $bench->end();

    return { stripped => -s $stripped, needs => \@needs };
}


1;
