#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# $sentry_event_id: what an error page, a header or a log line shows is the id
# of the event that is sent; without an event it is empty.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;
use NginxTest::Accounts;

my $t = NginxTest->new();
my $dead = dead_port();
my $app = $t->upstream('answer', status => 500, body => 'boom');
my $ok = $t->upstream('answer', body => 'fine');

$t->write_file('html/50x.html',
    'page <!--#echo var="sentry_event_id" default="none" --> end');
$t->write_file('html/outer.html', 'page <!--#include virtual="/50x.html" -->');
chmod 0755, $t->testdir() . '/html';

$t->sentry()->conf(http => <<"EOC", server => <<'EOS', location => [
    sentry_capture 400 5xx;
    sentry_route /dropped/ drop;
    limit_req_zone \$server_name zone=one:64k rate=1r/m;
    log_format ids '\$request_uri \$status \$sentry_event_id';
EOC
        access_log %%TESTDIR%%/access.log ids;
        root %%TESTDIR%%/html;
        ssi on;
        add_header X-Event $sentry_event_id always;
        add_header X-Again $sentry_event_id always;
        error_page 502 /50x.html;
EOS
    "/dead/ { proxy_pass http://127.0.0.1:$dead; }",
    "/nested/ { error_page 502 /outer.html;"
    . " proxy_pass http://127.0.0.1:$dead; }",
    "/named/ { error_page 502 \@named; proxy_pass http://127.0.0.1:$dead; }",
    '@named { return 502 "page $sentry_event_id end"; }',
    "/app/ { proxy_pass http://127.0.0.1:$app; }",
    '/text/ { return 503 "page $sentry_event_id end"; }',
    '/early/ { set $early $sentry_event_id; return 500 "page $early end"; }',
    "/fine/ { proxy_set_header X-Event \$sentry_event_id;"
    . " proxy_pass http://127.0.0.1:$ok; }",
    "/sorry/ { error_page 502 =200 /50x.html;"
    . " proxy_pass http://127.0.0.1:$dead; }",
    '/missing/ { return 404 "page $sentry_event_id end"; }',
    '/quiet/ { sentry_capture off; return 500 "page $sentry_event_id end"; }',
    '/off/ { sentry_dsn off; return 500 "page $sentry_event_id end"; }',
    '/dropped/ { return 500 "page $sentry_event_id end"; }',
    '/ignored/ { sentry_ignore 1; return 500 "page $sentry_event_id end"; }',
    '/never/ { sentry_sample_rate 0;'
    . ' return 500 "page $sentry_event_id end"; }',
    '/half/ { sentry_sample_rate 0.5;'
    . ' return 500 "page $sentry_event_id end"; }',
    "/limited/ { limit_req zone=one; proxy_pass http://127.0.0.1:$ok; }",
    '/refused/ { sentry_dsn %%DSN_3%%;'
    . ' return 500 "page $sentry_event_id end"; }',
]);

# what is asked for; what shows the id

my @cases = (
    [ 'error page with SSI', '/dead/' ],
    [ 'included by it', '/nested/' ],
    [ 'named location', '/named/' ],
    [ 'application', '/app/', 'no page' ],
    [ 'text', '/text/' ],
    [ 'bad request', "GET /bad HTTP/1.1\r\n\r\n", 'no page' ],
    [ 'HEAD', "HEAD /dead/ HTTP/1.0\r\nHost: a\r\n\r\n", 'no page' ],
);

my @absent = (
    [ 'nothing failed', '/fine/' ],
    [ 'error page with another status', '/sorry/' ],
    [ 'status not captured', '/missing/' ],
    [ 'capture off', '/quiet/' ],
    [ 'DSN off', '/off/' ],
    [ 'dropped route', '/dropped/', 'event_processor' ],
    [ 'ignored', '/ignored/', 'event_processor' ],
    [ 'sampled out', '/never/', 'sample_rate' ],
);

$t->plan(5 * @cases + 3 * @absent + 21)->run();

my $seen = 0;

for (@cases) {
    my ($name, $how, $no_page) = @$_;
    my $response = $how =~ m{^/} ? http_get($how) : http($how);
    my $id = $t->events(++$seen)->[-1]{event_id};

    like($id, qr/^[0-9a-f]{32}$/, "$name: an id");
    is(header($response), $id, "$name: in a header");
    like($response, qr/^X-Again: $id\r$/m, "$name: the same again");
    $no_page ? pass("$name: no page")
             : like($response, qr/page $id(?: end)?$/, "$name: on the page");
    ok(wait_for(sub { $t->read_file('access.log') =~ / $id$/m }),
       "$name: in the log");
}

for (@absent) {
    my ($name, $uri, $reason) = @$_;
    my $before = accounts($t)->{reasons};
    my $response = http_get($uri);

    is(header($response), undef, "$name: no header");
    unlike($response, qr/page [0-9a-f]{32}/, "$name: no id");

    $t->marker();

    my $after = accounts($t)->{reasons};

    $before->{$reason}++ if $reason;
    is_deeply([ scalar @{$t->events()}, $after ], [ $seen, $before ],
              "$name: no event, counted once");
}

# asked for too early: empty, and the event is sent all the same

my $response = http_get('/early/');
my $event = $t->events(++$seen)->[-1];

like($response, qr/page  end$/, 'before there is a status it is empty');
is(header($response), $event->{event_id}, 'later it is not');

# limit_req's 503

http_get('/limited/') for 1, 2;
$response = http_get('/limited/');
like($response, qr/ 503 /, 'limited');
is(header($response), undef, 'being limited is expected');

# sampling is decided once

my @shown = grep { defined } map { header(http_get('/half/')) } 1 .. 60;
my $accounts = settled($t, $seen + @shown);

cmp_ok(scalar @shown, '>', 10, 'sampled: some are shown');
cmp_ok(scalar @shown, '<', 50, 'sampled: some are not');
is_deeply(new_ids($accounts->{captured}), [ sort @shown ],
          'sampled: what is shown is sent');
is($accounts->{reasons}{sample_rate}, 1 + 60 - @shown,
   'sampled: the others are counted once');
$seen += @shown;

# Sentry wants nothing

$t->receiver(project => 3, headers => {
    'X-Sentry-Rate-Limits' => '60:error:key' });
ok(header(http_get('/refused/')), 'not limited yet');
settled($t, 1, project => 3);
$seen++;
is(header(http_get('/refused/')), undef, 'rate limited: empty');
is(accounts($t, project => 3)->{reasons}{ratelimit_backoff}, 1,
   'rate limited: counted once');

# storms

$t->stop();
$t->conf(http => $t->{conf}{http} . <<'EOC')->run();
sentry_event_limit 1r/m burst=2;
EOC

@shown = map { header(http_get('/dead/')) } 1 .. 5;
$accounts = settled($t, 2);

is(scalar(grep { defined } @shown), 2, 'held back: two are shown');
is($accounts->{captured}, 2, 'held back: two are sent');
is_deeply(new_ids($seen + 2), [ sort grep { defined } @shown ],
          'held back: the same ones');
is($accounts->{reasons}{held_back}, 3, 'held back: the others count once');

is(() = $t->read_file('access.log') =~ m{^/dead/ 502 -$}mg, 3,
   'held back: no id in the log');
$t->stop();

# nothing is reported at all

$t->conf(http => 'add_header X-Event "<$sentry_event_id>" always;',
         server => '', location => '/x { return 500 "page $sentry_event_id"; }',
         sentry => 0)->run();
is(header($response = http_get('/x')), '<>', 'without a DSN: empty');
like($response, qr/ 500 /, 'and harmless');
$t->stop();

# every id in the log that was written is that of an event that has arrived

my %sent = map { $_->{event_id} => 1 }
           map { @{$t->events(0, project => $_)} } 1, 3;
my @logged = $t->read_file('access.log') =~ / ([0-9a-f]{32})$/mg;

cmp_ok(scalar @logged, '>=', 20, 'ids in the log');
is_deeply([ grep { !$sent{$_} } @logged ], [], 'all of them were sent');
is(scalar @logged, scalar keys %sent, 'and none is missing');


sub header { return $_[0] =~ /^X-Event: (.*)\r$/m ? $1 : undef }


# The ids of the events from the $seen-th on, of n in all.

sub new_ids {
    my ($n) = @_;
    my $events = $t->events($n);

    return [ sort map { $_->{event_id} } @$events[$seen .. $#$events] ];
}
