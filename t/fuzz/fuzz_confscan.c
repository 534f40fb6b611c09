
/*
 * Copyright (C) ngx_sentry authors
 *
 * libFuzzer: any bytes as a configuration.  The first byte chooses a directive
 * with a secret, the second where in the rest it is put.  Holds: statements
 * cover the text without a gap, lines are counted right, what is shown has
 * as many lines, none too long, and nothing of the secret.
 */


#include "fuzz.h"
#include "snx_confscan.h"


static void check(const snx_conf_t *conf);
static void check_statement(const snx_conf_t *conf, uint32_t i);
static void check_shown(snx_conf_filter_t *filter, const snx_conf_t *conf,
    uint32_t i);
static uint32_t lines(const unsigned char *p, size_t len);


static const char *const  plants[] = {
    "",
    "\nproxy_set_header Authorization " FUZZ_MARK ";\n",
    "\nproxy_set_header\n  X-Api-Key\n  \"" FUZZ_MARK "\"\n;\n",
    "\nset $token '" FUZZ_MARK "';\n",
    "\nauth_basic_user_file /" FUZZ_MARK ";\n",
    "\nssl_password_file " FUZZ_MARK ";\n",
    "\nreturn 200 \"password=" FUZZ_MARK "\";\n",
    "\nproxy_pass http://u:" FUZZ_MARK "@h/;\n",
    "\nif ($http_x_token = " FUZZ_MARK ") {\n",
    "\n# key " FUZZ_MARK "\n",
    "\n;\nmap $a $session {\n default " FUZZ_MARK ";\n " FUZZ_MARK "a b;\n}\n",
    "\nacme " FUZZ_MARK ";\n"
};


static const snx_str_t  terms[] = {
    snx_string("acme")
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    snx_conf_t                   conf;

    static snx_conf_statement_t  list[FUZZ_IN_MAX + 1];

    if (size < 2 || size > FUZZ_IN_MAX - 128
        || fuzz_has(snx_str(data, size), FUZZ_MARK_PART))
    {
        return 0;
    }

    conf.text = fuzz_plant(snx_str(data + 2, size - 2),
                           plants[data[0] % nelts(plants)], data[1]);
    conf.list = list;

    snx_confscan_read(&conf);
    check(&conf);
    fuzz_free(conf.text);

    return 0;
}


static void
check(const snx_conf_t *conf)
{
    uint32_t           i, end, line;
    snx_scrub_t        scrub;
    snx_conf_filter_t  filter;

    require(conf->n <= snx_confscan_bound(conf->text), "within the bound");

    memset(&scrub, 0, sizeof(scrub));
    memset(&filter, 0, sizeof(filter));

    scrub.terms = terms;
    scrub.nterms = nelts(terms);
    filter.scrub = &scrub;

    end = 0;
    line = 1;

    for (i = 0; i < conf->n; i++) {
        require(conf->list[i].begin == end, "no gap");
        require(conf->list[i].first == line, "lines without a gap");

        check_statement(conf, i);
        check_shown(&filter, conf, i);

        end = conf->list[i].end;
        line += lines(conf->text.data + conf->list[i].begin,
                      end - conf->list[i].begin);
    }

    require(end == conf->text.len, "all is covered");
}


static void
check_statement(const snx_conf_t *conf, uint32_t i)
{
    uint32_t                     child;
    const snx_conf_statement_t  *st;

    st = &conf->list[i];

    require(st->begin <= st->start && st->start + st->name <= st->end
            && st->begin < st->end, "offsets in order");
    require(st->line == 1 + lines(conf->text.data, st->start), "its line");
    require(st->parent == SNX_CONF_NONE
            || (st->parent < i
                && conf->list[st->parent].kind == SNX_CONF_OPEN), "in a block");
    require(snx_confscan_block(conf, st->end)
            == (st->kind == SNX_CONF_OPEN ? i : SNX_CONF_NONE), "found again");
    require(snx_confscan_at(conf, st->first) <= i, "found by its line");

    child = SNX_CONF_NONE;

    if (st->kind == SNX_CONF_OPEN && i < 16) {
        while (snx_confscan_child(conf, i, &child) == SNX_OK) {
            require(child < conf->n && conf->list[child].parent == i,
                    "a child");
        }
    }

    (void) snx_confscan_argument(conf, i, 1);
    (void) snx_confscan_rank(snx_confscan_name(conf, i));
}


static void
check_shown(snx_conf_filter_t *filter, const snx_conf_t *conf, uint32_t i)
{
    size_t                       n, j, column, cap;
    unsigned char               *small;
    const snx_conf_statement_t  *st;

    static unsigned char         out[(FUZZ_IN_MAX + 1)
                                     * (SNX_CONF_LINE_MAX + 1)];

    st = &conf->list[i];

    n = snx_confshow_statement(filter, conf, i, out, sizeof(out));

    require(lines(out, n) == lines(conf->text.data + st->begin,
                                   st->end - st->begin), "as many lines");
    require(!fuzz_has(snx_str(out, n), FUZZ_MARK_PART), "no secret");

    if (i < 8) {
        cap = n * (i + 1) / 8;
        small = fuzz_memory(cap);
        j = snx_confshow_statement(filter, conf, i, small, cap);
        require(j <= cap && !fuzz_has(snx_str(small, j), FUZZ_MARK_PART),
                "no secret in the beginning");
        free(small);
    }

    for (j = 0, column = 0; j < n; j++) {
        column = (out[j] == '\n') ? 0 : column + 1;
        require(column <= SNX_CONF_LINE_MAX, "no long line");
    }

    if (st->name != 0) {
        n = snx_confshow_title(filter, conf, i, out, SNX_CONF_TITLE_MAX);

        require(n <= SNX_CONF_TITLE_MAX, "a short title");
        require(!fuzz_has(snx_str(out, n), FUZZ_MARK_PART),
                "no secret in the title");
    }
}


static uint32_t
lines(const unsigned char *p, size_t len)
{
    size_t    i;
    uint32_t  n;

    for (i = 0, n = 0; i < len; i++) {
        n += (p[i] == '\n');
    }

    return n;
}
