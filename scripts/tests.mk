# How the tests are built and run. Every tests/unit/test_NAME.c is a cmocka program of its own, linked with the
# library. Two more builds lie below $(BUILD): checked/ (AddressSanitizer, UBSan, coverage counters) and clang/ (the
# second compiler, which must be free of warnings too; without optimization, which finds none and doubles the time);
# fuzz/ (scripts/fuzz.mk) is a third, with clang's optimization. tests/run.py runs them all but clang/.

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(sort $(wildcard tests/unit/test_*.c)))
TEST_PREREQUISITES := $(BUILD)/.deps-tests all unit-tests checked-build clang-build fixtures fuzz-replays windows wine-helpers fault-helpers $(BUILD)/tests/relayout \
	strict-loader dist $(if $(shell command -v dotnet 2>/dev/null),nuget)
RUN_TESTS = PYTHON=$(PYTHON) scripts/real_images.sh $(BUILD) && $(PYTHON) tests/run.py --build $(BUILD) $(TESTS)

$(BUILD)/.deps-tests: scripts/deps.sh
	@mkdir -p $(@D)
	@scripts/deps.sh tests
	@touch $@

$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libhvcifix.a | $(BUILD)/.deps-tests
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	@$(CC) $(ALL_CFLAGS) $(LIBRARY_FLAGS) -Itests/unit -MMD -MP -MF $@.d -o $@ $< $(BUILD)/libhvcifix.a \
		$(LDFLAGS) -lcmocka $(LIBRARY_LIBS)

# What makes calls of the tool to the system fail (tests/cli/test_faults.py).
$(BUILD)/tests/faults.so: $(filter-out %_windows.c %_windows.h,$(wildcard tests/support/faults*.[ch])) | $(BUILD)/.deps-tests
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	@$(CC) -std=c17 $(WARNINGS) $(CFLAGS) -fPIC -shared -o $@ $(filter %.c,$^)

.PHONY: fault-helpers
fault-helpers: $(BUILD)/tests/faults.so

# Gives any image another layout (tests/wine/test_relayout.py, docs/RELAYOUT.md).
RELAYOUT_SOURCES := $(wildcard tests/relayout/*.c)
$(BUILD)/tests/relayout: $(RELAYOUT_SOURCES) $(wildcard tests/relayout/*.h) $(BUILD)/libhvcifix.a | $(BUILD)/.deps-tests
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	@$(CC) $(ALL_CFLAGS) $(LIBRARY_FLAGS) -Itests/relayout -o $@ $(RELAYOUT_SOURCES) $(BUILD)/libhvcifix.a \
		$(LDFLAGS) $(LIBRARY_LIBS)

# A loader stricter than Wine (docs/TESTING.md), for each machine; without a C library, since there need be none for x86.
LOADER_CFLAGS := -std=c17 $(WARNINGS) -O2 -g -ffreestanding -fno-builtin -fno-stack-protector -fno-pic -fno-pie \
	-fno-strict-aliasing -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -mno-red-zone
# Where no driver wants to be: GNU ld makes the base of an x86 image, from 0x61300000 to 0x712C0000, of its path.
LOADER_LINK := -nostdlib -static -no-pie -Wl,-z,noexecstack -Wl,-Ttext-segment=0x72000000

$(BUILD)/tests/strict-loader-x64: LOADER_MACHINE := -m64
$(BUILD)/tests/strict-loader-x86: LOADER_MACHINE := -m32
$(BUILD)/tests/strict-loader-x64 $(BUILD)/tests/strict-loader-x86: $(wildcard tests/loader/*.[ch]) | $(BUILD)/.deps-tests
	@mkdir -p $(@D)
	@echo "  TEST    $@"
	@gcc $(LOADER_MACHINE) $(LOADER_CFLAGS) $(LOADER_LINK) -o $@ $(filter %.c,$^)

.PHONY: strict-loader
strict-loader: $(BUILD)/tests/strict-loader-x64 $(BUILD)/tests/strict-loader-x86

.PHONY: unit-tests checked-build clang-build
unit-tests: $(UNIT_TESTS)

checked-build: $(BUILD)/.deps-tests
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/checked SAN=address,undefined CFLAGS="-O1 -g --coverage" all unit-tests

clang-build: $(BUILD)/.deps-tests
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/clang CC=clang-19 CFLAGS=-O0 all unit-tests

-include $(UNIT_TESTS:=.d)
