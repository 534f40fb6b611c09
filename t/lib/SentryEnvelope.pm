package SentryEnvelope;

# Copyright (C) ngx_sentry authors
#
# Reads Sentry envelopes more strictly than any Relay does, so that what
# passes here passes everywhere: exact framing, strict UTF-8, no duplicate
# keys, no unknown fields, types and formats as the protocol pages give them.
#
#     my ($envelope, @wrong) = parse_envelope($bytes);
#     $envelope = { header => {}, items => [ { header => {}, type => 'event',
#                   raw => '{...}', payload => {} } ] }

use warnings;
use strict;

use Exporter qw/ import /;
use B ();
use Encode ();
use Time::Local qw/ timegm /;

our @EXPORT_OK = qw/ parse_envelope strict_json check_auth /;


my $json;

BEGIN {
    my $class = eval { require JSON::XS; 'JSON::XS' }
        || do { require JSON::PP; 'JSON::PP' };

    $json = $class->new()->utf8()->allow_nonref();
}


my %item_keys = map { $_ => 1 }
    qw/ type length content_type item_count filename attachment_type /;

my %header_keys = map { $_ => 1 } qw/ event_id dsn sdk sent_at trace /;

my %check = (
    event         => \&_event,
    transaction   => \&_transaction,
    client_report => \&_client_report,
    session       => \&_object,
    sessions      => \&_sessions,
    log           => \&_container,
    span          => \&_container,
);

my %size_max = (
    event         => 1024 * 1024,
    transaction   => 1024 * 1024,
    client_report => 4096,
    sessions      => 102400,
);

my @event_keys = qw/
    event_id timestamp platform level logger transaction transaction_info
    server_name release dist environment tags modules extra fingerprint
    request user contexts breadcrumbs exception logentry sdk _meta type
/;

my @span_keys = qw/
    trace_id span_id parent_span_id start_timestamp timestamp op description
    status origin data tags
/;

my %reasons = map { $_ => 1 } qw/
    queue_overflow cache_overflow buffer_overflow ratelimit_backoff
    network_error send_error internal_sdk_error sample_rate before_send
    event_processor ignored invalid insufficient_data backpressure
/;

my %categories = map { $_ => 1 } qw/
    default error transaction span log_item log_byte session monitor
    attachment attachment_item internal
/;

my %statuses = map { $_ => 1 } qw/
    ok unauthenticated permission_denied not_found failed_precondition
    resource_exhausted cancelled invalid_argument unimplemented unavailable
    deadline_exceeded internal_error unknown aborted already_exists
    out_of_range data_loss
/;

my %allowed;    # what => { key => 1 }, see _allow()
my @wrong;      # of the envelope being read


sub wrong {
    push @wrong, sprintf shift, @_;
    return;
}


# Decodes strictly; returns (value) or () with a reason in @wrong.

sub strict_json {
    my ($bytes, $what) = @_;
    my ($text, $value, $keys, $bare);

    $text = $bytes;

    if (!eval { Encode::decode('UTF-8', $text, Encode::FB_CROAK); 1 }) {
        return wrong('%s: invalid UTF-8', $what);
    }

    if (!eval { $value = $json->decode($bytes); 1 }) {
        (my $why = $@) =~ s/ at \S+ line \d+\.?\n//;
        return wrong('%s: no JSON: %s', $what, $why);
    }

    # a decoder keeps the last of two equal keys: count them in the text

    ($bare = $bytes) =~ s/"(?:[^"\\]++|\\.)*+"/""/gs;
    $keys = () = $bare =~ /""\s*:/g;

    if ($keys != _keys($value)) {
        wrong('%s: duplicate keys', $what);
    }

    wrong('%s: NUL in a string', $what) if $bytes =~ /\\u0000/;
    wrong('%s: null', $what) if $bare =~ /\bnull\b/;

    return $value;
}


sub _keys {
    my ($value) = @_;
    my $n = 0;

    if (ref $value eq 'HASH') {
        $n += keys %$value;
        ref and $n += _keys($_) for values %$value;

    } elsif (ref $value eq 'ARRAY') {
        ref and $n += _keys($_) for @$value;
    }

    return $n;
}


sub parse_envelope {
    my ($bytes, %opt) = @_;
    my ($end, $pos, $header, @items, $envelope);

    @wrong = ();

    $end = index $bytes, "\n";
    $end = length $bytes if $end < 0;
    $pos = $end + 1;

    $header = _header(substr($bytes, 0, $end), 'envelope header');

    while ($pos < length $bytes) {
        my ($item, $next) = _item($bytes, $pos);

        last if !$item;

        push @items, $item;
        $pos = $next;
    }

    $envelope = { header => $header || {}, items => \@items };
    _envelope($envelope, $opt{key}) if $header;

    return ($envelope, @wrong);
}


sub _header {
    my ($line, $what) = @_;
    my $header;

    if ($line !~ /^\{.*\}$/s) {
        return wrong('%s: padding or no object: "%s"', $what,
                     substr $line, 0, 60);
    }

    $header = strict_json($line, $what);

    return $header if ref $header eq 'HASH';
    return wrong('%s: no object', $what);
}


sub _item {
    my ($bytes, $pos) = @_;
    my ($end, $header, $length, $type, $raw, $item);

    $end = index $bytes, "\n", $pos;
    return wrong('item header without a newline') if $end < 0;

    $header = _header(substr($bytes, $pos, $end - $pos), 'item header');
    return if !$header;

    $item_keys{$_} or wrong('item header: unknown key "%s"', $_)
        for keys %$header;

    $type = $header->{type};
    $length = $header->{length};

    if (!_is_string($type) || !$check{$type}) {
        return wrong('item: unknown type "%s"', $type // '');
    }

    if (!_is_int($length)) {
        return wrong('%s: no length in the item header', $type);
    }

    $pos = $end + 1;

    if ($pos + $length > length $bytes) {
        return wrong('%s: length %d, only %d bytes left', $type, $length,
                     length($bytes) - $pos);
    }

    $raw = substr $bytes, $pos, $length;
    $pos += $length;

    if ($pos < length $bytes && substr($bytes, $pos, 1) ne "\n") {
        return wrong('%s: no newline after %d bytes', $type, $length);
    }

    if ($size_max{$type} && $length > $size_max{$type}) {
        wrong('%s: %d bytes, the limit is %d', $type, $length,
              $size_max{$type});
    }

    $item = { header => $header, type => $type, raw => $raw };
    $item->{payload} = strict_json($raw, $type);

    return ($item, $pos + 1);
}


sub _envelope {
    my ($envelope, $key) = @_;
    my ($header, @items, %types, @kinds) = $envelope->{header};

    @items = @{$envelope->{items}};
    $types{$_->{type}}++ for @items;
    @kinds = grep { $_ ne 'client_report' } sort keys %types;

    wrong('envelope without items') if !@items;
    wrong('envelope mixes %s', join ', ', @kinds) if @kinds > 1;
    wrong('envelope with %d %ss', $types{$_}, $_)
        for grep { ($types{$_} || 0) > 1 } qw/ event transaction span log /;

    $header_keys{$_} or wrong('envelope header: unknown key "%s"', $_)
        for keys %$header;

    _time($header->{sent_at}, 'sent_at');
    wrong('sent_at: not UTC') if ($header->{sent_at} // '') !~ /Z$/;
    _sdk($header->{sdk}, 'envelope header sdk');

    if ($types{event} || $types{transaction}) {
        _hex($header->{event_id}, 32, 'envelope header event_id');
    }

    if (defined $header->{dsn}
        && (!_is_string($header->{dsn})
            || $header->{dsn} !~ m{^https?://\w+@[^/\@]+/(?:.*/)?\d+$}))
    {
        wrong('envelope header: bad dsn');
    }

    _dsc($header->{trace}, $types{log}) if exists $header->{trace};

    for my $item (@items) {
        next if !defined $item->{payload};

        if (ref $item->{payload} ne 'HASH') {
            wrong('%s: no object', $item->{type});
            next;
        }

        $check{$item->{type}}->($item->{payload}, $item, $header);
    }
}


# The trace header: the dynamic sampling context.

sub _dsc {
    my ($dsc, $log) = @_;

    return wrong('trace header: no object') if ref $dsc ne 'HASH';

    wrong('trace header beside a log') if $log;
    _is_string($dsc->{$_}) or wrong('trace header: %s is no string', $_)
        for keys %$dsc;

    _hex($dsc->{trace_id}, 32, 'trace header trace_id');
    wrong('trace header: no public_key') if !length($dsc->{public_key} // '');
    wrong('trace header: bad sampled')
        if ($dsc->{sampled} // 'true') !~ /^(?:true|false)\z/;
    wrong('trace header: bad sample_rate')
        if ($dsc->{sample_rate} // 1) !~ /^(?:0?\.\d+|[01](?:\.0*)?)\z/;
    wrong('trace header: bad sample_rand')
        if ($dsc->{sample_rand} // '0.0') !~ /^0\.\d+\z/;
}


sub _common {
    my ($event, $header, $what, @more) = @_;
    my $timestamp;

    _allow($event, $what, @event_keys, @more);

    _hex($event->{event_id}, 32, "$what event_id");

    if (($header->{event_id} // '') ne ($event->{event_id} // '')) {
        wrong('%s: event_id differs from the header\'s', $what);
    }

    wrong('%s: of another trace than the header', $what)
        if ref $header->{trace} eq 'HASH'
           && ref $event->{contexts} eq 'HASH'
           && ref $event->{contexts}{trace} eq 'HASH'
           && ($header->{trace}{trace_id} // '')
              ne ($event->{contexts}{trace}{trace_id} // '');

    $timestamp = _time($event->{timestamp}, "$what timestamp");

    if (defined $timestamp && abs($timestamp - time()) > 86400) {
        wrong('%s: timestamp is not of today', $what);
    }

    wrong('%s: bad platform', $what)
        if ($event->{platform} // '') !~ /^(?:other|native|c)$/;

    wrong('%s: bad level "%s"', $what, $event->{level})
        if exists $event->{level}
           && $event->{level} !~ /^(?:fatal|error|warning|info|debug)$/;

    _text($event, $what, logger => 200);
    _text($event, $what, transaction => 200);
    _text($event, $what, server_name => 255);

    _text($event, $what, environment => 64);
    wrong('%s: bad environment', $what)
        if ($event->{environment} // '') =~ m{[\n /]|^None$};

    _text($event, $what, release => 200);
    wrong('%s: bad release', $what)
        if ($event->{release} // '') =~ m{[\n\t/\\]|^\.{1,2}$};

    _sdk($event->{sdk}, "$what sdk");
    _tags($event->{tags}, $what) if exists $event->{tags};
    _user($event->{user}, $what) if exists $event->{user};
    _request($event->{request}, $what) if exists $event->{request};
    _contexts($event->{contexts}, $what);
    _breadcrumbs($event->{breadcrumbs}, $what)
        if exists $event->{breadcrumbs};

    if (exists $event->{transaction_info}) {
        wrong('%s: bad transaction source', $what)
            if ref $event->{transaction_info} ne 'HASH'
               || ($event->{transaction_info}{source} // '')
                  !~ /^(?:custom|url|route|view|component|task)$/;
    }

    if (exists $event->{fingerprint}) {
        wrong('%s: fingerprint is no list of strings', $what)
            if ref $event->{fingerprint} ne 'ARRAY'
               || !@{$event->{fingerprint}}
               || grep { !_is_string($_) } @{$event->{fingerprint}};
    }

    for (qw/ extra modules _meta /) {
        wrong('%s: %s is no object', $what, $_)
            if exists $event->{$_} && ref $event->{$_} ne 'HASH';
    }

    return $timestamp;
}


sub _event {
    my ($event, $item, $header) = @_;
    my ($values, $logentry);

    _common($event, $header, 'event');

    wrong('event: has a type') if exists $event->{type};
    wrong('event: neither exception nor logentry')
        if !$event->{exception} && !$event->{logentry};

    if (exists $event->{exception}) {
        $values = ref $event->{exception} eq 'HASH'
                  ? $event->{exception}{values} : undef;

        if (ref $values ne 'ARRAY' || !@$values) {
            wrong('event: exception without values');

        } else {
            _exception($_) for @$values;
        }
    }

    if (exists $event->{logentry}) {
        $logentry = $event->{logentry};

        return wrong('event: logentry without message')
            if ref $logentry ne 'HASH'
               || !_is_string($logentry->{message} // $logentry->{formatted});

        _text($logentry, 'logentry', $_ => 8192) for qw/ message formatted /;
    }
}


sub _exception {
    my ($exception) = @_;
    my ($mechanism, $frames, $errno);

    return wrong('exception: no object') if ref $exception ne 'HASH';

    _allow($exception, 'exception',
           qw/ type value module thread_id mechanism stacktrace /);

    wrong('exception without type') if !length($exception->{type} // '');
    _text($exception, 'exception', type => 256);
    _text($exception, 'exception', value => 8192);

    if (exists $exception->{mechanism}) {
        $mechanism = $exception->{mechanism};

        return wrong('mechanism: no object') if ref $mechanism ne 'HASH';

        _allow($mechanism, 'mechanism', qw/ type handled description
               help_link synthetic exception_id parent_id source data meta /);

        wrong('mechanism without type') if !length($mechanism->{type} // '');

        for (qw/ handled synthetic /) {
            wrong('mechanism: %s is no boolean', $_)
                if exists $mechanism->{$_} && !_is_bool($mechanism->{$_});
        }

        $errno = $mechanism->{meta} && $mechanism->{meta}{errno};
        wrong('mechanism: errno without a number')
            if $errno && !_is_int($errno->{number});
    }

    if (exists $exception->{stacktrace}) {
        $frames = ref $exception->{stacktrace} eq 'HASH'
                  ? $exception->{stacktrace}{frames} : undef;

        return wrong('stacktrace without frames')
            if ref $frames ne 'ARRAY' || !@$frames;

        for my $frame (@$frames) {
            _allow($frame, 'frame', qw/ filename abs_path function module
                   lineno colno context_line pre_context post_context in_app
                   vars platform /);

            wrong('frame: bad lineno')
                if exists $frame->{lineno} && !_is_int($frame->{lineno});
        }
    }
}


sub _transaction {
    my ($event, $item, $header) = @_;
    my ($start, $end, $trace);

    $end = _common($event, $header, 'transaction',
                   qw/ start_timestamp spans measurements /);

    wrong('transaction: bad type') if ($event->{type} // '') ne 'transaction';
    wrong('transaction without a name')
        if !length($event->{transaction} // '');

    for (qw/ start_timestamp timestamp /) {
        wrong('transaction: %s is no RFC 3339 string', $_)
            if !_is_string($event->{$_});
    }

    $start = _time($event->{start_timestamp}, 'start_timestamp');

    wrong('transaction ends before it starts')
        if defined $start && defined $end && $start > $end;

    $trace = $event->{contexts} && $event->{contexts}{trace} || {};
    wrong('transaction without op') if !length($trace->{op} // '');

    return wrong('transaction: spans is no list')
        if exists $event->{spans} && ref $event->{spans} ne 'ARRAY';

    _data($trace->{data}, 'trace data') if exists $trace->{data};
    _spans($event->{spans} || [], { %$trace, start => $start, end => $end });

    for my $name (keys %{$event->{measurements} || {}}) {
        wrong('measurement %s: no number', $name)
            if !_is_number($event->{measurements}{$name}{value});
        wrong('measurement %s: unknown unit', $name)
            if ($event->{measurements}{$name}{unit} // 'none')
               !~ /^(?:none|(?:milli|micro|nano)?second|byte)\z/;
    }
}


# Each span lies in its parent, up to the root, which is the transaction.

sub _spans {
    my ($spans, $root) = @_;
    my %known = ($root->{span_id} // '' => $root);

    wrong('more than 1000 spans') if @$spans > 1000;

    for my $span (@$spans) {
        _allow($span, 'span', @span_keys);
        _trace($span, 'span');
        _data($span->{data}, 'span data') if exists $span->{data};
        _text($span, 'span', description => 2048);

        wrong('span without op') if !length($span->{op} // '');
        wrong('span of another trace')
            if ($span->{trace_id} // '') ne ($root->{trace_id} // '');
        wrong('two spans with one id')
            if $known{$span->{span_id} // ''}++;

        for (qw/ start_timestamp timestamp /) {
            wrong('span: %s is no RFC 3339 string', $_)
                if !_is_string($span->{$_});
        }

        $known{$span->{span_id} // ''} = { %$span,
            start => _time($span->{start_timestamp}, 'span start') // 0,
            end => _time($span->{timestamp}, 'span end') // 0 };
    }

    for my $span (grep { $_ != $root } values %known) {
        my $parent = $known{$span->{parent_span_id} // ''};

        wrong('span ends before it starts') if $span->{start} > $span->{end};
        wrong('span of no parent') if !$parent;
        wrong('span leaves its parent')
            if $parent && ($span->{start} < ($parent->{start} // 0)
                           || $span->{end} > ($parent->{end} // 0));
    }
}


# Attributes: plain values, or lists of strings.

sub _data {
    my ($data, $what) = @_;

    return wrong('%s: no object', $what) if ref $data ne 'HASH';

    for my $key (keys %$data) {
        wrong('%s: bad name "%s"', $what, $key)
            if $key !~ /^[a-z][a-z0-9_.-]*\z/;
        wrong('%s: %s is no plain value', $what, $key)
            if !_is_string($data->{$key}) && !_is_number($data->{$key})
               && !_is_bool($data->{$key})
               && (ref $data->{$key} ne 'ARRAY'
                   || grep { !_is_string($_) } @{$data->{$key}});
    }
}


sub _client_report {
    my ($report) = @_;

    _allow($report, 'client_report', qw/ timestamp discarded_events /);
    _time($report->{timestamp}, 'client_report timestamp');

    return wrong('client_report without discarded_events')
        if ref $report->{discarded_events} ne 'ARRAY'
           || !@{$report->{discarded_events}};

    for (@{$report->{discarded_events}}) {
        _allow($_, 'discarded_events', qw/ reason category quantity /);
        wrong('client_report: unknown reason "%s"', $_->{reason} // '')
            if !$reasons{$_->{reason} // ''};
        wrong('client_report: unknown category "%s"', $_->{category} // '')
            if !$categories{$_->{category} // ''};
        wrong('client_report: bad quantity')
            if !_is_int($_->{quantity}) || $_->{quantity} < 1;
    }
}


sub _sessions {
    my ($sessions) = @_;

    return wrong('sessions without a release')
        if ref $sessions->{attrs} ne 'HASH'
           || !length($sessions->{attrs}{release} // '');

    return wrong('sessions without aggregates')
        if ref $sessions->{aggregates} ne 'ARRAY'
           || !@{$sessions->{aggregates}};

    for my $bucket (@{$sessions->{aggregates}}) {
        _time($bucket->{started}, 'sessions started');
        wrong('sessions: started is not a full minute')
            if ($bucket->{started} // '') !~ /:00(?:\.0+)?Z$/;
        wrong('sessions: bad %s', $_)
            for grep { exists $bucket->{$_} && !_is_int($bucket->{$_}) }
                qw/ exited errored crashed abnormal unhandled /;
    }
}


sub _container {
    my ($container, $item, $header) = @_;
    my $items = $container->{items};

    return wrong('%s: items is no list', $item->{type})
        if ref $items ne 'ARRAY' || !@$items;

    wrong('%s: item_count is not %d', $item->{type}, scalar @$items)
        if ($item->{header}{item_count} // -1) != @$items;

    wrong('%s: content_type', $item->{type})
        if ($item->{header}{content_type} // '')
           !~ m{^application/vnd\.sentry\.items\.\S+\+json$};

    for my $entry (@$items) {
        _hex($entry->{trace_id}, 32, "$item->{type} trace_id");

        if ($item->{type} eq 'span') {
            _hex($entry->{span_id}, 16, 'span span_id');
            wrong('span: bad status')
                if ($entry->{status} // '') !~ /^(?:ok|error)$/;
            wrong('span of another trace than the envelope')
                if ($header->{trace} || {})->{trace_id} ne $entry->{trace_id};
            next;
        }

        wrong('log: bad level') if ($entry->{level} // '')
            !~ /^(?:trace|debug|info|warn|error|fatal)$/;
        wrong('log: no body') if !_is_string($entry->{body});
        _time($entry->{timestamp}, 'log timestamp');
        _attributes($entry->{attributes}, 'log')
            if exists $entry->{attributes};
    }
}


sub _attributes {
    my ($attributes, $what) = @_;
    my %ok = (
        string  => \&_is_string,
        integer => \&_is_int,
        double  => \&_is_number,
        boolean => \&_is_bool,
        array   => sub { ref $_[0] eq 'ARRAY' },
    );

    for my $name (keys %$attributes) {
        my $value = $attributes->{$name};

        wrong('%s: attribute %s is not typed', $what, $name)
            if ref $value ne 'HASH' || !$ok{$value->{type} // ''}
               || !$ok{$value->{type}}->($value->{value});
    }
}


sub _object { }


sub _sdk {
    my ($sdk, $what) = @_;

    return wrong('%s: missing', $what) if ref $sdk ne 'HASH';

    _allow($sdk, $what,
           qw/ name version integrations features packages settings /);
    wrong('%s: bad name', $what)
        if ($sdk->{name} // '') !~ /^[\w-]+(?:\.[\w-]+)+$/;
    wrong('%s: bad version', $what)
        if ($sdk->{version} // '') !~ /^\d+\.\d+\.\d+/;
}


sub _tags {
    my ($tags, $what) = @_;

    return wrong('%s: tags is no object', $what) if ref $tags ne 'HASH';

    for my $key (keys %$tags) {
        wrong('%s: bad tag key "%s"', $what, $key)
            if $key !~ /^[\w.:-]{1,200}$/a;
        wrong('%s: tag %s is no string of 1..200 characters', $what, $key)
            if !_is_string($tags->{$key})
               || $tags->{$key} !~ /^[^\n]{1,200}\z/;
    }
}


sub _user {
    my ($user, $what) = @_;

    return wrong('%s: user is no object', $what) if ref $user ne 'HASH';

    _is_string($user->{$_}) or wrong('%s: user %s is no string', $what, $_)
        for grep { $_ ne 'geo' } keys %$user;

    wrong('%s: bad user.ip_address', $what)
        if exists $user->{ip_address}
           && $user->{ip_address} !~ /^[0-9a-f.:]+$/i;
}


sub _request {
    my ($request, $what) = @_;

    return wrong('%s: request is no object', $what)
        if ref $request ne 'HASH';

    _allow($request, "$what request", qw/ url method query_string headers
           cookies data env fragment body_size protocol api_target /);

    if (exists $request->{url}) {
        wrong('%s: request.url is not absolute or has a query', $what)
            if $request->{url} !~ m{^[a-z][a-z0-9+.-]*://[^?\#]*\z}is;
        wrong('%s: request.url with userinfo', $what)
            if $request->{url} =~ m{^[^/]*//[^/]*\@};
    }

    wrong('%s: bad method "%s"', $what, $request->{method})
        if exists $request->{method}
           && $request->{method} !~ /^[A-Za-z0-9_-]{1,64}\z/a;

    wrong('%s: query_string is no string', $what)
        if exists $request->{query_string}
           && !_is_string($request->{query_string});

    for my $map (qw/ headers env /) {
        next if !exists $request->{$map};

        if (ref $request->{$map} ne 'HASH') {
            wrong('%s: request.%s is no object', $what, $map);
            next;
        }

        _is_string($request->{$map}{$_})
            or wrong('%s: request.%s.%s is no string', $what, $map, $_)
            for keys %{$request->{$map}};
    }
}


sub _contexts {
    my ($contexts, $what) = @_;

    return wrong('%s: no contexts', $what) if ref $contexts ne 'HASH';

    for my $name (keys %$contexts) {
        if (ref $contexts->{$name} ne 'HASH') {
            wrong('%s: context %s is no object', $what, $name);

        } elsif (exists $contexts->{$name}{type}
                 && !_is_string($contexts->{$name}{type}))
        {
            wrong('%s: type of context %s is no string', $what, $name);
        }
    }

    _trace($contexts->{trace}, "$what trace context");

    wrong('%s: response without a status_code', $what)
        if ref $contexts->{response} eq 'HASH'
           && !_is_int($contexts->{response}{status_code});
}


sub _trace {
    my ($trace, $what) = @_;

    return wrong('%s: missing', $what) if ref $trace ne 'HASH';

    _hex($trace->{trace_id}, 32, "$what trace_id");
    _hex($trace->{span_id}, 16, "$what span_id");
    _hex($trace->{parent_span_id}, 16, "$what parent_span_id")
        if exists $trace->{parent_span_id};

    wrong('%s: unknown status "%s"', $what, $trace->{status})
        if exists $trace->{status} && !$statuses{$trace->{status}};

    wrong('%s: bad origin', $what)
        if exists $trace->{origin}
           && $trace->{origin} !~ /^(?:auto|manual)(?:\.\w+){0,3}$/a;
}


sub _breadcrumbs {
    my ($breadcrumbs, $what) = @_;
    my $values = ref $breadcrumbs eq 'HASH' ? $breadcrumbs->{values} : undef;

    return wrong('%s: breadcrumbs without values', $what)
        if ref $values ne 'ARRAY';

    for my $crumb (@$values) {
        if (ref $crumb ne 'HASH') {
            wrong('%s: breadcrumb is no object', $what);
            next;
        }

        _allow($crumb, 'breadcrumb',
               qw/ timestamp type category message level data event_id /);
        _time($crumb->{timestamp}, 'breadcrumb timestamp');

        wrong('breadcrumb: bad level')
            if exists $crumb->{level}
               && $crumb->{level} !~ /^(?:fatal|error|warning|info|debug)$/;
        wrong('breadcrumb: data is no object')
            if exists $crumb->{data} && ref $crumb->{data} ne 'HASH';
    }
}


# Small checks.

sub _allow {
    my ($object, $what, @keys) = @_;
    my $ok = $allowed{$what} ||= { map { $_ => 1 } @keys };

    return wrong('%s: no object', $what) if ref $object ne 'HASH';

    $ok->{$_} or wrong('%s: unknown field "%s"', $what, $_)
        for keys %$object;
}


sub _text {
    my ($object, $what, $key, $max) = @_;

    return if !exists $object->{$key};

    wrong('%s: %s is no string of at most %d characters', $what, $key, $max)
        if !_is_string($object->{$key}) || length $object->{$key} > $max;
}


sub _hex {
    my ($value, $len, $what) = @_;

    wrong('%s: not %d lower-case hex digits', $what, $len)
        if ($value // '') !~ /^[0-9a-f]{$len}\z/ || $value =~ /^0+\z/;
}


# Seconds since the epoch; both forms of the protocol.

sub _time {
    my ($value, $what) = @_;

    return $value if _is_number($value);

    if (($value // '') !~ /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)
                           (\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)\z/x)
    {
        return wrong('%s: not RFC 3339: "%s"', $what, $value // '');
    }

    my ($year, $mon, $day, $hour, $min, $sec, $frac)
        = ($1, $2, $3, $4, $5, $6, $7 // 0);
    my $time = eval { timegm($sec, $min, $hour, $day, $mon - 1, $year) };

    return $time + $frac if defined $time;
    return wrong('%s: no such time: "%s"', $what, $value);
}


# Whether JSON had quotes around it.

sub _is_string {
    my ($value) = @_;

    return defined $value && !ref $value
           && B::svref_2object(\$value)->FLAGS() & B::SVf_POK ? 1 : 0;
}


sub _is_number {
    my ($value) = @_;

    return defined $value && !ref $value && !_is_string($value) ? 1 : 0;
}


sub _is_int {
    my ($value) = @_;

    return _is_number($value) && $value == int $value && $value >= 0;
}


sub _is_bool {
    my ($value) = @_;

    return ref($value) =~ /Boolean/ ? 1 : 0;
}


# What is wrong with an X-Sentry-Auth value; key: the one expected.

sub check_auth {
    my ($value, $key) = @_;

    return 'X-Sentry-Auth does not follow the grammar'
        if $value !~ m{^Sentry[ ]sentry_version=7,
                        [ ]sentry_client=([\w.-]+/\d+\.\d+\.\d+[\w.-]*),
                        [ ]sentry_key=([0-9A-Za-z]+)
                        (?:,[ ]sentry_secret=[0-9A-Za-z]+)?\z}x;

    return 'wrong sentry_key' if defined $key && $2 ne $key;
    return;
}


1;
