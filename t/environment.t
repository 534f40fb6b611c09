#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The SENTRY_* environment variables: each does what its directive does, a
# directive wins, a bad value stops nginx.  And the notice at the start, which
# tells what is in force and never the key.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $key = '5e' . '0' x 29 . '1';

my $t = NginxTest->new();

$t->sentry();

my $copies = $t->testdir() . '/copies';
my $spotlight = $t->upstream('answer', record => $copies);
my $dsn = $t->dsn(1);
my $prefix = '[notice] sentry: reporting to 127.0.0.1, project';

# what; variables; directives in http and location; notice; what the event
# must say, undef: there is none

my @cases = (
    [ 'SENTRY_DSN alone', { SENTRY_DSN => $dsn }, '', '',
      "$prefix 1, environment \"production\", errors 100%",
      { environment => 'production', release => undef } ],

    [ 'all of them', { SENTRY_DSN => $dsn, SENTRY_ENVIRONMENT => 'staging',
        SENTRY_RELEASE => 'shop@1.2 (x)', SENTRY_SAMPLE_RATE => '1.0',
        SENTRY_DEBUG => 'off', SENTRY_ENABLED => 'true',
        SENTRY_SPOTLIGHT => 'no', SENTRY_TRACES_SAMPLE_RATE => '',
        SENTRY_ENABLE_TRACING => '0' }, '', '',
      "$prefix 1, environment \"staging\", release \"shop\@1.2 (x)\","
      . ' errors 100%',
      { environment => 'staging', release => 'shop@1.2 (x)' } ],

    [ 'traces', { SENTRY_DSN => $dsn, SENTRY_TRACES_SAMPLE_RATE => '0.125' },
      '', '', "$prefix 1, environment \"production\", errors 100%,"
      . ' traces 12.5%', { environment => 'production' } ],

    [ 'traces switched off', { SENTRY_DSN => $dsn,
        SENTRY_ENABLE_TRACING => 'false' }, 'sentry_traces_sample_rate 1;',
      '', "$prefix 1, environment \"production\", errors 100%",
      { environment => 'production' } ],

    [ 'directives win', { SENTRY_DSN => $t->dsn(2),
        SENTRY_ENVIRONMENT => 'staging', SENTRY_RELEASE => 'shop@1',
        SENTRY_SAMPLE_RATE => '0', SENTRY_DEBUG => 'on' },
      "sentry_dsn $dsn; sentry_environment testing; sentry_release shop\@2;"
      . ' sentry_sample_rate 1; sentry_debug off;', '',
      "$prefix 1, environment \"testing\", release \"shop\@2\", errors 100%",
      { environment => 'testing', release => 'shop@2' } ],

    [ 'a location\'s wins', { SENTRY_DSN => $dsn, SENTRY_RELEASE => 'shop@1',
        SENTRY_ENVIRONMENT => 'staging' }, '',
      'sentry_environment here; sentry_release shop@3;',
      "$prefix 1, environment \"staging\", release \"shop\@1\", errors 100%",
      { environment => 'here', release => 'shop@3' } ],

    [ 'directives alone', {}, "sentry_dsn $dsn; sentry_sample_rate 0.125;",
      'sentry_sample_rate 1;',
      "$prefix 1, environment \"production\", errors 12.5%",
      { environment => 'production', release => undef } ],

    [ 'a rate by variable', { SENTRY_DSN => $dsn },
      'sentry_sample_rate $arg_rate;', 'sentry_sample_rate 1;',
      "$prefix 1, environment \"production\", errors by variable",
      { environment => 'production' } ],

    [ 'a DSN of one location', {}, '', "sentry_dsn $dsn;",
      "$prefix 1, in some locations",
      { environment => 'production' } ],

    [ 'SENTRY_SAMPLE_RATE=0', { SENTRY_DSN => $dsn,
        SENTRY_SAMPLE_RATE => '0' }, '', '',
      "$prefix 1, environment \"production\", errors 0%", undef ],

    [ 'SENTRY_SAMPLE_RATE=0.5', { SENTRY_DSN => $dsn,
        SENTRY_SAMPLE_RATE => '0.5' }, '', 'sentry_sample_rate 0;',
      "$prefix 1, environment \"production\", errors 50%", undef ],

    [ 'an empty SENTRY_DSN', { SENTRY_DSN => '' }, '', '', undef, undef ],

    [ 'sentry_dsn off', { SENTRY_DSN => $dsn }, 'sentry_dsn off;', '', undef,
      undef ],

    [ 'SENTRY_ENABLED=false', { SENTRY_ENABLED => 'false',
        SENTRY_DSN => $dsn }, '', '', undef, undef ],

    [ 'SENTRY_ENABLED=0 and directives', { SENTRY_ENABLED => '0' },
      "sentry_dsn $dsn; sentry_spotlight http://127.0.0.1:$spotlight/x;", '',
      undef, undef ],

    [ 'no DSN but a status page', {}, '', '',
      '[notice] sentry: no DSN, nothing is reported', undef,
      '= /status { sentry_status; }' ],

    [ 'SENTRY_SPOTLIGHT alone',
      { SENTRY_SPOTLIGHT => "http://127.0.0.1:$spotlight/x" }, '', '',
      '[notice] sentry: no DSN, nothing is reported but to Spotlight',
      undef ],
);

my @bad = (
    [ SENTRY_DSN => 'nonsense', 'must be http(s)://key@host/project: no'
      . ' "http://" or "https://" at the beginning' ],
    [ SENTRY_DSN => "ftp://$key\@host/1", 'must be'
      . ' http(s)://key@host/project: no "http://" or "https://" at the'
      . ' beginning' ],
    [ SENTRY_DSN => "https://$key\@host/", 'must be'
      . ' http(s)://key@host/project: no project number at the end' ],
    [ SENTRY_ENVIRONMENT => 'a b', 'must be 1 to 64 characters without'
      . ' blanks and "/", and not "None", got "a b"' ],
    [ SENTRY_ENVIRONMENT => 'None', 'must be 1 to 64 characters without'
      . ' blanks and "/", and not "None", got "None"' ],
    [ SENTRY_RELEASE => 'a/b', 'must be 1 to 200 characters without line'
      . ' breaks, tabs, "/" and "\\", and not "." or "..", got "a/b"' ],
    [ SENTRY_SAMPLE_RATE => '1.5', 'must be between 0 and 1, got "1.5"' ],
    [ SENTRY_SAMPLE_RATE => 'all', 'must be between 0 and 1, got "all"' ],
    [ SENTRY_TRACES_SAMPLE_RATE => '-1',
      'must be between 0 and 1, got "-1"' ],
    [ SENTRY_SPOTLIGHT => 'perhaps',
      'must be "on", "off" or an http URL, got "perhaps"' ],
    [ SENTRY_DEBUG => 'very', 'must be "true" or "false", got "very"' ],
    [ SENTRY_ENABLED => 'maybe', 'must be "true" or "false", got "maybe"' ],
    [ SENTRY_ENABLE_TRACING => '2', 'must be "true" or "false", got "2"' ],
);

my @words = (
    (map { [ SENTRY_SPOTLIGHT => $_ ] } qw/ true T y Yes ON 1 f n 0 off /,
         'HTTP://127.0.0.1:9/x'),
    (map { [ SENTRY_DEBUG => $_ ] } qw/ TRUE false on off Yes no 0 1 t f /),
);

$t->plan(3 * @cases + 3 * @bad + @words + 3);

for (@cases) {
    my ($what, $env, $http, $location, $notice, $event, @more) = @$_;
    my $path = '/case/' . ($what =~ tr/a-zA-Z//cdr);
    my @events;

    start($env, $http, "/case/ { $location return 503; }", @more);

    is_deeply([ grep { /: (?:reporting|no DSN)/ } news() ],
              [ defined $notice ? $notice : () ], "$what: notice");
    like(http_get($path), qr/ 503 /, "$what: nginx serves");
    $t->stop();

    @events = grep { $_->{request}{url} =~ /\Q$path\E$/ }
              @{$t->events(undef, project => 'any')};

    if ($event) {
        is_deeply([ map { { map { $_ => $events[0]{$_} } keys %$event } }
                    @events ], [ $event ], "$what: event");

    } else {
        is(scalar @events, 0, "$what: no event");
    }
}

is(join(' ', map { $_->{body} =~ m{/case/(\w+)"} }
             NginxTest::Upstream::recorded($copies)), 'SENTRYSPOTLIGHTalone',
   'Spotlight got what was meant for it');

start({ SENTRY_DSN => $dsn, SENTRY_DEBUG => 'true' }, '',
      '/ { return 503; }');
http_get('/debug');
$t->stop();
like(join("\n", news()), qr{127\.0\.0\.1:\d+/1 took event [0-9a-f]{32}: },
     'SENTRY_DEBUG: it tells');

for (@bad) {
    my ($name, $value, $message) = @$_;
    my ($exit, $output) = check($name => $value);

    isnt($exit, 0, "$name=$value: refused");
    is(($output =~ m{\[emerg\] \S+ (.*) in \S+/check\d+\.conf:\d+$}m)[0],
       "environment variable \"$name\" $message", "$name=$value: said");
    unlike($output, qr/$key/, "$name=$value: no key");
}

for (@words) {
    my ($name, $value) = @$_;
    my ($exit, $output) = check($name => $value);

    is($exit, 0, "$name=$value: accepted") or diag $output;
}

unlike($t->log() . $t->read_file('stderr.log'), qr/\@127\.0\.0\.1/,
       'no DSN in the log');


# Starts nginx with these variables and nothing else of ours.

sub start {
    my ($env, $http, @locations) = @_;

    news();
    $t->{env} = $env;
    $t->conf(sentry => 0, http => $http, location => \@locations)->run();
}


sub check {
    my ($name, $value) = @_;

    $t->{env} = { $name => $value };

    return $t->check_config(sentry => 0, location => '/ { return 503; }');
}


# Our lines of the log since the last time.

my $told;

sub news {
    my @lines = $t->log_lines(qr/sentry: /);
    my @news = @lines[$told // 0 .. $#lines];

    $told = @lines;

    return @news;
}
