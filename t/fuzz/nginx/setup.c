
/*
 * Copyright (C) ngx_sentry authors
 *
 * What nginx is to find: its configuration, ports, a page.
 */


#define _GNU_SOURCE

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "fuzz.h"


static unsigned free_port(void);
static unsigned dead_port(void);
static int bound(unsigned *port);


/* A port that is free now. */

static unsigned
free_port(void)
{
    unsigned  port;

    (void) close(fuzz_listen(&port));

    return port;
}


/* A port that refuses: bound, never listening. */

static unsigned
dead_port(void)
{
    unsigned  port;

    (void) bound(&port);

    return port;
}


int
fuzz_listen(unsigned *port)
{
    int  fd;

    fd = bound(port);

    if (listen(fd, 64) != 0) {
        fuzz_die("no listening", "", 0);
    }

    return fd;
}


static int
bound(unsigned *port)
{
    int                 fd, one;
    socklen_t           len;
    struct sockaddr_in  sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    len = sizeof(sin);
    one = 1;

    fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd == -1
        || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0
        || bind(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || getsockname(fd, (struct sockaddr *) &sin, &len) != 0)
    {
        fuzz_die("no port", "", 0);
    }

    *port = ntohs(sin.sin_port);

    return fd;
}


/* t/fuzz/nginx/nginx.conf behind our own definitions. */

void
setup_conf(const char *dir, unsigned ports[3])
{
    FILE         *in, *out;
    char          line[512], path[512], *at;
    size_t        i;
    unsigned      app, sentry;
    const char   *value;
    struct {
        const char  *name;
        char         value[64];
    } vars[] = {
        { "@DIR@", "" }, { "@HTTP@", "" }, { "@PROXY@", "" },
        { "@HTTP2@", "" }, { "@APP@", "" }, { "@DEAD@", "" },
        { "@SENTRY@", "" }
    };

    peers_init(dir, &app);
    sentry = receiver_start();

    for (i = 0; i < 3; i++) {
        ports[i] = free_port();
        (void) snprintf(vars[i + 1].value, 64, "%u", ports[i]);
    }

    (void) snprintf(vars[0].value, 64, "%s", dir);
    (void) snprintf(vars[4].value, 64, "%u", app);
    (void) snprintf(vars[5].value, 64, "%u", dead_port());
    (void) snprintf(vars[6].value, 64, "%u", sentry);

    value = getenv("FUZZ_NGINX_CONF");
    in = fopen(value ? value : "t/fuzz/nginx/nginx.conf", "r");
    (void) snprintf(path, sizeof(path), "%s/nginx.conf", dir);
    out = fopen(path, "w");

    if (in == NULL || out == NULL) {
        fuzz_die("no configuration", path, strlen(path));
    }

    while (fgets(line, sizeof(line), in)) {

        for (value = line; (at = strchr(value, '@')) != NULL; /* void */ ) {

            (void) fwrite(value, 1, (size_t) (at - value), out);

            for (i = 0; i < 7; i++) {
                if (strncmp(at, vars[i].name, strlen(vars[i].name)) == 0) {
                    break;
                }
            }

            (void) fputs(i < 7 ? vars[i].value : "@", out);
            value = at + (i < 7 ? strlen(vars[i].name) : 1);
        }

        (void) fputs(value, out);
    }

    (void) fclose(in);
    (void) fclose(out);

    (void) snprintf(path, sizeof(path), "%s/html", dir);
    (void) mkdir(path, 0755);
    (void) snprintf(path, sizeof(path), "%s/html/page.html", dir);
    out = fopen(path, "w");

    if (out == NULL) {
        fuzz_die("no page", path, strlen(path));
    }

    (void) fputs("<html>A<!--#include virtual=\"/app/1?$args\" -->B"
                 "<!--#include virtual=\"/boom/1\" -->C"
                 "<!--#echo var=\"http_user_agent\" --></html>\n", out);
    (void) fclose(out);
}
