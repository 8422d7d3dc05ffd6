"""`verify` on repairs whose sections were given another right afterwards: each write or execute right more or less, in
every section of the repaired image, must be refuted. Only what the old image had in that place may stay. And on drivers
that must not lose a write right, as if the rewriter had taken it from them: the verifier alone has to see why.
"""

import os
import shutil
import tempfile
import unittest

import pefile

from support import matrix, readobj, straddle_repair, tool

CURED_BY_THE_RIGHT = {"HVCI2003", "HVCI2102"}
NEEDS_NOTHING_ELSE = ("init_rwx", "init_rwx_kept", "wx_text", "wx_page")
REPAIRED = ("iat_in_text", "rich_low_80", "rich_all_in_text", "all_defects", "straddle", "straddle_low_80")


class Rights(unittest.TestCase):
    """One flag of one section at a time."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def with_flag_turned(self, path, index, flag):
        """(path of the changed image, name and new flags of the section)."""
        image = pefile.PE(path)
        section = image.sections[index]
        section.Characteristics ^= flag
        image.OPTIONAL_HEADER.CheckSum = image.generate_checksum()
        changed = os.path.join(self.folder, "changed.sys")
        image.write(changed)
        return changed, (section.Name, section.Characteristics)

    def test_each_right_more_or_less_is_refuted(self):
        tried = 0
        for fixture in matrix.read():
            if fixture.name not in REPAIRED or fixture.machine == "arm64" or fixture.fix != "repairs":
                continue
            new = os.path.join(self.folder, "new.sys")
            done = tool.run("fix", fixture.path, "-o", new, *fixture.rewrite_options)
            if done.returncode == 1:
                continue  # refused: tests/cli/test_fix_properties.py says whether it may be
            old_headers = [(section.Name, section.Characteristics)
                           for section in pefile.PE(fixture.path, fast_load=True).sections]
            for index in range(len(pefile.PE(new, fast_load=True).sections)):
                for flag in (readobj.EXECUTE, readobj.WRITE):
                    changed, header = self.with_flag_turned(new, index, flag)
                    if header in old_headers:
                        continue
                    with self.subTest(fixture.file_name, section=header[0], flag=hex(flag)):
                        done = tool.run("verify", fixture.path, changed)
                        self.assertEqual(done.returncode, 1, done.stdout.decode())
                        tried += 1
        self.assertGreater(tried, 60)

    def without_writable_code(self, path):
        """The image without the write right of what can be executed, or None when that is not all that has to change."""
        with open(path, "rb") as file:
            image = straddle_repair.Image(file.read())
        both = readobj.EXECUTE | readobj.WRITE
        sections = [section for section in image.sections() if section.flags & both == both]
        if not sections or image.u32(image.opt + 32) < straddle_repair.PAGE:
            return None
        for section in sections:
            image.put("<I", section.foff + 36, section.flags ^ readobj.WRITE)
        image.set_checksum()
        changed = os.path.join(self.folder, "changed.sys")
        with open(changed, "wb") as file:
            file.write(image.data)
        return changed

    def test_a_write_right_that_is_needed_is_not_given_up(self):
        taken, kept = set(), set()
        for fixture in matrix.read():
            # Only HVCI2003 and HVCI2102: what else is wrong would be a reason, too.
            is_control = fixture.name in NEEDS_NOTHING_ELSE
            if fixture.machine == "arm64" or not (is_control or fixture.fix == "refuses") or \
                    not set(fixture.findings) <= CURED_BY_THE_RIGHT:
                continue
            changed = self.without_writable_code(fixture.path)
            if not changed:
                continue
            with self.subTest(fixture.file_name):
                done = tool.run("verify", fixture.path, changed)
                self.assertEqual(done.returncode, 0 if is_control else 1, done.stdout.decode())
                if not is_control:
                    self.assertIn(b"loses MEM_WRITE", done.stdout)
                (taken if is_control else kept).add(fixture.name)
        self.assertEqual(taken, set(NEEDS_NOTHING_ELSE))
        self.assertGreater(len(kept), 10)


if __name__ == "__main__":
    unittest.main()
