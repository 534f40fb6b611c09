
/*
 * Copyright (C) ngx_sentry authors
 *
 * Configurations as nginx reads them: where statements begin and end, which
 * block they are in, which directive answers; and what is shown of them.
 */


#include "snx_confscan.h"
#include "scrub_util.h"


typedef struct {
    const char  *text;
    const char  *read;         /* "line:parent name;" of each statement */
} scan_row_t;


typedef struct {
    const char  *text;
    const char  *shown;        /* NULL: the same */
} show_row_t;


static const scan_row_t  scans[] = {
    { "", "" },
    { " \n", "2:-." },
    { "a;", "1:-a;" },
    { "a b;\nc { d; }\ne;", "1:-a;2:-c{2:1d;2:-}3:-e;" },
    { "a\n{\nb\nc\n;\n}\n", "1:-a{3:0b;6:-}7:-." },
    { "# a;\nb;# c;\n", "2:-b;3:-." },
    { "a \"b;{}\" 'c;}' d\\;e f#g;", "1:-a;" },
    { "a \"b\\\"c;\" ; b;", "1:-a;1:-b;" },
    { "a \"b\nc\"\n;b;", "1:-a;3:-b;" },
    { "a ${b}c$d{e;}f;", "1:-a{1:0e;1:-}1:-f;" },
    { "a ${{b;c;", "1:-a;1:-c;" },
    { "if ($a = \"b\") { c; }", "1:-if{1:0c;1:-}" },
    { "\"a\" b; 'c' { }", "1:-a;1:-c{1:-}" },
    { "a\r\nb;\r\nc;\r\n", "1:-a;3:-c;4:-." },
    { "a { b { c; } d { e; } } f;",
      "1:-a{1:0b{1:1c;1:0}1:0d{1:4e;1:0}1:-}1:-f;" },
    { "a } b;", "1:-!" },
    { "} a;", "1:-}1:-a;" },

    /* what nginx refuses is not read on */

    { "a;\nb", "1:-a;2:-!" },
    { "a; ; b;", "1:-a;1:-!" },
    { "a; { b;", "1:-a;1:-!" },
    { "a \"b\"c; d;", "1:-!" },
    { "a \"b; c;", "1:-!" },
    { "a; b }", "1:-a;1:-!" },
    { "a \\", "1:-!" },
    { "a \"\\", "1:-!" },

    /* another language */

    { "x_by_lua_block { if a then b = { '}' } end }\nc;",
      "1:-x_by_lua_block*2:-c;" },
    { "x_by_lua_block {\n-- }\n--[[ } ]] --[==[ }]]\n]==] [[}]] \"\\\"}\" a[1]"
      " = -1 }c;", "1:-x_by_lua_block*4:-c;" },
    { "x_by_lua_block { -- }", "1:-!" },
    { "x_by_lua_block { [[ }", "1:-!" },
    { "x_by_lua_block { ' }", "1:-!" },
    { "x_by_lua_block { '\\", "1:-!" },
    { "_by_lua_block { a; }", "1:-_by_lua_block{1:0a;1:-}" }
};


static const show_row_t  shows[] = {
    { "listen 80;\nserver_name auth.example.com;\n", NULL },
    { "location /auth/ {\n    proxy_pass http://auth:80/token/;\n}\n", NULL },
    { "location = /token {", NULL },
    { "proxy_set_header Host $host;", NULL },
    { "proxy_set_header Authorization \"Bearer abc\";",
      "proxy_set_header Authorization [Filtered];" },
    { "proxy_set_header\n    Authorization\n    abc\n    ;",
      "proxy_set_header\n    Authorization\n    [Filtered]\n    ;" },
    { "proxy_set_header X-A \"a\n password b\n c\";",
      "proxy_set_header X-A [Filtered]\n\n;" },
    { "set $api_key abc;", "set $api_key [Filtered];" },
    { "set $a $cookie_session;", "set $a [Filtered];" },
    { "set $a 'x';", NULL },
    { "auth_basic_user_file /etc/x;", "auth_basic_user_file [Filtered];" },
    { "ssl_certificate_key /x.key;", "ssl_certificate_key [Filtered];" },
    { "ssl_password_file /x;", "ssl_password_file [Filtered];" },
    { "secure_link_md5 \"$uri abc\";", "secure_link_md5 [Filtered];" },
    { "secure_link $arg_a,$arg_b;", "secure_link [Filtered];" },
    { "env A=b;", "env [Filtered];" },
    { "sentry_dsn https://abc@h/1;", "sentry_dsn https://[Filtered]@h/1;" },
    { "return 200 \"token=abc\";", "return 200 [Filtered];" },
    { "return 200 'the key\nis abc';", "return 200 [Filtered]\n;" },
    { "return 301 https://a/?code=1;", NULL },
    { "if ($http_x_api_key != \"abc\") {",
      "if ($http_x_api_key != [Filtered]) {" },
    { "if ($a = b) {", NULL },
    { "proxy_pass http://u:abc@h/;", "proxy_pass http://[Filtered]@h/;" },
    { "proxy_pass http://h\\\nssl_password_file /abc;",
      "proxy_pass [Filtered]\n [Filtered];" },
    { "proxy_pass \"http://h password\" abc;",
      "proxy_pass [Filtered] [Filtered];" },
    { "proxy_pass http://h/?a=1&token=abc;",
      "proxy_pass http://h/?a=1&token=[Filtered];" },
    { "root Authorization abc;", "root [Filtered] [Filtered];" },
    { "fastcgi_param DB_PASSWORD abc;",
      "fastcgi_param DB_PASSWORD [Filtered];" },
    { "password=abc def;", "password=[Filtered] [Filtered];" },
    { "map $http_authorization $u {\n    default a;\n    \"Bearer x\" b;\n}\n",
      "map [Filtered] [Filtered] {\n    [Filtered] [Filtered];\n"
      "    [Filtered] [Filtered];\n}\n" },
    { "map $host $u {\n    a.b x;\n    c_token y;\n    d password=z;\n}\n",
      "map $host $u {\n    a.b x;\n    c_token [Filtered];\n"
      "    d [Filtered];\n}\n" },
    { "geo $token { default abc; 10.0.0.0/8 def; }",
      "geo [Filtered] { [Filtered] [Filtered]; [Filtered] [Filtered]; }" },
    { "# nothing\na;", NULL },
    { "# the password\n# is abc\na;", "# [Filtered]\n# [Filtered]\na;" },
    { "a # key abc\nb;", "a # [Filtered]\nb;" },
    { "acme abc;", "acme [Filtered];" },
    { "location /acme {", NULL },
    { "a eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.abc;", "a [Filtered];" },
    { "x_by_lua_block {\n  local a = 'b'\n}\nc;",
      "x_by_lua_block {[Filtered]\n\n}\nc;" },
    { "a;\n\"b\nc;\n", "a;[Filtered]\n\n\n" },
    { "a\tb\xff\xc3(\r\n;", NULL },
    { "types { text/html html; }", NULL }
};


static const snx_str_t    terms[] = { snx_string("acme") };
static const snx_scrub_t  scrub = { terms, 1, 0 };

static snx_conf_t         conf;
static snx_conf_filter_t  filter;


static void
read_text(const char *text)
{
    conf.text = snx_cstr(text);
    conf.list = calloc(snx_confscan_bound(conf.text),
                       sizeof(snx_conf_statement_t));
    snx_confscan_read(&conf);
}


static void
test_scans(void)
{
    char       got[1024], parent[16];
    size_t     i, j, n;
    snx_str_t  name;

    static const char  kinds[] = ".   ;{}*!";

    for (i = 0; i < util_n(scans); i++) {
        read_text(scans[i].text);

        for (j = 0, n = 0; j < conf.n; j++) {
            name = snx_confscan_name(&conf, (uint32_t) j);
            (void) snprintf(parent, sizeof(parent), "%u",
                            conf.list[j].parent);
            n += (size_t) snprintf(got + n, sizeof(got) - n, "%u:%s%.*s%c",
                                   conf.list[j].line,
                                   conf.list[j].parent == SNX_CONF_NONE
                                   ? "-" : parent,
                                   (int) name.len,
                                   (const char *) name.data,
                                   kinds[conf.list[j].kind]);
        }

        is_str(snx_str(got, n), scans[i].read,
               util_name(conf.text));
        ok(conf.n <= snx_confscan_bound(conf.text), "within the bound");
        free(conf.list);
    }
}


static void
test_shows(void)
{
    char      got[4096];
    size_t    n;
    unsigned  i, j;

    for (i = 0; i < util_n(shows); i++) {
        read_text(shows[i].text);

        for (j = 0, n = 0; j < conf.n; j++) {
            n += snx_confshow_statement(&filter, &conf, j, got + n,
                                        sizeof(got) - n);
        }

        is_str(snx_str(got, n),
               shows[i].shown ? shows[i].shown : shows[i].text,
               util_name(conf.text));
        free(conf.list);
    }
}


static void
test_blocks(void)
{
    uint32_t     i;
    const char  *text;

    text = "server {\n"
           "    root /a;\n"
           "    location /b { proxy_pass http://c; include 'd' e; }\n"
           "    location /f\n    { return\n 404; }\n"
           "}\n"
           "server { try_files a b; }\n";

    read_text(text);

    is_int(snx_confscan_block(&conf, strlen("server {")), 0, "a block");
    is_int(snx_confscan_block(&conf, strlen("server {") - 1), SNX_CONF_NONE,
           "not before its brace");
    is_int(snx_confscan_block(&conf, strlen("server {\n    root /a;")),
           SNX_CONF_NONE, "a directive is none");
    is_int(snx_confscan_block(&conf, strlen(text)), SNX_CONF_NONE, "the end");

    i = SNX_CONF_NONE;
    ok(snx_confscan_child(&conf, 0, &i) == SNX_OK && i == 1, "root");
    ok(snx_confscan_child(&conf, 0, &i) == SNX_OK && i == 2, "location");
    ok(snx_confscan_child(&conf, 0, &i) == SNX_OK && i == 6, "another");
    is_int(conf.list[i].line, 4, "its line");
    is_int(snx_confscan_child(&conf, 0, &i), SNX_DONE, "no more");

    i = SNX_CONF_NONE;
    ok(snx_confscan_child(&conf, 2, &i) == SNX_OK && i == 3, "proxy_pass");
    ok(snx_confscan_child(&conf, 2, &i) == SNX_OK && i == 4, "include");
    is_str(snx_confscan_argument(&conf, i, 1), "d", "without quotes");
    is_str(snx_confscan_argument(&conf, i, 2), "e", "the next");
    is_str(snx_confscan_argument(&conf, i, 3), "", "no third");
    is_int(snx_confscan_child(&conf, 2, &i), SNX_DONE, "no more in it");

    i = SNX_CONF_NONE;
    ok(snx_confscan_child(&conf, SNX_CONF_NONE, &i) == SNX_OK && i == 0,
       "outside of blocks");
    ok(snx_confscan_child(&conf, SNX_CONF_NONE, &i) == SNX_OK && i == 10,
       "the second there");
    is_int(snx_confscan_child(&conf, SNX_CONF_NONE, &i), SNX_DONE, "no third");

    is_int(snx_confscan_at(&conf, 1), 0, "line 1");
    is_int(snx_confscan_at(&conf, 2), 1, "line 2");
    is_int(snx_confscan_at(&conf, 4), 6, "line 4");
    is_int(snx_confscan_at(&conf, 5), 6, "line 5 is of the same");

    free(conf.list);
}


static void
test_ranks(void)
{
    size_t  i;

    static const struct {
        const char       *name;
        snx_conf_rank_t   rank;
    } rows[] = {
        { "return", SNX_CONF_RETURN },
        { "proxy_pass", SNX_CONF_CONTENT },
        { "content_by_lua_block", SNX_CONF_CONTENT },
        { "content_by_lua", SNX_CONF_CONTENT },
        { "try_files", SNX_CONF_TRIED },
        { "alias", SNX_CONF_STATIC },
        { "proxy_passe", SNX_CONF_NO_HANDLER },
        { "proxy_pas", SNX_CONF_NO_HANDLER },
        { "", SNX_CONF_NO_HANDLER }
    };

    for (i = 0; i < util_n(rows); i++) {
        is_int(snx_confscan_rank(snx_cstr(rows[i].name)), rows[i].rank,
               rows[i].name);
    }
}


static void
test_titles(void)
{
    char    got[SNX_CONF_TITLE_MAX];
    size_t  n;

    read_text("location\n  ~*  \"^/a b\" {proxy_pass http://u:p@h;"
              "proxy_set_header Cookie a;if ($a = \"b\") {}}");

    n = snx_confshow_title(&filter, &conf, 0, got, sizeof(got));
    is_str(snx_str(got, n), "location ~* \"^/a b\"", "words on one line");
    n = snx_confshow_title(&filter, &conf, 1, got, sizeof(got));
    is_str(snx_str(got, n), "proxy_pass http://[Filtered]@h", "filtered");
    n = snx_confshow_title(&filter, &conf, 3, got, sizeof(got));
    is_str(snx_str(got, n), "if ($a = \"b\")", "no blank where there is none");
    n = snx_confshow_title(&filter, &conf, 1, got, 12);
    is_str(snx_str(got, n), "proxy_pass h", "cut");
    free(conf.list);
}


/* Long lines are cut, none is lost. */

static void
test_long(void)
{
    char    text[2048], got[2048];
    size_t  n, i, lines;

    memset(text, 'a', sizeof(text));
    memcpy(text, "x ", 2);
    memcpy(text + 400, " \n ", 3);
    memcpy(text + 1000, " \n;", 4);

    read_text(text);
    n = snx_confshow_statement(&filter, &conf, 0, got, sizeof(got));

    for (i = 0, lines = 0; i < n; i++) {
        lines += (got[i] == '\n');
    }

    is_int(lines, 2, "all lines are there");
    is_int(n, 2 * (SNX_CONF_LINE_MAX + 1) + 1, "cut");
    is_int(snx_confshow_statement(&filter, &conf, 0, got, 7), 7,
           "a small buffer");
    free(conf.list);
}


int
main(void)
{
    filter.scrub = &scrub;

    test_scans();
    test_shows();
    test_blocks();
    test_ranks();
    test_titles();
    test_long();

    return tap_done();
}
