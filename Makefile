# SPDX-License-Identifier: Apache-2.0
#
# Builds libmarl with nothing but make, a C compiler and jsmn (a header). `make help` lists the targets.
#
# Sources are found by wildcard: a new file needs no line here. Each variant (release, asan, ubsan, tsan, clang) has its
# own object tree under build/, so that they never mix; a change of compiler or flags rebuilds the tree it concerns.
#
# Variables: CC, CXX, CFLAGS, LDFLAGS; WERROR=1 warnings are errors; DEBUG=1 internal checks (-DMARL_DEBUG); V=1 shows
# every command in full; PREFIX, DESTDIR, LIBDIR for install; GOLDEN=DIR further fixtures and traces for check.

VARIANT ?= release
PREFIX  ?= /usr/local
LIBDIR  ?= $(PREFIX)/lib
GOLDEN  ?=
AR      ?= ar
CFLAGS  ?= -O2 -g
PKG_CONFIG ?= pkg-config
CHECK_SECONDS ?= 900

ifneq ($(V),1)
Q := @
say = printf '  %-4s %s\n' '$(1)' '$(2)'
else
say = :
endif

version_part = $(shell sed -n 's/^.define MARL_VERSION_$(1) \([0-9]*\).*/\1/p' include/marl/base.h)
MAJOR   := $(call version_part,MAJOR)
VERSION := $(MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
SONAME  := libmarl.so.$(MAJOR)

# Where products go: the release variant to the places users know, the others to their own tree.
O := build/$(VARIANT)
ifeq ($(VARIANT),release)
LIB := lib
BIN := bin
TESTS := build/tests
BENCH := build/bench
else
LIB := $(O)/lib
BIN := $(O)/bin
TESTS := $(O)/programs
BENCH := $(O)/programs
endif

# Flags ----------------------------------------------------------------------------------------------------------------
# -ffp-contract=off: the same bits whatever the compiler; fused multiply-adds are written as intrinsics where meant.
base_flags := -std=c11 -Wall -Wextra -Wpedantic -D_GNU_SOURCE -ffp-contract=off -fvisibility=hidden -fPIC -pthread
ifeq ($(WERROR),1)
base_flags += -Werror
endif
ifeq ($(DEBUG),1)
base_flags += -DMARL_DEBUG
endif

kernel_flags := -O3
ifeq ($(VARIANT),asan)
sanitize := -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),ubsan)
sanitize := -fsanitize=undefined -fno-sanitize-recover=all
else ifeq ($(VARIANT),tsan)
sanitize := -fsanitize=thread
endif
ifdef sanitize
sanitize += -fno-omit-frame-pointer -DMARL_DEBUG
kernel_flags := -O1 -fno-var-tracking
endif

jsmn_flags := $(shell $(PKG_CONFIG) --cflags jsmn 2>/dev/null)
all_flags  := $(base_flags) $(CFLAGS) $(sanitize) $(CPPFLAGS)

# Where the compiler knows TLS descriptors, the thread's error sentence is reached without a call into the loader, and
# libmarl.so needs libc and libm alone.
ifndef sanitize
tls_flag := $(shell $(CC) -mtls-dialect=gnu2 -x c -c -o /dev/null /dev/null 2>/dev/null && echo -mtls-dialect=gnu2)
endif
lib_flags   = $(all_flags) $(jsmn_flags) $(tls_flag) -Iinclude -Isrc
cli_flags   = $(all_flags) -Iinclude -Icli
bench_flags = $(all_flags) -Iinclude -Isrc -Ibench
test_flags  = $(all_flags) $(check_cflags) -include tests/support/no_marks.h -Iinclude -Isrc -Itests

check_cflags = $(shell $(PKG_CONFIG) --cflags check 2>/dev/null)
check_libs   = $(shell $(PKG_CONFIG) --libs check 2>/dev/null || echo -lcheck -lsubunit -lrt)

# Files ----------------------------------------------------------------------------------------------------------------
sources     := $(filter-out src/backends/cuda/%,$(shell find src -name '*.c' 2>/dev/null | LC_ALL=C sort))
isa_sources := $(filter src/backends/cpu/isa/%,$(sources))
lib_sources := $(filter-out $(isa_sources),$(sources))

# Kernels are compiled once per instruction set; which one runs is decided when a device is opened.
isas := portable
ifneq ($(findstring x86_64,$(shell $(CC) -dumpmachine 2>/dev/null)),)
isas += avx2 avx512
endif
isa_flags_portable := -DMARL__ISA_PORTABLE
isa_flags_avx2     := -DMARL__ISA_AVX2 -mavx2 -mfma
isa_flags_avx512   := -DMARL__ISA_AVX512 -mavx512f -mavx512vl -mavx512bw -mavx512dq -mfma

lib_objects := $(lib_sources:%.c=$(O)/%.o) \
               $(foreach isa,$(isas),$(isa_sources:src/backends/cpu/isa/%.c=$(O)/isa/$(isa)/%.o))
cli_objects     := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard cli/*.c)))
bench_objects   := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard bench/*.c)))
support_objects := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard tests/support/*.c)))

suite_folders  := $(sort $(shell sed -n 's/^SUITE.\([a-z]*\),.*/\1/p' tests/tests.def 2>/dev/null))
suite_programs := $(suite_folders:%=$(TESTS)/%)
other_programs := $(patsubst tests/%.c,$(TESTS)/%,$(filter-out tests/main.c,$(wildcard tests/*.c)))
bench_program  := $(if $(bench_objects),$(BENCH)/marl-bench)

# The library and the command ------------------------------------------------------------------------------------------
.PHONY: all
all: $(LIB)/libmarl.so $(LIB)/libmarl.a $(if $(cli_objects),$(BIN)/marl)

$(LIB)/libmarl.so: $(lib_objects) marl.map
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) -shared $(CFLAGS) $(sanitize) -pthread -Wl,-soname,$(SONAME) -Wl,--version-script=marl.map \
	    $(if $(sanitize),,-Wl$(comma)-z$(comma)defs) -Wl,--as-needed $(LDFLAGS) -o $@ $(lib_objects) -lm
	@ln -sf libmarl.so $(@D)/$(SONAME)
comma := ,

$(LIB)/libmarl.a: $(lib_objects)
	@mkdir -p $(@D)
	@rm -f $@
	@$(call say,AR,$@)
	$(Q)$(AR) rcs $@ $(lib_objects)

# The command is linked with the static library: it runs in place and wherever it is copied.
$(BIN)/marl: $(cli_objects) $(LIB)/libmarl.a
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(sanitize) -pthread $(LDFLAGS) -o $@ $(cli_objects) $(LIB)/libmarl.a -lm

# Test and benchmark programs see internal names through the static library.
.PHONY: check-build
check-build: all $(suite_programs) $(other_programs) $(bench_program)

$(suite_programs): $(TESTS)/%: $(O)/tests/%/main.o $(support_objects) $(LIB)/libmarl.a
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(sanitize) -pthread $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)/libmarl.a $(check_libs) -lm

# Which test files a suite program holds follows from tests.def, so that a missing file and a missing line both show.
define suite_rule
$(TESTS)/$(1): $(patsubst %.c,$(O)/%.o,$(sort $(wildcard tests/$(1)/test_*.c)))
$(O)/tests/$(1)/suites.def: tests/tests.def
	@mkdir -p $$(@D)
	@sed -n '/^SUITE($(1),/p' $$< > $$@
$(O)/tests/$(1)/main.o: tests/main.c $(O)/tests/$(1)/suites.def $(O)/flags | need-check
	@$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(test_flags) -DMARL_TEST_FOLDER='"$(1)"' -I$(O)/tests/$(1) -MMD -MP -c -o $$@ $$<
endef
$(foreach folder,$(suite_folders),$(eval $(call suite_rule,$(folder))))

# The command's own parts are no library: their tests are linked with all of them but main.
$(TESTS)/cli: $(filter-out $(O)/cli/main.o,$(cli_objects))
$(O)/tests/cli/%.o: test_flags += -Icli

$(other_programs): $(TESTS)/%: $(O)/tests/%.o $(support_objects) $(LIB)/libmarl.a
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(sanitize) -pthread $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIB)/libmarl.a $(check_libs) -lm

$(BENCH)/marl-bench: $(bench_objects) $(LIB)/libmarl.a
	@mkdir -p $(@D)
	@$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(sanitize) -pthread $(LDFLAGS) -o $@ $(bench_objects) $(LIB)/libmarl.a -lm

# Objects --------------------------------------------------------------------------------------------------------------
# Rewritten only when the compiler or a flag changes; every object depends on it.
$(O)/flags: always
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC) $(all_flags) $(kernel_flags) $(jsmn_flags) $(tls_flag)' > $@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv $@.new $@; fi
.PHONY: always

$(O)/src/%.o: src/%.c $(O)/flags | need-jsmn
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(lib_flags) -MMD -MP -c -o $@ $<

define isa_rule
$(O)/isa/$(1)/%.o: src/backends/cpu/isa/%.c $(O)/flags | need-jsmn
	@mkdir -p $$(@D)
	@$$(call say,CC,$$<)
	$$(Q)$$(CC) $$(lib_flags) $$(kernel_flags) $$(isa_flags_$(1)) -MMD -MP -c -o $$@ $$<
endef
$(foreach isa,$(isas),$(eval $(call isa_rule,$(isa))))

$(O)/cli/%.o: cli/%.c $(O)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(cli_flags) -MMD -MP -c -o $@ $<

$(O)/bench/%.o: bench/%.c $(O)/flags
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(bench_flags) -MMD -MP -c -o $@ $<

$(O)/tests/%.o: tests/%.c $(O)/flags | need-check
	@mkdir -p $(@D)
	@$(call say,CC,$<)
	$(Q)$(CC) $(test_flags) -MMD -MP -c -o $@ $<

-include $(shell find $(O) -name '*.d' 2>/dev/null)

# What must be installed -----------------------------------------------------------------------------------------------
.PHONY: need-jsmn need-check
need-jsmn:
	@printf '#define JSMN_HEADER\n#include <jsmn.h>\n' | $(CC) $(jsmn_flags) $(CPPFLAGS) -E - >/dev/null 2>&1 || \
	    { echo "libmarl needs the header jsmn.h: install the Debian package libjsmn-dev." >&2; exit 1; }
need-check:
	@printf '#include <check.h>\n' | $(CC) $(check_cflags) $(CPPFLAGS) -E - >/dev/null 2>&1 || \
	    { echo "The tests need the unit test framework Check: install the Debian package check." >&2; exit 1; }

# Checks ---------------------------------------------------------------------------------------------------------------
export CC CXX GOLDEN TESTS CHECK_SECONDS PKG_CONFIG

.PHONY: check suites asan ubsan tsan clang lint headers abi abi-update docs bench cuda
check: check-build
	@sh tools/check.sh

# The test programs and the command alone, of any variant.
variant_programs := $(suite_programs) $(other_programs) $(BIN)/marl
suites: $(variant_programs)
	@sh tools/suites.sh $(variant_programs)

asan ubsan tsan:
	@$(MAKE) --no-print-directory VARIANT=$@ suites

# Everything compiled and linked once more by clang, then its test programs.
clang:
	@command -v clang >/dev/null || { echo "clang is not installed: install the Debian package clang." >&2; exit 1; }
	@$(MAKE) --no-print-directory VARIANT=clang CC=clang check-build suites

lint:
	@sh tools/lint.sh

headers:
	@sh tools/headers.sh

abi: $(LIB)/libmarl.so
	@sh tools/abi.sh check $<

abi-update: $(LIB)/libmarl.so
	@sh tools/abi.sh update $<

docs:
	@sh tools/docs.sh

bench: all $(bench_program)
	@$(if $(bench_program),$(bench_program) $(BENCH_ARGS),echo "There is no benchmark program in this tree." >&2; exit 1)
	@if [ -x build/peers/bin/python ]; then python3 bench/compare.py; \
	else echo "For PyTorch beside these: sh bench/peers/setup.sh, then make bench again." >&2; fi

cuda:
	@echo "This version of libmarl has no CUDA backend." >&2; exit 1

# Installing -----------------------------------------------------------------------------------------------------------
.PHONY: install uninstall clean help
into := $(DESTDIR)$(PREFIX)
libs_into := $(DESTDIR)$(LIBDIR)

install: all
	install -d $(into)/bin $(into)/include/marl $(libs_into)/pkgconfig
	install -m 644 include/marl/*.h $(into)/include/marl/
	install -m 755 $(LIB)/libmarl.so $(libs_into)/libmarl.so.$(VERSION)
	ln -sf libmarl.so.$(VERSION) $(libs_into)/$(SONAME)
	ln -sf $(SONAME) $(libs_into)/libmarl.so
	install -m 644 $(LIB)/libmarl.a $(libs_into)/libmarl.a
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' -e 's|@VERSION@|$(VERSION)|' marl.pc.in \
	    > $(libs_into)/pkgconfig/marl.pc
	$(if $(cli_objects),install -m 755 $(BIN)/marl $(into)/bin/marl)
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ] && command -v ldconfig >/dev/null; then ldconfig; fi

uninstall:
	rm -rf $(into)/include/marl
	rm -f $(into)/bin/marl $(libs_into)/libmarl.so $(libs_into)/$(SONAME) $(libs_into)/libmarl.so.$(VERSION) \
	    $(libs_into)/libmarl.a $(libs_into)/pkgconfig/marl.pc

clean:
	rm -rf build lib bin

help:
	@echo "make               lib/libmarl.so, lib/libmarl.a, bin/marl"
	@echo "make check         builds and runs every test; GOLDEN=DIR adds DIR/nets and DIR/envs"
	@echo "make check-build   builds the tests and the benchmark program, runs nothing"
	@echo "make install       DESTDIR= PREFIX=/usr/local LIBDIR=PREFIX/lib; make uninstall takes it back"
	@echo "make bench         runs build/bench/marl-bench; BENCH_ARGS are its arguments"
	@echo "make asan          tests and command under the address and undefined-behaviour sanitizers; also ubsan, tsan"
	@echo "make clang         everything built by clang, and the same tests"
	@echo "make lint          the source rules: who includes whom, licence lines, forbidden calls"
	@echo "make headers       each public header alone, as C11 and C++17"
	@echo "make abi           exported names, imports and types against tests/abi; abi-update writes them anew"
	@echo "make docs          the reference manual (Doxygen) in build/docs/html"
	@echo "make clean         removes build, lib and bin"
	@echo "Variables: CC CXX CFLAGS LDFLAGS WERROR=1 DEBUG=1 V=1; CHECK_JOBS: test programs at a time under sanitizers"
