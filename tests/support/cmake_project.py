"""CMake projects of the tests: the tool installed as users install it, a folder, and builds in it."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import images

SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"])
BUILD = pathlib.Path(os.environ["HVCIFIX_BUILD"])
MODULE = SOURCE / "cmake-module"
SAMPLE = MODULE / "samples" / "driver"
GENERATORS = ("Ninja", "Ninja Multi-Config", "Unix Makefiles")
WRITE, EXECUTE = 0x80000000, 0x20000000
CLEAN = """
#include <ntddk.h>
static VOID unload(PDRIVER_OBJECT driver) { (void)driver; }
NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
"""
# A section that is writable and executable, which nothing writes.
DEFECT = CLEAN + '__asm__(".section .wx,\\"wx\\"; cld; ret; .text");\n'


def rights(path):
    """{section: is it writable and executable?}, by pefile."""
    return {section.Name.rstrip(b"\0").decode(): bool(section.Characteristics & WRITE and section.Characteristics & EXECUTE)
            for section in images.Headers(images.read(str(path))).pe.sections}


class CMakeCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-", dir="/tmp")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.home)
        cls.prefix = cls.home / "first" / "prefix"
        # As `make install` does it; the program itself is there already.
        done = subprocess.run(["make", "--no-print-directory", "-C", SOURCE, f"BUILD={BUILD}", f"PREFIX={cls.prefix}",
                               "install-cmake-module"], capture_output=True, check=False,
                              env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")})
        assert done.returncode == 0, done.stdout + done.stderr
        (cls.prefix / "bin").mkdir()
        shutil.copy(os.environ["HVCIFIX"], cls.prefix / "bin" / "hvcifix")
        # Moved elsewhere, under a name that is hard to quote.
        moved = cls.home / "second pr\u00e9fix & co"
        cls.prefix.rename(moved)
        cls.prefix = moved
        cls.tool = moved / "bin" / "hvcifix"
        cls.package = moved / "share" / "cmake" / "HvciFix"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "2",
                        "-keyout", cls.home / "key.pem", "-out", cls.home / "cert.pem"], check=True, capture_output=True)

    def setUp(self):
        self.folder = self.home / self._testMethodName
        self.folder.mkdir()

    def cmake(self, *arguments, folder=None):
        return subprocess.run(["cmake", *map(str, arguments)], cwd=folder or self.folder, capture_output=True, text=True,
                              check=False, timeout=300)

    def configure(self, generator, *definitions, build="b", source="."):
        done = self.cmake("-G", generator, "-S", source, "-B", build, f"-DHvciFix_DIR={self.package}",
                          f"-DCMAKE_TOOLCHAIN_FILE={SAMPLE / 'mingw-w64.cmake'}", *definitions)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def build(self, *arguments, expect=0, build="b"):
        done = self.cmake("--build", build, *arguments)
        text = done.stdout + done.stderr
        if expect is not None:
            self.assertEqual(done.returncode != 0, expect != 0, text)
        return text

    def verify_signature(self, path, expect=True):
        done = subprocess.run(["osslsigncode", "verify", "-CAfile", self.home / "cert.pem", path], capture_output=True,
                              text=True, check=False)
        self.assertEqual("Signature verification: ok" in done.stdout, expect, done.stdout + done.stderr)
