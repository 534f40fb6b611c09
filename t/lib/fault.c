
/*
 * Copyright (C) ngx_sentry authors
 *
 * What can fail does, when a test says so: loaded into nginx by LD_PRELOAD,
 * told what to do through a file that both have mapped.
 *
 * DESIGN.  What the module calls is caught in its table of imported functions
 * (GOT) as soon as nginx has loaded it, so that nginx's own calls of the same
 * functions work on.  What libcurl and others call on behalf of the sender is
 * caught by interposition, in threads other than the first one.  The clock
 * is that of the whole process.
 */


#define _GNU_SOURCE

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>


#define FAULT_WORKER   3       /* NGX_PROCESS_WORKER */
#define FAULT_SIZE     ((size_t) 1 << 60)


/* What counts, and may fail; see NginxTest::Faults. */

#define FAULT_REQUEST  1       /* memory, for the module, in a worker */
#define FAULT_SENDER   2       /* memory, in threads, whoever asks */
#define FAULT_CONF     4       /* memory, for the module, in the master */
#define FAULT_FILE     8       /* files and numbers, for the module */
#define FAULT_NET      16      /* sockets and the like, in threads */
#define FAULT_THREAD   32      /* threads of a worker */


typedef struct {
    _Atomic uint32_t   what;
    _Atomic uint32_t   nth;            /* this call fails, from 1 */
    _Atomic uint32_t   last;           /* and those until this one */
    _Atomic uint32_t   every;          /* one in so many, at random */
    _Atomic uint32_t   calls;
    _Atomic uint32_t   faults;
    _Atomic int32_t    error;          /* errno; 0: a short count; -n: n ms */
    _Atomic uint32_t   seed;
    _Atomic int64_t    clock_us;       /* added to CLOCK_REALTIME */
    char               name[32];       /* what failed last */
} fault_control_t;


typedef struct {
    const char        *name;
    void              *wrapper;
    void             **real;
} fault_import_t;


static fault_control_t  *fault_control;
static __thread int      fault_thread;      /* 1: the first, 2: another */


static int
fault_first_thread(void)
{
    if (fault_thread == 0) {
        fault_thread = getpid() == gettid() ? 1 : 2;
    }

    return fault_thread == 1;
}


static int
fault_worker(void)
{
    static unsigned long  *process;

    if (process == NULL) {
        process = dlsym(RTLD_DEFAULT, "ngx_process");
    }

    return process != NULL && *process == FAULT_WORKER;
}


/* Whether this call fails. */

static int
fault(uint32_t what, const char *name)
{
    uint32_t          call, seed;
    fault_control_t  *c;

    c = fault_control;

    if (c == NULL || !(atomic_load(&c->what) & what)) {
        return 0;
    }

    call = atomic_fetch_add(&c->calls, 1) + 1;

    if (atomic_load(&c->every) != 0) {
        seed = atomic_load(&c->seed) * 1103515245u + 12345u;
        atomic_store(&c->seed, seed);

        if ((seed >> 16) % atomic_load(&c->every) != 0) {
            return 0;
        }

    } else if (call < atomic_load(&c->nth) || call > atomic_load(&c->last)) {
        return 0;
    }

    atomic_fetch_add(&c->faults, 1);
    strncpy(c->name, name, sizeof(c->name) - 1);
    errno = atomic_load(&c->error);

    if (errno < 0) {
        (void) usleep((useconds_t) -errno * 1000);
        return 0;
    }

    return 1;
}


static int
fault_memory(const char *name)
{
    return fault_first_thread()
           && fault(fault_worker() ? FAULT_REQUEST : FAULT_CONF, name);
}


/* Memory for the module: name, what it returns in trouble. */

#define fault_wrap(type, name, trouble, params, args)                        \
    static type (*real_##name) params;                                       \
                                                                             \
    static type                                                              \
    wrap_##name params                                                       \
    {                                                                        \
        return fault_memory(#name) ? trouble : real_##name args;             \
    }


/* So much that nginx itself finds there is none, and says so in its log. */

#define fault_pool(name)                                                     \
    static void *(*real_##name) (void *pool, size_t size);                   \
                                                                             \
    static void *                                                            \
    wrap_##name(void *pool, size_t size)                                     \
    {                                                                        \
        return real_##name(pool, fault_memory(#name) ? FAULT_SIZE : size);   \
    }


fault_wrap(void *, malloc, NULL, (size_t size), (size))
fault_wrap(void *, calloc, NULL, (size_t n, size_t size), (n, size))
fault_wrap(void *, realloc, NULL, (void *p, size_t size), (p, size))
fault_wrap(char *, strdup, NULL, (const char *s), (s))
fault_pool(ngx_palloc)
fault_pool(ngx_pnalloc)
fault_pool(ngx_pcalloc)
fault_pool(ngx_pool_cleanup_add)
fault_pool(ngx_create_temp_buf)
fault_wrap(void *, ngx_list_push, NULL, (void *list), (list))
fault_wrap(void *, ngx_array_push, NULL, (void *array), (array))
fault_wrap(void *, ngx_array_create, NULL,
           (void *pool, uintptr_t n, size_t size), (pool, n, size))
fault_wrap(void *, ngx_shared_memory_add, NULL,
           (void *cf, void *name, size_t size, void *tag),
           (cf, name, size, tag))
fault_wrap(void *, ngx_slab_calloc, NULL, (void *pool, size_t size),
           (pool, size))
fault_wrap(intptr_t, ngx_conf_full_name, -1,
           (void *cycle, void *name, uintptr_t conf), (cycle, name, conf))
fault_wrap(void *, ngx_http_add_variable, NULL,
           (void *cf, void *name, uintptr_t flags), (cf, name, flags))
fault_wrap(intptr_t, ngx_http_get_variable_index, -1,
           (void *cf, void *name), (cf, name))
fault_wrap(intptr_t, ngx_http_compile_complex_value, -1, (void *ccv), (ccv))
fault_wrap(intptr_t, ngx_http_complex_value, -1,
           (void *r, void *cv, void *value), (r, cv, value))
fault_wrap(void *, ngx_http_get_variable, NULL,
           (void *r, void *name, uintptr_t key), (r, name, key))
fault_wrap(void *, pcre2_compile_8, (*error = 121, *at = 0, NULL),
           (const void *pattern, size_t len, uint32_t options, int *error,
            size_t *at, void *context),
           (pattern, len, options, error, at, context))
fault_wrap(void *, pcre2_match_data_create_8, NULL,
           (uint32_t n, void *context), (n, context))
fault_wrap(void *, pcre2_match_context_create_8, NULL, (void *context),
           (context))
fault_wrap(int, pcre2_jit_compile_8, -48, (void *code, uint32_t options),
           (code, options))


/* Files and numbers, for the module. */

#define fault_call(type, name, trouble, params, args)                        \
    static type (*real_##name) params;                                       \
                                                                             \
    static type                                                              \
    wrap_##name params                                                       \
    {                                                                        \
        return fault(FAULT_FILE, #name) ? trouble : real_##name args;        \
    }


fault_call(ssize_t, getrandom, errno ? -1 : (ssize_t) len / 2,
           (void *buf, size_t len, unsigned flags), (buf, len, flags))
fault_call(int, uname, -1, (struct utsname *uts), (uts))
fault_call(int, fstat64, -1, (int fd, void *st), (fd, st))
fault_call(ssize_t, ngx_read_file, errno ? -1 : real_ngx_read_file(file, buf,
                                                            size / 2, offset),
           (void *file, unsigned char *buf, size_t size, off_t offset),
           (file, buf, size, offset))
fault_call(intptr_t, ngx_open_glob, -1, (void *glob), (glob))
fault_call(ssize_t, read, errno ? -1 : real_read(fd, buf, size > 8 ? 8 : size),
           (int fd, void *buf, size_t size), (fd, buf, size))


static int (*real_open)(const char *path, int flags, ...);
static int (*real_open64)(const char *path, int flags, ...);


static int
wrap_open(const char *path, int flags, ...)
{
    int      mode;
    va_list  args;

    va_start(args, flags);
    mode = (flags & O_CREAT) ? va_arg(args, int) : 0;
    va_end(args);

    return fault(FAULT_FILE, "open") && errno ? -1
                                              : real_open(path, flags, mode);
}


#define fault_import(name)  { #name, (void *) wrap_##name,                   \
                              (void **) &real_##name }

static const fault_import_t  fault_imports[] = {
    fault_import(malloc), fault_import(calloc), fault_import(realloc),
    fault_import(strdup), fault_import(ngx_palloc), fault_import(ngx_pnalloc),
    fault_import(ngx_pcalloc), fault_import(ngx_pool_cleanup_add),
    fault_import(ngx_list_push), fault_import(ngx_array_push),
    fault_import(ngx_array_create), fault_import(ngx_create_temp_buf),
    fault_import(ngx_shared_memory_add), fault_import(ngx_slab_calloc),
    fault_import(ngx_conf_full_name), fault_import(ngx_http_add_variable),
    fault_import(ngx_http_get_variable_index),
    fault_import(ngx_http_compile_complex_value),
    fault_import(ngx_http_complex_value), fault_import(ngx_http_get_variable),
    fault_import(pcre2_compile_8), fault_import(pcre2_match_data_create_8),
    fault_import(pcre2_match_context_create_8),
    fault_import(pcre2_jit_compile_8), fault_import(getrandom),
    fault_import(uname), fault_import(fstat64), fault_import(ngx_read_file),
    fault_import(ngx_open_glob), fault_import(read), fault_import(open),
    { "open64", (void *) wrap_open, (void **) &real_open64 },
};


/* The module's table of functions. */

static void
fault_patch(ElfW(Addr) base, const ElfW(Rela) *rela, size_t size,
    const ElfW(Sym) *syms, const char *names)
{
    void                 **slot;
    size_t                 i, page;
    const char            *name;
    const fault_import_t  *import;

    page = (size_t) sysconf(_SC_PAGESIZE);

    for (; size >= sizeof(*rela); rela++, size -= sizeof(*rela)) {
        name = names + syms[rela->r_info >> 32].st_name;

        for (i = 0; i < sizeof(fault_imports) / sizeof(*import); i++) {
            import = &fault_imports[i];

            if (strcmp(name, import->name) != 0) {
                continue;
            }

            slot = (void **) (base + rela->r_offset);
            (void) mprotect((void *) ((uintptr_t) slot & ~(page - 1)),
                            page, PROT_READ | PROT_WRITE);

            *import->real = *slot;
            *slot = import->wrapper;
        }
    }
}


static void
fault_module(struct link_map *map)
{
    size_t            plt, rel;
    const char       *names;
    const ElfW(Sym)  *syms;
    const ElfW(Dyn)  *dyn;
    const ElfW(Rela) *jmp, *rela;

    plt = rel = 0;
    names = NULL;
    syms = NULL;
    jmp = rela = NULL;

    for (dyn = map->l_ld; dyn->d_tag != DT_NULL; dyn++) {
        switch (dyn->d_tag) {
        case DT_STRTAB:   names = (const char *) dyn->d_un.d_ptr; break;
        case DT_SYMTAB:   syms = (const ElfW(Sym) *) dyn->d_un.d_ptr; break;
        case DT_JMPREL:   jmp = (const ElfW(Rela) *) dyn->d_un.d_ptr; break;
        case DT_PLTRELSZ: plt = dyn->d_un.d_val; break;
        case DT_RELA:     rela = (const ElfW(Rela) *) dyn->d_un.d_ptr; break;
        case DT_RELASZ:   rel = dyn->d_un.d_val; break;
        }
    }

    fault_patch(map->l_addr, jmp, plt, syms, names);
    fault_patch(map->l_addr, rela, rel, syms, names);
}


void *
dlopen(const char *path, int flags)
{
    void                *handle;
    struct link_map     *map;
    static const char   *done;

    static void       *(*next)(const char *path, int flags);

    if (next == NULL) {
        next = (void *(*)(const char *, int)) dlsym(RTLD_NEXT, "dlopen");
    }

    handle = next(path, flags);

    if (handle != NULL && path != NULL
        && strstr(path, "ngx_sentry_module") != NULL
        && dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0
        && done != (const char *) map->l_ld)
    {
        /* a reload finds it in place and patched */

        done = (const char *) map->l_ld;
        fault_module(map);
    }

    return handle;
}


/* Whatever threads take: memory... */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);


static int
fault_in_thread(uint32_t what, const char *name)
{
    return fault_control != NULL
           && (atomic_load_explicit(&fault_control->what,
                                    memory_order_relaxed) & what)
           && !fault_first_thread() && fault(what, name);
}


void *
malloc(size_t size)
{
    return fault_in_thread(FAULT_SENDER, "malloc") ? NULL
                                                   : __libc_malloc(size);
}


void *
calloc(size_t n, size_t size)
{
    return fault_in_thread(FAULT_SENDER, "calloc") ? NULL
                                                   : __libc_calloc(n, size);
}


void *
realloc(void *p, size_t size)
{
    return fault_in_thread(FAULT_SENDER, "realloc") ? NULL
                                                    : __libc_realloc(p, size);
}


/* ...and what they talk through. */

#define fault_next(type, name, short_args, params, args)                     \
    type                                                                     \
    name params                                                              \
    {                                                                        \
        static type (*next) params;                                          \
                                                                             \
        if (next == NULL) {                                                  \
            next = (type (*) params) dlsym(RTLD_NEXT, #name);                \
        }                                                                    \
                                                                             \
        return !fault_in_thread(FAULT_NET, #name) ? next args                \
               : errno == 0 ? next short_args : -1;                          \
    }


#define fault_same(type, name, params, args)                                 \
    fault_next(type, name, args, params, args)


fault_same(int, socket, (int domain, int type, int protocol),
           (domain, type, protocol))
fault_same(int, socketpair, (int domain, int type, int protocol, int fd[2]),
           (domain, type, protocol, fd))
fault_same(int, eventfd, (unsigned n, int flags), (n, flags))
fault_same(int, pipe2, (int fd[2], int flags), (fd, flags))
fault_same(int, pipe, (int fd[2]), (fd))
fault_same(int, connect, (int fd, const struct sockaddr *to, socklen_t len),
           (fd, to, len))
fault_same(int, setsockopt, (int fd, int level, int name, const void *value,
           socklen_t len), (fd, level, name, value, len))
fault_same(int, poll, (struct pollfd *fds, nfds_t n, int ms), (fds, n, ms))
fault_next(ssize_t, send, (fd, buf, len > 7 ? 7 : len, flags),
           (int fd, const void *buf, size_t len, int flags),
           (fd, buf, len, flags))
fault_next(ssize_t, recv, (fd, buf, len > 7 ? 7 : len, flags),
           (int fd, void *buf, size_t len, int flags),
           (fd, buf, len, flags))


int
pthread_create(pthread_t *thread, const pthread_attr_t *attr,
    void *(*start)(void *), void *data)
{
    static int (*next)(pthread_t *thread, const pthread_attr_t *attr,
        void *(*start)(void *), void *data);

    if (next == NULL) {
        next = (int (*)(pthread_t *, const pthread_attr_t *,
                        void *(*)(void *), void *))
               dlsym(RTLD_NEXT, "pthread_create");
    }

    return fault_worker() && fault(FAULT_THREAD, "pthread_create")
           ? EAGAIN : next(thread, attr, start, data);
}


/* The clock on the wall. */

static int64_t
fault_clock_us(void)
{
    return fault_control != NULL ? atomic_load(&fault_control->clock_us) : 0;
}


int
clock_gettime(clockid_t clock, struct timespec *ts)
{
    int        rc;
    int64_t    us;

    static int (*next)(clockid_t clock, struct timespec *ts);

    if (next == NULL) {
        next = (int (*)(clockid_t, struct timespec *))
               dlsym(RTLD_NEXT, "clock_gettime");
    }

    rc = next(clock, ts);

    if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    {
        us = (int64_t) ts->tv_sec * 1000000 + ts->tv_nsec / 1000
             + fault_clock_us();
        ts->tv_nsec = us % 1000000 * 1000 + ts->tv_nsec % 1000;
        ts->tv_sec = us / 1000000;
    }

    return rc;
}


int
gettimeofday(struct timeval *tv, void *tz)
{
    struct timespec  ts;

    (void) tz;
    (void) clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *t)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (t != NULL) {
        *t = ts.tv_sec;
    }

    return ts.tv_sec;
}


__attribute__((constructor)) static void
fault_init(void)
{
    int          fd;
    void        *p;
    const char  *path;

    path = getenv("FAULT_CONTROL");
    fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

    if (fd == -1) {
        return;
    }

    p = mmap(NULL, sizeof(fault_control_t), PROT_READ | PROT_WRITE,
             MAP_SHARED, fd, 0);
    (void) close(fd);

    if (p != MAP_FAILED) {
        fault_control = p;
    }
}
