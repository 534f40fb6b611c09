#!/usr/bin/perl

# Copyright (C) ngx_sentry authors
#
# The look of the files that can be checked mechanically, and the arrows
# between the rooms: who may include what.

use warnings;
use strict;

use Test::More;

BEGIN { use FindBin; chdir("$FindBin::Bin/.."); }


# room => [ headers in <>, rooms whose headers may be included in "" ]

my %rooms = (
    'src/core'   => [ qr{^(?:[a-z0-9_]+\.h|sys/[a-z]+\.h)$},
                      [ 'src/core' ] ],
    'src/sender' => [ qr{^(?:[a-z0-9_]+\.h|(?:sys|arpa|net|netinet)/[a-z]+\.h
                         |curl/curl\.h|cjson/cJSON\.h)$}x,
                      [ 'src/core', 'src/sender' ] ],
    'src/nginx'  => [ qr{^(?:[a-z0-9_]+\.h|sys/[a-z]+\.h)$},
                      [ 'src/core', 'src/nginx' ] ],
    '.'          => [ qr{^$}, [ 'src/nginx' ] ],
);

# where only nginx's side may look into the sender's room
my %open = ('src/nginx' => [ 'snx_sender.h' ]);

my @c = sort grep { -f }
        glob '*.c src/*/*.[ch] t/unit/*.[ch] t/fuzz/*.c t/bench/*.[ch]';
my @scripts = sort grep { -f && is_text($_) }
              glob '.ci/* config t/* t/lib/* t/lib/*/* t/e2e/* t/bench/*'
                   . ' t/bench/lib/*/* t/fuzz/* t/unit/*';

@scripts = grep { !/\.(?:c|h|json|md)$/ } @scripts;

wrong($_, c_wrong($_)) for @c;
wrong($_, script_wrong($_)) for @scripts;

for my $file (grep { m{^(?:src/|[^/]*\.c$)} } @c) {
    wrong("includes of $file", include_wrong($file));
}

wrong('config lists every source once', config_wrong());

done_testing();


sub wrong {
    my ($what, @wrong) = @_;

    ok(!@wrong, $what);
    diag($_) for @wrong;
}


sub slurp {
    my ($file) = @_;

    open my $in, '<', $file or die "$file: $!\n";
    local $/;

    return scalar(<$in>) // '';
}


sub is_text {
    my ($file) = @_;

    return slurp($file) !~ /\0/;
}


sub lines_wrong {
    my ($file, $text) = @_;
    my ($n, @wrong) = (0);

    for (split /\n/, $text, -1) {
        $n++;
        push @wrong, "$file:$n: longer than 80 columns" if length > 80;
        push @wrong, "$file:$n: blank at the end" if /\s$/;
        push @wrong, "$file:$n: tab" if /\t/;
        push @wrong, "$file:$n: not ASCII" if /[^\x20-\x7e\t]/;
    }

    push @wrong, "$file: does not end with one newline"
        if $text !~ /[^\n]\n\z/;

    return @wrong;
}


sub script_wrong {
    my ($file) = @_;
    my $text = slurp($file);
    my @wrong = lines_wrong($file, $text);

    push @wrong, "$file: no copyright line"
        if $text !~ /\A(?:.*\n){0,5}# Copyright \(C\) ngx_sentry authors\n/
           && $file !~ m{\.(?:supp|dict|txt|mjs|js|py|cjs|html)$};

    return @wrong;
}


sub c_wrong {
    my ($file) = @_;
    my $text = slurp($file);
    my @wrong = lines_wrong($file, $text);
    my ($n, $blank, $closed) = (0, 0, 0);

    push @wrong, "$file: does not begin with the copyright"
        if $text !~ m{\A\n/\*\n \* Copyright \(C\) ngx_sentry authors\n};

    push @wrong, "$file:$_: // comment" for slashes($text);

    for (split /\n/, $text) {
        $n++;

        if (/^$/) {
            $blank++;
            next;
        }

        push @wrong, "$file:$n: more than two blank lines" if $blank > 2;

        # what follows the end of a function
        push @wrong, "$file:$n: not two blank lines before it"
            if $closed && $blank != 2 && !/^#\s*(?:else|elif|endif)/;

        $closed = /^\}$/;
        $blank = 0;
    }

    # a module built --with-compat alone loads into an nginx with TLS
    push @wrong, "$file: NGX_HTTP_SSL without NGX_COMPAT"
        if $text =~ /^#if.*NGX_HTTP_SSL(?!.*NGX_COMPAT)/m;

    push @wrong, map { "$file: $_" } braces($text);

    return @wrong;
}


# Lines with // outside of comments and strings.

sub slashes {
    my ($text) = @_;
    my ($n, @found) = (0);

    $text =~ s{(/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')}
              {(my $s = $1) =~ s/[^\n]+//g; $s}gse;

    for (split /\n/, $text) {
        $n++;
        push @found, $n if m{//};
    }

    return @found;
}


# The type of a function stands on a line of its own.

sub braces {
    my ($text) = @_;
    my @found;

    while ($text =~ /^(?!static inline|typedef|struct|union|enum)
                     \w[\w \*]*[ \*](\w+)\([^;{}"]*\)\n\{/mgx)
    {
        push @found, "$1: the type is not on its own line";
    }

    while ($text =~ /^\s+(?:if|for|while|switch|return)\(/mg) {
        push @found, "no blank after a keyword: $&";
    }

    return @found;
}


sub include_wrong {
    my ($file) = @_;
    my ($room) = $file =~ m{^(.*)/} ? $1 : '.';
    my ($system, $own) = @{$rooms{$room} || die "no such room: $room\n"};
    my @wrong;

    for (split /\n/, slurp($file)) {
        next if !/^\s*#\s*include\s*([<"])([^">]+)/;

        my ($kind, $header) = ($1, $2);

        if ($header =~ /^ngx_/ && $room !~ /core|sender/) {
            next;

        } elsif ($kind eq '"') {
            next if grep { -e "$_/$header" } @$own;
            next if grep { $_ eq $header } @{$open{$room} || []};

        } elsif ($header =~ $system && $header !~ /^(?:ngx|nginx|snx)/) {
            next if $header ne 'zlib.h' || $room eq 'src/sender';
        }

        push @wrong, "$file must not include $header";
    }

    return @wrong;
}


# When config lists the files by name.

sub config_wrong {
    my $text = slurp('config');
    my %listed;

    return if $text =~ m{src/\*/\*\.c};

    $listed{$_}++ for $text =~ m{\$ngx_addon_dir/([\w/]+\.[ch])}g;

    return map({ "$_ is not in config" }
               grep { !$listed{$_} }
               glob 'ngx_sentry_module.c src/*/*.c src/*/*.h'),
           map({ "$_ is in config $listed{$_} times" }
               grep { $listed{$_} > 1 } sort keys %listed),
           map({ "$_ is in config and not here" }
               grep { !-e } sort keys %listed);
}
