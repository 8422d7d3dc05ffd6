"""`verify` on repairs of straddling relocations that hvcifix did not make (support/straddle_repair.py), in fixtures.

Each right repair is proved. The same of an image that must not be repaired so is not equivalent. Repairs that are wrong
in one place are in tests/unit/mutations_straddlers.h.
"""

import os
import shutil
import tempfile
import unittest
import unittest.mock

from support import matrix, straddle_repair, tool

PROVED = ("straddle", "gcc_straddle", "straddle_code", "straddle_few", "straddle_few_writable", "straddle_tls_data",
          "straddle_dll_initialize", "straddle_guard")
REFUTED = {"straddle_exports_refuse": "exports for others", "straddle_tls_refuse": "TLS callbacks"}


class Straddlers(unittest.TestCase):
    """Pairs of a fixture and its repair."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.new = os.path.join(self.folder, "new.sys")

    def fixtures(self, names):
        chosen = [fixture for fixture in matrix.read() if fixture.name in names and fixture.machine in ("x64", "x86")]
        self.assertEqual({fixture.name for fixture in chosen}, set(names))
        return chosen

    def verify(self, old_path, data):
        with open(self.new, "wb") as file:
            file.write(data)
        return tool.run("verify", old_path, self.new)

    def test_right_repairs_are_proved(self):
        for fixture in self.fixtures(PROVED):
            with self.subTest(fixture.file_name):
                repair = straddle_repair.Repair(fixture.path)
                done = self.verify(fixture.path, repair.done())
                self.assertEqual(done.returncode, 0, done.stdout.decode())
                self.assertTrue(repair.parts)

    def test_a_shift_must_be_followed_and_aligned(self):
        for fixture in self.fixtures(("straddle_few",)):
            with self.subTest(fixture.file_name):
                repair = straddle_repair.Repair(fixture.path)
                repair.follow_references = lambda: None
                self.assertEqual(self.verify(fixture.path, repair.done()).returncode, 1)
                with unittest.mock.patch.object(straddle_repair, "SHIFTS", (8,)):
                    repair = straddle_repair.Repair(fixture.path)
                self.assertEqual(self.verify(fixture.path, repair.done()).returncode, 1)

    def test_what_must_not_be_repaired_so_is_refuted(self):
        for fixture in self.fixtures(REFUTED):
            with self.subTest(fixture.file_name):
                done = self.verify(fixture.path, straddle_repair.Repair(fixture.path).done())
                self.assertEqual(done.returncode, 1)
                self.assertIn(REFUTED[fixture.name], " ".join(done.stdout.decode().split()))


if __name__ == "__main__":
    unittest.main()
