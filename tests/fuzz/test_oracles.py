"""Other readers about the seeds and corpora of the fuzz targets (oracles.py): llvm-readobj accepts what hvcifix calls
well-formed, hvcifix reads what Wine's loader maps, and nothing that Wine refuses is called clean.
"""

import os
import pathlib
import tempfile
import unittest

import oracles
import poke
import seeds

VARIANTS = ("plain",)
SOURCE = pathlib.Path(__file__).resolve().parent
SEEDS = pathlib.Path(os.environ.get("HVCIFIX_BUILD", "build"), "fuzz", "seeds")
HVCIFIX = os.environ.get("HVCIFIX", "build/hvcifix")
NOWHERE = "00f0ff7f"  # an RVA, as bytes


class Oracles(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        scratch = tempfile.TemporaryDirectory(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        cls.addClassCleanup(scratch.cleanup)
        cls.folder = pathlib.Path(scratch.name).resolve()
        for corpus in sorted(SOURCE.glob("corpus/*")):
            poke.expand(poke.read_seeds(SEEDS), cls.folder / "inputs" / corpus.name, sorted(corpus.glob("*.poke")))
        cls.inputs = oracles.files_of([SEEDS, cls.folder / "inputs"])

    def image(self, line):
        path = self.folder / "image.sys"
        path.write_bytes(poke.apply(line, seeds.made()))
        return str(path)

    def test_llvm_readobj_accepts_what_is_well_formed(self):
        accepted = oracles.well_formed(HVCIFIX, self.inputs)
        self.assertGreater(len(accepted), 150)
        self.assertEqual(oracles.readobj(accepted)[1], [])

    def test_refusals_of_llvm_readobj_are_noticed(self):
        nameless = self.image(f"x64_init 64c={NOWHERE}")  # the name of the imported module
        self.assertEqual(oracles.well_formed(HVCIFIX, [nameless]), [])
        unexplained = oracles.readobj([nameless])[1]
        self.assertTrue(any("import directory name not found" in words for words in unexplained), unexplained)

    @unittest.skipUnless(oracles.wine.is_installed(), "Wine is not installed")
    def test_a_loader_and_hvcifix_agree(self):
        maps = oracles.ask_wine(oracles.loader.MAP_IMAGES, self.inputs, self.folder)
        self.assertGreater(sum(maps.values()), 300)
        self.assertGreater(len(maps) - sum(maps.values()), 100)
        self.assertEqual(oracles.wine_disagreements(HVCIFIX, maps), [])

    def test_disagreements_with_a_loader_are_noticed(self):
        clean, cut = self.image("x64_symbols"), str(self.folder / "cut.sys")
        pathlib.Path(cut).write_bytes(seeds.made()["x64_symbols"][:0x90])
        said = oracles.wine_disagreements(HVCIFIX, {clean: False, cut: True})
        self.assertEqual([words.rsplit("/", 1)[1].split(";")[0] for words in said],
                         ["cut.sys: Wine maps it", "image.sys: Wine refuses it"])


if __name__ == "__main__":
    unittest.main()
