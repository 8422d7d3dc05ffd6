"""`verify` on rewrites that are wrong in one place: each kind of mistake that a rewriter could make, in real pairs.

The pairs are fixtures that `fix` repaired. What is made wrong is found by pefile and by comparing the files
(support/moved_mutants.py). Every wrong rewrite is rejected, and the place is named.
"""

import collections
import os
import shutil
import sys
import tempfile
import unittest

from support import images, matrix, moved_mutants, tool

VARIANTS = ("plain",)
NOT_ON_WINDOWS = "thousands of calls take Wine too long; the verifier is the same code, and other modules run it there"
CHOSEN = ("rich_low_80", "rich_iat_in_text", "rich_all_in_text", "rich_low_20_all_in_text", "rich_data_in_text",
          "biased_low_80", "biased_all_in_text", "delay_low_80", "exports_all_in_text", "relocless_all_in_text",
          "all_defects")
WITHOUT_PLACE = {"header byte", "any byte"}  # headers that no longer fit together have no one place
MOST = 6  # survivors that are told


class Mutants(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def repaired(self):
        """(fixture, old bytes, new bytes) of each chosen one that is repaired."""
        for fixture in matrix.read():
            path = os.path.join(self.folder, "new.sys")
            if fixture.name not in CHOSEN or fixture.machine == "arm64":
                continue
            if tool.run("fix", fixture.path, "-o", path).returncode == 0:
                yield fixture, images.read(fixture.path), images.read(path)

    def test_every_wrong_rewrite_is_rejected(self):
        tried, rejected, survivors, pairs = collections.Counter(), collections.Counter(), [], 0
        path = os.path.join(self.folder, "mutant.sys")
        for fixture, old, new in self.repaired():
            pairs += 1
            for kind, foff, data in moved_mutants.Pair(old, new, fixture.file_name).mutants():
                with open(path, "wb") as file:
                    file.write(data)
                done = tool.run("verify", fixture.path, path)
                tried[kind] += 1
                is_placed = b"place" in done.stdout or b"RVA 0x" in done.stdout
                if done.returncode in (1, 3) and (is_placed or kind in WITHOUT_PLACE):
                    rejected[kind] += 1
                elif done.returncode in (1, 3):
                    survivors.append(f"{fixture.file_name}: {kind} at {foff:#x}: no place: {done.stdout[:300]!r}")
                else:
                    survivors.append(f"{fixture.file_name}: {kind} at {foff:#x} was {old[foff:foff + 4].hex()} is "
                                     f"{data[foff:foff + 4].hex()}: exit {done.returncode}")
        for kind in sorted(tried):
            print(f"{kind:32} {tried[kind]:5} tried {rejected[kind]:5} rejected", file=sys.stderr)
        self.assertGreater(pairs, len(CHOSEN))
        self.assertEqual(survivors[:MOST], [], f"{len(survivors)} survivors")


if __name__ == "__main__":
    unittest.main()
