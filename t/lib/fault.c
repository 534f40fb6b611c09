
/*
 * Copyright (C) ngx_sentry authors
 *
 * Memory that runs out, for the module alone: linked by t/build-static into
 * nginx with --wrap, so that each call from ngx_sentry_ and snx_ functions in
 * a worker fails at random, one in FAULT_EVERY (environment; 0 none).
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>


#define FAULT_WORKER  3        /* NGX_PROCESS_WORKER */


extern unsigned long  ngx_process __attribute__((weak));

static int fault(const void *caller);


#define fault_wrap(name, params, args)                                       \
    void *__real_##name params __attribute__((weak));                        \
    void *__wrap_##name params;                                              \
                                                                             \
    void *                                                                   \
    __wrap_##name params                                                     \
    {                                                                        \
        return fault(__builtin_return_address(0)) ? NULL                     \
                                                  : __real_##name args;      \
    }


fault_wrap(malloc, (size_t size), (size))
fault_wrap(calloc, (size_t n, size_t size), (n, size))
fault_wrap(ngx_palloc, (void *pool, size_t size), (pool, size))
fault_wrap(ngx_pnalloc, (void *pool, size_t size), (pool, size))
fault_wrap(ngx_pcalloc, (void *pool, size_t size), (pool, size))
fault_wrap(ngx_pool_cleanup_add, (void *pool, size_t size), (pool, size))
fault_wrap(ngx_list_push, (void *list), (list))
fault_wrap(ngx_array_push, (void *array), (array))


static int
fault(const void *caller)
{
    Dl_info             info;
    unsigned            random;
    const char         *env;
    static int          every = -1;
    static unsigned     seed = 1;

    if (every < 0) {
        env = getenv("FAULT_EVERY");
        every = env ? atoi(env) : 0;
    }

    if (every == 0 || &ngx_process == NULL || ngx_process != FAULT_WORKER
        || dladdr(caller, &info) == 0 || info.dli_sname == NULL
        || (strncmp(info.dli_sname, "ngx_sentry_", 11) != 0
            && strncmp(info.dli_sname, "snx_", 4) != 0))
    {
        return 0;
    }

    /* threads may lose a step of it: nobody minds */

    seed = seed * 1103515245u + 12345u;
    random = seed >> 16;

    return random % (unsigned) every == 0;
}
