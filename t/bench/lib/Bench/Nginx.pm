package Bench::Nginx;

# Copyright (C) ngx_sentry authors
#
# The processes of a run: one nginx for each variant with one worker on the
# first CPU, and one on the second that is the application and Sentry.  They
# live in a directory of their own and end with the run.

use warnings;
use strict;

use Cwd qw/ abs_path /;
use File::Temp;
use FindBin;
use IO::Socket::INET;
use JSON::XS;
use Time::HiRes qw/ sleep time /;


sub new {
    my ($class, %opt) = @_;
    my $top = abs_path("$FindBin::Bin/../..");
    my $self = bless {
        dir => File::Temp->newdir('ngx_sentry_bench_XXXXXX', TMPDIR => 1),
        nginx => $opt{nginx} // 'nginx',
        module => $opt{module} // "$top/build/ngx_sentry_module.so",
        programs => "$top/build/bench",
        sentry => $opt{sentry},
        started => [],
    }, $class;

    die "t/bench/run: $self->{module} is missing: make\n"
        if !-e $self->{module};
    $self->{module} = abs_path($self->{module});
    die "t/bench/run: Sentry must be fast, slow, hanging or refused\n"
        if $opt{sentry} !~ /^(?:fast|slow|hanging|refused)$/;

    chmod 0755, "$self->{dir}";
    $ENV{PATH} .= ':/usr/sbin:/sbin';

    $self->{app_port} = free_port();
    $self->{sentry_port} = free_port();
    $self->_start_others();

    return $self;
}


sub free_port {
    my $socket = IO::Socket::INET->new(Listen => 1, LocalAddr => '127.0.0.1',
                                       LocalPort => 0) or die "listen: $!\n";

    return $socket->sockport();
}


sub dir {
    my ($self) = @_;

    return "$self->{dir}";
}


# The application, and Sentry: answers at once and takes little CPU for that,
# after a while, or accepts and says nothing; "refused": nobody is there.

sub _start_others {
    my ($self) = @_;
    my $page = 'x' x 1024;
    my $sentry = $self->{sentry} ne 'slow' ? '' : <<"EOC";
    server {
        listen 127.0.0.1:$self->{sentry_port};
        client_max_body_size 64m;

        location / {
            limit_rate 20;
            return 200 '{"id":"00000000000000000000000000000000"}';
        }
    }
EOC

    if ($self->{sentry} eq 'fast') {
        push @{$self->{started}}, $self->_sink();

    } elsif ($self->{sentry} eq 'hanging') {

        # in the backlog: connected, and never read from

        $self->{silent} = IO::Socket::INET->new(
            Listen => 128, LocalAddr => '127.0.0.1',
            LocalPort => $self->{sentry_port}) or die "listen: $!\n";
    }

    $self->_run('others', <<"EOC", 2);
worker_processes 1;
error_log $self->{dir}/others.log warn;
events { worker_connections 1024; }

http {
    access_log off;
    keepalive_requests 1000000000;

    server {
        listen 127.0.0.1:$self->{app_port};
        location / { return 200 '$page'; }
    }

$sentry
}
EOC
}


sub _sink {
    my ($self) = @_;
    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        exec cpus() > 1 ? qw/ taskset -c 1 / : (), "$self->{programs}/sink",
             $self->{sentry_port};
        exit 127;
    }

    return bless { pid => $pid, name => 'others' }, 'Bench::Nginx::One';
}


# A variant's nginx, ready to be asked.

sub start {
    my ($self, $variant, %opt) = @_;
    my $port = free_port();
    my $nginx = $self->_run($variant->{name}, $self->_conf($variant, $port),
                            1, %opt);

    $nginx->{port} = $port;
    $nginx->_ready();

    push @{$self->{started}}, $nginx;

    return $nginx;
}


sub _conf {
    my ($self, $variant, $port) = @_;
    my %said = (PORT => $port, DIR => "$self->{dir}",
                APP => "127.0.0.1:$self->{app_port}",
                SENTRY => "127.0.0.1:$self->{sentry_port}",
                DSN => "http://key\@127.0.0.1:$self->{sentry_port}/1");
    my $conf = $variant->{file} ? slurp($variant->{file}) : _text($variant);

    $conf = "load_module $self->{module};\n$conf" if $variant->{module};
    $conf =~ s/\@([A-Z]+)\@/$said{$1} \/\/ "\@$1\@"/ge;

    open my $out, '>', "$self->{dir}/file" or die "$self->{dir}/file: $!\n";
    print $out 'x' x 1024;
    close $out;

    return $conf;
}


sub _text {
    my ($variant) = @_;
    my $http = $variant->{http} // '';
    my $own = $http =~ /sentry_dsn/ ? 'location = /status { sentry_status; }'
                                    : '';
    my $fails = $variant->{fails} ? 'if ($fails) { return 502; }' : '';

    return <<"EOC";
worker_processes @{[$variant->{workers} // 1]};
error_log \@DIR\@/error.log warn;
events { worker_connections 1024; }

http {
    @{[$http =~ /access_log/ ? '' : 'access_log off;']}
    keepalive_requests 1000000000;
    split_clients "\$connection-\$connection_requests" \$fails {
        5% 1;
        * '';
    }
    upstream app {
        server \@APP\@;
        keepalive 64;
    }
    $http

    server {
        listen 127.0.0.1:\@PORT\@;
        root \@DIR\@;

        location = /return {
            $fails
            return 200 "ok\\n";
        }
        location = /file {
            $fails
        }
        location = /fail {
            return 502;
        }
        location = /proxy {
            $fails
            proxy_http_version 1.1;
            proxy_set_header Connection '';
            proxy_pass http://app;
        }
        $own
    }
}
EOC
}


# cpu: 1 the first, 2 the second.  under: a command that runs it, then as a
# single process.

sub _run {
    my ($self, $name, $conf, $cpu, %opt) = @_;
    my $file = "$self->{dir}/$name.conf";
    my @under = @{$opt{under} || []};
    my $single = @under ? 'master_process off;' : '';
    my $mask = $cpu == 1 ? '01' : '10';
    my $affinity = cpus() > 1 && !@under ? "worker_cpu_affinity $mask;" : '';

    open my $out, '>', $file or die "$file: $!\n";
    print $out "daemon off; $single\npid $self->{dir}/$name.pid;\n",
        $> == 0 ? "user root;\n" : '', "$affinity\n$conf";
    close $out;

    my $pid = fork() // die "fork: $!\n";

    if ($pid == 0) {
        delete @ENV{grep { /^SENTRY_/ } keys %ENV};
        open STDERR, '>', "$self->{dir}/$name.err";
        exec @under, $self->{nginx}, '-p', "$self->{dir}", '-c', $file;
        exit 127;
    }

    my $nginx = bless { pid => $pid, name => $name, dir => "$self->{dir}",
                        single => scalar(@under) }, 'Bench::Nginx::One';

    push @{$self->{started}}, $nginx if $name eq 'others';

    return $nginx;
}


# Ends those that were compared, then all.

sub stop {
    my ($self) = @_;

    for (grep { $_->{name} ne 'others' } @{$self->{started}}) {
        $_->end();
    }

    @{$self->{started}} = grep { $_->{name} eq 'others' } @{$self->{started}};
}


sub end {
    my ($self) = @_;

    $_->end() for @{$self->{started}};
    $self->{started} = [];
}


sub DESTROY {
    my ($self) = @_;

    local $?;       # of waitpid(): that of the run stays what it is
    $self->end();
}


sub cpus {
    my $n = () = slurp('/proc/cpuinfo') =~ /^processor\s*:/mg;

    return $n || 1;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or return '';
    local $/;

    return scalar(<$in>) // '';
}


package Bench::Nginx::One;

use Time::HiRes qw/ sleep time /;


sub end {
    my ($self) = @_;

    return if !$self->{pid};

    # more than once: a single process without a timer misses what comes
    # just before it waits

    my $until = time() + 30;

    do {
        kill time() < $until ? 'TERM' : 'KILL', $self->{pid};
        sleep 0.05;
    } while (waitpid($self->{pid}, 1) == 0);

    $self->{pid} = 0;
}


sub _ready {
    my ($self) = @_;
    my $until = time() + 60;

    while (time() < $until) {
        return if defined $self->get('/return');
        die "t/bench/run: $self->{name}: "
            . Bench::Nginx::slurp("$self->{dir}/$self->{name}.err")
            if waitpid($self->{pid}, 1) == $self->{pid};
        sleep 0.05;
    }

    $self->end();
    die "t/bench/run: $self->{name} does not answer\n";
}


sub get {
    my ($self, $uri) = @_;
    my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                       PeerPort => $self->{port})
        or return;

    print $socket "GET $uri HTTP/1.0\r\nHost: localhost\r\n\r\n";

    local $/;
    my $answer = <$socket> // return;

    return $answer =~ /\r\n\r\n(.*)/s ? $1 : undef;
}


sub worker {
    my ($self) = @_;

    $self->{worker} //= ($self->workers())[0];

    return $self->{worker};
}


# Those that are there now, the eldest first.

sub workers {
    my ($self) = @_;

    return $self->{pid} if $self->{single};

    return split ' ', Bench::Nginx::slurp(
        "/proc/$self->{pid}/task/$self->{pid}/children");
}


# KiB that the workers have for themselves, the biggest first; what is shared
# is not counted.

sub memory {
    my ($self) = @_;
    my @kib = map {
        Bench::Nginx::slurp("/proc/$_/smaps_rollup")
            =~ /^Private_Dirty:\s+(\d+)/m
    } $self->workers();

    return sort { $b <=> $a } @kib;
}


# What the module says; nothing where there is none.

sub status {
    my ($self) = @_;
    my $text = $self->get('/status') // return;

    return $text =~ /^\{/ ? JSON::XS::decode_json($text) : undef;
}


# The same when its queue is empty, or after so many seconds.

sub settled_status {
    my ($self, $seconds) = @_;
    my ($status, $until) = (undef, time() + $seconds);

    do {
        $status = $self->status() // return;
        return $status if !$status->{queue}{records};
        sleep 0.02;
    } while (time() < $until);

    return $status;
}


1;
