#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The assertions that every test makes without saying so can fail: small
# tests with something wrong in them, and what came of them.

use warnings;
use strict;

use File::Path qw/ rmtree /;
use File::Temp qw/ tempfile /;
use Test::More;
use Time::HiRes qw/ time sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }


my @cases = (
    [ 'nothing wrong', '', [] ],

    [ 'a worker is killed', q{
        my ($worker) = $t->worker_pids();
        kill 'KILL', $worker;
        wait_for(sub { $t->log() =~ /signal 9/ });
    }, [ 'no alerts' ] ],

    [ 'which was allowed', q{
        $t->allow_alerts(qr/exited on signal 9/);
        kill 'KILL', $t->worker_pids();
        wait_for(sub { $t->log() =~ /signal 9/ });
    }, [] ],

    [ 'a sanitizer report of its own file', q{
        spill('sanitizer/report.1', '==1==ERROR: AddressSanitizer: x');
    }, [ 'no sanitizer report' ] ],

    [ 'a sanitizer report in the log', q{
        spill('error.log', 'a.c:1:2: runtime error: shift exponent');
    }, [ 'no sanitizer report' ] ],

    [ 'a secret in our log line', q{
        spill('error.log', '2026 [warn] 1#1: sentry: refused S3CR3T_1');
    }, [ 'no secret left behind' ] ],

    [ 'a DSN key in our log line', q{
        spill('error.log', '[notice] 1#1: sentry: ' . $t->dsn(1));
    }, [ 'no secret left behind' ] ],

    [ 'a secret in what nginx adds to it', q{
        spill('error.log', '[warn] 1#1: sentry: x, client: 1, "S3CR3T_1"');
    }, [] ],

    [ 'a secret in a spool', q{
        spill('spool/1', 'xx' . Compress::Zlib::memGzip('a S3CR3T_1'));
    }, [ 'no secret left behind' ] ],

    [ 'a secret in an envelope', q{
        post('{}' . "\n" . '{"type":"event","length":8}' . "\nS3CR3T_1");
    }, [ 'no secret left behind', 'all as the protocol says' ] ],

    [ 'a secret in what the test wrote', q{
        $t->write_file('nginx.conf', '# S3CR3T_1');
    }, [] ],

    [ 'a bad envelope', q{
        post('{}');
    }, [ 'all as the protocol says' ] ],

    [ 'a request to the wrong place', q{
        http("GET / HTTP/1.1\r\n\r\n", port => $t->{sentry}->port(),
             until => qr/\}/);
    }, [ 'all as the protocol says' ] ],
);

plan(tests => @cases + 6);

for (@cases) {
    my ($what, $code, $expected) = @$_;
    my $output = child($code);
    my @failed = $output =~ /^not ok \d+ - (.*)$/mg;

    my $all = () = $output =~ /^(?:not )?ok /mg;

    is_deeply([ $all, @failed ], [ 5, @$expected ], $what)
        or diag($output);
}

like(child('$t->write_file("nginx.conf", "x;"); $t->stop(); $t->run();'),
     qr/nginx does not run: it ended.*unknown directive "x"/s,
     'an nginx that does not start ends the test');

# a client that goes before it asks leaves nothing behind

like(child(q{
    my $port = $t->upstream('slow', delay => 0.01);
    my $children = "/proc/$t->{daemons}[-1]/task/$t->{daemons}[-1]/children";

    IO::Socket::INET->new("127.0.0.1:$port")->close();
    http_get('/', port => $port);
    wait_for(sub { $t->read_file($children) eq '' }, 5) and print "GONE\n";
    kill 'KILL', split ' ', $t->read_file($children);
}), qr/^GONE/m, 'an upstream without a request');

# a test that dies, one that is killed

my $show = 'print "PIDS ", join(" ", $t->nginx_pid(), $t->worker_pids(),
    $t->{sentry}{pid}, $t->run_daemon(sub { sleep 100 })),
    "\nDIR $t->{dir}\n"; STDOUT->flush();';

for (q{ die "over\n"; }, q{ kill 'KILL', $$; }) {
    my $left = child("$show $_");
    my ($dir) = $left =~ /^DIR (.*)$/m;
    my ($pids) = $left =~ /^PIDS (.*)$/m or die $left;
    my @pids = split / /, $pids;

    ok(wait_for(sub { !grep { alive($_) } @pids }),
       "no process is left after$_");
    is(-e $dir ? 'left' : 'gone', /die/ ? 'gone' : 'left', 'the directory');

    rmtree($dir);
}


sub alive {
    my ($pid) = @_;

    open my $stat, '<', "/proc/$pid/stat" or return 0;

    return (<$stat> // ') Z') !~ /\) Z/;
}


sub wait_for {
    my ($code) = @_;
    my $end = time() + 10;

    while (time() < $end) {
        return 1 if $code->();
        sleep(0.05);
    }

    return 0;
}


# Runs a test with the code in it on an nginx without the module.

sub child {
    my ($code) = @_;
    my $script = q{
        use warnings; use strict;
        use Test::More; use NginxTest; use Compress::Zlib ();

        my $t = NginxTest->new()->plan(1);

        $t->secrets('S3CR3T_1')->sentry();
        $t->write_file_expand('nginx.conf', '%%GLOBALS%% events { }
            http { %%GLOBALS_HTTP%% server { listen 127.0.0.1:8080; } }');
        $t->run();
        ok(1, 'runs');

        sub spill {
            my ($name, $text) = @_;
            my $path = $t->testdir() . '/' . $name;
            mkdir $path =~ s{/[^/]*$}{}r;
            open my $file, '>>', $path or die "$path: $!\n";
            print $file "$text\n";
            close $file;
        }

        sub post {
            my ($body) = @_;
            http(join("\r\n", 'POST /api/1/envelope/ HTTP/1.1', 'Host: h',
                'X-Sentry-Auth: Sentry sentry_version=7, sentry_client='
                . 'a.b/0.1.0, sentry_key=5e' . '0' x 29 . '1',
                'Content-Type: application/x-sentry-envelope',
                'User-Agent: a.b/0.1.0',
                'Content-Length: ' . length $body, '', $body),
                port => $t->{sentry}->port(), until => qr/\}$/);
        }
    } . $code;

    local $ENV{TEST_NGINX_BINARY} = '/usr/sbin/nginx';
    local $ENV{TEST_NGINX_MODULE} = '';

    my ($file, $name) = tempfile(UNLINK => 1);

    print $file $script;
    close $file;

    return scalar `$^X -Ilib $name 2>&1`;
}
