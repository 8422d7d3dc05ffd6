# The release archives: a tarball for Linux, a zip for Windows, and SHA256SUMS, in $(BUILD)/dist. The same sources make
# the same bytes, wherever and whenever they are built with the same packages.

DIST_SUMS := $(BUILD)/dist/SHA256SUMS
DIST_NUGET := $(if $(shell command -v dotnet 2>/dev/null),$(NUGET_PACKAGE))

$(BUILD)/dist/hvcifix: $(BUILD)/hvcifix
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -s -Wl,--as-needed -Wl,-rpath,'$$ORIGIN/../lib' -o $@ $(CLI_OBJECTS) \
		$(BUILD)/libhvcifix.a $(LIBRARY_LIBS)

$(DIST_SUMS): $(BUILD)/dist/hvcifix $(BUILD)/hvcifix.exe $(MANUALS) $(DIST_NUGET) scripts/dist.sh scripts/ship_parts.sh \
		README.md LICENSE $(wildcard docs/* docs/pictures/* cmake-module/* msbuild/*.md msbuild/build/native/*)
	@scripts/deps.sh dist
	@echo "  DIST    $(@D)"
	@scripts/dist.sh $(BUILD) $(VERSION) $(MAKE)
