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
# TEST_NGINX_BEFORE, TEST_NGINX_AFTER (modules to load before and after it),
# TEST_NGINX_LEAVE (keep the directory), TEST_NGINX_VERBOSE.

use warnings;
use strict;

use Exporter qw/ import /;
use Carp;
use Cwd qw/ abs_path /;
use File::Basename qw/ dirname /;
use File::Path qw/ mkpath /;
use File::Temp qw/ tempdir /;
use List::Util qw/ max min /;
use Socket;
use Test::More ();
use Time::HiRes qw/ time sleep /;

use lib dirname(abs_path(__FILE__));
use NginxTest::Check;
use NginxTest::Conf;
use NginxTest::HTTP;
use NginxTest::Process;
use NginxTest::Receiver;
use NginxTest::Sentry;
use NginxTest::Server;
use NginxTest::Upstream;

our @ISA = map { "NginxTest::$_" } qw/ Check Conf Process Sentry Server /;

our @EXPORT = (qw/ port dead_port wait_for deadline /,
               @NginxTest::HTTP::EXPORT);

our $ROOT = abs_path(dirname(abs_path(__FILE__)) . '/../..');

my $current;    # the test that port() and http() speak of


# Skips the whole file with an nginx that lacks what is in it by default, and
# what most configurations use, unless it is told to do without: bare => 1.

sub new {
    my ($class, %opt) = @_;
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
    $self->_usual() if !$opt{bare};

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

    return !$self->lacks($feature) if $feature eq 'http-cache';

    return $self->_version() =~ /--with-\Q$feature\E(?:_module)?\b/ ? 1 : 0;
}


# Of what is there by default: "http_rewrite", "http-cache".

sub lacks {
    my ($self, $feature) = @_;

    return $self->_version() =~ /--without-\Q$feature\E(?:_module)?\b/ ? 1 : 0;
}


sub _usual {
    my ($self) = @_;

    Test::More::plan(skip_all => "nginx was built $1")
        if $self->_version() =~ /(--without-http_\w+)/;
}


sub _version {
    my ($self) = @_;

    return $self->{version} //= `$self->{binary} -V 2>&1`;
}


# The directives that load these: lists of paths.

sub load_modules {
    return join '', map { "load_module $_;\n" } map { split } grep { defined }
                    @_;
}


# nginx's version as a number that compares: 1022001.

sub nginx_version {
    my ($self) = @_;

    return $self->_version() =~ m{nginx/(\d+)\.(\d+)\.(\d+)}
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


# Seconds, more of them where a sanitizer or the machine's load slows all
# down.

my $slow = $ENV{TEST_NGINX_SLOW} || _load();

sub deadline {
    my ($seconds) = @_;

    return $seconds * $slow;
}


# How many want each processor, from 1 to 5.

sub _load {
    my ($load) = split / /, __PACKAGE__->read_file('/proc/loadavg');
    my $cpus = () = __PACKAGE__->read_file('/proc/cpuinfo') =~ /^processor/mg;

    return max(1, min(5, ($load || 0) / ($cpus || 1)));
}


# Polls until the code returns something true, and returns that; else, after
# 20 seconds or those given, the last value.

sub wait_for {
    my ($code, $seconds) = @_;
    my $end = time() + deadline($seconds // 20);
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


sub _end {
    my ($self) = @_;

    return if $self->{pid} != $$;

    eval { $self->stop(); 1 } or Test::More::diag("stop: $@");
    $_->close() for @{$self->{receivers} || []};
    $self->stop_daemons();

    if ($self->{died}) {
        $self->_last_words();

    } elsif ($self->{planned}) {
        $self->_final();
    }

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
