package NginxTest;

# Copyright (C) ngx_sentry authors
#
# Runs an nginx with the module and a Sentry beside it, with the vocabulary
# of nginx's own tests:
#
#     my $t = NginxTest->new()->plan(2);
#
#     $t->sentry()->conf(location => '= /boom { return 500; }')->run();
#
#     like(http_get('/boom'), qr/ 500 /, 'response unchanged');
#     is($t->events(1)->[0]{transaction}, 'GET /boom', 'named by location');
#
# Ports such as 8080 are symbols: port(8080), %%PORT_8080%% and 127.0.0.1:8080
# in a configuration stand for a free port of this run.  Every test has its
# own directory, %%TESTDIR%%, and asserts at its end, counted in the plan: no
# alert, no sanitizer report, no planted secret, nothing that breaks Sentry's
# protocol.  Waiting is always for a condition, with a deadline.
#
# Environment: TEST_NGINX_BINARY, TEST_NGINX_MODULE (empty: built in),
# TEST_NGINX_LEAVE (keep the directory), TEST_NGINX_VERBOSE.

use warnings;
use strict;

use Exporter qw/ import /;
use Carp;
use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Path qw/ mkpath /;
use File::Temp qw/ tempdir /;
use JSON::PP ();
use POSIX ();
use Socket;
use Test::More ();
use Time::HiRes qw/ time sleep /;

use lib dirname(abs_path(__FILE__));
use NginxTest::Check;
use NginxTest::HTTP;
use NginxTest::Process;
use NginxTest::Receiver;
use NginxTest::Upstream;

our @ISA = qw/ NginxTest::Check NginxTest::Process /;

our @EXPORT = (qw/ port dead_port wait_for deadline /,
               @NginxTest::HTTP::EXPORT);

our $ROOT = abs_path(dirname(abs_path(__FILE__)) . '/../..');

my $current;    # the test that port() and http() speak of


sub new {
    my ($class) = @_;
    my $self = bless {}, $class;

    $self->{pid} = $$;
    $self->{dir} = tempdir('ngx_sentry_XXXXXXXX', TMPDIR => 1);
    $self->{binary} = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';
    $self->{module} = $ENV{TEST_NGINX_MODULE}
                      // "$ROOT/build/ngx_sentry_module.so";
    $self->{$_} = [] for qw/ allowed daemons secrets log_secrets wrong /;
    $self->{$_} = {} for qw/ env ports written upstreams /;

    chmod 0755, $self->{dir};
    mkdir "$self->{dir}/sanitizer";
    chmod 0777, "$self->{dir}/sanitizer";

    delete $ENV{$_} for grep { /^SENTRY_|^(?:https?|all|no)_proxy$/i }
                        keys %ENV;
    $ENV{LC_ALL} = 'C';
    sanitizer_options($self->{dir});

    $current = $self;

    return $self;
}


# Reports go to files of the test, whatever nginx does to its stderr.

sub sanitizer_options {
    my ($dir) = @_;

    $ENV{ASAN_OPTIONS} = join ':', grep { length }
        'detect_leaks=1:detect_stack_use_after_return=1:abort_on_error=1',
        $ENV{TEST_ASAN_OPTIONS} // '', "log_path=$dir/sanitizer/report";
    $ENV{UBSAN_OPTIONS}
        = "print_stacktrace=1:log_path=$dir/sanitizer/report";
    $ENV{LSAN_OPTIONS}
        = "suppressions=$ROOT/t/lib/lsan.supp:print_suppressions=0"
        if -e "$ROOT/t/lib/lsan.supp";
}


# n assertions of the test's own.

sub plan {
    my ($self, $n) = @_;

    Test::More::plan(tests => $n + $NginxTest::Check::N)
        if !$self->{planned}++;

    return $self;
}


# Skips the whole file unless nginx was built with these modules.

sub has {
    my ($self, @features) = @_;

    for my $feature (@features) {
        Test::More::plan(skip_all => "no $feature in nginx")
            if !$self->has_module($feature);
    }

    return $self;
}


sub has_module {
    my ($self, $feature) = @_;

    $self->{version} //= `$self->{binary} -V 2>&1`;

    return $self->{version} =~ /--with-\Q$feature\E(?:_module)?\b/ ? 1 : 0;
}


# nginx's version as a number that compares: 1022001.

sub nginx_version {
    my ($self) = @_;

    $self->{version} //= `$self->{binary} -V 2>&1`;

    return $self->{version} =~ m{nginx/(\d+)\.(\d+)\.(\d+)}
           ? $1 * 1000000 + $2 * 1000 + $3 : 0;
}


sub is_static { return !length $_[0]->{module} }

sub testdir { return $_[0]->{dir} }


# Environment of nginx; undef removes.

sub env {
    my ($self, %env) = @_;

    %{$self->{env}} = (%{$self->{env}}, %env);

    return $self;
}


# Strings that must appear in no envelope, spool, log line of ours...

sub secrets {
    my ($self, @secrets) = @_;

    push @{$self->{secrets}}, @secrets;

    return $self;
}


# Alerts that this test provokes.

sub allow_alerts {
    my ($self, @allowed) = @_;

    push @{$self->{allowed}}, @allowed;

    return $self;
}


# Seconds, more of them where a sanitizer slows all down.

sub deadline {
    my ($seconds) = @_;

    return $seconds * ($ENV{TEST_NGINX_SLOW} || 1);
}


# Polls until the code returns something true, and returns that; else, after
# 10 seconds or those given, the last value.

sub wait_for {
    my ($code, $seconds) = @_;
    my $end = time() + deadline($seconds // 10);
    my $pause = 0.002;
    my $value;

    while (1) {
        $value = $code->();
        return $value if $value || time() > $end;

        sleep($pause);
        $pause *= 1.5 if $pause < 0.05;
    }
}


# ----- ports

# The port stays bound to us and not listening, so that no other test takes
# it: nginx may bind it all the same, both with SO_REUSEADDR.

sub reserve_port {
    my ($self) = @_;

    for (1 .. 1000) {
        my $port = 10000 + int rand 22000;

        socket my $s, PF_INET, SOCK_STREAM, 0 or die "socket: $!\n";
        bind $s, pack_sockaddr_in($port, INADDR_LOOPBACK) or next;
        setsockopt $s, SOL_SOCKET, SO_REUSEADDR, 1;
        push @{$self->{reserved}}, $s;

        return $port;
    }

    die "no free port\n";
}


sub port {
    my ($symbol) = @_;

    return $current->{ports}{$symbol} //= $current->reserve_port();
}


# A port that refuses connections as long as the test runs.

sub dead_port {
    return $current->reserve_port();
}


# ----- files

sub write_file {
    my ($self, $name, $content) = @_;
    my $path = "$self->{dir}/$name";

    mkpath(dirname($path));
    open my $file, '>', $path or croak "$path: $!";
    binmode $file;
    print $file $content;
    close $file or croak "$path: $!";

    $self->{written}{$path} = 1;

    return $self;
}


sub write_file_expand {
    my ($self, $name, $content) = @_;

    return $self->write_file($name, $self->expand($content));
}


sub expand {
    my ($self, $text) = @_;

    $text =~ s/%%GLOBALS%%/$self->_globals()/ge;
    $text =~ s/%%GLOBALS_HTTP%%/$self->_globals_http()/ge;
    $text =~ s/%%MARKER%%/$self->_marker_server()/ge;
    $text =~ s/%%TESTDIR%%/$self->{dir}/g;
    $text =~ s/%%DSN%%/$self->dsn(1)/ge;
    $text =~ s/%%DSN_(\d+)%%/$self->dsn($1)/ge;
    $text =~ s/%%SENTRY_PORT%%/$self->{sentry}->port()/ge;
    $text =~ s/%%PORT_(\d+)%%/port($1)/ge;
    $text =~ s/127\.0\.0\.1:(8\d\d\d)\b/'127.0.0.1:' . port($1)/ge;

    return $text;
}


sub _globals {
    my ($self) = @_;
    my $globals = "daemon off;\n"
        . "pid $self->{dir}/nginx.pid;\n"
        . "error_log $self->{dir}/error.log "
        . ($self->{conf}{log_level} || 'notice') . ";\n";

    $globals = "load_module $self->{module};\n$globals"
        if !$self->is_static();

    $globals .= 'user nobody ' . getgrgid((getpwnam 'nobody')[3]) . ";\n"
        if $> == 0;

    # a binary upgrade passes on no environment by itself
    $globals .= "env $_;\n" for qw/ ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS /;
    $globals .= $ENV{TEST_NGINX_GLOBALS} // '';

    return $globals;
}


sub _globals_http {
    my ($self) = @_;

    return "access_log off;\n" . join '', map {
        "${_}_temp_path $self->{dir}/${_}_temp;\n"
    } qw/ client_body proxy fastcgi uwsgi scgi /;
}


sub _marker_server {
    my ($self) = @_;
    my $dsn = $self->dsn(9999);

    return <<"EOC";
    server {
        listen 127.0.0.1:8079;
        sentry_dsn $dsn;
        sentry_capture 5xx;
        sentry_sample_rate 1;

        location /marker/ { return 503; }
        location = /status { sentry_status; }
    }
EOC
}


# What an nginx.conf is made of: main, events, http, server (text), location
# (text, or a list of texts); log_level; marker => 0 leaves out the server
# that marker() and status() use; servers: further server blocks; sentry => 0:
# no directive of ours.

sub conf {
    my ($self, %conf) = @_;

    %{$self->{conf}} = (%{$self->{conf} || {}}, %conf);
    delete $self->{written}{"$self->{dir}/nginx.conf"};

    return $self;
}


sub _conf_text {
    my ($self) = @_;
    my %conf = (map({ $_ => '' } qw/ main events http server servers /),
                %{$self->{conf} || {}});
    my $locations = $conf{location} // [];
    my ($sentry, $marker) = ('', '');

    $locations = [ $locations ] if !ref $locations;
    $locations = join "\n        ", map { "location $_" } @$locations;

    if ($self->{sentry} && ($conf{sentry} // 1)) {
        $sentry = "sentry_dsn %%DSN%%;\n"
            if $conf{http} !~ /^\s*sentry_dsn\s/m && $conf{dsn} // 1;
        $sentry .= "    sentry_flush_interval 50ms;\n"
            if $conf{http} !~ /^\s*sentry_flush_interval\s/m;
        $marker = '%%MARKER%%' if $conf{marker} // 1;
    }

    return <<"EOC";
%%GLOBALS%%
$conf{main}

events {
    $conf{events}
}

http {
    %%GLOBALS_HTTP%%
    $sentry
    $conf{http}

    server {
        listen 127.0.0.1:8080;
        server_name localhost;
        $conf{server}

        $locations
    }

    $conf{servers}

$marker
}
EOC
}


sub read_file {
    my ($self, $name) = @_;
    my $path = $name =~ m{^/} ? $name : "$self->{dir}/$name";

    open my $file, '<', $path or return '';
    binmode $file;
    local $/;

    return scalar(<$file>) // '';
}


sub log { return $_[0]->read_file('error.log') }


# The lines of the log that match, without time and process.

sub log_lines {
    my ($self, $regex) = @_;

    return grep { $_ =~ $regex }
           map { s/^\S+ \S+ (\[\w+\]) \S+ /$1 /r }
           split /\n/, $self->log();
}


# ----- nginx

sub run {
    my ($self) = @_;
    my $why;

    $self->_write_conf();
    $self->{orphan} = 0;
    $self->{child} = $self->_start();
    $why = $self->_wait_started();

    if (defined $why) {
        $self->_kill_nginx();
        die "nginx does not run: $why\n" . $self->read_file('stderr.log')
            . $self->log();
    }

    return $self;
}


# Unless the test wrote it itself, or nothing has changed.

sub _write_conf {
    my ($self) = @_;

    $self->write_file_expand('nginx.conf', $self->_conf_text())
        if !$self->{written}{"$self->{dir}/nginx.conf"};
}


sub _command {
    my ($self) = @_;

    return [ $self->{binary}, '-p', "$self->{dir}/", '-c', 'nginx.conf',
             '-e', "$self->{dir}/error.log" ];
}


# nginx refuses a binary upgrade while the process that started it lives:
# there is one in between that can be ended.  It also ends nginx when the
# test is killed.

sub _start {
    my ($self) = @_;
    my $test = $$;
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;

    local $SIG{CHLD} = sub { };
    $pid = $self->_spawn($self->_command(), "$self->{dir}/stderr.log");
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';

    while (waitpid($pid, POSIX::WNOHANG()) != $pid) {
        kill 'TERM', $pid if getppid() != $test;
        sleep(0.5);
    }

    POSIX::_exit($? ? 1 : 0);
}


sub _orphan {
    my ($self) = @_;

    return if $self->{orphan}++;

    kill 'KILL', $self->{child};
    waitpid $self->{child}, 0;
    $self->{child} = $self->nginx_pid();
}


sub _spawn {
    my ($self, $command, $output) = @_;
    my $pid = fork() // die "fork: $!\n";

    return $pid if $pid;

    for (keys %{$self->{env}}) {
        defined $self->{env}{$_} ? ($ENV{$_} = $self->{env}{$_})
                                 : delete $ENV{$_};
    }

    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $output;
    open STDERR, '>&', \*STDOUT;
    exec @$command or POSIX::_exit(127);
}


# undef when it runs, else why not.

sub _wait_started {
    my ($self) = @_;
    my $conf = $self->read_file('nginx.conf');
    my @ports = $conf
        =~ /^\s*listen\s+127\.0\.0\.1:(\d+)(?![^;]*(?:udp|quic))/mg;
    my ($workers) = $conf =~ /^\s*worker_processes\s+(\d+)/m;
    my $dead;

    $workers = 0 if $conf =~ /^\s*master_process\s+off/m;

    my $up = wait_for(sub {
        return $dead = 1
            if waitpid($self->{child}, POSIX::WNOHANG()) == $self->{child};
        return -s "$self->{dir}/nginx.pid"
               && $self->worker_pids() >= ($workers // 1)
               && !grep { !_connects($_) } @ports;
    });

    return 'it ended' if $dead;
    return $up ? undef : 'it does not listen';
}


sub _connects {
    my ($port) = @_;

    socket my $s, PF_INET, SOCK_STREAM, 0 or return 0;

    return connect($s, pack_sockaddr_in($port, INADDR_LOOPBACK)) ? 1 : 0;
}


sub waitforsocket {
    my ($self, $peer) = @_;
    my ($port) = $peer =~ /(\d+)$/;

    return wait_for(sub { _connects($port) });
}


sub waitforfile {
    my ($self, $name) = @_;

    return wait_for(sub { -s "$self->{dir}/$name" });
}


sub nginx_pid {
    my ($self) = @_;
    my ($pid) = $self->read_file('nginx.pid') =~ /(\d+)/;

    return $pid;
}


# Workers that serve, or with all => 1 those shutting down too; of the
# current master or of another one.

sub worker_pids {
    my ($self, %opt) = @_;
    my $master = $opt{master} || $self->nginx_pid() || return;
    my @pids;

    for my $stat (glob '/proc/[0-9]*/stat') {
        my ($pid) = $stat =~ /(\d+)/;
        my (undef, $ppid) = _stat($pid);

        next if !defined $ppid || $ppid != $master;

        my $title = $self->read_file("/proc/$pid/cmdline");

        push @pids, $pid
            if $title =~ /^nginx: worker process(?! is shutting)/
               || $opt{all} && $title =~ /^nginx: worker/;
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


sub _stat {
    my ($pid) = @_;

    open my $file, '<', "/proc/$pid/stat" or return;
    my $line = <$file> // return;

    return $line =~ /\) (\S) (\d+)/;
}


sub _alive {
    my ($pid) = @_;
    my ($state) = _stat($pid);

    return defined $state && $state ne 'Z';
}


sub signal {
    my ($self, $signal, $pid) = @_;

    kill $signal, $pid || $self->nginx_pid();

    return $self;
}


# With what conf() was told since.  Waits until only new workers serve; with
# all => 1 also until the old ones are gone.

sub reload {
    my ($self, %opt) = @_;
    my %old = map { $_ => 1 } $self->worker_pids(all => 1);

    $self->_write_conf();
    $self->signal('HUP');

    wait_for(sub {
        my @now = $self->worker_pids();
        return @now && !grep { $old{$_} } @now;
    }) or $self->_wrong('reload: the old workers still serve');

    if ($opt{all}) {
        wait_for(sub { !grep { _alive($_) } keys %old })
            or $self->_wrong('reload: old workers do not end');
    }

    return $self;
}


# Binary upgrade: the old master is asked to leave once the new one runs.
# The configuration's reserved ports and the pid file follow.

sub upgrade {
    my ($self) = @_;
    my $old = $self->nginx_pid();

    $self->_orphan();
    $self->signal('USR2');

    wait_for(sub {
        my $new = $self->nginx_pid();
        return $new && $new != $old && $self->worker_pids();
    }) or return $self->_wrong('upgrade: no new master');

    kill 'QUIT', $old;
    wait_for(sub { !_alive($old) })
        or $self->_wrong('upgrade: the old master does not end');

    return $self;
}


# Gracefully; returns the seconds it took.

sub stop {
    my ($self, $signal) = @_;
    my $start = time();
    my $pid = $self->nginx_pid();
    my @all = $self->_processes();
    my $seconds;

    return 0 if !$self->{child};

    kill $signal || 'QUIT', $pid if $pid;

    wait_for(sub {
        waitpid $self->{child}, POSIX::WNOHANG();
        !grep { _alive($_) } @all;
    }) or $self->_wrong('nginx did not end within 10 s of '
                        . ($signal || 'QUIT'));

    $seconds = time() - $start;
    $self->_kill_nginx(@all);

    return $seconds;
}


sub _processes {
    my ($self) = @_;
    my ($old) = $self->read_file('nginx.pid.oldbin') =~ /(\d+)/;
    my @masters = grep { $_ } $self->{child}, $self->nginx_pid(), $old;

    return @masters,
           map { $self->worker_pids(all => 1, master => $_) } @masters;
}


# Those that are left over, by their own pids.

sub _kill_nginx {
    my ($self, @all) = @_;

    return if !$self->{child};

    # a recycled pid is not ours: ask what it runs
    for (@all, $self->_processes()) {
        kill 'KILL', $_
            if _alive($_) && $self->read_file("/proc/$_/cmdline")
                             =~ /nginx|\Q$0\E/;
    }

    waitpid $self->{child}, 0;
    unlink "$self->{dir}/nginx.pid";
    delete $self->{child};
}


# nginx -t for a whole configuration, or the parts that conf() takes:
# (exit code, output).

sub check_config {
    my ($self, @conf) = @_;
    my ($text, $output, $pid);

    if (@conf == 1) {
        $text = $conf[0];

    } else {
        local $self->{conf} = { marker => 0, @conf };
        $text = $self->_conf_text();
    }

    $self->{checked}++;
    $self->write_file_expand("check$self->{checked}.conf", $text);

    # nginx frees nothing when a configuration fails
    local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0";

    $output = "$self->{dir}/check$self->{checked}.out";
    $pid = $self->_spawn([ $self->{binary}, '-t', '-p', "$self->{dir}/",
        '-c', "check$self->{checked}.conf", '-e', 'stderr' ], $output);
    waitpid $pid, 0;

    return ($? >> 8 || $?, $self->read_file($output));
}


# A child that runs the code until the test ends.

sub run_daemon {
    my ($self, $code, @args) = @_;
    my $test = $$;
    my $pid = fork() // die "fork: $!\n";

    if (!$pid) {
        $self->{pid} = 0;

        # not longer than the test, whatever it waits for
        POSIX::sigaction(POSIX::SIGALRM(), POSIX::SigAction->new(sub {
            POSIX::_exit(1) if getppid() != $test;
            alarm 1;
        }, POSIX::SigSet->new(), POSIX::SA_RESTART()));
        alarm 1;

        ref $code ? $code->(@args) : exec $code, @args;
        POSIX::_exit(0);
    }

    push @{$self->{daemons}}, $pid;

    return $pid;
}


sub stop_daemons {
    my ($self) = @_;

    for (@{$self->{daemons}}) {
        kill 'KILL', $_;
        waitpid $_, 0;
    }

    $self->{daemons} = [];

    return $self;
}


# ----- Sentry

# Starts the receiver: tls => 1 with %%TESTDIR%%/sentry.crt, key => of the
# DSN's form.  Further ones by NginxTest::Receiver->new($t).

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

        http_get($uri, port => port(8079));

        wait_for(sub {
            grep { ($_->{request}{url} // '') =~ /\Q$uri\E$/ }
                @{$self->_sentry()->payloads('event', project => 9999)};

        }) or $self->_wrong("the marker $uri did not arrive");
    }

    # deliveries to another project may still be under way

    wait_for(sub { $self->status()->{queue}{records} == 0 }, 3);

    return $self;
}


# The decoded status page.

sub status {
    my ($self, $uri, %opt) = @_;
    my $response = http_get($uri || '/status',
                            port => $opt{port} || port(8079));

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


# ----- upstreams

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


sub _end {
    my ($self) = @_;

    return if $self->{pid} != $$;

    eval { $self->stop(); 1 } or Test::More::diag("stop: $@");
    $_->close() for @{$self->{receivers} || []};
    $self->stop_daemons();

    $self->_final() if $self->{planned} && !$self->{died};

    if ($ENV{TEST_NGINX_LEAVE}
        || !Test::More->builder()->is_passing() && $ENV{TEST_NGINX_VERBOSE})
    {
        Test::More::diag("left in $self->{dir}");

    } else {
        File::Path::rmtree($self->{dir});
    }
}


$SIG{$_} = sub { exit 1 } for qw/ INT TERM HUP /;
$SIG{PIPE} = 'IGNORE';

END {
    if ($current && $current->{pid} == $$) {
        my $status = $?;

        $current->{died} = $status != 0;
        $current->_end();
        $? = $status;
    }
}


1;
