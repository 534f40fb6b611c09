#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# A bad value fails at "nginx -t" with the directive, the value and what would
# be right; good values of all kinds are accepted.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $dsn = 'http://0123456789abcdef0123456789abcdef@127.0.0.1:9/1';

# context, directive, message

my @bad = (
    [ http => 'sentry_dsn nonsense',
      qr/"sentry_dsn" must be http\(s\):\/\/key\@host\/project or "off": \w/ ],
    [ http => 'sentry_dsn ftp://key@host/1', qr/"sentry_dsn" must be http/ ],
    [ http => 'sentry_dsn https://host/1', qr/"sentry_dsn" .*: \w.*key/ ],
    [ http => 'sentry_dsn https://key@host', qr/"sentry_dsn" .*: \w.*project/ ],
    [ http => 'sentry_dsn https://key@host/abc',
      qr/"sentry_dsn" .*: \w.*project/ ],
    [ http => 'sentry_dsn https://key@/1', qr/"sentry_dsn" .*: \w.*host/ ],
    [ http => 'sentry_dsn https://key@host:99999/1',
      qr/"sentry_dsn" .*: \w.*port/ ],
    [ http => "sentry_dsn $dsn; sentry_dsn off",
      qr/"sentry_dsn" directive is duplicate/ ],
    [ http => 'sentry_dsn', qr/invalid number of arguments in "sentry_dsn"/ ],

    [ server => 'sentry_environment "a b"',
      qr/"sentry_environment" must be 1 to 64 .*, got "a b"/ ],
    [ server => 'sentry_environment a/b',
      qr/"sentry_environment" must be .*, got "a\/b"/ ],
    [ server => 'sentry_environment None',
      qr/"sentry_environment" must be .*, got "None"/ ],
    [ server => 'sentry_environment ' . 'e' x 65,
      qr/"sentry_environment" must be 1 to 64 .*, got "e{65}"/ ],

    [ server => 'sentry_release a/b',
      qr/"sentry_release" must be 1 to 200 .*, got "a\/b"/ ],
    [ server => 'sentry_release ..',
      qr/"sentry_release" must be .*, got "\.\."/ ],
    [ server => 'sentry_release ' . 'r' x 201,
      qr/"sentry_release" must be 1 to 200 .*, got "r{201}"/ ],

    [ http => 'sentry_server_name ' . 's' x 201,
      qr/"sentry_server_name" must be 1 to 200 characters, got "s{201}"/ ],
    [ server => 'sentry_server_name x',
      qr/"sentry_server_name" directive is not allowed here/ ],

    [ server => 'sentry_capture 200',
      qr/"sentry_capture" takes "5xx", .*"off" alone, got "200"/ ],
    [ server => 'sentry_capture 5xx off',
      qr/"sentry_capture" takes .*, got "off"/ ],
    [ server => 'sentry_capture 504-502',
      qr/"sentry_capture" takes .*, got "504-502"/ ],
    [ server => 'sentry_capture 399-500',
      qr/"sentry_capture" takes .*, got "399-500"/ ],
    [ server => 'sentry_capture 500-600',
      qr/"sentry_capture" takes .*, got "500-600"/ ],
    [ server => 'sentry_capture 50x',
      qr/"sentry_capture" takes .*, got "50x"/ ],
    [ server => 'sentry_capture 499',
      qr/"sentry_capture" cannot name 499: the client went away/ ],

    [ server => 'sentry_sample_rate 1.5',
      qr/"sentry_sample_rate" must be between 0 and 1 or a variable, got "1\.5"/
    ],
    [ server => 'sentry_sample_rate -0.1',
      qr/"sentry_sample_rate" must be .*, got "-0\.1"/ ],
    [ server => 'sentry_sample_rate 10%',
      qr/"sentry_sample_rate" must be .*, got "10%"/ ],
    [ server => 'sentry_sample_rate nan',
      qr/"sentry_sample_rate" must be .*, got "nan"/ ],
    [ server => 'sentry_sample_rate $nope', qr/unknown "nope" variable/ ],

    [ server => 'sentry_traces_sample_rate 1.5',
      '"sentry_traces_sample_rate" must be between 0 and 1, a variable or'
      . ' "off", got "1.5"' ],
    [ server => 'sentry_traces_sample_rate on',
      qr/"sentry_traces_sample_rate" must be .*, got "on"/ ],
    [ server => 'sentry_traces_sample_rate $nope',
      qr/unknown "nope" variable/ ],
    [ server => 'sentry_traces_sample_rate 1; sentry_traces_sample_rate off',
      qr/"sentry_traces_sample_rate" directive is duplicate/ ],
    [ server => 'sentry_inherit_sampling yes',
      '"sentry_inherit_sampling" must be "on", "off" or a variable, got'
      . ' "yes"' ],
    [ server => 'sentry_inherit_sampling on; sentry_inherit_sampling on',
      qr/"sentry_inherit_sampling" directive is duplicate/ ],
    [ http => 'sentry_traces_limit 10',
      '"sentry_traces_limit" must be from "1r/s" to "1000000r/s", or "off",'
      . ' got "10"' ],
    [ http => 'sentry_traces_limit 0r/s',
      qr/"sentry_traces_limit" must be .*, got "0r\/s"/ ],
    [ http => 'sentry_traces_limit 10r/m',
      qr/"sentry_traces_limit" must be .*, got "10r\/m"/ ],
    [ http => 'sentry_traces_limit 1000001r/s',
      qr/"sentry_traces_limit" must be .*, got "1000001r\/s"/ ],
    [ http => 'sentry_traces_limit 1r/s; sentry_traces_limit off',
      qr/"sentry_traces_limit" directive is duplicate/ ],
    [ server => 'sentry_traces_limit 1r/s',
      qr/"sentry_traces_limit" directive is not allowed here/ ],
    [ server => 'sentry_trace_context both',
      '"sentry_trace_context" must be "ignore", "extract", "inject" or'
      . ' "propagate", got "both"' ],
    [ server => 'sentry_trace_context inject; sentry_trace_context inject',
      qr/"sentry_trace_context" directive is duplicate/ ],
    [ server => 'sentry_propagate_traceparent 1',
      qr/invalid value "1" in "sentry_propagate_traceparent" directive/ ],
    [ server => 'sentry_server_timing 1',
      qr/invalid value "1" in "sentry_server_timing" directive/ ],

    [ server => 'sentry_route api',
      '"sentry_route" pattern must begin with "/", got "api"' ],
    [ server => 'sentry_route =',
      qr/"sentry_route" needs a pattern after "="/ ],
    [ server => 'sentry_route ~ "("',
      qr/"sentry_route" regular expression "\(" is invalid: \w+/ ],
    [ server => 'sentry_route /a keep',
      qr/"sentry_route" takes name=, .* and drop=traces, got "keep"/ ],
    [ server => 'sentry_route /a errors=2',
      qr/"sentry_route" rate must be between 0 and 1, got "errors=2"/ ],
    [ server => 'sentry_route /a traces=x',
      qr/"sentry_route" rate must be between 0 and 1, got "traces=x"/ ],
    [ location => 'sentry_route /a drop',
      qr/"sentry_route" directive is not allowed here/ ],

    [ server => 'sentry_default_routes maybe',
      'invalid value "maybe" in "sentry_default_routes" directive, it must be'
      . ' "on" or "off"' ],
    [ server => 'sentry_ignore $nope', qr/unknown "nope" variable/ ],
    [ server => 'sentry_transaction $nope', qr/unknown "nope" variable/ ],

    [ server => 'sentry_tag "a b" c',
      '"sentry_tag" name must be 1 to 200 letters, digits and "_.:-", got'
      . ' "a b"' ],
    [ server => 'sentry_tag a',
      '"sentry_tag" takes a name and a value, or "off", got "a"' ],
    [ server => 'sentry_tag off; sentry_tag a b',
      qr/"sentry_tag" directive follows "sentry_tag off"/ ],

    [ server => join('; ', map { "sentry_tag t$_ v" } 1 .. 33),
      '"sentry_tag" can be given at most 32 times in one place' ],
    [ server => 'sentry_tag ' . 't' x 201 . ' v',
      qr/"sentry_tag" name must be 1 to 200 letters, .*, got "t{201}"/ ],

    [ server => 'sentry_user name=x',
      '"sentry_user" takes id=, username=, email= and ip=, or "off", got'
      . ' "name=x"' ],
    [ server => 'sentry_user id', qr/"sentry_user" takes .*, got "id"/ ],

    [ server => 'sentry_context app',
      '"sentry_context" takes a name and key=value pairs, or "off", got'
      . ' "app"' ],
    [ server => 'sentry_context app x',
      '"sentry_context" takes key=value pairs after the name, got "x"' ],
    [ server => 'sentry_context nginx a=b',
      qr/"sentry_context" cannot be named "nginx": the module fills that one/ ],

    [ server => 'sentry_context c ' . join(' ', map { "k$_=v" } 1 .. 33),
      '"sentry_context" takes at most 32 pairs in one place' ],

    [ server => 'sentry_slow_request soon',
      '"sentry_slow_request" must be a time from 1ms to 24h, or "off", got'
      . ' "soon"' ],
    [ server => 'sentry_slow_request 0',
      qr/"sentry_slow_request" must be .*, got "0"/ ],
    [ server => 'sentry_slow_request 25h',
      qr/"sentry_slow_request" must be .*, got "25h"/ ],
    [ server => 'sentry_slow_request 1s; sentry_slow_request off',
      qr/"sentry_slow_request" directive is duplicate/ ],

    map({ [ http => "sentry_event_limit $_",
            '"sentry_event_limit" must be a rate from 1r/m to 10000r/s, or'
            . ' "off" alone, got "' . (split)[0] . '"' ] }
        qw( 30 r/m 0r/m 10001r/s -1r/s 1.5r/s 30r/h often ),
        'off burst=10'),
    map({ [ http => "sentry_event_limit 30r/m $_",
            '"sentry_event_limit" burst must be burst=1 to burst=10000, got'
            . qq( "$_") ] }
        qw( burst=0 burst=10001 burst= burst=x nodelay )),
    [ http => 'sentry_event_limit off; sentry_event_limit 1r/s',
      qr/"sentry_event_limit" directive is duplicate/ ],
    [ server => 'sentry_event_limit off',
      qr/"sentry_event_limit" directive is not allowed here/ ],

    [ server => 'sentry_fingerprint 1 2 3 4 5 6 7 8 9',
      qr/"sentry_fingerprint" takes at most 8 values/ ],
    [ server => 'sentry_send_default_pii yes',
      qr/invalid value "yes" in "sentry_send_default_pii" directive/ ],
    [ server => 'sentry_scrub x',
      qr/"sentry_scrub" term must be at least 2 characters, got "x"/ ],
    [ server => 'sentry_breadcrumbs loud',
      '"sentry_breadcrumbs" must be a log level from "emerg" to "info", or'
      . ' "off", got "loud"' ],

    [ server => 'sentry_request_body 9k',
      '"sentry_request_body" must be a size from 1 to 8k, or "off", got "9k"'
    ],
    [ server => 'sentry_request_body 0',
      qr/"sentry_request_body" must be .*, got "0"/ ],
    [ server => 'sentry_request_body on',
      qr/"sentry_request_body" must be .*, got "on"/ ],
    [ http => 'sentry_log_events debug',
      '"sentry_log_events" must be a log level from "emerg" to "info", or'
      . ' "off", got "debug"' ],
    [ server => 'sentry_log_events crit',
      qr/"sentry_log_events" directive is not allowed here/ ],
    [ http => 'sentry_log_events crit; sentry_log_events off',
      qr/"sentry_log_events" directive is duplicate/ ],

    [ http => 'sentry_queue 100k',
      qr/"sentry_queue" must be a size from 256k to 1024m, got "100k"/ ],
    [ http => 'sentry_queue 2g', qr/"sentry_queue" must be .*, got "2g"/ ],
    [ http => 'sentry_queue big', qr/"sentry_queue" must be .*, got "big"/ ],
    [ http => 'sentry_flush_interval 5ms',
      qr/"sentry_flush_interval" must be a time from 10ms to 60s, got "5ms"/ ],
    [ http => 'sentry_timeout 10',
      undef ],
    [ http => 'sentry_timeout 6m',
      qr/"sentry_timeout" must be a time from 100ms to 300s, got "6m"/ ],
    [ http => 'sentry_timeout soon',
      qr/"sentry_timeout" must be .*, got "soon"/ ],
    [ http => 'sentry_shutdown_timeout 2m',
      qr/"sentry_shutdown_timeout" must be a time from 0ms to 60s, got "2m"/ ],
    [ http => 'sentry_compression br',
      qr/"sentry_compression" must be "gzip" or "off", got "br"/ ],
    [ http => 'sentry_proxy proxy:3128',
      qr/"sentry_proxy" must be an http, https, socks5 or socks5h URL/ ],
    [ http => 'sentry_ssl_verify no',
      qr/invalid value "no" in "sentry_ssl_verify" directive/ ],
    [ http => 'sentry_ssl_trusted_certificate /nowhere/ca.pem',
      '"sentry_ssl_trusted_certificate" must be a readable file, got'
      . ' "/nowhere/ca.pem" (2:' ],
    [ http => 'sentry_spotlight perhaps',
      qr/"sentry_spotlight" must be "on", "off" or an http URL, got "perhaps"/
    ],
    [ http => 'sentry_debug 1',
      qr/invalid value "1" in "sentry_debug" directive/ ],
    [ server => 'sentry_status', qr/"sentry_status" directive is not allowed/ ],
    [ location => 'sentry_status on',
      qr/invalid number of arguments in "sentry_status"/ ],
    [ server => 'sentry_test', qr/"sentry_test" directive is not allowed/ ],
);

my @good = (
    [ http => "sentry_dsn off" ],
    [ http => "sentry_dsn $dsn" ],
    [ http => 'sentry_dsn https://key:secret@o1.ingest.sentry.io/a/b/42' ],
    [ http => 'sentry_dsn http://key@[::1]:9000/42' ],
    [ location => "sentry_dsn $dsn; sentry_environment a-b.c;"
      . ' sentry_release app@1.2.3+4' ],
    [ location => 'sentry_capture off' ],
    [ location => 'sentry_capture 5xx 404 429-431' ],
    [ location => 'sentry_sample_rate 0' ],
    [ location => 'sentry_traces_sample_rate 0.001' ],
    [ location => 'sentry_traces_sample_rate $arg_rate' ],
    [ location => 'sentry_traces_sample_rate off' ],
    [ location => 'sentry_inherit_sampling $arg_trust' ],
    [ location => 'sentry_trace_context ignore;'
      . ' sentry_propagate_traceparent on; sentry_server_timing on' ],
    [ http => 'sentry_traces_limit 100r/s' ],
    [ http => 'sentry_traces_limit off' ],
    [ location => 'sentry_sample_rate $arg_rate' ],
    [ server => 'sentry_route = /a name=a; sentry_route ^~ /b errors=0.5'
      . ' traces=0; sentry_route ~ ^/c drop; sentry_route ~* x$ drop=errors;'
      . ' sentry_route /d drop=traces' ],
    [ location => 'sentry_ignore $http_x $arg_y' ],
    [ location => 'sentry_ignore off; sentry_tag off; sentry_user off;'
      . ' sentry_context off; sentry_fingerprint off; sentry_scrub off;'
      . ' sentry_transaction off; sentry_breadcrumbs off' ],
    [ location => 'sentry_tag a $host; sentry_tag b.c-d:e_f 1' ],
    [ location => 'sentry_user id=$http_x username=u email=e ip=$remote_addr' ],
    [ location => 'sentry_context app v=1 host=$host; sentry_context b c=' ],
    [ location => 'sentry_fingerprint "{{ default }}" $status' ],
    [ location => 'sentry_request_body 8k' ],
    [ location => 'sentry_request_body off' ],
    [ http => 'sentry_log_events warn' ],
    [ http => 'sentry_queue 256k; sentry_flush_interval 10ms;'
      . ' sentry_timeout 5s; sentry_shutdown_timeout 0; sentry_compression off;'
      . ' sentry_proxy http://u:p@127.0.0.1:1; sentry_ssl_verify off' ],
    [ http => 'sentry_spotlight on; sentry_debug on' ],
    [ location => 'sentry_slow_request 1ms' ],
    [ location => 'sentry_slow_request off' ],
    map({ [ http => "sentry_event_limit $_" ] }
        'off', '1r/m', '10000r/s burst=10000', '30r/m burst=1'),
    [ http => 'sentry_spotlight http://127.0.0.1:8969/stream' ],
    [ location => 'sentry_status' ],
    [ location => 'sentry_test' ],
);

my $t = NginxTest->new()->plan(2 * @bad + @good);

# "sentry_timeout 10" is ten seconds, as everywhere in nginx

sub check {
    my ($context, $directive) = @_;

    return $t->check_config($context eq 'location'
        ? (location => "/x { $directive; }") : ($context => "$directive;"));
}

for (@bad) {
    my ($context, $directive, $message) = @$_;
    my ($exit, $output) = check($context, $directive);

    if (defined $message) {
        $message = qr/\Q$message\E/ if !ref $message;
        isnt($exit, 0, "refused: $directive");
        like($output, qr/\[emerg\].*$message/, "said: $directive");

    } else {
        is($exit, 0, "accepted: $directive");
        unlike($output, qr/emerg/, "silent: $directive");
    }
}

for (@good) {
    my ($context, $directive) = @$_;
    my ($exit, $output) = check($context, $directive);

    is($exit, 0, "accepted: $directive") or diag $output;
}
