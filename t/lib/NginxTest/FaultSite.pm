package NginxTest::FaultSite;

# Copyright (C) ngx_sentry authors
#
# A site that asks the module for all that it can do, and one request for
# each way through it: what each must give whatever fails, and what it adds
# to the books.

use warnings;
use strict;

use Exporter qw/ import /;
use NginxTest;
use NginxTest::Accounts;

our @EXPORT = qw/ fault_site fault_kinds fault_request fault_books /;

my $TRACE = 'sentry-trace: 771a43a4192642f0b136d5159a501700-a9f442f9330b4e09-1'
            . "\r\nbaggage: a=b,sentry-release=1\r\nCookie: a=b\r\n";
my $FORM = "Content-Type: application/json\r\nContent-Length: 16\r\n\r\n"
           . '{"password":"1"}';

# kind => [ line, headers (and body), errors that it makes ]

my %requests = (
    error => [ 'GET /boom/x?token=1', "$TRACE\r\n", 1 ],
    upstream => [ 'GET /app/x', "$TRACE\r\n", 0 ],
    'new trace' => [ 'GET /app/y', "\r\n", 0 ],
    dead => [ 'GET /dead/x', "\r\n", 1 ],
    body => [ 'POST /boom/body', $FORM, 1 ],
    ssi => [ 'GET /ssi/page.html', "\r\n", 0 ],
    auth => [ 'GET /auth/x', "\r\n", 0 ],
    slow => [ 'GET /slow/x', "\r\n", 1 ],
    named => [ 'GET /named/x', "\r\n", 1 ],
    variable => [ 'GET /variable', "\r\n", 1 ],
);


# Two workers take twice the memory: one, unless main says otherwise.

sub fault_site {
    my ($t, %conf) = @_;
    my $app = $t->upstream('answer', body => '<html></html>',
                           headers => { 'Content-Type' => 'text/html' });
    my $late = $t->upstream('slow', delay => 0.02);
    my $dead = dead_port();

    mkdir $t->testdir() . '/ssi';
    $t->write_file('ssi/page.html', 'A<!--#include virtual="/app/1" -->B');

    return $t->conf(http => <<'EOC', location => [
    sentry_traces_sample_rate 1;
    sentry_propagate_traceparent on;
    sentry_server_timing on;
    sentry_request_body 4k;
    sentry_tag agent $http_user_agent;
    sentry_user id=$cookie_a;
    sentry_context a b=$uri;
    sentry_scrub flavour;
    sentry_route ~ ^/none/(a|b)+$ name=none drop;
    sentry_fingerprint $uri "{{ default }}";
EOC
        '/boom/ { return 503; }', "/app/ { proxy_pass http://127.0.0.1:$app; }",
        "/dead/ { proxy_pass http://127.0.0.1:$dead; }",
        "/auth/ { auth_request /app/auth;"
        . " proxy_pass http://127.0.0.1:$app; }",
        '/ssi/ { ssi on; default_type text/html; root %%TESTDIR%%; }',
        "/slow/ { sentry_slow_request 1ms;"
        . " proxy_pass http://127.0.0.1:$late; }",
        "/named/ { error_page 502 = \@named;"
        . " proxy_pass http://127.0.0.1:$dead; }",
        '@named { return 500; }',
        '= /variable { return 500 "<$sentry_event_id$sentry_trace>\n"; }',
        '= /plain { return 200 "plain\n"; }',
    ], %conf);
}


sub fault_kinds {
    return sort keys %requests;
}


# Its answer, without what may be missing; all is logged when it is there.

sub fault_request {
    my ($kind) = @_;
    my ($line, $headers) = @{$requests{$kind}};
    my $response = http("$line HTTP/1.1\r\nHost: localhost\r\n"
                        . "Connection: close\r\n$headers") // '';

    $response =~ s/^(?:Date|Server-Timing): .*\r\n//mg;
    $response =~ s/<[0-9a-f-]*>$/<>/m;
    $response =~ s/^Content-Length: .*\r\n//m if $kind eq 'variable';

    return $response;
}


# What is wrong with the books after these requests, { kind => n }, were
# added to what they said before; all must be sent or be counted as lost.
# lines => n: events of lines that nginx logged outside requests.

sub fault_books {
    my ($t, $before, %n) = @_;
    my ($errors, $all) = (delete $n{lines} // 0, 0);
    my ($accounts, $wrong);

    for (keys %n) {
        $errors += $n{$_} * $requests{$_}[2];
        $all += $n{$_};
    }

    wait_for(sub {
        $accounts = accounts($t);
        $wrong = join ', ', grep { length }
                 _differs('errors', $before, $accounts, 'error', $errors),
                 _differs('transactions', $before, $accounts, 'transaction',
                          $all);

        return !length $wrong;
    }, 10);

    return $wrong;
}


sub _differs {
    my ($what, $before, $now, $category, $n) = @_;
    my ($captured, $ended) = (0, 0);

    for ([ $before, -1 ], [ $now, 1 ]) {
        my ($accounts, $sign) = @$_;
        my $page = $accounts->{page} || {};

        $captured += $sign * ($page->{captured}{$category} // 0);
        $ended += $sign * ($page->{delivered}{$category} // 0);

        for my $reason (grep { !/^(?:sample_rate|event_processor|held_back
                                   |backpressure)$/x }
                        keys %{$page->{lost} || {}})
        {
            $ended += $sign * ($page->{lost}{$reason}{$category} // 0);
        }
    }

    return $captured == $n && $ended == $n
           ? '' : "$n $what, $captured captured, $ended accounted for";
}


1;
