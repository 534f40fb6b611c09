#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Something that answers in Sentry's place and breaks every rule of HTTP:
# requests do not notice, the sender neither spins nor hangs, what was answered
# is final, what was not is kept and arrives when Sentry is back.

use warnings;
use strict;

use Compress::Raw::Zlib;
use List::Util qw/ max sum0 /;
use Test::More;
use Time::HiRes qw/ time /;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;
use NginxTest::Rogue;

my $N = 3;          # events of each case
my $MORE = 2;       # when all is well again
my $CPU = 0.2 * ($ENV{TEST_NGINX_SLOW} || 1);      # seconds, in ten
my $total = 100;    # the last project

my $t = NginxTest->new();

my $timeout = int(deadline(800)) . 'ms';
my $ok = "HTTP/1.1 200 OK\r\n";
my $json = "Content-Type: application/json\r\n";
my $bomb = bomb();

# What is done, and what becomes of the events: "kept", "taken", "refused" or
# "limited".

my @cases = (
    [ 'resets at once', 'kept', at => 'accept', end => 'reset' ],
    [ 'closes at once', 'kept', at => 'accept' ],
    [ 'does not read', 'kept', at => 'accept', window => 2048,
      end => 'hang' ],
    [ 'resets before the body', 'kept', at => 'head', window => 2048,
      end => 'reset' ],
    [ 'resets inside the body', 'kept', at => 'half', window => 2048,
      end => 'reset' ],
    [ 'hangs inside the body', 'kept', at => 'half', window => 2048,
      end => 'hang' ],
    [ 'resets after the body', 'kept', end => 'reset' ],
    [ 'resets inside the status line', 'kept', say => 'HTTP/1.1 2',
      end => 'reset' ],
    [ 'hangs inside the status line', 'kept', say => 'HTTP/1.1 2',
      end => 'hang' ],
    [ 'status line, byte by byte, without end', 'kept', say => 'HTTP/1.1 ',
      every => '0', pause => 0.05 ],
    [ 'status line without end', 'kept', say => 'HTTP/1.1 ',
      every => 'x' x 10000 ],
    [ 'no HTTP', 'kept', say => "220 smtp.example.org ESMTP\r\n",
      end => 'hang' ],
    [ 'zeros without end', 'kept', every => "\0" x 10000 ],
    [ 'HTTP/0.9', 'kept', say => "<html>It works!</html>\n" ],
    [ 'HTTP/0.9 without end', 'kept', every => "<p>It works!\n" x 1000 ],
    [ 'no status', 'kept', say => "HTTP/1.1  OK\r\n\r\n" ],
    [ 'a negative status', 'kept', say => "HTTP/1.1 -200 OK\r\n\r\n" ],
    [ 'interim answers without end', 'kept',
      every => "HTTP/1.1 103 Hints\r\nLink: </>\r\n\r\n" x 100 ],
    [ 'interim answers, slowly, without end', 'kept',
      every => "HTTP/1.1 102 Processing\r\n\r\n", pause => 0.05 ],
    [ 'interim answers and the end', 'kept',
      say => "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n" ],
    [ 'another protocol', 'kept', say => "HTTP/1.1 101 Switching Protocols\r\n"
      . "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
      every => "\x81\x01x" x 1000 ],
    [ 'resets inside the headers', 'taken', say => "${ok}Content-Le",
      end => 'reset' ],
    [ 'hangs inside the headers', 'taken', say => "${ok}Content-Le",
      end => 'hang' ],
    [ 'resets inside the answer', 'taken',
      say => "${ok}Content-Length: 100\r\n\r\n{", end => 'reset' ],
    [ 'hangs inside the answer', 'taken',
      say => "${ok}Content-Length: 100\r\n\r\n{", end => 'hang' ],
    [ 'answers before the body', 'taken', at => 'head',
      say => "${ok}Content-Length: 2\r\n\r\n{}" ],
    [ 'byte by byte', 'taken', say => "${ok}Content-Length: 2\r\n\r\n{}",
      pause => 0.005, end => 'hang' ],
    [ 'headers without end', 'taken', say => $ok,
      every => "X-A: b\r\n" x 1000 ],
    [ 'headers, slowly, without end', 'taken', say => $ok,
      every => "X-A: b\r\n", pause => 0.05 ],
    [ 'a header without end', 'taken', say => "${ok}X-A: ",
      every => 'x' x 10000 ],
    [ 'headers of all kinds', 'taken', say => "$ok: b\r\nno colon\r\n"
      . " folded\r\nX\0Y: \0\r\n\xff\xfe: \x80\r\nX-Sentry-Rate-Limits\r\n"
      . "Set-Cookie: a=b; Max-Age=99999999\r\nAlt-Svc: h2=\":1\"\r\n"
      . "Strict-Transport-Security: max-age=99999999\r\n"
      . "Content-Length: 0\r\n\r\n", end => 'hang' ],
    [ 'a body without end', 'taken', say => "$ok\r\n",
      every => 'x' x 10000 ],
    [ 'a body, slowly, without end', 'taken', say => "$ok\r\n", every => 'x',
      pause => 0.05 ],
    [ 'a negative length', 'taken',
      say => "${ok}Content-Length: -1\r\n\r\n{}", end => 'hang' ],
    [ 'a huge length', 'taken',
      say => "${ok}Content-Length: 99999999999999999999\r\n\r\n{}" ],
    [ 'two lengths', 'taken', say => "${ok}Content-Length: 2\r\n"
      . "Content-Length: 9\r\n\r\n{}", end => 'hang' ],
    [ 'a length that is none', 'taken',
      say => "${ok}Content-Length: many\r\n\r\n{}" ],
    [ 'more than the length', 'taken',
      say => "${ok}Content-Length: 2\r\n\r\n{}HTTP/1.1 500 No\r\n\r\n",
      end => 'hang' ],
    [ 'chunks without end', 'taken',
      say => "${ok}Transfer-Encoding: chunked\r\n\r\n",
      every => "1\r\nx\r\n" x 1000 ],
    [ 'chunks that are none', 'taken',
      say => "${ok}Transfer-Encoding: chunked\r\n\r\n-7\r\nx\r\n",
      end => 'hang' ],
    [ 'a huge chunk', 'taken', say => "${ok}Transfer-Encoding: chunked\r\n"
      . "\r\n" . 'f' x 40 . "\r\n", end => 'hang' ],
    [ 'a bomb of gzip', 'taken', say => "${ok}Content-Encoding: gzip\r\n"
      . 'Content-Length: ' . length($bomb) . "\r\n\r\n$bomb" ],
    [ 'a bomb on the way', 'taken',
      say => "${ok}Transfer-Encoding: gzip\r\n\r\n$bomb" ],
    [ 'nonsense in gzip', 'taken', say => "${ok}Content-Encoding: gzip\r\n"
      . "Content-Length: 9\r\n\r\nno gzip!!", end => 'hang' ],
    [ 'no content, with some', 'taken', say => "HTTP/1.1 204 No\r\n"
      . "Content-Length: 2\r\n\r\n{}", end => 'hang' ],
    [ 'refused before the body', 'refused', at => 'head',
      say => "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n" ],
    [ 'a proxy\'s status', 'refused', say => "HTTP/1.1 407 No\r\n"
      . "Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n" ],
    [ 'a bomb with an error', 'refused', say => "HTTP/1.1 400 Bad\r\n$json"
      . 'Content-Encoding: gzip\r\nContent-Length: ' . length($bomb)
      . "\r\n\r\n$bomb" ],
    [ 'depth', 'refused', say => "HTTP/1.1 400 Bad\r\n$json"
      . "Content-Length: 4096\r\n\r\n" . '{"a":' x 819 . '1' ],
    map({ [ "a redirect, $_", 'refused', say => "HTTP/1.1 $_ Elsewhere\r\n"
            . "Location: http://127.0.0.1:%d/api/1/envelope/\r\n"
            . "Content-Length: 0\r\n\r\n" ] } 301, 302, 303, 307, 308),
    map({ [ "wants a password, $_", 'refused', say => "HTTP/1.1 401 Who\r\n"
            . "WWW-Authenticate: $_ realm=\"a\", nonce=\"b\"\r\n"
            . "Content-Length: 0\r\n\r\n" ] } qw/ Basic Digest NTLM /),
);

$t->plan(4 * @cases + 2 * 5 + 2);
$t->sentry();

my $other = NginxTest::Rogue->new($t, { elsewhere => { end => 'reset' } });

# there is a bound to the projects of one nginx

play(grep { $_->[1] eq 'kept' } @cases);
play(grep { $_->[1] ne 'kept' } @cases);

is($other->seen('elsewhere', 'accept'), 0, 'no redirect was followed');
is($t->receiver_stats()->{refused}, 0, 'nothing strange was sent');


sub play {
    my (@cases) = @_;
    my %servers;

    for my $case (@cases) {
        my ($name, $what, %how) = @$case;

        $case = { name => $name, what => $what, project => ++$total };
        $how{say} =~ s/%d/$other->port('elsewhere')/e if defined $how{say};
        $servers{$total} = { %how, well => $t->{sentry}->port() };
    }

    my $rogue = NginxTest::Rogue->new($t, \%servers);

    for (@cases) {
        my $port = $rogue->port($_->{project});

        $_->{dsn} = $t->dsn($_->{project}) =~ s{:\d+/}{:$port/}r;
    }

    $t->conf(
        http => <<"EOC",
    sentry_timeout $timeout;
    sentry_shutdown_timeout 15s;
    sentry_compression off;
EOC
        location => [ '/well/ { sentry_dsn off; return 503; }', map {
            "/$_->{project}/ { sentry_dsn $_->{dsn}; return 503; }"
        } @cases ],
    )->run();

    my ($worker) = $t->worker_pids();
    my $well = flood('/well/', $N);
    my $cpu = $t->sender_cpu($worker);
    my $begun = time();

    $_->{flood} = flood("/$_->{project}/", $N) for @cases;

    # all that is answered is known of, all the rest was tried again

    $_->{bad} = bad($_) for @cases;

    my $seconds = time() - $begun;

    $cpu = $t->sender_cpu($worker) - $cpu;

    diag(sprintf 'the sender used %.2f s of %.2f s', $cpu, $seconds);
    cmp_ok($cpu, '<', $CPU * (1 + $seconds / 20), 'the sender does not spin');

    my $status = $t->status();

    is($status->{queue}{records}, sum0(map {
        accounts($t, project => $_->{project}, status => $status)->{left}
    } @cases), 'captured = delivered + lost + queued');
    is($t->threads($worker), 2, 'no thread is left over');

    # Sentry is back

    $rogue->well();
    flood("/$_->{project}/", $MORE) for @cases;
    $t->stop();

    check($_, $well) for @cases;

    is($t->log_lines(qr/sentry: \d+ records left/), 0, 'nothing is lost');
    is($t->log_lines(qr/\[crit\] sentry: /), 0, 'nothing critical');
}


# 50 MB of zeros.

sub bomb {
    my ($deflate) = Compress::Raw::Zlib::Deflate->new(
        -WindowBits => WANT_GZIP, -AppendOutput => 1);
    my $out = '';

    $deflate->deflate("\0" x 1_000_000, $out) for 1 .. 50;
    $deflate->flush($out);

    return $out;
}


# Large events: they do not fit into what some are ready to receive.

sub flood {
    my ($uri, $n) = @_;

    return http_flood(uri => $uri, n => $n, conns => $n, headers => {
        map { ("X-Large-$_" => 'v ' x 450) } 1 .. 12 });
}


sub bad {
    my ($case) = @_;
    my $accounts;

    wait_for(sub {
        $accounts = accounts($t, project => $case->{project});
        return $case->{what} eq 'kept' ? $accounts->{page}{retries} > $N
                                       : $accounts->{left} == 0;
    }, 8) or diag("$case->{name}: $accounts->{page}{retries} retries,"
                  . " $accounts->{left} left");

    return $accounts;
}


sub check {
    my ($case, $well) = @_;
    my ($name, $what, $bad) = @$case{qw/ name what bad /};
    my $events = $t->{sentry}->payloads('event', project => $case->{project});
    my %ids = map { $_->{event_id} => 1 } @$events;

    is_deeply($case->{flood}{responses}, $well->{responses},
              "$name: responses are as ever");
    cmp_ok(max(@{$case->{flood}{times}}), '<', deadline(1),
           "$name: none is slow");

    is_deeply([ map { $bad->{$_} } qw/ captured delivered left reasons / ],
              $what eq 'kept' ? [ $N, 0, $N, {} ]
              : $what eq 'taken' ? [ $N, $N, 0, {} ]
              : [ $N, 0, 0, { send_error => $N } ], "$name: $what")
        or diag('last error: ', explain($bad->{page}{last_error}));
    is(@$events . ' ' . keys %ids, join(' ', ($what eq 'kept' ? $N + $MORE
                                              : $MORE) x 2),
       "$name: what arrives, once");
}
