# hvcifix: make help lists the targets.
# Everything is built below $(BUILD); nothing is written into the source tree. Variables: CC CFLAGS CPPFLAGS
# LDFLAGS SAN (e.g. SAN=address,undefined) BUILD DESTDIR PREFIX JOBS; for the tests TESTS (words in the names of
# those to run) and HVCIFIX_REQUIRE_ALL=1 (a skip is a failure).

BUILD ?= build
ifneq ($(words $(BUILD)),1)
$(error BUILD is "$(BUILD)", and make builds nothing in a folder with a blank in its name (DESTDIR and PREFIX may have some))
endif
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
PKG_CONFIG ?= pkg-config
PYTHON ?= /usr/bin/python3
JOBS ?= $(shell nproc)
MAKEFLAGS += --no-builtin-rules
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS)
endif

include scripts/build.mk
include scripts/fixtures.mk
include scripts/tests.mk
include scripts/fuzz.mk
include scripts/windows.mk
include scripts/cmake_module.mk
include scripts/manual.mk
include scripts/nuget.mk
include scripts/dist.mk

.DEFAULT_GOAL := all
.PHONY: help deps all demo test fuzz fixtures windows nuget dist relayout bench lint install clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

deps: $(BUILD_DEPS_STAMP) ## install what the build needs (apt, through sudo when not root)

all: $(BUILD)/hvcifix $(MANUALS) ## build the tool: build/hvcifix

demo: $(BUILD)/hvcifix fixtures ## judge, repair and prove a defective driver made from source
	@scripts/demo.sh $(BUILD)

fixtures: $(FIXTURES_STAMP) ## build the defective drivers that the tests use, from source

windows: $(BUILD)/hvcifix.exe ## build the Windows program: build/hvcifix.exe (x64, static)

nuget: $(NUGET_PACKAGE) ## pack the NuGet package for MSBuild (needs the .NET SDK): build/nuget/HvciFix.*.nupkg

dist: $(DIST_SUMS) ## make the release archives for Linux and Windows and their checksums: build/dist

test: $(TEST_PREREQUISITES) ## install what the tests need and run them all
	@$(RUN_TESTS)

fuzz: fuzz-target ## attack one part with hostile images: T=image (code, emit, ..., all) S=60 (seconds each)
	@$(RUN_FUZZ)

relayout: $(BUILD)/tests/relayout ## give native images (FILES="file folder...") random layouts (SEED=1) and print what is proved
	@$(PYTHON) tests/relayout/table.py $(BUILD)/tests/relayout --seed $(or $(SEED),1) $(FILES)

bench: all ## time judging beside other programs (hyperfine)
	@scripts/bench.sh $(BUILD)

lint: all ## clang-format, clang-tidy, cppcheck, and the project's own layout rules
	@scripts/lint.sh $(BUILD)

install: all ## install into DESTDIR PREFIX (default /usr/local)
	install -D -m 755 $(BUILD)/hvcifix "$(DESTDIR)$(PREFIX)/bin/hvcifix"
	@$(INSTALL_MANUALS)
	install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/hvcifix/msbuild" $(wildcard msbuild/build/native/HvciFix.*)

clean: ## remove what was built (downloads are kept)
	rm -rf $(BUILD)
