#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Which failing requests are left out: default routes, sentry_route rules,
# sentry_ignore, sample rates; and that what is left out is counted.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new();

$t->sentry()->conf(http => <<'EOC', server => <<'EOS', location => <<'EOL',
    map $http_user_agent $is_bot { default 0; ~*bot 1; }
EOC
    sentry_route = /docs/kept name=kept;
    sentry_route /metrics-not;
    sentry_route ^~ /noise/ drop;
    sentry_route ~ ^/users/\d+$ name=user drop=traces;
    sentry_route ~* \.PHP$ drop=errors;
    sentry_route /never/ errors=0;
    sentry_route /always/ errors=1;
    sentry_route ~ ^(a+)+$ drop;
    sentry_route /half/ errors=0.5;
EOS
    / { return 500; }
    location /always/ { sentry_sample_rate 0; return 500; }
    location /rate0/ { sentry_sample_rate 0; return 500; }
    location /rate1/ { sentry_sample_rate 1; return 500; }
    location /by_arg/ { sentry_sample_rate $arg_rate; return 500; }
    location /ignore/ { sentry_ignore $arg_a $is_bot; return 500; }
    location /ignore/not/ { sentry_ignore off; return 500; }
    location = /stub { stub_status; error_page 405 =500 /x; }
EOL
    servers => <<'EOV');
    server {
        listen 127.0.0.1:8081;
        sentry_default_routes off;
        location / { return 500; }
    }
EOV

my @dropped = (qw{
    /health /healthz /healthcheck /live /livez /ready /readyz /ping /metrics
    /docs /redoc /openapi.json /favicon.ico /robots.txt
    /api/health /api/healthz /x/livez /x/readyz /a/b/ping
    /docs/ /docs/oauth2-redirect /redoc/x /_next/static/a.js
    /healthz?verbose=1 /%68ealth //health /a/../health
    /noise/ /noise/x /x/../noise/y /index.php /a/INDEX.PHP /never/x
    /rate0/x /by_arg/?rate=0 /by_arg/?rate=0.0 /ignore/?a=1 /ignore/?a=yes
});

my @kept = (qw{
    /healthy-food /delivery /already /Health /HEALTHZ /health/ /healthzz
    /live/x /apilive /api/live /api/ready /api/metrics /docsx /favicon.ico/x
    /metrics-not /docs/kept /users/17 /users/17/x /noisy /index.php5
    /always/x /rate1/x /by_arg/?rate=1 /by_arg/?rate=nonsense /by_arg/
    /ignore/ /ignore/?a=0 /ignore/?a= /ignore/not/?a=1
});

$t->plan(@dropped + @kept + 10)->run();

sub urls {
    return map { (my $url = $_->{request}{url}) =~ s{^http://[^/]+}{};
                 ($url . (defined $_->{request}{query_string}
                          ? "?$_->{request}{query_string}" : '')) => $_ }
           @{$t->events()};
}

http_get($_) for @dropped, @kept;
http_get('/ignore/?bot', headers => { 'User-Agent' => 'GoodBot/1' });
http_get('/_next/x', port => port(8081));
http_get('/half/x') for 1 .. 200;

$t->marker();

my %seen = urls();

ok(!$seen{$_}, "dropped: $_") for @dropped;
ok($seen{$_}, "kept: $_") for @kept;
ok(!$seen{'/ignore/?bot'}, 'ignored by a map');
ok($seen{'/_next/x'}, 'default routes off');

is($seen{'/users/17'}{transaction}, 'user', 'named by the route');
is($seen{'/users/17'}{transaction_info}{source}, 'route', 'source of it');
is($seen{'/docs/kept'}{transaction}, 'kept', 'kept by a rule');

my $half = grep { ($_->{request}{url} // '') =~ m{/half/x$} } @{$t->events()};

cmp_ok($half, '>', 55, "half: not too few ($half)");
cmp_ok($half, '<', 145, "half: not too many ($half)");

# a catastrophic expression ends at its match limit

like(http_get('/' . 'a' x 900 . 'b'), qr/ 500 /, 'catastrophic expression');

my ($project) = grep { $_->{project} =~ m{/1$} } @{$t->status()->{projects}};
my $sampled = 4 + 200 - $half;

is($project->{lost}{sample_rate}{error}, $sampled, 'unsampled counted')
    or diag explain $project;
is($project->{lost}{event_processor}{error}, @dropped - 4 + 1,
   'ignored counted');
