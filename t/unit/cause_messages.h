
/*
 * Copyright (C) ngx_sentry authors
 *
 * The messages of nginx 1.22 to 1.31 that can tell why a request failed, as
 * they are written, by cause.
 */


typedef struct {
    const char  *type;
    const char  *messages[40];
} group_t;


static const group_t  groups[] = {
    { "UpstreamTimeout", {
        "upstream timed out (110: Connection timed out) while connecting "
          "to upstream",
        "upstream timed out (110: Connection timed out) while reading "
          "response header from upstream",
        "upstream timed out (110: Connection timed out) while SSL "
          "handshaking to upstream",
        "upstream timed out (110: Connection timed out) while reading "
          "upstream",
        "connect() failed (110: Connection timed out) while connecting "
          "to upstream",
        "recv() failed (110: Connection timed out) while reading "
          "response header from upstream" } },

    { "UpstreamRefused", {
        "connect() failed (111: Connection refused) while connecting to "
          "upstream",
        "connect() to unix:/run/app.sock failed (111: Connection "
          "refused) while connecting to upstream" } },

    { "UpstreamUnreachable", {
        "connect() failed (113: No route to host) while connecting to "
          "upstream",
        "connect() to [::1]:80 failed (101: Network is unreachable) "
          "while connecting to upstream",
        "connect() to unix:/run/app.sock failed (2: No such file or "
          "directory) while connecting to upstream",
        "connect() to unix:/run/app.sock failed (13: Permission denied) "
          "while connecting to upstream",
        "connect() to unix:/run/app.sock failed (11: Resource "
          "temporarily unavailable) while connecting to upstream",
        "connect() to 10.0.0.7:80 failed (99: Cannot assign requested "
          "address) while connecting to upstream",
        "bind(10.0.0.1) failed (99: Cannot assign requested address) "
          "while connecting to upstream",
        "socket() failed (1: Operation not permitted) while connecting "
          "to upstream" } },

    { "UpstreamReset", {
        "recv() failed (104: Connection reset by peer) while reading "
          "response header from upstream",
        "recv() failed (104: Connection reset by peer) while reading "
          "upstream",
        "readv() failed (104: Connection reset by peer) while reading "
          "upstream",
        "writev() failed (104: Connection reset by peer) while sending "
          "request to upstream",
        "send() failed (104: Connection reset by peer) while sending "
          "request to upstream",
        "connect() failed (104: Connection reset by peer) while "
          "connecting to upstream",
        "upstream rejected request with error 7 while reading response "
          "header from upstream",
        "upstream sent goaway with error 1 while reading response header "
          "from upstream" } },

    { "UpstreamClosed", {
        "upstream prematurely closed connection while reading response "
          "header from upstream",
        "upstream prematurely closed connection while reading upstream",
        "upstream prematurely closed FastCGI stdout while reading "
          "response header from upstream",
        "upstream prematurely closed FastCGI request while reading "
          "response header from upstream",
        "upstream prematurely closed stream while reading upstream",
        "kevent() reported that upstream closed connection while reading "
          "upstream",
        "writev() failed (32: Broken pipe) while sending request to "
          "upstream",
        "sendfile() failed (32: Broken pipe) while sending request to "
          "upstream" } },

    { "UpstreamTooBig", {
        "upstream sent too big header while reading response header from "
          "upstream",
        "upstream sent too big trailers while reading upstream",
        "upstream sent too large http2 header name length while reading "
          "response header from upstream",
        "upstream sent too large http2 header while reading response "
          "header from upstream",
        "too big subrequest response: 5000 while reading upstream" } },

    { "UpstreamInvalidHeader", {
        "upstream sent no valid HTTP/1.0 header while reading response "
          "header from upstream",
        "upstream sent invalid header: \"X-A\\x00...\" while reading "
          "response header from upstream",
        "upstream sent invalid header \"a: b\" while reading response "
          "header from upstream",
        "upstream sent invalid status \"abc\" while reading response "
          "header from upstream",
        "upstream sent invalid :status \"9\" while reading response "
          "header from upstream",
        "upstream sent unexpected :status \"1\" while reading response "
          "header from upstream",
        "upstream sent no :status header while reading response header "
          "from upstream",
        "upstream sent duplicate :status header while reading response "
          "header from upstream",
        "upstream sent duplicate header line: \"A: b\", previous value: "
          "\"A: c\" while reading response header from upstream",
        "upstream sent invalid \"Content-Length\" header: \"A: b\" while "
          "reading response header from upstream",
        "upstream sent \"Content-Length\" and \"Transfer-Encoding\" "
          "headers at the same time while reading response header from "
          "upstream",
        "upstream sent unknown \"Transfer-Encoding\": \"x\" while "
          "reading response header from upstream",
        "upstream sent HTTP/1.0 response with early hints while reading "
          "response header from upstream",
        "upstream sent invalid http2 table index: 99 while reading "
          "response header from upstream",
        "upstream sent truncated http2 header while reading response "
          "header from upstream",
        "upstream sent zero http2 header name length while reading "
          "response header from upstream",
        "upstream sent invalid encoded header while reading response "
          "header from upstream",
        "invalid header after joining FastCGI records while reading "
          "response header from upstream" } },

    { "UpstreamInvalidResponse", {
        "upstream sent invalid chunked response while reading upstream",
        "upstream sent more data than specified in \"Content-Length\" "
          "header while reading upstream",
        "upstream sent data after final chunk while reading upstream",
        "upstream sent data after trailers while reading upstream",
        "upstream sent data frame for unknown stream 3 while reading "
          "upstream",
        "upstream sent unexpected http2 frame: 9 while reading response "
          "header from upstream",
        "upstream sent too short http2 frame while reading response "
          "header from upstream",
        "upstream sent too large http2 frame: 99999 while reading "
          "response header from upstream",
        "upstream sent headers frame with invalid length: 1 while "
          "reading response header from upstream",
        "upstream sent settings frame with non-zero stream id: 3 while "
          "reading response header from upstream",
        "upstream sent too large window update while reading response "
          "header from upstream",
        "upstream sent zero window update while reading response header "
          "from upstream",
        "upstream sent invalid trailer \"a: b\" while reading upstream",
        "upstream sent response body larger than indicated content "
          "length while reading upstream",
        "upstream sent unexpected FastCGI record: 3 while reading "
          "response header from upstream",
        "upstream sent unsupported FastCGI protocol version: 72 while "
          "reading response header from upstream",
        "upstream sent invalid FastCGI record type: 80 while reading "
          "response header from upstream",
        "upstream violated connection flow control, received 9 data "
          "frame with window 1 while reading upstream",
        "upstream prematurely sent response while sending request to "
          "upstream",
        "memcached sent invalid response: \"x\" while reading response "
          "header from upstream",
        "memcached sent invalid key in response \"a\" for key \"b\" "
          "while reading response header from upstream",
        "memcached sent invalid trailer while reading upstream",
        "unexpected status code 404 in slice response while reading "
          "response header from upstream",
        "etag mismatch in slice response while reading response header "
          "from upstream",
        "missing slice response while reading response header from "
          "upstream" } },

    { "NoLiveUpstreams", {
        "no live upstreams while connecting to upstream" } },

    { "UpstreamTLSError", {
        "SSL_do_handshake() failed (SSL: error:0A00010B:SSL "
          "routines::wrong version number) while SSL handshaking to "
          "upstream",
        "peer closed connection in SSL handshake while SSL handshaking "
          "to upstream",
        "peer closed connection in SSL handshake (104: Connection reset "
          "by peer) while SSL handshaking to upstream",
        "upstream SSL certificate verify error: (20:unable to get local "
          "issuer certificate) while SSL handshaking to upstream",
        "upstream SSL certificate does not match \"app\" while SSL "
          "handshaking to upstream",
        "SSL_set_tlsext_host_name(\"app\") failed while connecting to "
          "upstream",
        "SSL_set_alpn_protos() failed while connecting to upstream",
        "SSL_read() failed (SSL: error:0A000126:SSL routines::unexpected "
          "eof while reading) while reading response header from upstream",
        "SSL_write() failed (SSL: error:0A000119:SSL routines::x) while "
          "sending request to upstream",
        "cannot load certificate \"/c\": PEM_read_bio_X509_AUX() failed "
          "while connecting to upstream" } },

    { "UpstreamUnresolved", {
        "app.example could not be resolved (3: Host not found)",
        "app.example could not be resolved (110: Operation timed out)",
        "service _http._tcp of app could not be resolved (2: Server "
          "failure)",
        "no resolver defined to resolve app.example",
        "host not found in upstream \"app\"" } },

    { "UpstreamError", {
        "FastCGI sent in stderr: \"PHP message: no (28: No space left on "
          "device) while it ran\" while reading response header from "
          "upstream",
        "FastCGI sent in stderr: \"Primary script unknown\" while "
          "reading response header from upstream" } },

    { "RequestTooLarge", {
        "client intended to send too large body: 5000 bytes",
        "client intended to send too large chunked body: 5000+1 bytes "
          "while sending to client",
        "client sent too long URI while reading client request line",
        "client sent too long header line: \"X-A: aaa...\" while reading "
          "client request headers",
        "client sent too large request while reading client request "
          "headers",
        "client sent too many header lines while reading client request "
          "headers",
        "client sent too large header while processing HTTP/2 connection",
        "client sent header block with too long header index value",
        "client sent too large field line",
        "too long http2 URI while connecting to upstream",
        "too long http2 header name while connecting to upstream" } },

    { "RequestTimeout", {
        "client timed out (110: Connection timed out) while reading "
          "client request line",
        "client timed out (110: Connection timed out) while sending to "
          "client",
        "quic client timed out (110: Connection timed out)" } },

    { "ClientClosed", {
        "client prematurely closed connection",
        "client prematurely closed stream",
        "client closed connection while waiting for request",
        "epoll_wait() reported that client prematurely closed "
          "connection, so upstream connection is closed too while reading "
          "response header from upstream",
        "client canceled stream 1",
        "client refused stream 1",
        "client terminated stream 1 with status 8",
        "client prematurely closed connection, so upstream connection is "
          "closed too" } },

    { "BadRequest", {
        "client sent invalid request while reading client request line",
        "client sent invalid method while reading client request line",
        "client sent invalid host header while reading client request "
          "headers",
        "client sent invalid header line: \"a b\" while reading client "
          "request headers",
        "client sent HTTP/1.1 request without \"Host\" header while "
          "reading client request headers",
        "client sent duplicate header line: \"Host: a\", previous value: "
          "\"Host: b\"",
        "client sent invalid \"Content-Length\" header",
        "client sent \"Content-Length\" and \"Transfer-Encoding\" "
          "headers at the same time",
        "client sent unknown \"Transfer-Encoding\": \"x\"",
        "client sent CONNECT method",
        "client sent TRACE method",
        "client sent plain HTTP request to HTTPS port",
        "client sent no required SSL certificate",
        "client SSL certificate verify error: (18:self-signed "
          "certificate)",
        "client attempted to request the server name different from the "
          "one that was negotiated",
        "client sent invalid chunked body",
        "client sent out of order pseudo-headers",
        "client sent DATA frame for half-closed stream 1",
        "client violated flow control for stream 1: received DATA frame "
          "length 9",
        "client intended to send body data larger than declared",
        "client exceeded http3_max_blocked_streams limit",
        "http2 flood detected",
        "http3 flood detected",
        "invalid connection preface",
        "unsafe URI \"/../x\" was detected" } },

    { "LimitExceeded", {
        "limiting requests, excess: 0.961 by zone \"req\"",
        "limiting connections by zone \"conn\"" } },

    { "SharedMemoryFull", {
        "could not allocate node in limit_req zone \"req\"",
        "could not allocate new session in SSL session shared cache \"s\"",
        "cannot add new server to upstream \"app\", memory exhausted" } },

    { "DiskFull", {
        "pwrite() \"/t/0000000001\" failed (28: No space left on device)",
        "pwritev() \"/t/1\" failed (28: No space left on device) while "
          "reading upstream",
        "open() \"/t/1\" failed (122: Disk quota exceeded)",
        "mkdir() \"/t/1\" failed (28: No space left on device)" } },

    { "TooManyOpenFiles", {
        "open() \"/www/a\" failed (24: Too many open files)",
        "socket() failed (24: Too many open files) while connecting to "
          "upstream",
        "accept4() failed (23: Too many open files in system)" } },

    { "OutOfMemory", {
        "malloc(4096) failed (12: Cannot allocate memory)",
        "posix_memalign(16, 4096) failed (12: Cannot allocate memory)",
        "mmap(4096) \"/x\" failed (12: Cannot allocate memory)" } },

    { "TooManyConnections", {
        "4 worker_connections are not enough while connecting to upstream" } },

    { "ScriptError", {
        "lua entry thread aborted: runtime error: x.lua:1: open() \"a\" "
          "failed",
        "lua user thread aborted: runtime error: x",
        "failed to run header_filter_by_lua*: x.lua:1: boom",
        "failed to load external Lua file \"/x.lua\": cannot open",
        "failed to load inlined Lua code: x",
        "js exception: ReferenceError: \"x\" is not defined",
        "js call exception: Error: x",
        "call_sv(\"main::handler\") failed: \"boom\"",
        "eval_pv(\"sub { 1\") failed" } },

    { "AuthRequestError", {
        "auth request unexpected status: 502" } },

    { "RedirectLoop", {
        "rewrite or internal redirection cycle while processing \"/a\"",
        "rewrite or internal redirection cycle while internally "
          "redirecting to \"/a\"",
        "rewrite or internal redirection cycle while redirect to named "
          "location \"@a\"",
        "subrequests cycle while processing \"/a\"",
        "request reference counter overflow while processing \"/a\"" } },

    { "ConfigurationError", {
        "cycle while evaluating variable \"a\"",
        "could not find named location \"@a\"",
        "empty URI in redirect to named location \"@a\"",
        "the rewritten URI has a zero length",
        "zero length URI to proxy",
        "invalid URL prefix in \"app\"",
        "no port in upstream \"app\"",
        "invalid port in upstream \"app:x\"",
        "no host in upstream \"http://\"",
        "invalid local address \"x\"",
        "no upstream configuration",
        "no handler found",
        "\"alias\" cannot be used in location \"/a\" where URI was "
          "rewritten",
        "the \"$memcached_key\" variable is not set",
        "proxy_buffer_size 16 is not enough for cache key, it should be "
          "increased to at least 512",
        "cache \"a\" not found",
        "thread pool \"a\" not found",
        "grpcs protocol requires SSL support",
        "suwsgi protocol requires SSL support" } },

    { "AccessDenied", {
        "access forbidden by rule",
        "directory index of \"/www/\" is forbidden",
        "\"/www/a\" is forbidden (13: Permission denied)",
        "no user/password was provided for basic authentication",
        "user \"a\" was not found in \"/x\"",
        "user \"a\": password mismatch" } },

    { "CacheError", {
        "cache file \"/c/1\" is too small",
        "cache file \"/c/1\" has md5 collision",
        "cache file \"/c/1\" contains invalid header",
        "cache file \"/c/1\" has too long header" } },

    { "FileNotFound", {
        "open() \"/www/a\" failed (2: No such file or directory)",
        "stat() \"/www/a\" failed (20: Not a directory)",
        "\"/www/index.html\" is not found (2: No such file or directory)",
        "opendir() \"/www/\" failed (2: No such file or directory)",
        "open() \"/x (28: No space left on device)\" failed (2: No such "
          "file or directory)" } },

    { "FileDenied", {
        "open() \"/www/a\" failed (13: Permission denied)",
        "openat() \"/www/a\" failed (1: Operation not permitted)",
        "opendir() \"/www/\" failed (13: Permission denied)" } },

    { "FileError", {
        "pwrite() \"/t/1\" failed (27: File too large)",
        "pread() \"/www/a\" failed (5: Input/output error)",
        "pread() read only 5 of 10 from \"/www/a\"",
        "rename() \"/t/1\" to \"/c/1\" failed (17: File exists)",
        "\"/www/a\" is not a regular file",
        "\"/www\" is not a directory",
        "\"/www/a\" mp4 atom too large:99",
        "sendfile() reported that \"/www/a\" was truncated at 5" } },

    { "FilterError", {
        "image filter: too big response: 9",
        "gdImageCreateTrueColor() failed",
        "not well formed XML document",
        "xmlParseChunk() failed, error:5",
        "xsltApplyStylesheet() failed",
        "libxml2 error: \"x\"",
        "inflate() failed: 5, -3",
        "inflate() returned 1 on response end",
        "deflate() failed: 5, -2",
        "too long response header value: \"a: b\"" } },

    { "", {
        "limiting requests, dry run, excess: 0.1 by zone \"req\"",
        "limiting connections, dry run, by zone \"conn\"",
        "delaying request, excess: 0.5, by zone \"req\"",
        "upstream server temporarily disabled while reading response "
          "header from upstream",
        "using uninitialized \"a\" variable",
        "\"^/(.*)\" matches \"/a\"",
        "rewritten data: \"/b\", args: \"\"",
        "header already sent",
        "[lua] x.lua:1: a message of the app's",
        "an upstream response is buffered to a temporary file /t/1 while "
          "reading upstream",
        "cache lock timeout",
        "a client request body is buffered to a temporary file /t/1",
        "invalid SSI command: \"x\"",
        "ignoring stale global SSL error",
        "etwas anderes" } },
};
