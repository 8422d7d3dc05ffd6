"""valgrind finds nothing: no read of what was never written, none out of bounds, no memory or file left over.

The sanitizers see the same only where the compiler put their checks; valgrind sees the C library and the decoder too.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import matrix, tool

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fuzz"))
import hostile_images  # noqa: E402
import seeds  # noqa: E402

VARIANTS = ("plain",)
NOT_ON_WINDOWS = "valgrind watches Linux programs"
FOUND = 97
VALGRIND = ["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all",
            f"--error-exitcode={FOUND}", "--error-limit=no"]
FAULTS = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "tests" / "faults.so"
WITHIN_SECONDS = 120
LARGEST_NBYTES = 500000  # of the hostile images: valgrind makes everything about 30 times slower


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
class Valgrind(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def watch(self, *arguments, codes=(0, 1, 3), environment=None):
        done = subprocess.run([*VALGRIND, tool.TOOL, *map(str, arguments)], cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=dict(os.environ, **(environment or {})), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=WITHIN_SECONDS, check=False)
        self.assertNotIn(b"==", done.stderr[:2], done.stderr.decode(errors="replace")[-4000:])
        self.assertIn(done.returncode, codes, done.stderr.decode(errors="replace")[-4000:])
        return done

    def test_fixtures(self):
        paths = [fixture.path for fixture in matrix.read()]
        self.assertGreater(len(paths), 50)
        self.watch("check", *paths)
        for number, arguments in enumerate((["check", "--format", "json", "--jobs", "4"], ["show"], ["show", "--regions"],
                                            ["fix", "--dry-run", "--drop-signature", "--format", "json"])):
            with self.subTest(arguments=arguments):
                self.watch(*arguments, *paths[number::4])  # each fixture once more
        for fixture in matrix.read():
            if fixture.name in ("all_defects", "init_rwx", "signed"):
                self.watch("show", "--references", "--format", "json", fixture.path)
        self.watch("show", "--after", paths[0], paths[1])

    def test_repairs(self):
        for name, options in (("init_rwx_x64", []), ("init_rwx_x86", []), ("signed_x64", ["--drop-signature"])):
            old = next(f for f in matrix.read() if f.file_name == name).path
            shutil.copy(old, self.folder / "driver.sys")
            self.watch("fix", *options, old, "-o", "new.sys", codes=(0,))
            self.watch("fix", *options, "--in-place", "driver.sys", codes=(0,))
            self.watch("verify", old, "driver.sys", codes=(0,))
            self.watch("verify", "--format", "json", "driver.sys", old, codes=(1,))
            self.assertEqual((self.folder / "driver.sys").read_bytes(), (self.folder / "new.sys").read_bytes())

    def test_command_lines(self):
        (self.folder / "r.rsp").write_bytes('check "no such.sys" x\\y'.encode("utf-16"))
        self.watch("@r.rsp", codes=(3,))
        self.watch("explain", "HVCI2005", codes=(0,))
        self.watch("rules", "--format", "markdown", codes=(0,))
        self.watch("check", "--target", "95", "x", codes=(2,))
        self.watch("fix", "--help", codes=(0,))

    def test_hostile_images(self):
        made = {name: data for name, data in hostile_images.made().items() if len(data) <= LARGEST_NBYTES}
        whole = seeds.full("x64")
        for nbytes in range(0, len(whole), len(whole) // 40):
            made[f"cut-{nbytes}"] = whole[:nbytes]
        for name, data in made.items():
            (self.folder / f"{name}.sys").write_bytes(data)
        names = [f"{name}.sys" for name in made]
        self.assertGreater(len(names), 40)
        self.watch("check", *names, codes=(3,))
        self.watch("show", "--format", "json", *names, codes=(3,))
        self.watch("fix", "--dry-run", *names, codes=(3,))
        for name in names[:5]:
            self.watch("verify", name, name, codes=(0, 3))

    def test_failing_calls(self):
        """What is left when memory, a read or a write fails (tests/support/faults.c)."""
        self.assertTrue(FAULTS.exists(), f"{FAULTS} was not built")
        old = next(f for f in matrix.read() if f.file_name == "init_rwx_x64").path
        faults = [f"memory:{number}:ENOMEM" for number in range(1, 9)] + ["memory:2-:ENOMEM", "memory:5-:ENOMEM"]
        faults += ["read:1:EIO", "read:2:end", "write:1:ENOSPC", "fsync:1:EIO", "rename:1:EIO", "realpath:1:EIO",
                   "readdir:2:EIO", "print:1:ENOSPC"]
        for fault in faults:
            with self.subTest(fault=fault):
                shutil.copy(old, self.folder / "driver.sys")
                environment = {"LD_PRELOAD": str(FAULTS), "HVCIFIX_FAULT": fault}
                done = self.watch("fix", "--in-place", "--format", "json", "driver.sys", codes=(0, 3, 4),
                                  environment=environment)
                self.assertTrue(done.returncode == 0 or b"HVCI90" in done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
