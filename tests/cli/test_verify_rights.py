"""`verify` on repairs whose sections were given another right afterwards: each write or execute right more or less, in
every section of the repaired image, must be refuted. Only what the old image had in that place may stay.
"""

import os
import shutil
import tempfile
import unittest

import pefile

from support import matrix, readobj, tool

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


if __name__ == "__main__":
    unittest.main()
