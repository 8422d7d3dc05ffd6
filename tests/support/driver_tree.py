"""The tree of 50 drivers that docs/ADOPTING.md speaks of, linked within seconds."""

import os
import pathlib
import shutil
import subprocess

OPTIONS = "/driver /subsystem:native /entry:DriverEntry /nodefaultlib"
SOURCES = {
    "driver.c": "int DriverEntry(void *driver, void *path) { (void)driver; (void)path; return 0; }\n",
    "patching.c": """__attribute__((noinline)) static void trace(void) { __asm__ volatile("nop"); }
int DriverEntry(void *driver, void *path)
{
    (void)driver;
    (void)path;
    *(volatile unsigned char *)trace = 0xC3;
    trace();
    return 0;
}
""",
}
MAKEFILE = """
LINKER = lld-link-19
ENFORCE =
DRIVERS := $(patsubst drivers/%.rsp,out/%.sys,$(wildcard drivers/*.rsp))
PATCHING := out/trace_a.sys out/trace_b.sys
all: $(DRIVERS)
$(PATCHING): OBJECT = obj/patching.obj
$(DRIVERS): OBJECT = obj/driver.obj
$(PATCHING): OBJECT = obj/patching.obj
out/%.sys: drivers/%.rsp obj/driver.obj obj/patching.obj
\t@$(ENFORCE) $(LINKER) @$< $(OBJECT) /out:$@
obj/%.obj: src/%.c
\tclang-19 --target=x86_64-w64-windows-gnu -O2 -ffreestanding -c -o $@ $<
clean:
\trm -f out/*
"""


def plant(folder):
    """Makes the tree's sources in the folder; nothing is linked yet, but the objects are there."""
    folder = pathlib.Path(folder)
    for name in ("src", "drivers", "obj", "out", "vendor"):
        (folder / name).mkdir()
    for name, text in SOURCES.items():
        (folder / "src" / name).write_text(text)
    names = [f"{number:02}" for number in range(1, 47)] + ["trace_a", "trace_b"]
    for number, name in enumerate(names):
        defect = " /section:.text,erw" if number >= 38 else ""
        (folder / "drivers" / f"{name}.rsp").write_text(f"{OPTIONS} /timestamp:{number}{defect}\n")
    fixtures = pathlib.Path(os.environ["HVCIFIX_FIXTURES"])
    for number in ("a", "b"):
        shutil.copy(fixtures / "from_end_wx_page_refuse_x64.sys", folder / "vendor" / f"bought_{number}.sys")
    (folder / "Makefile").write_text(MAKEFILE)
    subprocess.run(["make", "obj/driver.obj", "obj/patching.obj"], cwd=folder, check=True, capture_output=True,
                   env=without_make())
    (folder / "driver.rsp").write_text(f"{OPTIONS}\n")


def without_make():
    """The environment without what a make above us has put there."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
