# How hvcifix.exe is built: x64, static, with mingw-w64 and the libraries of scripts/windows_libs.sh. And the programs
# that its tests run beside it, from tests/wine/NAME_windows.c: $(BUILD)/wine-helpers/NAME.exe.

WINDOWS_HOST := x86_64-w64-mingw32
WINDOWS_CC := $(WINDOWS_HOST)-gcc-win32
WINDOWS_SOURCES := $(sort $(wildcard tool/*.c) $(filter-out %_posix.c,$(wildcard tool/*/*.c)))
WINDOWS_OBJECTS := $(WINDOWS_SOURCES:%.c=$(BUILD)/windows/obj/%.o) $(BUILD)/windows/obj/tool/cli/hvcifix.rc.o
WINDOWS_LIBS_STAMP := $(BUILD)/windows/.libs
WINDOWS_CFLAGS = -std=c17 $(WARNINGS) -O2 -g -municode -D_WIN32_WINNT=0x0601 -D__USE_MINGW_ANSI_STDIO=1 -Itool \
	-I$$(cat $(WINDOWS_LIBS_STAMP))/include -DZYDIS_STATIC_BUILD -DZYCORE_STATIC_BUILD \
	-DLIBARCHIVE_STATIC -DCJSON_HIDE_SYMBOLS
WINDOWS_LINK := -linih -lcjson -lZydis -lZycore -larchive -lz -lbcrypt

$(WINDOWS_LIBS_STAMP): scripts/windows_libs.sh
	@mkdir -p $(@D)
	@scripts/windows_libs.sh >$@.new && mv $@.new $@

$(BUILD)/windows/obj/%.o: %.c | $(WINDOWS_LIBS_STAMP)
	@mkdir -p $(@D)
	@echo "  WINCC   $<"
	@$(WINDOWS_CC) $(WINDOWS_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/windows/obj/%.rc.o: %.rc tool/cli/hvcifix.manifest tool/version.h | $(WINDOWS_LIBS_STAMP)
	@mkdir -p $(@D)
	@echo "  WINRC   $<"
	@$(WINDOWS_HOST)-windres -Itool -Itool/cli $< -o $@

$(BUILD)/hvcifix.exe: $(WINDOWS_OBJECTS)
	@echo "  WINLINK $@"
	@libs=$$(cat $(WINDOWS_LIBS_STAMP)) && $(WINDOWS_CC) -static -municode -s -Wl,--no-insert-timestamp -o $@ $^ \
		-L$$libs/lib $(WINDOWS_LINK)

WINE_HELPERS := $(patsubst tests/wine/%_windows.c,$(BUILD)/wine-helpers/%.exe,$(wildcard tests/wine/*_windows.c))
WINE_HELPER_OBJECTS := $(filter %/wide_windows.o $(BUILD)/windows/obj/tool/base/%,$(WINDOWS_OBJECTS))

$(BUILD)/wine-helpers/%.exe: tests/wine/%_windows.c $(WINE_HELPER_OBJECTS)
	@mkdir -p $(@D)
	@echo "  WINTEST $@"
	@$(WINDOWS_CC) $(WINDOWS_CFLAGS) -static -o $@ $^

# The program with calls to Windows that fail (tests/wine/test_windows_faults.py).
FAULTY_IMPORTS := CreateFileW CloseHandle ReadFile WriteFile FlushFileBuffers GetFileSizeEx GetFileAttributesW \
	GetFileInformationByHandle GetFullPathNameW GetFinalPathNameByHandleW DeleteFileW MoveFileExW CopyFileW \
	SetEndOfFile GetFileTime SetFileTime GetSecurityInfo SetSecurityInfo FindFirstFileW FindNextFileW FindClose \
	CreateThread Sleep _wfopen
FAULTY_FUNCTIONS := malloc calloc realloc free fwrite fflush wmain
FAULTY_PROGRAM := $(BUILD)/wine-helpers/hvcifix-faults.exe
FAULTY_OBJECTS := $(patsubst %.c,$(BUILD)/windows/obj/%.o,$(wildcard tests/support/faults*_windows.c))

$(FAULTY_PROGRAM): $(FAULTY_OBJECTS) $(WINDOWS_OBJECTS)
	@mkdir -p $(@D)
	@echo "  WINTEST $@"
	@libs=$$(cat $(WINDOWS_LIBS_STAMP)) && $(WINDOWS_CC) -static -municode -o $@ $^ -L$$libs/lib $(WINDOWS_LINK) \
		$(FAULTY_IMPORTS:%=-Wl,--wrap=__imp_%) $(FAULTY_FUNCTIONS:%=-Wl,--wrap=%)

.PHONY: wine-helpers
wine-helpers: $(WINE_HELPERS) $(FAULTY_PROGRAM)

-include $(filter %.d,$(WINDOWS_OBJECTS:.o=.d))
