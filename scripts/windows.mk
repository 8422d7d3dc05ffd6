# How hvcifix.exe is built: x64, static, with mingw-w64 and the libraries of scripts/windows_libs.sh.

WINDOWS_HOST := x86_64-w64-mingw32
WINDOWS_CC := $(WINDOWS_HOST)-gcc-win32
WINDOWS_SOURCES := $(sort $(wildcard tool/*.c) $(filter-out %_posix.c,$(wildcard tool/*/*.c)))
WINDOWS_OBJECTS := $(WINDOWS_SOURCES:%.c=$(BUILD)/windows/obj/%.o) $(BUILD)/windows/obj/tool/cli/hvcifix.rc.o
WINDOWS_LIBS_STAMP := $(BUILD)/windows/.libs
WINDOWS_CFLAGS = -std=c17 $(WARNINGS) -O2 -g -municode -D_WIN32_WINNT=0x0601 -D__USE_MINGW_ANSI_STDIO=1 -Itool \
	-I$$(cat $(WINDOWS_LIBS_STAMP))/include -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD -DCJSON_HIDE_SYMBOLS

$(WINDOWS_LIBS_STAMP): scripts/windows_libs.sh
	@mkdir -p $(@D)
	@scripts/windows_libs.sh >$@.new && mv $@.new $@

$(BUILD)/windows/obj/%.o: %.c | $(WINDOWS_LIBS_STAMP)
	@mkdir -p $(@D)
	@echo "  WINCC   $<"
	@$(WINDOWS_CC) $(WINDOWS_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/windows/obj/%.rc.o: %.rc tool/cli/hvcifix.manifest | $(WINDOWS_LIBS_STAMP)
	@mkdir -p $(@D)
	@echo "  WINRC   $<"
	@$(WINDOWS_HOST)-windres -Itool/cli $< -o $@

$(BUILD)/hvcifix.exe: $(WINDOWS_OBJECTS)
	@echo "  WINLINK $@"
	@libs=$$(cat $(WINDOWS_LIBS_STAMP)) && $(WINDOWS_CC) -static -municode -s -o $@ $^ -L$$libs/lib -lcjson -linih \
		-lZydis -lZycore -lz -lbcrypt

-include $(filter %.d,$(WINDOWS_OBJECTS:.o=.d))
