package NginxTest::Conf;

# Copyright (C) ngx_sentry authors
#
# The nginx.conf of a test: its parts, and what %%...%% stands for.  Methods
# of NginxTest.

use warnings;
use strict;


sub expand {
    my ($self, $text) = @_;

    # a test that can do without skips what needs it
    $text =~ s/^(\s*listen\s[^;]*) http2;/$1;/mg
        if !$self->has_module('http_v2');

    $text =~ s/%%GLOBALS%%/$self->_globals()/ge;
    $text =~ s/%%GLOBALS_HTTP%%/$self->_globals_http()/ge;
    $text =~ s/%%MARKER%%/$self->_marker_server()/ge;
    $text =~ s/%%TESTDIR%%/$self->{dir}/g;
    $text =~ s/%%DSN%%/$self->dsn(1)/ge;
    $text =~ s/%%DSN_(\d+)%%/$self->dsn($1)/ge;
    $text =~ s/%%SENTRY_PORT%%/$self->{sentry}->port()/ge;
    $text =~ s/%%PORT_(\d+)%%/NginxTest::port($1)/ge;
    $text =~ s/127\.0\.0\.1:(8\d\d\d)\b/'127.0.0.1:' . NginxTest::port($1)/ge;

    return $text;
}


sub _globals {
    my ($self) = @_;
    my $globals = "daemon off;\n"
        . "pid $self->{dir}/nginx.pid;\n"
        . "error_log $self->{dir}/error.log "
        . ($self->{conf}{log_level} || 'notice') . ";\n";

    $globals = NginxTest::load_modules($ENV{TEST_NGINX_BEFORE},
        $self->is_static() ? '' : $self->{module}, $ENV{TEST_NGINX_AFTER})
        . $globals;

    $globals .= 'user nobody ' . getgrgid((getpwnam 'nobody')[3]) . ";\n"
        if $> == 0;

    # a binary upgrade passes on no environment by itself
    $globals .= "env $_;\n" for qw/ ASAN_OPTIONS UBSAN_OPTIONS LSAN_OPTIONS /;
    $globals .= $ENV{TEST_NGINX_GLOBALS} // '';

    return $globals;
}


sub _globals_http {
    my ($self) = @_;

    return "access_log off;\n" . join '', map {
        $self->lacks("http_$_") ? '' : "${_}_temp_path $self->{dir}/${_}_temp;\n"
    } qw/ client_body proxy fastcgi uwsgi scgi /;
}


sub _marker_server {
    my ($self) = @_;
    my $dsn = $self->dsn(9999);
    my $fail = $self->lacks('http_rewrite') ? 'try_files /none =503'
                                            : 'return 503';

    return <<"EOC";
    server {
        listen 127.0.0.1:8079;
        sentry_dsn $dsn;
        sentry_capture 5xx;
        sentry_sample_rate 1;

        location /marker/ { $fail; }
        location = /status { sentry_status; }
    }
EOC
}


# What an nginx.conf is made of: main, events, http, server (text), location
# (text, or a list of texts); log_level; marker => 0 leaves out the server
# that marker() and status() use; servers: further server blocks; sentry => 0:
# no directive of ours.  Every event counts: sentry_event_limit is off unless
# http sets it, or event_limit => 0 leaves its default.

sub conf {
    my ($self, %conf) = @_;

    %{$self->{conf}} = (%{$self->{conf} || {}}, %conf);
    delete $self->{written}{"$self->{dir}/nginx.conf"};

    return $self;
}


sub _conf_text {
    my ($self) = @_;
    my %conf = (map({ $_ => '' } qw/ main events http server servers /),
                %{$self->{conf} || {}});
    my $locations = $conf{location} // [];
    my ($sentry, $marker) = ('', '');

    $locations = [ $locations ] if !ref $locations;
    $locations = join "\n        ", map { "location $_" } @$locations;

    if ($self->{sentry} && ($conf{sentry} // 1)) {
        $sentry = "sentry_dsn %%DSN%%;\n"
            if $conf{http} !~ /^\s*sentry_dsn\s/m && $conf{dsn} // 1;
        $sentry .= "    sentry_flush_interval 50ms;\n"
            if $conf{http} !~ /^\s*sentry_flush_interval\s/m;
        $sentry .= "    sentry_event_limit off;\n"
            if $conf{http} !~ /^\s*sentry_event_limit\s/m
               && ($conf{event_limit} // 1);
        $marker = '%%MARKER%%' if $conf{marker} // 1;
    }

    return <<"EOC";
%%GLOBALS%%
$conf{main}

events {
    $conf{events}
}

http {
    %%GLOBALS_HTTP%%
    $sentry
    $conf{http}

    server {
        listen 127.0.0.1:8080;
        server_name localhost;
        $conf{server}

        $locations
    }

    $conf{servers}

$marker
}
EOC
}


1;
