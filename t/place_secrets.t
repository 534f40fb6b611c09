#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# Secrets in the configuration around the place of an error: none leaves in
# an envelope, or is in a line of ours in the log or in the queue's memory.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->has('http_ssl');
my $n = 0;
my @secrets;

sub secret {
    my ($where) = @_;
    my $secret = sprintf 'S3cr3t%02dx%08x', ++$n, 7919 * $n;

    push @secrets, [ $where, $secret ];

    return $secret;
}

# each stands beside a location of its own, so that its lines are told

my @directives = map { s/<([^>]+)>/secret($1)/ger } split /^--\n/m, <<'EOC';
proxy_set_header Authorization "Bearer <Authorization>";
--
proxy_set_header
    X-Api-Key
    # of the backend
    <an argument on another line>;
--
proxy_set_header X-Anything "api_key: <within a value>";
--
proxy_set_header X-Lines "first
password
<a value of many lines>";
--
add_header Set-Cookie "a=<Set-Cookie>";
--
proxy_set_header X-Acme-Id <a term of sentry_scrub>;
--
fastcgi_param DB_PASSWORD <fastcgi_param>;
--
set $api_key <set>;
--
set $harmless "$http_cookie<beside a variable>";
--
if ($http_x_token = "<compared>") { set $a 1; }
--
if ($http_x_token !~ "^<compared by regex>$") {
    set $a 1;
}
--
auth_basic_user_file /etc/nginx/<auth_basic_user_file>;
--
secure_link_md5 "$uri <secure_link_md5>";
--
rewrite ^/never$ /?token=<rewrite> last;
--
set $backend http://user:<userinfo>@127.0.0.1:1/;
--
proxy_cookie_path /<proxy_cookie_path> /;
--
# set $password <a comment>;
--
# the password
# is <a comment of two lines>
--
error_page 418 /a?access_token=<error_page>;
--
access_log off; # Bearer <at the end of a line>
--
limit_except GET { auth_basic_user_file <in a block>; }
--
add_header X-Jwt eyJhbGciOiJIUzI1NiJ9.eyJ<JWT>.c2lnbmF0dXJl;
EOC

my $conf = '';

for my $i (0 .. $#directives) {
    $conf .= "location /place$i/ {\n$directives[$i]\n    # \n"
             . "error_page 403 = \@dead;\ndeny all;\n}\n\n\n\n\n\n\n\n\n\n";
}

my %top = map { $_ => secret($_) }
          'map value', 'map key', 'return', 'geo', 'upstream',
          'ssl key', 'server name';

$t->write_file('places.inc', $conf);

# data beside a server

$t->write_file('data.inc', <<"EOC");
map \$host \$api_token {
    default $top{'map value'};
}
server {
    listen 127.0.0.1:8081;
    location / { return 503 "token=$top{return}"; }
}
map \$http_authorization \$who {
    "Bearer $top{'map key'}" admin;
}
geo \$secret { default $top{geo}; }
EOC

$t->write_file('more.inc', <<"EOC");
upstream backend { server 127.0.0.1:1; } # user:$top{upstream}\@host
server {
    listen 127.0.0.1:8082;
    server_name a.example.com "~^(?<token>$top{'server name'})";
    ssl_certificate_key $top{'ssl key'}.key;
    sentry_dsn %%DSN_2%%;
    return 503;
}
EOC

$t->sentry()->conf(
    http     => 'sentry_flush_interval 60s; sentry_scrub acme;'
                . ' sentry_capture 403 5xx;',
    server   => 'include places.inc; location @dead { return 503; }',
    servers  => 'include data.inc; include more.inc;',
);

$t->write_file_expand($_, $t->read_file($_)) for qw/ data.inc more.inc /;

$t->secrets(map { $_->[1] } @secrets);
$t->plan(@secrets + 6)->run();

http_get("/place$_/") for 0 .. $#directives;
http_get('/', port => port(8081));
http_get('/', port => port(8082));

my $memory = $t->shared_memory();

cmp_ok(() = $memory =~ /location \/place\d+\//g, '>=', @directives,
       'frames are in the memory');

for (@secrets) {
    my ($where, $secret) = @$_;

    is(index($memory, $secret), -1, "not in the queue's memory: $where");
}

$t->stop();

my $events = $t->events(@directives + 1);
my $others = $t->items('event', project => 2);
my @lines = map { @{$_->{pre_context} || []}, $_->{context_line} // '',
                  @{$_->{post_context} || []} }
            map { @{$_->{exception}{values}[0]{stacktrace}{frames}} }
            @$events, map { $_->{payload} } @$others;

cmp_ok(scalar(grep { /\[Filtered\]/ } @lines), '>=', @directives,
       'and told, filtered');
ok((grep { /^proxy_set_header Authorization \[Filtered\];$/ } @lines),
   'names stay');
ok((grep { /^    # of the backend$/ } @lines), 'so does a comment');
ok((grep { m{^    sentry_dsn http://\[Filtered\]@127} } @lines), 'a DSN');
ok(!(grep { /5e000000/ } @lines), 'without its key');
