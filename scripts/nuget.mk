# The NuGet package for MSBuild, packed by the .NET SDK from a folder that holds what goes into it. The Linux program in
# it brings the libraries that not every distribution has (scripts/nuget.sh), and looks for them beside itself.

NUGET_PACKAGE := $(BUILD)/nuget/HvciFix.$(VERSION).nupkg
NUGET_SOURCES := $(wildcard msbuild/build/native/HvciFix.*) msbuild/README.md msbuild/HvciFix.nuspec msbuild/pack.csproj LICENSE

$(BUILD)/nuget/hvcifix: $(BUILD)/hvcifix
	@mkdir -p $(@D)
	@echo "  LINK    $@"
	@$(CC) $(ALL_CFLAGS) $(LDFLAGS) -s -Wl,--as-needed -Wl,-rpath,'$$ORIGIN/lib' -o $@ $(CLI_OBJECTS) $(BUILD)/libhvcifix.a \
		$(LIBRARY_LIBS)

$(NUGET_PACKAGE): $(NUGET_SOURCES) scripts/nuget.sh scripts/ship_parts.sh $(BUILD)/nuget/hvcifix $(BUILD)/hvcifix.exe
	@echo "  NUGET   $@"
	@scripts/nuget.sh $(BUILD) $(VERSION)
