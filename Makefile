# Builds Murphy. `make help` lists the targets.
#
# Sources are found by folder, so a file added to a folder is built without a change here:
#   pipeline sim faults scenarios reports   $(BUILD)/libmurphy.a
#   cli                                     $(BUILD)/murphy
#   tests/FOLDER/test_*.c                   one cmocka program each, $(BUILD)/tests/FOLDER/test_*
#   tests/support/*.c                       linked into every cmocka program
#   tests/FOLDER/*.c that is none of those  a plain program that a test runs: no Murphy, no sanitizer
#   bench                                   $(BUILD)/murphy-bench
#   conformance                             $(BUILD)/murphy-conformance, which `make conformance` runs;
#                                           the only program that talks to real systems
#   sim/clock_shim*.c but _preload          linked into every program above as objects (an archive
#                                           would drop them), never into the library
#   sim/clock_shim_*.c, with _preload       $(BUILD)/libmurphyclock.so
#
# A variant elsewhere: make BUILD=DIR CC=clang OPT=-O0 SANITIZE=address,undefined

BUILD    ?= build
OPT      ?= -O3
SANITIZE ?=
# 1 turns warnings into errors; meant for CI, not for a compiler we have never seen.
WERROR   ?=
# More flags at the end of every compilation.
EXTRA    ?=
# How many compilations, suites and variants at once where make was given no -j.
JOBS     ?= 2
ifeq ($(origin CC),default)
CC := gcc
endif

MAKEFLAGS += --no-builtin-rules
# Only the first make may say it: below it, the job server that it started is shared.
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
SHELL := /bin/bash

# --- flags -------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Wvla \
	-Wstrict-prototypes -Wmissing-prototypes -Wundef -Wwrite-strings -Wpointer-arith
ifneq ($(WERROR),)
WARNINGS += -Werror
endif
# Floating point gives the same bits everywhere (D3): no contraction, never fast-math. math-errno
# off lets sqrt be the instruction.
LANGUAGE := -std=c17 -ffp-contract=off -fno-math-errno
ifneq ($(SANITIZE),)
SANITIZERS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
endif
CPPFLAGS := -I. -MMD -MP
PLAIN    := $(LANGUAGE) -g $(OPT) $(WARNINGS) $(EXTRA)
CFLAGS   := $(PLAIN) $(SANITIZERS)
# -rdynamic: the clock shim in the program also takes the calls that libsqlite3 makes.
LDFLAGS  := -rdynamic -Wl,--as-needed $(SANITIZERS)
LDLIBS   := -lsqlite3 -ljansson -lyaml -lxxhash -lnettle -lz -lm -ldl -pthread

# Where scenario and contract files are, seen from the folder of the program (/proc/self/exe): `murphy run
# calm-day` works from any folder without an installation, whatever BUILD is.
SCENARIOS := $(shell realpath -m --relative-to='$(BUILD)' scenarios)
CONTRACTS := $(shell realpath -m --relative-to='$(BUILD)' contracts)

# --- files -------------------------------------------------------------------------------------

objects = $(patsubst %.c,$(BUILD)/%.o,$(1))

SHIM_C    := $(filter-out sim/clock_shim_preload.c,$(sort $(wildcard sim/clock_shim*.c)))
PRELOAD_C := $(if $(wildcard sim/clock_shim_preload.c),$(sort $(wildcard sim/clock_shim_*.c)))
LIBRARY_C := $(filter-out $(SHIM_C) $(PRELOAD_C), \
	$(foreach d,pipeline sim faults scenarios reports,$(sort $(wildcard $(d)/*.c))))
CLI_C     := $(sort $(wildcard cli/*.c))
BENCH_C   := $(sort $(wildcard bench/*.c))
TEST_C    := $(sort $(wildcard tests/*/test_*.c))
SUPPORT_C := $(sort $(wildcard tests/support/*.c))
CONFORM_C := $(sort $(wildcard conformance/*.c))
HELPER_C  := $(filter-out $(TEST_C) $(SUPPORT_C),$(sort $(wildcard tests/*/*.c)))

LIBRARY := $(BUILD)/libmurphy.a
SHIM_O  := $(call objects,$(SHIM_C))
TESTS   := $(patsubst %.c,$(BUILD)/%,$(TEST_C))
HELPERS := $(patsubst %.c,$(BUILD)/%,$(HELPER_C))
CORE_O  := $(call objects,$(filter pipeline/%,$(LIBRARY_C)))
OBJECTS := $(call objects,$(LIBRARY_C) $(SHIM_C) $(CLI_C) $(BENCH_C) $(TEST_C) $(SUPPORT_C))
PIC_O   := $(patsubst %.c,$(BUILD)/%.pic.o,$(PRELOAD_C))

MURPHY  := $(if $(CLI_C),$(BUILD)/murphy)
CONFORM := $(BUILD)/murphy-conformance
PRELOAD := $(if $(PRELOAD_C),$(BUILD)/libmurphyclock.so)
BENCH   := $(if $(BENCH_C),$(BUILD)/murphy-bench)
# The peer of the search benchmark, in C++, where its headers are there (ci/install.sh bench).
CXX     := g++
PEER_O  := $(if $(wildcard $(addsuffix /hnswlib/hnswlib.h,/usr/include /usr/local/include)),$(BUILD)/bench/hnswlib_peer.o)

# Short lines; V=1 shows the commands.
say = $(if $(V),,@printf "  %s  %s\n" $(1) $@;)

# --- build -------------------------------------------------------------------------------------

.PHONY: all help demo test conformance check bench format hashes clean tests objects core flags FORCE

all: $(MURPHY) $(PRELOAD) ## build/murphy and build/libmurphyclock.so (the default)

tests: $(TESTS) $(HELPERS) $(MURPHY) $(PRELOAD) $(BENCH)
objects: $(OBJECTS)
core: $(CORE_O)
flags: ; @echo '-I. $(LANGUAGE) $(WARNINGS)'

# Stamps: rewritten only when their text differs, so other flags or another compiler rebuild
# everything and a removed source leaves the archive.
define stamp
@mkdir -p $(dir $@)
@printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) >$@
endef

$(BUILD)/flags: FORCE
	$(call stamp,'$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) $(SCENARIOS) $(CONTRACTS)' "$$($(CC) --version | head -n 1)")

$(BUILD)/sources: FORCE
	$(call stamp,'$(LIBRARY_C) $(SHIM_C) $(PRELOAD_C) $(CLI_C) $(BENCH_C) $(PEER_O) $(SUPPORT_C) $(CONFORM_C)')

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(DEFINES) $(CFLAGS) -c -o $@ $<

$(call objects,$(CONFORM_C)): \
	DEFINES = -I$(shell pg_config --includedir 2>/dev/null)

$(BUILD)/cli/%.o $(BUILD)/scenarios/%.o $(BUILD)/tests/%.o: \
	DEFINES = -DMURPHY_SCENARIOS_DIR='"$(SCENARIOS)"' -DMURPHY_CONTRACTS_DIR='"$(CONTRACTS)"'

# A preload library goes into programs that were built without our sanitizers.
$(BUILD)/%.pic.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(CPPFLAGS) $(PLAIN) -fPIC -c -o $@ $<

$(LIBRARY): $(call objects,$(LIBRARY_C)) $(BUILD)/sources
	@rm -f $@
	$(call say,AR)ar rcs $@ $(filter %.o,$^)

$(BUILD)/murphy: $(call objects,$(CLI_C)) $(SHIM_O) $(LIBRARY) $(BUILD)/sources
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) $(LDLIBS)

# As its own build has it: the best that this machine can do.
$(BUILD)/bench/hnswlib_peer.o: bench/hnswlib_peer.cc bench/hnswlib_peer.h $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,CXX)$(CXX) -I. -std=c++17 -O3 -march=native $(SANITIZERS) -c -o $@ $<

$(BUILD)/bench/hnsw.o: DEFINES = $(if $(PEER_O),-DMURPHY_HNSWLIB)

$(BUILD)/murphy-bench: $(call objects,$(BENCH_C)) $(PEER_O) $(SHIM_O) $(LIBRARY) $(BUILD)/sources
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) $(LDLIBS) $(if $(PEER_O),-lstdc++)

$(BUILD)/libmurphyclock.so: $(PIC_O) $(BUILD)/sources
	$(call say,LD)$(CC) -shared -Wl,-soname,libmurphyclock.so -o $@ $(PIC_O) -ldl -pthread

$(TESTS): $(BUILD)/%: $(BUILD)/%.o $(call objects,$(SUPPORT_C)) $(SHIM_O) $(LIBRARY) $(BUILD)/sources
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) -lcmocka $(LDLIBS)

# No clock shim here: real systems run in real time.
$(CONFORM): $(call objects,$(CONFORM_C)) $(LIBRARY) $(BUILD)/sources
	$(call say,LD)$(CC) $(LDFLAGS) -o $@ $(filter %.o,$^) $(LIBRARY) -lcmocka -lrdkafka -lpq -lcurl $(LDLIBS)

$(HELPERS): $(BUILD)/%: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(call say,LD)$(CC) $(CPPFLAGS) -MF $@.d $(PLAIN) -o $@ $< -pthread

-include $(OBJECTS:.o=.d) $(patsubst %.c,$(BUILD)/%.d,$(CONFORM_C)) $(PIC_O:.o=.d) $(addsuffix .d,$(HELPERS))

# --- what people call ----------------------------------------------------------------------------

help: ## this list
	@echo 'make TARGET [BUILD=DIR] [CC=clang] [OPT=-O0] [SANITIZE=address,undefined] [WERROR=1] [JOBS=N]'
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  \1\t\2/p' Makefile | expand -t 14

demo: ## install what is missing, build, and play the live story
	@bash ci/install.sh run
	@$(MAKE) --no-print-directory all
	@$(BUILD)/murphy demo --out $(BUILD)/demo

test: ## install what is missing, build, and run every suite and scenario
	@bash ci/install.sh test
	@$(MAKE) --no-print-directory tests
	@bash ci/test.sh '$(BUILD)' $(JOBS)

conformance: ## install what is missing, and hold fakes and real systems to one suite per port
	@bash ci/install.sh conformance
	@$(MAKE) --no-print-directory $(CONFORM)
	@bash ci/conformance.sh '$(BUILD)'

check: ## what the code may not do: see ci/check.sh
	@bash ci/install.sh test
	+@bash ci/check.sh

bench: $(BENCH) ## one JSON line per benchmark; make bench ONLY=NAME for one of them
	@$(BENCH) $(ONLY)

format: ## lay out every source by .clang-format
	@bash ci/check.sh --fix layout

hashes: ## the same trace hash from every compiler, level and sanitizer: see ci/hashes.sh
	@bash ci/install.sh test
	+@JOBS=$(JOBS) bash ci/hashes.sh

clean: ## remove what was built
	rm -rf '$(BUILD)'
