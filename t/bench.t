#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The benches measure what they say: their arithmetic, that the load waits
# for nobody, and a short run of each with all its figures in the JSON.  No
# figure is judged here.

use warnings;
use strict;

use File::Temp;
use FindBin;
use JSON::XS;
use Test::More;

BEGIN { chdir("$FindBin::Bin/.."); }

use lib 't/bench/lib';

use Bench::Budgets;
use Bench::Callgrind;
use Bench::Nginx;
use Bench::Stat;

my $module = $ENV{TEST_NGINX_MODULE} // 'build/ngx_sentry_module.so';
my $nginx = $ENV{TEST_NGINX_BINARY} || '/usr/sbin/nginx';

plan(skip_all => 'the module is built in')
    if !length $module || $ENV{TEST_UNIT_SAN};
plan(skip_all => "no $module") if !-e $module;
plan(skip_all => "nginx was built $1")
    if `$nginx -V 2>&1` =~ /(--without-http_\w+)/;
plan(tests => 25);

my $dir = File::Temp->newdir();


# arithmetic

is(Bench::Stat::median(3, 1, undef, 2), 2, 'median of three');
is(Bench::Stat::median(4, 1, 2, 3), 2.5, 'median of four');
is(Bench::Stat::quantile(0.99, 0 .. 100), 99, 'quantile');
is_deeply(Bench::Stat::summary((5) x 9),
          { median => 5, low => 5, high => 5, n => 9 }, 'all the same');

my $summary = Bench::Stat::summary(1 .. 30);

ok($summary->{low} < 15.5 && $summary->{high} > 15.5, 'the median is between');
cmp_ok($summary->{high} - $summary->{low}, '<', 15, 'and that is narrower');

is_deeply([ Bench::Callgrind::totals(<<'END') ], [ 1000, 42 ],
fn=(1) main
0 100
cfn=(2) _int_malloc
calls=1 0
0 42

fn=(2)
0 40
cfn=(4) memset
calls=1 0
0 58
+1 2

fn=(4)
0 58

fn=(3) _int_mallocator
0 758

totals: 1000
END
   'what is called counts once, the allocator apart');

is_deeply([ map { Bench::Budgets::met(@$_) ? 1 : 0 }
            [ 3, 3 ], [ 3, 3.01 ], [ -0.9, 0.9 ], [ -0.9, 0.89 ],
            [ 3, undef ] ],
          [ 1, 0, 1, 0, 0 ], 'met or missed, and unknown is missed');


# the sender's side of the JSON has what the budgets ask for

my $sender = json('sender', '--budgets', '--quick', '--callgrind=0',
                  '--records=50', '--rate=200',
                  '--only="deliver cheap|sustain cheap|encode"');

is_deeply([ grep { !defined } map { @$_{qw/ cpu_us per_s bytes lost /} }
            @{$sender->{runs}} ], [], 'sender: all figures');
is((grep { $_->{rate} } @{$sender->{runs}}), 2, 'sender: at a rate, too');


# nginx

my $other = "$dir/other.conf";

open my $out, '>', $other or die "$other: $!\n";
print $out <<'END';
error_log @DIR@/other.log;
events { }
http {
    access_log off;
    server {
        listen 127.0.0.1:@PORT@;
        location / { return 500; }
    }
}
END
close $out;

my $run = json('run', qw/ --cycles=2 --turn=20 --latency=1 --pace=100
               --rate=500 --callgrind=0 --variants /, 'bare,traces-1',
               "--with=other=$other", "--nginx=$nginx",
               "--module=$module")->{runs}[0];
my %by_name = map { $_->{name} => $_ } @{$run->{results}};

is(join(' ', sort keys %by_name), 'again bare other traces-1', 'all variants');

for my $name (qw/ bare traces-1 other /) {
    my $one = $by_name{$name};

    is(scalar grep({ $_ && $_ > 0 } @$one{qw/ rate loop_us memory_kib /},
                   map { $_->{us} } values %{$one->{latency}}), 6,
       "$name: all figures");
    is(scalar @{$one->{cycles}}, 2, "$name: two cycles");
}

is($by_name{bare}{ratio}{median}, 1, 'bare to bare');
cmp_ok($by_name{other}{cycles}[0]{failed}, '>', 0,
       'an answer that closes its connection is one');
is($by_name{'traces-1'}{share_delivered}{transaction}, 1, 'delivered');
ok(defined $by_name{'traces-1'}{others_us}, 'by the thread');
is($by_name{bare}{others_us}, 0, 'that nginx alone does not have');

isnt(system("t/bench/run --nginx=$nginx --module=/dev/null --cycles=1"
            . " --latency=0 --callgrind=0 > $dir/said 2>&1"), 0,
     'what does not start is a failure');


sub json {
    my ($program, @args) = @_;

    is(system("t/bench/$program @args --json=$dir/json > $dir/said 2>&1"), 0,
       "t/bench/$program") or diag(Bench::Nginx::slurp("$dir/said"));

    my $text = Bench::Nginx::slurp("$dir/json");

    unlink "$dir/json";

    return decode_json($text);
}
