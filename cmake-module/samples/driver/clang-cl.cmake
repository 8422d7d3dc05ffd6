# clang-cl.cmake - drivers for x64 with clang-cl and lld-link, which take the options of cl and link.exe; the kernel
# headers and its import library are those of mingw-w64.
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
find_program(CMAKE_C_COMPILER NAMES clang-cl clang-cl-19 REQUIRED)
find_program(CMAKE_LINKER NAMES lld-link lld-link-19 REQUIRED)
find_program(CMAKE_AR NAMES llvm-lib llvm-lib-19 REQUIRED)
set(CMAKE_C_COMPILER_TARGET x86_64-pc-windows-msvc)
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_MSVC_RUNTIME_LIBRARY "")
set(CMAKE_C_STANDARD_LIBRARIES "" CACHE STRING "")
set(CMAKE_C_FLAGS_DEBUG_INIT "/Od /Z7")

set(DDK_INCLUDE_DIR /usr/x86_64-w64-mingw32/include/ddk /usr/x86_64-w64-mingw32/include)
set(DRIVER_COMPILE_OPTIONS /kernel /GS- --target=x86_64-w64-windows-gnu /clang:-mno-stack-arg-probe -Wno-everything)
set(DRIVER_LINK_OPTIONS /driver /subsystem:native /entry:DriverEntry /nodefaultlib /manifest:no /lldmingw /INCREMENTAL:NO)
set(DRIVER_LIBRARIES /usr/x86_64-w64-mingw32/lib/libntoskrnl.a)
