#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# What the configuration adds to an event: tags, user, contexts, fingerprint.
# Variables are evaluated when the request ends, with the settings of the
# place that failed; empty values are left out, long ones are cut.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->secrets('hunter22hunter22')->plan(33);
my $app = $t->upstream('answer', status => 500, body => 'boom');
my $dead = dead_port();
my $long = 'x' x 300;

$t->sentry()->conf(http => <<'EOC', server => <<'EOS', location => [
    sentry_tag level http;
    sentry_tag host $host;
    sentry_user id=http;
    sentry_context app level=http;
    sentry_fingerprint http;
EOC
        sentry_tag level server;
        set $where server;
EOS
    '/plain/ { return 500; }',
    '/deep/ { sentry_tag level location; sentry_user id=$arg_id'
    . ' username=$arg_name email=$arg_mail ip=$arg_ip;'
    . ' sentry_context shop cart=$arg_cart total=$arg_total;'
    . ' sentry_context empty a=$arg_none b=; return 500; }',
    '/none/ { sentry_tag off; sentry_user off; sentry_context off;'
    . ' sentry_fingerprint off; return 500; }',
    "/late/ { sentry_tag upstream \$upstream_addr;"
    . ' sentry_tag upstream_status $upstream_status;'
    . ' sentry_tag status $status; sentry_tag length $bytes_sent;'
    . " proxy_pass http://127.0.0.1:$app; }",
    '/page/ { set $where page; sentry_tag where $where;'
    . ' sentry_tag asked $request_uri; sentry_context at where=$where;'
    . ' sentry_user id=$where; sentry_fingerprint page $where;'
    . " error_page 502 /sorry; proxy_pass http://127.0.0.1:$dead; }",
    '= /sorry { set $where sorry; sentry_tag where lost;'
    . ' sentry_user id=lost; return 200 "sorry"; }',
    "/long/ { sentry_tag long $long; sentry_tag bytes \$arg_bytes;"
    . " sentry_context long text=$long; return 500; }",
    '/twice/ { sentry_tag a first; sentry_tag a second;'
    . ' sentry_context c a=first; sentry_context c a=second b=third;'
    . ' return 500; }',
    '/many/ { ' . join(' ', map { "sentry_tag t$_ v$_;" } 1 .. 32)
    . ' sentry_context c ' . join(' ', map { "k$_=v$_" } 1 .. 32)
    . '; return 500; }',
    '/secret/ { sentry_tag s "password=$arg_password";'
    . ' sentry_context c "s=token: $arg_password";'
    . ' sentry_fingerprint "api_key=$arg_password"; return 500; }',
    '/group/ { sentry_fingerprint "{{ default }}" $arg_tenant $arg_none;'
    . ' return 500; }',
])->run();

my $seen = 0;

# levels: the deeper one replaces the whole list

my $event = event('/plain/');

is_deeply($event->{tags}, { level => 'server' }, 'tags of the server');
is_deeply($event->{user}, { id => 'http' }, 'user of the http level');
is_deeply($event->{contexts}{app}, { level => 'http' }, 'its context');
is_deeply($event->{fingerprint}, [ 'http' ], 'its fingerprint');

$event = event('/none/');

ok(!exists $event->{tags}, 'tags off');
ok(!exists $event->{user}, 'user off');
ok(!exists $event->{contexts}{app}, 'context off');
is_deeply($event->{fingerprint}, [ 'ServerError', 'localhost /none/', '500' ],
          'fingerprint off: the default');

# variables, empty ones left out

$event = event('/deep/?id=7&name=jo&mail=j@x.example&ip=192.0.2.1&cart=3');

is_deeply($event->{tags}, { level => 'location' }, 'tags of the location');
is_deeply($event->{user}, { id => 7, username => 'jo',
    email => 'j@x.example', ip_address => '192.0.2.1' }, 'user by variables');
is_deeply($event->{contexts}{shop}, { cart => 3 }, 'an empty value is none');
ok(!exists $event->{contexts}{empty}, 'only empty values: no context');
ok(!exists $event->{contexts}{app}, 'other contexts are replaced');

$event = event('/deep/?ip=nonsense');

ok(!exists $event->{user}, 'nobody, and an address that is none: no user');
ok(!exists $event->{contexts}{shop}, 'nothing: no context');

# evaluated at the end

$event = event('/late/');

is($event->{tags}{upstream}, "127.0.0.1:$app", 'the upstream');
is($event->{tags}{upstream_status}, 500, 'its status');
is($event->{tags}{status}, 500, 'the final status');
cmp_ok($event->{tags}{length}, '>', 100, 'what was sent');

# after an internal redirect: the place that failed

$event = event('/page/x?y=1');

is_deeply($event->{tags}, { where => 'sorry', asked => '/page/x?y=1' },
          'tags of the place that failed, with the final values');
is_deeply($event->{user}, { id => 'sorry' }, 'its user');
is_deeply($event->{contexts}{at}, { where => 'sorry' }, 'its context');
is_deeply($event->{fingerprint}, [ 'page', 'sorry' ], 'its fingerprint');

# bounds

$event = event('/long/?bytes=' . "a\xc3" . 'b' x 10);

is($event->{tags}{long}, 'x' x 200, 'a long tag is cut');
is($event->{tags}{bytes}, "a\x{fffd}" . 'b' x 10, 'any bytes are UTF-8');
is($event->{contexts}{long}{text}, $long, 'a long context has room');

$event = event('/twice/');

is($event->{tags}{a}, 'first', 'a tag given twice');
is_deeply($event->{contexts}{c}, { a => 'first', b => 'third' },
          'a pair given twice');

$event = event('/many/');

is(keys %{$event->{tags}}, 32, 'as many tags as can be given');
is(keys %{$event->{contexts}{c}}, 32, 'as many pairs');

# values are filtered like everything else

$event = event('/secret/?password=hunter22hunter22');

is_deeply([ $event->{tags}{s}, $event->{contexts}{c}{s},
            $event->{fingerprint}[0] ],
          [ 'password=[Filtered]', 'token: [Filtered]',
            'api_key=[Filtered]' ], 'secrets in values');

$event = event('/group/?tenant=blue');

is_deeply($event->{fingerprint}, [ '{{ default }}', 'blue' ],
          'Sentry\'s default beside a variable');
is_deeply(event('/group/?tenant=red')->{fingerprint},
          [ '{{ default }}', 'red' ], 'and another one');


sub event {
    my ($uri) = @_;

    http_get($uri);

    return $t->events(++$seen)->[-1];
}
