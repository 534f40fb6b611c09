
# Copyright (C) ngx_sentry authors
#
# "make" builds the dynamic module for the nginx that is installed here, or
# for the sources in NGINX_SRC; "make help" lists the rest.  Needs GNU make
# and bash.


SHELL = /bin/bash

NGINX_SRC = /usr/share/nginx/src
CC = cc
CFLAGS = -O2 -g -fstack-protector-strong -Wformat -Werror=format-security
CPPFLAGS = -D_FORTIFY_SOURCE=2
LDFLAGS = -Wl,-z,relro -Wl,-z,now
MODULES_DIR = /usr/lib/nginx/modules

build = $(CURDIR)/build
module = $(build)/ngx_sentry_module.so
sources = ngx_sentry_module.c $(wildcard src/*/*.c)

# V=1 shows the commands
Q = $(if $(V),,@)


all: $(module)


# The module.  nginx's own makefile knows what depends on what, so it is
# always asked; configure runs again when what it was told has changed.

told = $(NGINX_SRC) $(CC) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(sources)

$(build)/dynamic.told: FORCE
	@mkdir -p $(build)
	@[ "$$(cat $@ 2>/dev/null)" = '$(told)' ] || echo '$(told)' > $@

$(build)/dynamic/Makefile: config $(build)/dynamic.told \
    $(wildcard $(NGINX_SRC)/src/core/nginx.h)
	@[ -x $(NGINX_SRC)/configure ] || { \
	    echo "ngx_sentry: nginx's sources are missing: install nginx-dev" \
	         "(Debian) or set NGINX_SRC" >&2; exit 1; }
	@echo "configuring for nginx in $(NGINX_SRC)"
	@rm -rf $(build)/dynamic; mkdir -p $(build)/dynamic; \
	cd $(NGINX_SRC) || exit 1; \
	NGX_CONF_FLAGS=(--with-compat --with-threads); \
	[ ! -r ./conf_flags ] || . ./conf_flags; \
	./configure "$${NGX_CONF_FLAGS[@]}" \
	    --builddir=$(build)/dynamic --with-cc=$(CC) \
	    --with-cc-opt="$(CFLAGS) -fPIC $(CPPFLAGS)" \
	    --with-ld-opt="$(LDFLAGS) -fPIC" \
	    --add-dynamic-module=$(CURDIR) > $(build)/dynamic.log || { \
	    rm -f $(build)/dynamic/Makefile; \
	    echo "see $(build)/dynamic.log" >&2; exit 1; }

$(module): $(build)/dynamic/Makefile FORCE
	@$(MAKE) $(if $(V),,-s) --no-print-directory -f $(build)/dynamic/Makefile \
	    -C $(NGINX_SRC) modules
	@[ ! $(build)/dynamic/ngx_sentry_module.so -nt $@ ] || { \
	    cp -p $(build)/dynamic/ngx_sentry_module.so $@.new && \
	    mv $@.new $@ && echo "built $@"; }


# Unit tests: the core and the sender as a library of plain C, a program per
# file in t/unit.  SAN=asan or SAN=tsan builds beside it with a sanitizer.

SAN =
san_asan = -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer -O1
# for t/fuzz/run, with CC=clang
san_fuzz = $(san_asan) -fsanitize=fuzzer-no-link
# fences are unknown to ThreadSanitizer; gcc warns of each
san_tsan = -fsanitize=thread -O1 $(if $(findstring clang,$(CC)),,-Wno-tsan)

unit = $(build)/unit$(addprefix -,$(SAN))
# a sanitizer's code makes gcc warn of what is not there
unit_cflags = -std=gnu11 -g -O2 -Wall -Wextra $(if $(SAN),,-Werror) \
    -Isrc/core -Isrc/sender -It/unit $(san_$(SAN))
unit_libs = -lcurl -lcjson -lz -lpcre2-8 -lpthread -lm
unit_objs = $(patsubst src/%.c,$(unit)/%.o,$(wildcard src/core/*.c) \
    $(wildcard src/sender/*.c))
unit_tests = $(patsubst t/unit/%.c,$(unit)/%,$(wildcard t/unit/*_test.c))
headers = $(wildcard src/core/*.h) $(wildcard src/sender/*.h)

unit-build: $(unit_tests)

$(unit)/%.o: src/%.c $(headers) Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(unit_cflags) -c -o $@ $<

$(unit)/libsnx.a: $(unit_objs)
	@rm -f $@
	$(Q)ar rcs $@ $^

$(unit)/%_test: t/unit/%_test.c $(unit)/libsnx.a $(wildcard t/unit/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE= $(unit_cflags) -o $@ $< \
	    $$(sed -n 's:^/\* LDFLAGS\: \(.*\) \*/$$:\1:p' $<) \
	    $(unit)/libsnx.a $(unit_libs)


# The fuzzers' harnesses: with SAN=fuzz for libFuzzer, else as programs that
# run each file they are given once, for t/fuzz.t.

fuzz_tests = $(patsubst t/fuzz/%.c,$(unit)/%,$(wildcard t/fuzz/fuzz_*.c))

fuzz-build: $(fuzz_tests)

$(unit)/fuzz_%: t/fuzz/fuzz_%.c t/fuzz/replay.c t/fuzz/fuzz.h \
    $(unit)/libsnx.a $(wildcard t/unit/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE= $(unit_cflags) -o $@ $< \
	    $(if $(filter fuzz,$(SAN)),-fsanitize=fuzzer,t/fuzz/replay.c) \
	    $(unit)/libsnx.a $(unit_libs)


# The sender alone, the load and the cheap receiver of t/bench.

build/bench/sender: $(build)/bench/sender $(build)/bench/sink
build/bench/load: $(build)/bench/load $(build)/bench/sink

$(build)/bench/load $(build)/bench/sink: $(build)/bench/%: t/bench/%.c \
    t/bench/load_cpu.h
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE= -std=gnu11 -g -O2 -Wall -Wextra -Werror -o $@ $<

$(build)/bench/sender: t/bench/sender.c $(unit)/libsnx.a \
    $(wildcard t/unit/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE= $(unit_cflags) -o $@ $< \
	    $(unit)/libsnx.a $(unit_libs)


# Tests.  TESTS="t/foo.t ..." runs these alone; JOBS=1 one after the other.

TESTS =
JOBS = $(shell nproc 2>/dev/null || echo 2)
export TESTS JOBS

test:
	t/run

unit: unit-build
	prove t/unit.t

asan:
	t/setup asan
	t/build-static asan
	TEST_NGINX_BINARY=$(build)/asan/nginx TEST_NGINX_MODULE= \
	    TEST_UNIT_SAN=asan t/prove

# not those that count threads: it has one of its own
tsan_tests = t/capture.t t/flood.t t/transaction.t t/outage.t \
    $(addprefix t/lifecycle_,kill.t reload.t shutdown.t upgrade.t)

tsan:
	$(MAKE) --no-print-directory unit-build SAN=tsan
	TEST_UNIT_SAN=tsan prove t/unit.t
	t/build-static tsan
	TEST_NGINX_BINARY=$(build)/tsan/nginx TEST_NGINX_MODULE= \
	    TEST_NGINX_SLOW=3 TESTS="$(or $(TESTS),$(tsan_tests))" t/prove

valgrind:
	t/setup bench
	$(MAKE) --no-print-directory unit-build
	TEST_UNIT_VALGRIND=1 prove t/unit.t

check:
	t/setup check
	$(MAKE) --no-print-directory all
	t/check

# CHAOS_TIME: seconds, ten minutes if not said

CHAOS_TIME = 600

chaos: all
	t/setup chaos
	nice t/chaos --seconds=$(CHAOS_TIME)

chaos-asan:
	t/setup asan chaos
	t/build-static asan
	TEST_NGINX_BINARY=$(build)/asan/nginx TEST_NGINX_MODULE= \
	    TEST_UNIT_SAN=asan TEST_NGINX_SLOW=3 \
	    TEST_ASAN_OPTIONS=quarantine_size_mb=16 \
	    nice t/chaos --seconds=$(CHAOS_TIME)

faults: all
	nice t/faults

fuzz:
	t/setup check
	t/fuzz/run

fuzz-nginx:
	t/setup asan check
	nice t/fuzz/nginx/run

bench:
	t/setup bench
	$(MAKE) --no-print-directory all
	t/bench/run

budgets:
	t/setup bench
	$(MAKE) --no-print-directory all
	t/bench/run --budgets

install: all
	install -D -m 644 $(module) \
	    $(DESTDIR)$(MODULES_DIR)/ngx_sentry_module.so

clean:
	rm -rf $(build)

help:
	@echo 'make            build/ngx_sentry_module.so, for nginx in NGINX_SRC'
	@echo 'make test       set up, build, all tests; TESTS="t/a.t" some'
	@echo 'make unit       the unit tests of core and sender'
	@echo 'make check      style, warnings of gcc and clang, static analysis'
	@echo 'make asan       all tests with AddressSanitizer and UBSan'
	@echo 'make tsan       unit tests and nginx with ThreadSanitizer'
	@echo 'make valgrind   the unit tests under memcheck'
	@echo 'make chaos      ten minutes of everything at once, then the books'
	@echo 'make chaos-asan the same with AddressSanitizer and UBSan'
	@echo 'make faults     no memory, at each call in turn and at random'
	@echo 'make fuzz       the fuzzers, FUZZ_TIME seconds each (30)'
	@echo 'make fuzz-nginx nginx as a whole under the fuzzer'
	@echo 'make bench      what the module costs'
	@echo 'make budgets    what it may cost: met or missed'
	@echo 'make install    into DESTDIR and MODULES_DIR'
	@echo 'make clean      removes build/'
	@echo
	@echo 'NGINX_SRC=$(NGINX_SRC)'
	@echo 'CC=$(CC)  CFLAGS=$(CFLAGS)'


FORCE:

.PHONY: all unit-build fuzz-build test unit asan tsan valgrind check chaos
.PHONY: chaos-asan faults fuzz fuzz-nginx bench budgets install clean help FORCE
.PHONY: build/bench/sender build/bench/load
.SECONDARY:
.DELETE_ON_ERROR:
