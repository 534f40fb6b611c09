
/*
 * Copyright (C) ngx_sentry authors
 *
 * The filter in free text: what must go, and what must stay.
 */


#include "scrub_util.h"


static void test_messages(void);


static const snx_scrub_t  plain;
static const snx_scrub_t  pii = { NULL, 0, 1 };


/* Without PII. */

static const util_row_t  lines[] = {
    { "connect() failed (111: Connection refused) while connecting to "
      "upstream, client: 1.2.3.4, server: x, request: \"GET /a?token=abc "
      "HTTP/1.1\", upstream: \"http://u:p@10.0.0.1:80/a?token=abc\", host: "
      "\"example.com\", referrer: \"http://x/?password=1\"",
      "connect() failed (111: Connection refused) while connecting to "
      "upstream, client: [Filtered], server: x, request: \"GET "
      "/a?token=[Filtered] HTTP/1.1\", upstream: "
      "\"http://[Filtered]@10.0.0.1:80/a?token=[Filtered]\", host: "
      "\"example.com\", referrer: \"http://x/?password=[Filtered]\"" },
    { "x, client: 2001:db8::1, server: , request: \"POST / HTTP/1.0\"",
      "x, client: [Filtered], server: , request: \"POST / HTTP/1.0\"" },
    { "x, client: unix:, server: a", "x, client: [Filtered], server: a" },
    { "client 1.2.3.4 closed keepalive connection",
      "client [Filtered] closed keepalive connection" },
    { "x, request: \"GET /a?x={\"password\":\"a b\"}&y=\"z HTTP/1.1\", host: "
      "\"h\"",
      "x, request: \"GET /a?x=[Filtered]&y=\"z HTTP/1.1\", host: \"h\"" },
    { "x, request: \"GET /?token=a\",\"b HTTP/1.1\", host: \"h\"",
      "x, request: \"GET /?token=[Filtered] HTTP/1.1\", host: \"h\"" },
    { "x, request: \"GET /?token=abc", "x, request: \"GET /?token=[Filtered]" },
    { "x, request: \"GET /reset-password/8f3a9c1d HTTP/1.1\"",
      "x, request: \"GET /reset-password/[Filtered] HTTP/1.1\"" },
    { "x, request: \"CONNECT u:p@h:443 HTTP/1.1\"",
      "x, request: \"CONNECT [Filtered] HTTP/1.1\"" },
    { "x, upstream: \"http://user:hunt", "x, upstream: \"http://[Filtered]" },
    { "x, host: \"u:p@h:80\"", "x, host: \"[Filtered]@h:80\"" },
    { "x, host: \"auth:8080\"", NULL },
    { "x, referrer: \"http://x/?token=a b c\"",
      "x, referrer: \"http://x/?token=[Filtered]\"" },
    { "x, referrer: \"Bearer abc\"", "x, referrer: \"[Filtered]\"" },
    { "x, subrequest: \"/auth?key=1\", upstream: \"fastcgi://unix:/s.sock:\"",
      "x, subrequest: \"/auth?key=[Filtered]\", upstream: "
      "\"fastcgi://unix:/s.sock:\"" },
    { "rewritten data: \"/x\", args: \"token=abc&a=b\"",
      "rewritten data: \"/x\", args: \"token=[Filtered]\"" },
    { "X-Forwarded-For: 1.2.3.4, 5.6.7.8", "X-Forwarded-For: [Filtered]" },
    { "a x_real_ip=1.2.3.4 b", "a x_real_ip=[Filtered] b" },
    { "open() \"/var/www/sessions/sess_8f3a9c1d\" failed (2: No such file)",
      "open() \"/var/www/sessions/[Filtered]\" failed (2: No such file)" },

    /* headers */

    { "Authorization: Bearer abc", "Authorization: [Filtered]" },
    { "authorization: Basic dXNlcjpwYXNz", "authorization: [Filtered]" },
    { "Authorization:Bearer abc", "Authorization:[Filtered]" },
    { "Authorization: Digest username=\"u\", response=\"r\"",
      "Authorization: [Filtered]" },
    { "GET / HTTP/1.1\r\nHost: h\r\nCookie: a=b; c=d\r\nX: y",
      "GET / HTTP/1.1\r\nHost: h\r\nCookie: [Filtered]\r\nX: y" },
    { "X-Api-Key: abc def\nHost: h", "X-Api-Key: [Filtered]\nHost: h" },
    { "http header: \"Authorization: Bearer abc\"",
      "http header: \"Authorization: [Filtered]\"" },
    { "upstream sent invalid header: \"Set-Cookie: a=\"b\"; c\" while reading",
      "upstream sent invalid header: \"Set-Cookie: [Filtered]\" while reading"
    },
    { "headers: host: h, authorization: Basic x, y",
      "headers: host: h, authorization: [Filtered]" },
    { "password: correct horse battery", "password: [Filtered]" },
    { "x, authorization: Bearer abc, client: 1.1.1.1, server: s",
      "x, authorization: [Filtered], client: [Filtered], server: s" },
    { "Cookie2: a", "Cookie2: [Filtered]" },

    /* configuration */

    { "    proxy_set_header Authorization \"Bearer s3cr3t\";",
      "    proxy_set_header Authorization \"[Filtered]\";" },
    { "proxy_set_header X-Api-Key abc;",
      "proxy_set_header X-Api-Key [Filtered];" },
    { "proxy_set_header X-Api-Key abc def;",
      "proxy_set_header X-Api-Key [Filtered] [Filtered];" },
    { "proxy_set_header X-Api-Key a\\ b;  # note",
      "proxy_set_header X-Api-Key [Filtered];  # note" },
    { "proxy_set_header Cookie \"a=b; c=d\";",
      "proxy_set_header Cookie \"[Filtered]\";" },
    { "proxy_set_header X-Api-Key abc", "proxy_set_header X-Api-Key [Filtered]"
    },
    { "fastcgi_param DB_PASSWORD hunter2;",
      "fastcgi_param DB_PASSWORD [Filtered];" },
    { "fastcgi_param DB_PASS hunter;", "fastcgi_param DB_PASS [Filtered];" },
    { "set $token \"abc\";", "set $token \"[Filtered]\";" },
    { "location / { set $token abc; proxy_pass http://u:p@b/; }",
      "location / { set $token [Filtered]; proxy_pass "
      "http://[Filtered]@b/; }" },
    { "if ($http_authorization = \"Basic abc\") {",
      "if ($http_authorization = \"[Filtered]\") {" },
    { "if ($cookie_session ~* abc) {", "if ($cookie_session ~* [Filtered]) {" },
    { "secure_link_md5 \"$expires$uri s3cret\";",
      "secure_link_md5 \"[Filtered]\";" },
    { "secure_link_secret word;", "secure_link_secret [Filtered];" },
    { "auth_http_header X-Auth-Key \"s3cret\";",
      "auth_http_header [Filtered] \"[Filtered]\";" },
    { "env DB_PASSWORD=hunter2;", "env DB_PASSWORD=[Filtered];" },
    { "set $backend \"http://u:p@b:80\";",
      "set $backend \"http://[Filtered]@b:80\";" },
    { "sentry_dsn https://abc@sentry.io/1;",
      "sentry_dsn https://[Filtered]@sentry.io/1;" },
    { "\"~*Bearer abc\" 1;", "\"~*Bearer [Filtered] [Filtered];" },

    /* pairs */

    { "password=hunter2", "password=[Filtered]" },
    { "a=b password=hunter2 c=d", "a=b password=[Filtered] c=d" },
    { "password=a,b, next", "password=[Filtered], next" },
    { "(token=abc) x", "(token=[Filtered]) x" },
    { "x token=abc&b=c", "x token=[Filtered]&b=c" },
    { "password='a b' user=bob", "password='[Filtered]' user=bob" },
    { "password=\"a b\"", "password=\"[Filtered]\"" },
    { "password=\"a \\\" b\" c", "password=\"[Filtered]\" c" },
    { "password='it''s' c", "password='[Filtered]' c" },
    { "password='it's' c", "password='[Filtered]' c" },
    { "password=\"abc", "password=\"[Filtered]" },
    { "password=\"\" user", NULL },
    { "password = abc def", "password = [Filtered]" },
    { "x password = abc def", "x password = [Filtered] def" },
    { "password => 'x'", "password => '[Filtered]'" },
    { "['password'] = 'x y';", "['password'] = '[Filtered]';" },
    { "{\"password\": \"x y\", \"user\": \"bob\"}",
      "{\"password\": \"[Filtered]\", \"user\": \"bob\"}" },
    { "{\"password\":\"x\",\"user\":\"bob\"}",
      "{\"password\":\"[Filtered]\",\"user\":\"bob\"}" },
    { "{\\\"password\\\":\\\"x\\\",\\\"user\\\":1}",
      "{\\\"password\\\":\\\"[Filtered]\\\",\\\"user\\\":1}" },
    { "{\"token\":12345,\"b\":1}", "{\"token\":[Filtered],\"b\":1}" },
    { "{\"token\":12345}", "{\"token\":[Filtered]}" },
    { "{\"credentials\":{\"user\":\"u\",\"pin\":\"}1\"},\"b\":1}",
      "{\"credentials\":[Filtered],\"b\":1}" },
    { "{\"tokens\":[\"a\",\"b\"],\"b\":1}",
      "{\"tokens\":[Filtered],\"b\":1}" },
    { "{\"a\":{\"user password\":\"x\"}}",
      "{\"a\":{\"user password\":\"[Filtered]\"}}" },
    { "{\n  \"password\": \"x\",\n  \"a\": 1\n}",
      "{\n  \"password\": \"[Filtered]\",\n  \"a\": 1\n}" },
    { "{\"url\":\"http:\\/\\/u:p@h\\/?token=x\",\"b\":1}",
      "{\"url\":\"http:\\/\\/[Filtered]@h\\/?token=[Filtered]\",\"b\":1}" },
    { "<Password>a b</Password><user>u</user>",
      "<Password>[Filtered]</Password><user>u</user>" },
    { "<ns:token>a</ns:token>", "<ns:token>[Filtered]</ns:token>" },
    { "x password:hunter2 y", "x password:[Filtered] y" },
    { "x token: Bearer abc y", "x token: [Filtered] y" },
    { "user/password: hunter2", "user/password: [Filtered]" },
    { "//password: hunter2", "//password: [Filtered]" },
    { "tok%65n=abc def", "tok%65n=[Filtered] def" },
    { "x token%3Dabc y", "x [Filtered] y" },
    { "x next=https%3A%2F%2Fu%3Ap%40h y", "x next=[Filtered] y" },
    { "token Api-Key: abc", "token [Filtered]: [Filtered]" },
    { "password=token: abc def", "password=[Filtered]: [Filtered] def" },
    { "curl --token abc -H \"X-Key: a\" http://h",
      "curl --token [Filtered] -H \"X-Key: [Filtered]\" http://h" },

    /* prose */

    { "invalid token abc123 given", "invalid token [Filtered] given" },
    { "invalid token \"abc\" given", "invalid token \"[Filtered]\" given" },
    { "the password is hunter2, sorry", "the password is [Filtered], sorry" },
    { "session id 8f3a9c expired", "session id [Filtered] expired" },
    { "password set to AbCdEf", "password set to [Filtered]" },
    { "X-Auth-Token aBcDeFgH", "X-Auth-Token [Filtered]" },
    { "key abcd_efgh_ijkl", "key [Filtered]" },
    { "sent Bearer abc to it", "sent Bearer [Filtered] to it" },
    { "sent basic dXNlcjpwYXNz to it", "sent basic [Filtered] to it" },
    { "root:hunter2@tcp(127.0.0.1:3306)/db",
      "[Filtered]@tcp(127.0.0.1:3306)/db" },

    /* URLs and tokens */

    { "see http://u:p@h/x?token=y.", "see http://[Filtered]@h/x?token="
      "[Filtered]." },
    { "(http://h/?token=y)", "(http://h/?token=[Filtered])" },
    { "see //u:p@h/x", "see //[Filtered]@h/x" },
    { "'http://h/?token=y' is", "'http://h/?token=[Filtered]' is" },
    { "api/token/8f3a9c1d", "api/token/[Filtered]" },
    { "got eyJhbGciOiJIUzI1NiJ9.e30.c2ln, bye", "got [Filtered], bye" },
    { "key AKIAIOSFODNN7EXAMPLE leaked", "key [Filtered] leaked" },
    { "AKIAIOSFODNN7EXAMPLE", "[Filtered]" },
    { "x ghp_16C7e42F292c y", "x [Filtered] y" },
    { "a -----BEGIN RSA PRIVATE KEY-----\nMII\n", "a [Filtered]" },
    { "-----BEGIN PRIVATE KEY-----", "[Filtered]" }
};


static const char *const  unchanged[] = {
    "no live upstreams while connecting to upstream",
    "SSL_do_handshake() failed (SSL: error:0A000086:SSL routines::certificate "
        "verify failed)",
    "connection closed before server key exchange",
    "SSL_CTX_use_PrivateKey(\"/etc/x.key\") failed (SSL: error:0B080074:x509 "
        "certificate routines:X509_check_private_key:key values mismatch)",
    "cannot load certificate key \"/etc/ssl/private.key\": BIO_new_file() "
        "failed (SSL: error:02001002:system library:fopen:No such file or "
        "directory:fopen('/etc/ssl/private.key','r') error:2006D080:BIO "
        "routines:BIO_new_file:no such file)",
    "upstream timed out (110: Connection timed out) while reading response "
        "header from upstream",
    "upstream prematurely closed connection while reading response header",
    "no user/password was provided for basic authentication",
    "user \"bob\": password mismatch",
    "user \"bob\" was not found in \"/etc/nginx/.htpasswd\"",
    "auth request unexpected status: 502 while sending to client",
    "auth http server 127.0.0.1:9000 timed out",
    "host not found in upstream \"keycloak:8080\" in /etc/nginx/nginx.conf:25",
    "auth.internal could not be resolved (3: Host not found)",
    "conflicting server name \"auth.example.com\" on 0.0.0.0:80, ignored",
    "using uninitialized \"auth_token\" variable",
    "could not allocate new session in SSL session shared cache \"le\"",
    "password is truncated to 128 bytes",
    "connect() to auth:8080 failed",
    "connect() to unix:/run/auth/session.sock failed (2: No such file)",
    "directory index of \"/srv/session/\" is forbidden",
    "access forbidden by rule, server: auth.example.com",
    "invalid number of arguments in \"auth_basic\" directive in /etc/n.conf:3",
    "\"secure_link_secret\" cannot be mixed with \"secure_link\"",
    "no \"ssl_certificate_key\" is defined for certificate \"/etc/x.crt\"",
    "limiting requests, excess: 5.123 by zone \"auth\"",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
        "Gecko) Chrome/120.0.0.0 Safari/537.36",
    "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
    "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
    "Bearer realm=\"x\", error=\"invalid_token\"",
    "the bearer token was missing, visual basic is fine",
    "proxy_pass http://auth:8080/auth/login;",
    "proxy_pass http://$host:$server_port;",
    "server auth:8080 weight=5;",
    "server_name auth.example.com token.example.com;",
    "location = /auth/session { proxy_pass http://x; }",
    "location ~ ^/token/(\\w+)$ {",
    "rewrite ^/auth/(.*)$ /token/$1 last;",
    "proxy_cache_key \"$scheme$host$uri\";",
    "auth_basic \"Restricted\";",
    "auth_basic_user_file /etc/nginx/.htpasswd;",
    "auth_request /auth;",
    "ssl_certificate_key /etc/ssl/private/x.key;",
    "ssl_session_cache shared:SSL:10m;",
    "proxy_cookie_path / \"/; Secure\";",
    "map $http_authorization $auth_ok {",
    "limit_req_zone $http_x_api_key zone=api:10m rate=5r/s;",
    "hash $cookie_session consistent;",
    "log_format main '$remote_addr \"$http_authorization\" \"$cookie_x\"';",
    "std::auth::token x, a -> key, keys",
    "-----BEGIN CERTIFICATE----- MII",
    "client: [Filtered], token=[Filtered], http://[Filtered]@h/",
    "\x01\x7f\x80\xff \r\n\t caf\xc3\xa9"
};


int
main(void)
{
    size_t  i;

    util_rows(snx_scrub_text, &plain, lines, util_n(lines));

    for (i = 0; i < util_n(unchanged); i++) {
        util_row(snx_scrub_text, &plain, snx_cstr(unchanged[i]),
                 snx_cstr(unchanged[i]));
    }

    test_messages();

    return tap_done();
}


/* With PII the user is told, secrets are not. */

static void
test_messages(void)
{
    static const util_row_t  rows[] = {
        { "x, client: 1.2.3.4, server: s", NULL },
        { "X-Forwarded-For: 1.2.3.4", NULL },
        { "client 1.2.3.4 closed", NULL },
        { "x, client: 1.2.3.4, request: \"GET /?key=1 HTTP/1.1\"",
          "x, client: 1.2.3.4, request: \"GET /?key=[Filtered] HTTP/1.1\"" }
    };

    util_rows(snx_scrub_text, &pii, rows, util_n(rows));
}
