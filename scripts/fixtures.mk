# How the drivers of fixtures/matrix.tsv are built: $(BUILD)/fixtures/NAME_MACHINE.sys, each by fixtures/build.sh.
# drive.exe (drive_x86.exe) is the program that starts a driver under Wine and asks it the questions of ioctl.h.

FIXTURE_NAMES := $(shell awk -F '\t' '!/^\#/ { n = split($$2, machine, ","); \
    for (i = 1; i <= n; i++) print $$1 "_" machine[i] }' fixtures/matrix.tsv)
FIXTURES := $(FIXTURE_NAMES:%=$(BUILD)/fixtures/%.sys) $(BUILD)/fixtures/drive.exe \
    $(BUILD)/fixtures/drive_x86.exe
FIXTURES_STAMP := $(BUILD)/.fixtures
FIXTURE_INPUTS := fixtures/build.sh fixtures/patch.py fixtures/matrix.tsv $(wildcard fixtures/src/*)

$(FIXTURES_STAMP): $(FIXTURES)
	@touch $@

$(BUILD)/.deps-fixtures: scripts/deps.sh
	@mkdir -p $(@D)
	@scripts/deps.sh fixtures
	@touch $@

$(BUILD)/fixtures/%.sys: $(FIXTURE_INPUTS) | $(BUILD)/.deps-fixtures
	@mkdir -p $(@D)
	@echo "  DRIVER  $@"
	@fixtures/build.sh $* $@

$(BUILD)/fixtures/drive.exe: fixtures/src/drive.c fixtures/src/ioctl.h | $(BUILD)/.deps-fixtures
	@mkdir -p $(@D)
	@echo "  PROGRAM $@"
	@x86_64-w64-mingw32-gcc-win32 -O2 -Wall -Wextra -Werror -o $@ $<

$(BUILD)/fixtures/drive_x86.exe: fixtures/src/drive.c fixtures/src/ioctl.h | $(BUILD)/.deps-fixtures
	@mkdir -p $(@D)
	@echo "  PROGRAM $@"
	@i686-w64-mingw32-gcc-win32 -O2 -Wall -Wextra -Werror -o $@ $<
