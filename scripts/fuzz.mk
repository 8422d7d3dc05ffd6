# How the fuzz targets are built and run. tests/fuzz/fuzz_NAME.c becomes $(BUILD)/fuzz/fuzz_NAME, with libFuzzer, and
# $(BUILD)/fuzz/replay_NAME, a plain program that tries the same claims on files, which make test uses. Both with
# clang-19, AddressSanitizer, UBSan, and a counter on every edge of tool/ (tests/fuzz/steps.c).
#   make fuzz T=image S=600    one target for ten minutes; T=refs: those of all references; T=all: all, one by one
# tests/fuzz/soak.py says where finds and corpora go; tests/fuzz/poke.py makes text of such inputs, for
# tests/fuzz/corpus/NAME; tests/fuzz/oracles.py asks other readers about them.

T ?= image
S ?= 60
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SHARED := fuzz steps report_claims refs_claims plain
FUZZ_MUTATOR := mutate mutate_fields mutate_tables mutate_family mutate_records
FUZZ_WANTED = $(foreach word,$(T),$(if $(filter all,$(word)),$(FUZZ_NAMES),\
	$(if $(filter refs,$(word)),$(filter refs_%,$(FUZZ_NAMES)),$(word))))

# A slip in T or S is said before anything is built.
DIGITS_OFF = $(subst 0,,$(subst 1,,$(subst 2,,$(subst 3,,$(subst 4,,$(subst 5,,$(subst 6,,$(subst 7,,$(subst 8,,$(subst 9,,$(1)))))))))))
ifneq ($(filter fuzz,$(MAKECMDGOALS)),)
ifneq ($(if $(strip $(T)),$(filter-out all refs $(FUZZ_NAMES),$(T)),nothing),)
$(error T="$(T)" names no fuzz target; there are all, refs, $(FUZZ_NAMES))
endif
ifneq ($(words $(S))$(call DIGITS_OFF,$(S))$(filter 0 1,$(S)),1)
$(error S="$(S)" is no number of seconds from 2 on)
endif
endif

FUZZ_CFLAGS = -std=c17 $(WARNINGS) -Itool -O1 -g $(SAN_FLAGS)
FUZZ_LINK := -Wl,--wrap=__sanitizer_cov_trace_pc_guard,--wrap=__sanitizer_cov_trace_pc_guard_init
FUZZ_BUILD = $(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang-19 SAN=address,undefined \
	CFLAGS="-O1 -g -fsanitize=fuzzer-no-link -fsanitize-coverage=trace-pc-guard"

$(BUILD)/.deps-fuzz: scripts/deps.sh
	@mkdir -p $(@D)
	@scripts/deps.sh fuzz
	@touch $@

# These run in the inner make, where $(BUILD) is the fuzz build's own folder. The claims count no edges.
$(BUILD)/claims/%.o: tests/fuzz/%.c
	@mkdir -p $(@D)
	@echo "  FUZZ    $<"
	@$(CC) $(FUZZ_CFLAGS) $(LIBRARY_FLAGS) -MMD -MP -c $< -o $@

CLAIMS = $(1:%=$(BUILD)/claims/%.o)
$(FUZZ_NAMES:%=$(BUILD)/replay_%): $(BUILD)/replay_%: $(call CLAIMS,fuzz_% $(FUZZ_SHARED) replay) $(BUILD)/libhvcifix.a
	@echo "  LINK    $@"
	@$(CC) $(FUZZ_CFLAGS) $(FUZZ_LINK) -o $@ $^ $(LIBRARY_LIBS)

$(FUZZ_NAMES:%=$(BUILD)/fuzz_%): $(BUILD)/fuzz_%: $(call CLAIMS,fuzz_% $(FUZZ_SHARED) $(FUZZ_MUTATOR)) \
		$(BUILD)/libhvcifix.a
	@echo "  LINK    $@"
	@$(CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer $(FUZZ_LINK) -o $@ $^ $(LIBRARY_LIBS)

# Not a target but a program of its own: every field of the seeds at its extremes (tests/fuzz/test_bulk.py).
$(BUILD)/bulk: $(call CLAIMS,bulk bulk_variants bulk_oracle $(FUZZ_SHARED)) $(BUILD)/libhvcifix.a
	@echo "  LINK    $@"
	@$(CC) $(FUZZ_CFLAGS) $(FUZZ_LINK) -o $@ $^ $(LIBRARY_LIBS)

-include $(wildcard $(BUILD)/claims/*.d)

.PHONY: fuzz-seeds fuzz-replays fuzz-target
fuzz-seeds: fixtures
	@$(PYTHON) tests/fuzz/seeds.py $(BUILD)/fuzz/seeds $(BUILD)/fixtures

fuzz-replays: $(BUILD)/.deps-fuzz fuzz-seeds
	@$(FUZZ_BUILD) $(FUZZ_NAMES:%=$(BUILD)/fuzz/replay_%) $(BUILD)/fuzz/bulk

fuzz-target: $(BUILD)/.deps-fuzz fuzz-seeds
	@$(FUZZ_BUILD) $(FUZZ_WANTED:%=$(BUILD)/fuzz/fuzz_%)

# The corpus begins with what tests/fuzz/corpus/NAME holds.
RUN_FUZZ = $(PYTHON) tests/fuzz/soak.py $(BUILD)/fuzz $(S) $(strip $(FUZZ_WANTED))
