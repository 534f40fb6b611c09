
/*
 * Copyright (C) ngx_sentry authors
 *
 * The filter: keys, headers, cookies, queries, paths and URLs.
 */


#include "scrub_util.h"


static void test_keys(void);
static void test_headers(void);
static void test_operator(void);
static void test_cookies(void);
static void test_bytes(void);


static const snx_scrub_t  plain;


static const char *const  secret_keys[] = {
    "auth", "token", "secret", "password", "passwd", "pwd", "key", "jwt",
    "bearer", "sso", "saml", "csrf", "xsrf", "credentials", "credential",
    "session", "sid", "identity", "cookie", "remember", "oidc", "pkce",
    "nonce", "__Secure-a", "__Host-a", "mfa", "2fa", "passphrase", "passcode",
    "sessid", "sig", "signature", "pass", "pw", "otp", "apikey",

    "AUTH", "Token", "X-Api-Key", "x_api_key", "access_token", "refreshToken",
    "user[password]", "user%5Bpassword%5D", "%74oken", "%2574oken",
    "%252574oken", "passw%6Frd", "p%61ssw%256frd", "PHPSESSID", "connect.sid",
    "JSESSIONID", "laravel_session", "XSRF-TOKEN", "_csrf", "X-Amz-Signature",
    "x-goog-signature", "X-Amz-Credential", "url_sig", "a.sig", "a[sig]",
    "db_pass", "client_secret", "id_token", "code_challenge_nonce",
    "AWSAccessKeyId", "oauthSignature", "+token+", "tok\x80token"
};


static const char *const  harmless_keys[] = {
    "", "a", "page", "q", "user", "name", "utm_source", "lang", "signal",
    "design", "sigma", "signature_version", "compass", "passport", "bypass",
    "pass-word-less", "pwn", "optional", "tok%en",
    "tok%2", "%", "%%", "%zz", "ke", "sessio"
};


static const char *const  secret_headers[] = {
    "Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie",
    "authorization", "PROXY-AUTHORIZATION", "proxy_authorization",
    "set_cookie", "X-Api-Key", "X_Api_Key", "X-Auth-Token", "X-CSRFToken",
    "X-Amz-Security-Token", "Sec-WebSocket-Key", "X-Session-Id", "X-Hub-Sig",
    "X-Hub-Signature", "X-Vault-Token"
};


static const char *const  user_headers[] = {
    "X-Forwarded-For", "x_forwarded_for", "Forwarded", "X-Real-IP",
    "x_real_ip", "CF-Connecting-IP", "True-Client-IP", "Via", "Remote-Addr",
    "remote_user", "X-Remote-User", "X-User-Id", "x_user"
};


static const char *const  harmless_headers[] = {
    "", "Host", "User-Agent", "Accept", "Accept-Encoding", "Content-Type",
    "Content-Length", "Referer", "Origin", "X-Request-Id", "traceparent",
    "If-None-Match", "Range", "Connection", "X-Signal", "Zip"
};


static const util_row_t  queries[] = {
    { "", NULL },
    { "a=b", NULL },
    { "a=b&c=d&e", NULL },
    { "a=b&&c==d&=x&;", NULL },
    { "token", NULL },
    { "token=", NULL },
    { "token=&a=b", NULL },
    { "page=2&sort=name%20asc&q=caf%C3%A9+au+lait", NULL },
    { "q=100%&r=%zz&s=%2", NULL },
    { "a=\x01\x7f\x80\xff", NULL },
    { "next=/cb?code=1&state=2", NULL },
    { "next=https://h:8443/cb?code=1", NULL },
    { "next=https%3A%2F%2Fh%3A8443%2Fcb%3Fcode%3D1", NULL },
    { "url=http%3A%2F%2Fauth%3A8080%2Fx", NULL },
    { "t=12:30:45&email=bob%40example.com", NULL },
    { "filter=a:b,c:d&x=[1,2]", NULL },
    { "https://medium.com/@user", NULL },
    { "u=https%3A%2F%2Fmedium.com%2F%40user%2Fx", NULL },

    { "a=b&token=c", "a=b&token=[Filtered]" },
    { "token=c&a=b", "token=[Filtered]&a=b" },
    { "Token=c", "Token=[Filtered]" },
    { "token=a=b=c", "token=[Filtered]" },
    { "%74oken=c", "%74oken=[Filtered]" },
    { "%2574oken=c", "%2574oken=[Filtered]" },
    { "user%5Bpassword%5D=c&x", "user%5Bpassword%5D=[Filtered]&x" },
    { "user+password=c", "user+password=[Filtered]" },
    { "secret+id=c", "secret+id=[Filtered]" },
    { "a=b;token=c;d=e", "a=b;token=[Filtered];d=e" },
    { "token=c;d", "token=[Filtered]" },
    { "token=c;d;e=f", "token=[Filtered];e=f" },
    { "token=c;d&e=f", "token=[Filtered]&e=f" },
    { "a&amp;token=c", "a&amp;token=[Filtered]" },
    { "token=a?b=c", "token=[Filtered]" },
    { "token=a#b=c&d=e", "token=[Filtered]&d=e" },
    { "token=a%26b%3Dc&d=e", "token=[Filtered]&d=e" },
    { "sig=c&signal=d", "sig=[Filtered]&signal=d" },
    { "X-Amz-Signature=c&X-Amz-Date=d",
      "X-Amz-Signature=[Filtered]&X-Amz-Date=d" },
    { "token%3Dabc", "[Filtered]" },
    { "token%3Dabc=d", "[Filtered]=[Filtered]" },
    { "token%253Dabc&x=1", "[Filtered]&x=1" },
    { "a=token=c", "a=[Filtered]" },
    { "a=token%3Dc", "a=[Filtered]" },
    { "q={\"password\":\"x y/z\"}", "q=[Filtered]" },
    { "q=%7B%22password%22%3A%22x%22%7D", "q=[Filtered]" },
    { "q=Bearer+abc", "q=[Filtered]" },
    { "q=bearer%20abc", "q=[Filtered]" },
    { "q=Basic%20dXNlcjpwYXNz", "q=[Filtered]" },
    { "q=Basic+html+page", NULL },
    { "next=https://u:p@h/cb?code=1&token=x",
      "next=https://[Filtered]@h/cb?code=1&token=[Filtered]" },
    { "next=https://u@h/cb", "next=https://[Filtered]@h/cb" },
    { "next=//u:p@h/cb", "next=//[Filtered]@h/cb" },
    { "next=https%3A%2F%2Fu%3Ap%40h%2F%3Ftoken%3Dx&a=b",
      "next=[Filtered]&a=b" },
    { "next=https%253A%252F%252Fu%253Ap%2540h%252F&a=b",
      "next=[Filtered]&a=b" },
    { "next=https%3A%2F%2Fh%2F%3Ftoken%3Dx", "next=[Filtered]" },
    { "next=%2Fcb%3Faccess_token%3Dx", "next=[Filtered]" },
    { "next=/cb?token=x", "next=/cb?token=[Filtered]" },
    { "next=https://h/cb#access_token=x&a=b",
      "next=https://h/cb#access_token=[Filtered]&a=b" },
    { "next=/reset-password/8f3a9c1d", "next=/reset-password/[Filtered]" },
    { "r=a/token/8f3a9c1d", "r=a/token/[Filtered]" },
    { "x=u:p@h", "x=[Filtered]" },
    { "x=eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln&y=1",
      "x=[Filtered]&y=1" },
    { "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "[Filtered]" },
    { "x=%3DeyJhbGciOi.e30.x", "x=[Filtered]" },
    { "x=eyJlbmMiOiJBMTI4..iv.ct.tag", "x=[Filtered]" },
    { "state=eyJyZXR1cm4iOiIvIiwieCI6MX0", "state=[Filtered]" },
    { "x=keyJoin.table", NULL },
    { "x=sk_live_4eC39HqLyjWDarjt", "x=[Filtered]" },
    { "x=ghp_16C7e42F292c6912E7710c838347Ae178B4a", "x=[Filtered]" },
    { "x=gho_16C7e42F292c", "x=[Filtered]" },
    { "x=github_pat_11ABCDEFG", "x=[Filtered]" },
    { "x=xoxb-1234-abcd", "x=[Filtered]" },
    { "x=AKIAIOSFODNN7EXAMPLE", "x=[Filtered]" },
    { "x=AKIAiosfodnn7example", NULL },
    { "x=glpat-abc123XYZ", "x=[Filtered]" },
    { "x=sk-proj-abcdefghij0123456789", "x=[Filtered]" },
    { "x=risk-management-of-large-projects-2", NULL },
    { "x=-----BEGIN+RSA+PRIVATE+KEY-----%0AMII", "x=[Filtered]" },
    { "%%%%%%%%=%%%%", NULL },
    { "%25252525=1", NULL }
};


static const util_row_t  paths[] = {
    { "", NULL },
    { "/", NULL },
    { "/index.html", NULL },
    { "/a//b///c/", NULL },
    { "/auth/login", NULL },
    { "/session/new", NULL },
    { "/keys/list", NULL },
    { "/auth/v2/users", NULL },
    { "/tokens/refresh", NULL },
    { "/oauth2/authorize", NULL },
    { "/auth/oauth2/callback", NULL },
    { "/auth/v1beta1/tokens", NULL },
    { "/auth/email-verification", NULL },
    { "/identity/connect/userinfo", NULL },
    { "/author/jane-doe-2020-a-novel", NULL },
    { "/monkey/12345678", NULL },
    { "/keyboards/logitech-mx-2000", NULL },
    { "/users/8f3a9c1d8f3a9c1d", NULL },
    { "/maps/@51.5,-0.1,12z", NULL },
    { "/@scope/pkg", NULL },
    { "/a:b/c", NULL },
    { "/x;v=1;w=2/y", NULL },
    { "/proxy/http://h:8080/x", NULL },
    { "/\xff\x80/%zz/%", NULL },

    { "/api/token=abc/x", "/api/token=[Filtered]/x" },
    { "/a;token=abc/b", "/a;token=[Filtered]/b" },
    { "/a;token=abc;v=1/b", "/a;token=[Filtered];v=1/b" },
    { "/a;token=ab;cd/b", "/a;token=[Filtered]/b" },
    { "/a;jsessionid=1A2B", "/a;jsessionid=[Filtered]" },
    { "/a&token=abc&x=1", "/a&token=[Filtered]&x=1" },
    { "/a,token=abc", "/a,token=[Filtered]" },
    { "/token:abc", "/[Filtered]" },
    { "/token%3Dabc/x", "/[Filtered]/x" },
    { "/x%2Ftoken%3Dabc/y", "/[Filtered]/y" },
    { "/a?token=abc", "/a?token=[Filtered]" },
    { "/reset-password/8f3a9c1d", "/reset-password/[Filtered]" },
    { "/token/abcdefghijklmnopqrst", "/token/[Filtered]" },
    { "/invite-key/Zx81kq", "/invite-key/[Filtered]" },
    { "/api/keys/1234567/x", "/api/keys/[Filtered]/x" },
    { "/session/6ba7b810-9dad-11d1-80b4-00c04fd430c8/end",
      "/session/[Filtered]/end" },
    { "/token/verify/8f3a9c1d", "/token/verify/[Filtered]" },
    { "/token/value2s://9zz.zzz/x", "/token/[Filtered]//[Filtered]/x" },
    { "/password/reset/MTIz/5f2-abc123def",
      "/password/reset/MTIz/[Filtered]" },
    { "/accounts/reset/MTIz/5f2-abc123def/",
      "/accounts/reset/MTIz/[Filtered]/" },
    { "/invite/Zx81kq", "/invite/[Filtered]" },
    { "/verify/email", NULL },
    { "/orders/confirm/12345", NULL },
    { "/resetPassword/8f3a9c1d", "/resetPassword/[Filtered]" },
    { "/authToken/8f3a9c1d", "/authToken/[Filtered]" },
    { "/secret/correct-horse-battery", "/secret/[Filtered]" },
    { "/var/lib/php/sessions/sess_8f3a9c", "/var/lib/php/sessions/[Filtered]" },
    { "/token/", NULL },
    { "//token//8f3a9c1d", "//token//[Filtered]" },
    { "/proxy/http://u:p@h/x", "/proxy/http://[Filtered]@h/x" },
    { "/proxy/http:/u:p@h/x", "/proxy/http:/[Filtered]@h/x" },
    { "/proxy/http:/u@h/x", "/proxy/http:/[Filtered]@h/x" },
    { "/proxy/u:p@h/x", "/proxy/[Filtered]/x" },
    { "/proxy/http:%2F%2Fu:p@h/x", "/proxy/[Filtered]/x" },
    { "/proxy/http%3A%2F%2Fu%3Ap%40h/x", "/proxy/[Filtered]/x" },
    { "/v/eyJhbGciOiJIUzI1NiJ9.e30.c2ln/x", "/v/[Filtered]/x" },
    { "/v/ghp_16C7e42F292c/x", "/v/[Filtered]/x" },
    { "/v/AKIAIOSFODNN7EXAMPLE", "/v/[Filtered]" },
    { "/[Filtered]/token/[Filtered]", NULL }
};


static const util_row_t  urls[] = {
    { "", NULL },
    { "http://example.com", NULL },
    { "http://example.com:8080/a/b?c=d#e", NULL },
    { "http://auth:8080/users?id=1", NULL },
    { "http://keycloak/realms", NULL },
    { "http://[::1]:8080/x", NULL },
    { "http://unix:/run/x.sock:/uri", NULL },
    { "http://$host:$server_port/x", NULL },
    { "/path?x=1", NULL },
    { "mailto:x", NULL },
    { "*", NULL },
    { "http://h/?", NULL },
    { "http://h/#top", NULL },

    { "http://u:p@h/", "http://[Filtered]@h/" },
    { "http://u@h/", "http://[Filtered]@h/" },
    { "HTTPS://u:p@h:443/x?token=y",
      "HTTPS://[Filtered]@h:443/x?token=[Filtered]" },
    { "http://u:p@p@h/", "http://[Filtered]@h/" },
    { "//u:p@h/x", "//[Filtered]@h/x" },
    { "http:\\/\\/u:p@h\\/x", "http:\\/\\/[Filtered]@h\\/x" },
    { "http://u%3Ap%40h/", "http://[Filtered]%40h/" },
    { "mysql://u:pa/ss@h/db", "mysql://[Filtered]@h/db" },
    { "redis://:p#a?s@h:6379", "redis://[Filtered]@h:6379" },
    { "http://user:hunter", "http://[Filtered]" },
    { "http://user:1234567/x", "http://[Filtered]/x" },
    { "jdbc:mysql://u:p@h/db", "jdbc:mysql://[Filtered]@h/db" },
    { "http://h?token=x", "http://h?token=[Filtered]" },
    { "http://token=abc/x", "http://[Filtered]/x" },
    { "http://u:p@token=abc/x", "http://[Filtered]@[Filtered]/x" },
    { "/a?b=c&token=d#e", "/a?b=c&token=[Filtered]" },
    { "/a#access_token=b&c=d", "/a#access_token=[Filtered]&c=d" },
    { "/a#/reset/token/8f3a9c1d?x=1", "/a#/reset/token/[Filtered]?x=1" },
    { "/a/token/8f3a9c1d?token=1", "/a/token/[Filtered]?token=[Filtered]" },
    { "u:p@h:443", "[Filtered]" },
    { "h/x?token=1", "h/x?token=[Filtered]" },
    { "https://[Filtered]@h/?token=[Filtered]", NULL }
};


int
main(void)
{
    test_keys();
    test_headers();
    test_operator();
    test_cookies();
    util_rows(snx_scrub_query, &plain, queries, util_n(queries));
    util_rows(snx_scrub_path, &plain, paths, util_n(paths));
    util_rows(snx_scrub_url, &plain, urls, util_n(urls));
    test_bytes();

    return tap_done();
}


static void
test_keys(void)
{
    size_t  i;

    for (i = 0; i < util_n(secret_keys); i++) {
        ok(snx_scrub_key(&plain, snx_cstr(secret_keys[i])),
           "secret key %s", util_name(snx_cstr(secret_keys[i])));
    }

    for (i = 0; i < util_n(harmless_keys); i++) {
        ok(!snx_scrub_key(&plain, snx_cstr(harmless_keys[i])),
           "harmless key %s", harmless_keys[i]);
    }
}


static void
test_headers(void)
{
    size_t       i;
    snx_scrub_t  pii;

    pii = plain;
    pii.pii = 1;

    for (i = 0; i < util_n(secret_headers); i++) {
        ok(snx_scrub_header(&pii, snx_cstr(secret_headers[i])),
           "secret header %s", secret_headers[i]);
    }

    for (i = 0; i < util_n(user_headers); i++) {
        ok(snx_scrub_header(&plain, snx_cstr(user_headers[i]))
           && !snx_scrub_header(&pii, snx_cstr(user_headers[i])),
           "header of the user %s", user_headers[i]);
    }

    for (i = 0; i < util_n(harmless_headers); i++) {
        ok(!snx_scrub_header(&plain, snx_cstr(harmless_headers[i])),
           "harmless header %s", harmless_headers[i]);
    }
}


static void
test_operator(void)
{
    snx_scrub_t       own;

    static const snx_str_t  terms[] = {
        snx_string("acme"), snx_string(""), snx_string("x-ref"),
        snx_string("customer id")
    };

    static const util_row_t  rows[] = {
        { "acme_id=1&a=2", "acme_id=[Filtered]&a=2" },
        { "%41CME=1", "%41CME=[Filtered]" },
        { "x_ref=1", "x_ref=[Filtered]" },
        { "customer+id=1", "customer+id=[Filtered]" },
        { "x=acme%3D1", "x=[Filtered]" },
        { "token=1&customerid=2", "token=[Filtered]&customerid=2" }
    };

    own = plain;
    own.terms = terms;
    own.nterms = util_n(terms);

    util_rows(snx_scrub_query, &own, rows, util_n(rows));

    ok(snx_scrub_header(&own, snx_cstr("X-Acme-Thing")), "header by a term");
    ok(snx_scrub_header(&own, snx_cstr("X_Ref")), "\"_\" for \"-\"");
    ok(!snx_scrub_key(&plain, snx_cstr("acme")), "not without it");
}


static void
test_cookies(void)
{
    size_t     i, n;
    char       got[512];
    snx_str_t  in, name, value;

    static const util_row_t  rows[] = {
        { "", "" },
        { " ; ;; ", "" },
        { "theme=dark", "theme=dark;" },
        { "theme=dark; lang=en", "theme=dark;lang=en;" },
        { " theme = dark ;lang=", "theme=dark;lang=;" },
        { "sessionid=abc; theme=dark", "sessionid=[Filtered];theme=dark;" },
        { "sessionid=", "sessionid=;" },
        { "a=b=c", "a=b=c;" },
        { "PHPSESSID=x;__Host-id=y", "PHPSESSID=[Filtered];"
          "__Host-id=[Filtered];" },
        { "abc", "=[Filtered];" },
        { "=abc", "=[Filtered];" },
        { "token=\"a;b\"; c=d", "token=[Filtered];=[Filtered];c=d;" },
        { "a=eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "a=[Filtered];" },
        { "a=token%3Dx", "a=[Filtered];" },
        { "a=b, session=c", "a=[Filtered];" },
        { "a=http://u:p@h/", "a=[Filtered];" },
        { "eyJhbGciOiJIUzI1NiJ9.e30.c2ln=x", "=[Filtered];" },
        { "%73id=x", "%73id=[Filtered];" }
    };

    for (i = 0; i < util_n(rows); i++) {
        in = snx_cstr(rows[i].in);
        n = 0;

        while (snx_scrub_cookie(&plain, &in, &name, &value) == SNX_OK) {
            n += (size_t) snprintf(got + n, sizeof(got) - n, "%.*s=%.*s;",
                                   (int) name.len, name.data,
                                   (int) value.len, value.data);
        }

        tap_is_mem(got, n, rows[i].expected, strlen(rows[i].expected),
                   __FILE__, __LINE__, rows[i].in);
    }
}


/* Bytes of all kinds, as keys, values and segments. */

static void
test_bytes(void)
{
    size_t          i;
    unsigned char   buf[8192];

    static const unsigned char  nul[] = "a\0b=\0&token=\0x\0&c=\0";
    static const unsigned char  filtered[] = "a\0b=\0&token=[Filtered]&c=\0";

    util_row(snx_scrub_query, &plain, snx_str(nul, sizeof(nul) - 1),
             snx_str(filtered, sizeof(filtered) - 1));

    for (i = 0; i < 256; i++) {
        buf[i] = (unsigned char) i;
    }

    ok(snx_scrub_url(&plain, snx_str(buf, 256), buf + 256, 1024) <= 1024,
       "all bytes as a URL");

    memset(buf, '%', sizeof(buf));

    ok(!snx_scrub_key(&plain, snx_str(buf, sizeof(buf))), "8 KB of \"%%\"");

    ok(snx_scrub_query(&plain, snx_str(NULL, 0), NULL, 0) == 0
       && snx_scrub_path(&plain, snx_str(NULL, 0), NULL, 0) == 0
       && snx_scrub_url(&plain, snx_str(NULL, 0), NULL, 0) == 0
       && snx_scrub_text(&plain, snx_str(NULL, 0), NULL, 0) == 0,
       "nothing");

    ok(snx_scrub_query(&plain, snx_cstr("a=b"), NULL, 0) == 0, "no room");
}
