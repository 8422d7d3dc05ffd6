# mingw-w64.cmake - drivers for x64 with GCC, GNU ld and the kernel headers of mingw-w64.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_FIND_ROOT_PATH /usr/x86_64-w64-mingw32)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)

set(DDK_INCLUDE_DIR /usr/x86_64-w64-mingw32/include/ddk)
set(DRIVER_LINK_OPTIONS -nostdlib -shared -Wl,--subsystem,native -Wl,--entry,DriverEntry -Wl,--dynamicbase -Wl,--nxcompat)
set(DRIVER_LIBRARIES ntoskrnl)
