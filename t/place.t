#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The place of an error: frames of the server, the locations and the directive
# that answers, with file, line and the lines around them.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir($FindBin::Bin); }

use lib 'lib';
use NginxTest;

my $t = NginxTest->new()->plan(51);
my $dead = dead_port();

$t->sentry();

# one line of the file is one element: the numbers are those expected below

$t->write_file('main.inc', join "\n", split /\n/, <<"EOC");
location /plain/ {
    # a comment
    proxy_pass http://127.0.0.1:$dead/app/;
    proxy_set_header Host \$host;
}

location
    = /spread
{
    proxy_pass
        http://127.0.0.1:$dead;
}

location /one/ { root /nowhere; location /one/two/ { return 503; } return 502; }

location /outer/ {
    root /nowhere;
    proxy_pass http://127.0.0.1:$dead;

    location ~ "^/outer/(?<name>[a-z]{2,})\$" {
        proxy_pass http://127.0.0.1:$dead;
        location ~ in\$ { return 500; }
    }

    location /outer/own/ { error_page 403 = \@named; deny all; }
}

location /if/ {
    if (\$arg_a = "1") { return 503; }
    if (\$arg_a = "2") {
        set \$b "}";
    }
    proxy_pass http://127.0.0.1:$dead;
}

location /limited/ {
    limit_except GET { deny all; }
    proxy_pass http://127.0.0.1:$dead;
}

location \@named { proxy_pass http://127.0.0.1:$dead; }
location /named/ { try_files /nowhere \@named; }
location /page/ { error_page 502 /page.html; proxy_pass http://127.0.0.1:$dead;}
location = /page.html { return 200 page; }
location /inc/ { include handler/*.inc; }
location /lone/ { }
EOC

$t->write_file('handler/a.inc', "# first\nproxy_set_header A b;\n");
$t->write_file('handler/b.inc', "include deep/deep.inc;\n");
$t->write_file('deep/deep.inc', "\n\tproxy_pass http://127.0.0.1:$dead;\n");
$t->write_file('both.inc', "location /both/ {\n    return 503;\n}\n");
$t->write_file('crlf.inc', "location /crlf/ {\r\n  return 503;\r\n}\r\n");
$t->write_file('bytes.inc', "# \xff\xfe\xc3\x28 caf\xc3\xa9\n"
               . "location /bytes/ {\n\treturn 503 '\xff\x01\xf0\x9f';\n}\n");
$t->write_file('long.inc', '# ' . 'x' x 3000 . "\nlocation /long/ {\n"
               . "    return 503 '" . 'y' x 3000 . "';\n}\n");

$t->conf(
    http     => 'sentry_capture 403 5xx; sentry_breadcrumbs off;',
    server   => "include *.inc;\nroot /var/nowhere;\n",
    servers  => <<'EOC',
    server {
        listen 127.0.0.1:8081;
        server_name other.example.com www.example.com;
        include both.inc;
        if ($arg_b) { return 503; }
        location / { sentry_dsn off; location /sub { sentry_dsn %%DSN%%;
            return 503; } }
    }
    server {
        listen 127.0.0.1:8082;
        server_name ret.example.com;
        return 503;
    }
EOC
);

$t->run();

my @conf = split /\n/, $t->read_file('nginx.conf');

sub line_of {
    my ($regex) = @_;
    my ($n) = grep { $conf[$_ - 1] =~ $regex } 1 .. @conf;

    return $n;
}

my $server = [ 'server localhost', 'nginx.conf',
               line_of(qr/PORT|listen.*:@{[ port(8080) ]};/) - 1 ];
my $other = [ 'server other.example.com', 'nginx.conf',
              line_of(qr/listen.*:@{[ port(8081) ]};/) - 1 ];
my $ret = [ 'server ret.example.com', 'nginx.conf',
            line_of(qr/listen.*:@{[ port(8082) ]};/) - 1 ];
my $pass = "proxy_pass http://127.0.0.1:$dead";

# request, port, expected: function, file, line

my @cases = (
    [ '/plain/a', 8080, $server, [ 'location /plain/', 'main.inc', 1 ],
      [ "$pass/app/", 'main.inc', 3 ] ],
    [ '/spread', 8080, $server, [ 'location = /spread', 'main.inc', 7 ],
      [ $pass, 'main.inc', 10 ] ],
    [ '/one/a', 8080, $server, [ 'location /one/', 'main.inc', 14 ],
      [ 'return 502', 'main.inc', 14 ] ],
    [ '/one/two/a', 8080, $server, [ 'location /one/', 'main.inc', 14 ],
      [ 'location /one/two/', 'main.inc', 14 ],
      [ 'return 503', 'main.inc', 14 ] ],
    [ '/outer/ab', 8080, $server, [ 'location /outer/', 'main.inc', 16 ],
      [ 'location ~ "^/outer/(?<name>[a-z]{2,})$"', 'main.inc', 20 ],
      [ $pass, 'main.inc', 21 ] ],
    [ '/outer/own/a', 8080, $server, [ 'location /outer/', 'main.inc', 16 ],
      [ 'location /outer/own/', 'main.inc', 25 ],
      [ 'root /nowhere', 'main.inc', 17 ] ],
    [ '/if/b?a=1', 8080, $server, [ 'location /if/', 'main.inc', 28 ],
      [ 'if ($arg_a = "1")', 'main.inc', 29 ],
      [ 'return 503', 'main.inc', 29 ] ],
    [ '/if/c?a=2', 8080, $server, [ 'location /if/', 'main.inc', 28 ],
      [ 'if ($arg_a = "2")', 'main.inc', 30 ], [ $pass, 'main.inc', 33 ] ],
    [ '/if/a', 8080, $server, [ 'location /if/', 'main.inc', 28 ],
      [ $pass, 'main.inc', 33 ] ],
    [ '/limited/a', 8080, $server, [ 'location /limited/', 'main.inc', 36 ],
      [ $pass, 'main.inc', 38 ] ],
    [ '/named/a', 8080, $server, [ 'location @named', 'main.inc', 41 ],
      [ $pass, 'main.inc', 41 ] ],
    [ '/page/a', 8080, $server, [ 'location /page/', 'main.inc', 43 ],
      [ $pass, 'main.inc', 43 ] ],
    [ '/inc/a', 8080, $server, [ 'location /inc/', 'main.inc', 45 ],
      [ $pass, 'deep/deep.inc', 2 ] ],
    [ '/both/a', 8080, $server, [ 'location /both/', 'both.inc', 1 ],
      [ 'return 503', 'both.inc', 2 ] ],
    [ '/both/b', 8081, $other, [ 'location /both/', 'both.inc', 1 ],
      [ 'return 503', 'both.inc', 2 ] ],
    [ '/c?b=1', 8081, $other ],
    [ '/sub', 8081, $other,
      [ 'location /', 'nginx.conf', line_of(qr{location / \{ sentry}) ],
      [ 'location /sub', 'nginx.conf', line_of(qr{location / \{ sentry}) ],
      [ 'return 503', 'nginx.conf', line_of(qr{location / \{ sentry}) + 1 ] ],
    [ '/d', 8082, $ret, [ 'return 503', 'nginx.conf', $ret->[2] + 3 ] ],
    [ '/crlf/a', 8080, $server, [ 'location /crlf/', 'crlf.inc', 1 ],
      [ 'return 503', 'crlf.inc', 2 ] ],
    [ '/bytes/a', 8080, $server, [ 'location /bytes/', 'bytes.inc', 2 ],
      [ "return 503 '\x{fffd}\x01\x{fffd}\x{fffd}'", 'bytes.inc', 3 ] ],
    [ '/long/a', 8080, $server, [ 'location /long/', 'long.inc', 2 ],
      undef ],
);

my %frames;

sub ask {
    my ($uri, $port) = @_;
    my ($path) = split /\?/, $uri;
    my $event;

    http_get($uri, port => port($port));

    wait_for(sub {
        ($event) = grep { $_->{request}{url} =~ m{:\d+\Q$path\E$}
                          && ($uri !~ /\?(.*)/
                              || $_->{request}{query_string} eq $1) }
                   @{$t->events()};
    });

    my $exception = $event->{exception}{values}[0] || {};

    return $exception->{stacktrace}{frames} || [];
}

for my $case (@cases) {
    my ($uri, $port, @expected) = @$case;
    my $frames = $frames{$uri} = ask($uri, $port);

    if (!$expected[-1]) {
        pop @expected;
        $frames = [ @$frames[0 .. $#$frames - 1] ];
    }

    is_deeply([ map { [ @{$_}{qw/ function filename lineno /} ] } @$frames ],
              \@expected, "$uri: frames");
    is_deeply([ grep { $_->{abs_path} ne $t->testdir() . "/$_->{filename}"
                       || !$_->{in_app} } @$frames ],
              [], "$uri: full names");
}


# the lines around

sub context {
    my ($uri, $i) = @_;
    my $frame = $frames{$uri}[$i];

    return [ $frame->{pre_context}, $frame->{context_line},
             $frame->{post_context} ];
}

is_deeply(context('/plain/a', 1),
          [ undef, 'location /plain/ {',
            [ '    # a comment', "    $pass/app/;",
              '    proxy_set_header Host $host;', '}', '' ] ],
          'the beginning of a file');
is_deeply(context('/plain/a', 2),
          [ [ 'location /plain/ {', '    # a comment' ], "    $pass/app/;",
            [ '    proxy_set_header Host $host;', '}', '', 'location',
              '    = /spread' ] ], 'five lines behind');
is_deeply(context('/inc/a', 2), [ [ '' ], "\t$pass;", undef ],
          'a tab, and the end of a file');
is_deeply(context('/crlf/a', 1),
          [ undef, 'location /crlf/ {', [ '  return 503;', '}' ] ],
          'no CR');
is_deeply(context('/bytes/a', 1)->[0],
          [ "# \x{fffd}\x{fffd}\x{fffd}( caf\x{e9}" ], 'any bytes');
is(length(context('/long/a', 1)->[0][0]), 128, 'a long line is cut');
is(length(context('/long/a', 2)->[1]), 128, 'the line itself as well');

my ($first) = grep { $_->{request}{url} =~ m{/plain/a} } @{$t->events()};

is($first->{transaction}, 'GET /plain/', 'the transaction is as before');


# global directives come from nowhere

my $test = "$t->{binary} -t -p " . $t->testdir()
           . "/ -c nginx.conf @{[ $t->error_log('stderr') ]}"
           . " -g 'worker_priority 1;' 2>&1";

# nginx -t frees nothing
local $ENV{ASAN_OPTIONS} = "$ENV{ASAN_OPTIONS}:detect_leaks=0";

like(`$test`, qr/test is successful/, 'with -g');
