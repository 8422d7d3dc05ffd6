# How the library and the tool are compiled. Objects go to $(BUILD)/obj, the library is $(BUILD)/libhvcifix.a.

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
# The version stands in tool/version.h and nowhere else.
VERSION := $(shell sed -n 's/^\#define HVCIFIX_VERSION "\(.*\)"$$/\1/p' tool/version.h)
BUILD_DEPS_STAMP := $(BUILD)/.deps-build

# *_posix.c and *_windows.c implement the same header for one system each.
LIBRARY_SOURCES := $(sort $(wildcard tool/*.c) $(filter-out tool/cli/% %_windows.c,$(wildcard tool/*/*.c)))
CLI_SOURCES := $(sort $(filter-out %_windows.c,$(wildcard tool/cli/*.c)))
LIBRARY_OBJECTS := $(LIBRARY_SOURCES:%.c=$(BUILD)/obj/%.o)
CLI_OBJECTS := $(CLI_SOURCES:%.c=$(BUILD)/obj/%.o)

# Debian's Zydis 4.0 brings no .pc file, so it is named directly where pkg-config does not know it.
# Both are looked up when a command runs, after `deps` has installed them.
PACKAGES := inih zlib libcrypto libcjson
LIBRARY_FLAGS = $$($(PKG_CONFIG) --cflags $(PACKAGES))
LIBRARY_LIBS = $(foreach package,$(filter-out zlib,$(PACKAGES)),$(call static_or_shared,$(package))) \
	$$($(PKG_CONFIG) --libs zydis 2>/dev/null || echo -lZydis -lZycore) \
	$$(cat $(BUILD)/.archive-libs) $(call static_or_shared,zlib)

# Loading libcrypto takes longer than judging an image, so its few functions are linked statically where it can be had;
# the others are small, and each that is loaded takes time, too.
static_or_shared = $$(archive=$$($(CC) -print-file-name=$(archive_of_$(1)).a); \
	if [ -f "$$archive" ]; then echo "$$archive"; else $(PKG_CONFIG) --libs $(1); fi)
archive_of_inih = libinih
archive_of_libcjson = libcjson
archive_of_libcrypto = libcrypto
archive_of_zlib = libz

ifneq ($(SAN),)
SAN_FLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all
endif

ALL_CFLAGS = -std=c17 $(WARNINGS) -Itool -pthread $(CPPFLAGS) $(CFLAGS) $(SAN_FLAGS)

$(BUILD)/.deps-build: scripts/deps.sh
	@mkdir -p $(@D)
	@scripts/deps.sh build
	@touch $@

$(BUILD)/obj/%.o: %.c | $(BUILD)/.deps-build
	@mkdir -p $(@D)
	@echo "  CC      $<"
	@$(CC) $(ALL_CFLAGS) $(LIBRARY_FLAGS) -MMD -MP -c $< -o $@

$(BUILD)/.archive-libs: scripts/archive_libs.sh | $(BUILD)/.deps-build
	@scripts/archive_libs.sh $(CC) $(SAN_FLAGS) >$@.new && mv $@.new $@

$(BUILD)/libhvcifix.a: $(LIBRARY_OBJECTS) | $(BUILD)/.archive-libs
	@echo "  AR      $@"
	@rm -f $@
	@$(AR) rcs $@ $^

# The folders' own rules (who may include whom, who may print) are part of building.
$(BUILD)/.layout: $(LIBRARY_OBJECTS) scripts/check_layout.sh
	@scripts/check_layout.sh $(BUILD)/obj
	@touch $@

$(BUILD)/hvcifix: $(CLI_OBJECTS) $(BUILD)/libhvcifix.a $(BUILD)/.layout
	@echo "  LINK    $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -Wl,--as-needed -o $@ $(filter-out %.layout,$^) $(LIBRARY_LIBS)

-include $(LIBRARY_OBJECTS:.o=.d) $(CLI_OBJECTS:.o=.d)
