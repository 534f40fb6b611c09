#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Which traces are recorded: the share of each rate, who decides, the cap, and
# backpressure.  $sentry_sampled tells.

use warnings;
use strict;

use Test::More;
use Time::HiRes qw/ time sleep /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Echo;

my $t = NginxTest->new();

my %rates = (zero => 0, thousandth => 0.001, tenth => 0.1, half => 0.5,
             one => 1);
my $ids = '771a43a4192642f0b136d5159a501700-a9f442f9330b4e09';

my $seen = '"<$sentry_sampled>"';

$t->sentry();

my $app = echo_start($t, 'http');

# sentry_ignore: what is recorded of them is not what this is about

$t->conf(http => <<'EOC', server => <<'EOS', location => [
    keepalive_requests 1000000;
    log_format sampled "$sentry_sampled";
    sentry_traces_sample_rate 0.3;
    sentry_ignore 1;
EOC
    sentry_route /by_route/ traces=0.1;
    sentry_route /never/ traces=0;
    sentry_route /dropped/ drop=traces;
    sentry_route ^~ /kept/health traces=1;
EOS
    map({ "/$_/ { sentry_traces_sample_rate $rates{$_};
        access_log %%TESTDIR%%/$_.txt sampled; return 200; }" } keys %rates),
    '/by_route/ { access_log %%TESTDIR%%/by_route.txt sampled; return 200; }',
    "/never/ { return 200 $seen; }",
    "/dropped/ { sentry_traces_sample_rate 1; return 200 $seen; }",
    "/kept/ { sentry_traces_sample_rate 0; return 200 $seen; }",
    "/on/ { sentry_traces_sample_rate 1; return 200 $seen; }",
    "/off/ { sentry_traces_sample_rate off; return 200 $seen; }",
    "/var/ { sentry_traces_sample_rate \$arg_rate; return 200 $seen; }",
    "/mine/ { sentry_traces_sample_rate 0; sentry_inherit_sampling off;
        return 200 $seen; }",
    "/mine1/ { sentry_traces_sample_rate 1; sentry_inherit_sampling off;
        return 200 $seen; }",
    "/half-mine/ { sentry_traces_sample_rate 0.5;
        sentry_inherit_sampling off; return 200 $seen; }",
    "/theirs/ { sentry_traces_sample_rate 0;
        sentry_inherit_sampling \$arg_trust; return 200 $seen; }",
    "/app/off/ { sentry_traces_sample_rate off;
        proxy_pass http://127.0.0.1:$app; }",
    "/app/mine/ { sentry_traces_sample_rate \$arg_rate;
        sentry_inherit_sampling off; proxy_pass http://127.0.0.1:$app; }",
    "/app/dropped/health { sentry_traces_sample_rate 1;
        proxy_pass http://127.0.0.1:$app; }",
])->plan(54)->run();


# shares, 120,000 requests

for my $name (sort(keys %rates), 'by_route') {
    my $p = $rates{$name} // 0.1;
    my $n = 20000;

    pipelined("/$name/", $n);
    wait_for(sub { ($t->read_file("$name.txt") =~ tr/\n//) == $n });

    my $log = $t->read_file("$name.txt");
    my $sampled = ($log =~ tr/1//);
    my $most = 3.29 * sqrt($n * $p * (1 - $p)) + ($p > 0 && $p < 1 ? 0.5 : 0);

    is(($log =~ tr/01//), $n, "$name: each is decided");
    cmp_ok(abs($sampled - $n * $p), '<=', $most,
           "$name: $sampled of $n within the interval");
}


# who decides

sampled('/on/', undef, 1, 'on');
sampled('/off/', undef, '', 'off: no decision');
sampled('/off/', 1, '', 'off: not by the caller either');
sampled('/never/', undef, 0, 'by route');
sampled('/dropped/', undef, 0, 'dropped');
sampled('/dropped/', 1, 0, 'dropped, whatever the caller says');
sampled('/on/healthz', undef, 0, 'a default route');
sampled('/kept/healthz', undef, 1, 'a default route with a rule');
sampled('/kept/x', 1, 1, 'a caller counts more than 0');
sampled('/on/', 0, 0, 'a caller counts more than 1');
sampled('/on/', '', 1, 'a caller without a flag');
sampled('/mine/', 1, 0, 'a caller not asked: 0');
sampled('/mine1/', 0, 1, 'a caller not asked: 1');
sampled('/theirs/?trust=1', 1, 1, 'trusted');
sampled('/theirs/?trust=0', 1, 0, 'not trusted');
sampled('/theirs/?trust=off', 1, 0, 'not trusted');
sampled('/theirs/', 1, 0, 'not trusted');
sampled('/var/?rate=1', undef, 1, 'by variable');
sampled('/var/?rate=0', undef, 0, 'by variable');
sampled('/var/?rate=off', undef, '', 'by variable: off');
sampled('/var/', undef, '', 'by variable: none');
sampled('/var/?rate=2', undef, 0, 'by variable: nonsense');

# the caller's sample_rand

for my $random (0.1, 0.29, 0.31, 0.9) {
    like(ask('/var/?rate=0.3', '', "sentry-sample_rand=$random"),
         $random < 0.3 ? qr/<1>/ : qr/<0>/, "sample_rand $random");
}

# is not obeyed where it is not trusted

my $forced = grep { ask('/half-mine/', '', 'sentry-sample_rand=0.0') =~ /<1>/ }
                 1 .. 60;

cmp_ok($forced, '<', 60, "a client cannot force it ($forced of 60)");


# what the app is told

my $told = echo_parse(ask('/app/off/'));
like($told->{'sentry-trace'}[0], qr/^\w{32}-\w{16}$/, 'off: no flag');
unlike($told->{baggage}[0], qr/sampled|sample_rate/, 'off: nor in baggage');

$told = echo_parse(ask('/app/mine/?rate=0', 1, 'sentry-sampled=true,'
                       . 'sentry-sample_rate=1,sentry-sample_rand=0.1'));
like($told->{'sentry-trace'}[0], qr/-0$/, 'not trusted: our flag');
like($told->{baggage}[0], qr/sentry-sample_rate=0,.*sentry-sampled=false/,
     'not trusted: our decision in the baggage');
unlike($told->{baggage}[0], qr/sample_rand=0\.1$|sample_rand=0\.1,/,
       'not trusted: our random number');

$told = echo_parse(ask('/app/mine/?rate=off', 1, 'sentry-sampled=true,'
                       . 'sentry-sample_rate=1,sentry-sample_rand=0.1'));
like($told->{'sentry-trace'}[0], qr/^\w{32}-\w{16}$/,
     'not trusted and off: no flag');
unlike($told->{baggage}[0], qr/sampl/, 'not trusted and off: nothing of it');

$told = echo_parse(ask('/app/dropped/health', 1, 'sentry-sampled=true'));
like($told->{'sentry-trace'}[0], qr/-0$/, 'a dropped route: not sampled');
like($told->{baggage}[0], qr/sentry-sampled=false/, 'and so told');

$t->stop();


# the cap, for all workers together and whatever the caller says

$t->conf(main => 'worker_processes 2;', server => '', http => <<'EOC',
    sentry_traces_sample_rate 1;
    sentry_traces_limit 20r/s;
    sentry_ignore 1;
EOC
    location => "/ { return 200 $seen; }")->run();

my $start = time();
my $n = 0;

while (time() - $start < 1.5) {
    $n += ask('/', $n % 2 ? 1 : undef) =~ /<1>/;
}

my $most = 20 * (time() - $start) + 22;

cmp_ok($n, '<=', $most, "the cap: $n, at most $most");
cmp_ok($n, '>=', 40, 'the cap: and not much less');

$t->stop();


# Sentry wants no transactions: half of them, and all again

$t->conf(main => '', http => 'sentry_traces_sample_rate 1;', location => [
    '/boom { return 500; }', "/ { sentry_ignore 1; return 200 $seen; }" ]);
$t->run();

is(share(), 100, 'no pressure: all');

$t->receiver(headers => { 'X-Sentry-Rate-Limits' => '5:transaction:key' });
http_get('/boom');
$t->events(1);

my $share;
ok(wait_for(sub { ($share = share()) < 100 }, 4), "pressure ($share of 100)");
cmp_ok($share, '>', 25, 'pressure: by half');
ok(wait_for(sub { share() == 100 }, 10), 'all again');


sub share { return scalar grep { ask('/') =~ /<1>/ } 1 .. 100 }


sub ask {
    my ($uri, $flag, $baggage) = @_;
    my %headers;

    if (defined $flag) {
        $headers{'sentry-trace'} = $ids . (length $flag ? "-$flag" : '');
        $headers{baggage} = $baggage if $baggage;
    }

    return http_get($uri, headers => \%headers);
}


sub sampled {
    my ($uri, $flag, $expected, $name) = @_;

    like(ask($uri, $flag), qr/<$expected>/, "$name: $uri"
         . (defined $flag ? ", caller \"$flag\"" : ''));
}


# n requests over one connection.

sub pipelined {
    my ($uri, $n) = @_;
    my $request = "GET $uri HTTP/1.1\r\nHost: localhost\r\n\r\n";
    my $s = http_start('');
    my $batch = 500;
    my ($rest, $left) = ('', 0);

    for (my $sent = 0; $sent < $n; $sent += $batch) {
        syswrite $s, $request x $batch;
        $left += $batch;

        while ($left) {
            sysread $s, $rest, 65536, length $rest or last;
            $left -= () = $rest =~ /\r\n\r\n/g;
            $rest = substr $rest, rindex($rest, "\r\n\r\n") + 4
                if $rest =~ /\r\n\r\n/;
        }
    }

    close $s;
}
