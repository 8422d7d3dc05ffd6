"""What must hold for every `fix`, whatever the image: of each fixture, and of real drivers with a writable INIT.

Independent witnesses: pefile for checksums and header places, llvm-readobj and osslsigncode for the result.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

from support import images, matrix, readobj, tool

WRITE = 0x80000000
PAGE_NBYTES = 4096


class Fixing(unittest.TestCase):
    """Runs each image through `fix` in a folder of its own."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = os.path.join(self.folder, "out.sys")

    def fixtures(self, fix):
        """Those that the table says `fix` treats so; fails when there is none."""
        chosen = [fixture for fixture in matrix.read() if fixture.fix == fix]
        self.assertTrue(chosen)
        return chosen

    def fix(self, path, *options, expect):
        if os.path.exists(self.out):
            os.remove(self.out)
        done = tool.run("fix", path, "-o", self.out, *options)
        self.assertEqual(done.returncode, expect, done.stdout.decode() + done.stderr.decode())
        return done

    def assert_only_init_lost_write(self, old_path, new_path):
        """Same bytes but the checksum, which is right, and the W of sections named INIT."""
        old, new = images.read(old_path), images.read(new_path)
        headers = images.Headers(old)
        self.assertEqual(len(old), len(new))
        expected = bytearray(old)
        places = headers.characteristics_foffs(b"INIT")
        self.assertTrue(places)
        for foff in places:
            flags = int.from_bytes(old[foff : foff + 4], "little")
            expected[foff : foff + 4] = (flags & ~WRITE).to_bytes(4, "little")
        checksum = images.Headers(bytes(expected)).right_checksum()
        expected[headers.checksum_foff : headers.checksum_foff + 4] = checksum.to_bytes(4, "little")
        self.assertEqual(bytes(expected), new)

    def assert_repaired(self, old_path, new_path):
        """All that holds for a repaired image beside its bytes."""
        self.assertEqual(tool.run("verify", old_path, new_path).returncode, 0)
        self.assertNotIn("HVCI2102", tool.codes(tool.check([new_path])[new_path]))
        headers = images.Headers(images.read(new_path))
        self.assertEqual(headers.stored_checksum(), headers.right_checksum())
        self.assertIn("Section {", readobj.read("--sections", new_path))
        self.assertNotIn("HVCI2102", readobj.findings(new_path))
        again = os.path.join(self.folder, "again.sys")
        self.assertEqual(tool.run("fix", new_path, "-o", again).returncode, 0)
        self.assertEqual(images.read(new_path), images.read(again))


class Fixtures(Fixing):
    def test_repairs(self):
        for fixture in self.fixtures("repairs"):
            with self.subTest(fixture=fixture.file_name):
                self.fix(fixture.path, expect=0)
                self.assert_only_init_lost_write(fixture.path, self.out)
                self.assert_repaired(fixture.path, self.out)

    def test_repairs_in_place(self):
        for fixture in self.fixtures("repairs"):
            with self.subTest(fixture=fixture.file_name):
                self.fix(fixture.path, expect=0)
                target = os.path.join(self.folder, "target.sys")
                shutil.copy(fixture.path, target)
                os.chmod(target, 0o640)
                self.assertEqual(tool.run("fix", "--in-place", target).returncode, 0)
                self.assertEqual(images.read(target), images.read(self.out))
                # Windows keeps lists of rights, which Wine takes from the mode and gives back with others of its own.
                compared = 0o007 if tool.IS_WINDOWS else 0o7777
                self.assertEqual(os.stat(target).st_mode & compared, 0o640 & compared)
                self.assertEqual(sorted(os.listdir(self.folder)), ["out.sys", "target.sys"])
                os.remove(target)

    def test_dry_run_writes_nothing(self):
        for fixture in self.fixtures("repairs"):
            with self.subTest(fixture=fixture.file_name):
                target = os.path.join(self.folder, "target.sys")
                shutil.copy(fixture.path, target)
                self.assertEqual(tool.run("fix", "--in-place", "--dry-run", target).returncode, 0)
                self.assertEqual(images.read(target), images.read(fixture.path))
                self.assertEqual(os.listdir(self.folder), ["target.sys"])

    def test_nothing_to_repair_gives_a_copy(self):
        for fixture in self.fixtures("copies"):
            with self.subTest(fixture=fixture.file_name):
                self.fix(fixture.path, expect=0)
                self.assertEqual(images.read(fixture.path), images.read(self.out))

    def test_refusals_write_nothing(self):
        for fixture in self.fixtures("refuses"):
            with self.subTest(fixture=fixture.file_name):
                done = self.fix(fixture.path, expect=1)
                self.assertFalse(os.path.exists(self.out))
                self.assertIn(b" HVCI", done.stdout + done.stderr)
                target = os.path.join(self.folder, "target.sys")
                shutil.copy(fixture.path, target)
                before = os.stat(target)
                self.assertEqual(tool.run("fix", "--in-place", target).returncode, 1)
                self.assertEqual(images.read(target), images.read(fixture.path))
                self.assertEqual((os.stat(target).st_ino, os.stat(target).st_mtime_ns),
                                 (before.st_ino, before.st_mtime_ns))
                self.assertEqual(os.listdir(self.folder), ["target.sys"])
                os.remove(target)

    def test_refusal_of_written_init_names_init(self):
        for fixture in self.fixtures("refuses"):
            if not (fixture.name.startswith("init_") and fixture.name.endswith("_refuse")):
                continue
            with self.subTest(fixture=fixture.file_name):
                code, reports = tool.report("fix", fixture.path, "-o", self.out)
                self.assertEqual((code, reports[0]["status"]), (1, "refused"))
                refusals = [f for f in reports[0]["findings"] if f["code"].startswith("HVCI9")]
                self.assertTrue(refusals)
                for refusal in refusals:
                    self.assertIn("INIT", refusal["message"])
                    self.assertTrue(refusal["cure"])

    def test_signed_is_left_alone(self):
        for fixture in self.fixtures("leaves"):
            with self.subTest(fixture=fixture.file_name):
                done = self.fix(fixture.path, expect=0)
                self.assertIn(b"signed", done.stdout + done.stderr)
                self.assertEqual(images.read(fixture.path), images.read(self.out))

    def test_dropped_signature_is_gone(self):
        for fixture in self.fixtures("leaves"):
            with self.subTest(fixture=fixture.file_name):
                signed = subprocess.run(["osslsigncode", "verify", fixture.path], capture_output=True, check=False)
                self.assertNotIn(b"No signature found", signed.stdout)
                self.fix(fixture.path, "--drop-signature", expect=0)
                self.assert_repaired(fixture.path, self.out)
                unsigned = subprocess.run(["osslsigncode", "verify", self.out], capture_output=True, check=False)
                self.assertIn(b"No signature found", unsigned.stdout + unsigned.stderr)
                # What is left is the repair of the driver that was signed.
                origin = fixture.path.replace(fixture.name + "_", fixture.sources + "_")
                repaired = os.path.join(self.folder, "origin.sys")
                self.assertEqual(tool.run("fix", origin, "-o", repaired).returncode, 0)
                self.assertEqual(images.read(repaired), images.read(self.out))


class RealDrivers(Fixing):
    """Drivers of a 2009 WDK: signed, INIT writable and executable, some with 128-byte sections."""

    def test_real_drivers(self):
        paths = images.real_init_drivers()
        if not paths:
            self.skipTest("the package node-interception could not be had")
        self.assertEqual(len(paths), 20)
        verdicts = []
        for path in paths:
            with self.subTest(path=os.path.basename(path)):
                headers = images.Headers(images.read(path))
                self.assertTrue(headers.characteristics_foffs(b"INIT"))
                if headers.optional.SectionAlignment % PAGE_NBYTES:
                    self.fix(path, "--drop-signature", expect=1)  # HVCI2004 would remain
                    self.assertFalse(os.path.exists(self.out))
                    verdicts.append("refused")
                    continue
                if headers.is_signed:
                    self.fix(path, expect=0)
                    self.assertEqual(images.read(path), images.read(self.out))
                self.fix(path, "--drop-signature", expect=0)
                self.assert_repaired(path, self.out)
                self.assertFalse(images.Headers(images.read(self.out)).is_signed)
                verdicts.append("repaired")
        self.assertEqual((verdicts.count("repaired"), verdicts.count("refused")), (18, 2))


if __name__ == "__main__":
    unittest.main()
