"""The corpora of the fuzz targets, replayed: every seed, every poke and every image of hostile_images.py through every
claim, under the sanitizers. The claims count steps, so this also shows that work is linear in the size of the file.
"""

import os
import pathlib
import subprocess
import tempfile
import unittest

import hostile_images
import poke
import seeds

VARIANTS = ("plain",)  # the replay programs are a build of their own, always with sanitizers
SOURCE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("HVCIFIX_BUILD", "build"), "fuzz")
TARGETS = sorted(path.stem.removeprefix("fuzz_") for path in SOURCE.glob("fuzz_*.c") if path.stem != "fuzz")
FEWEST_POKES, WITHIN_SECONDS = 5, 900
LARGEST_REPORTED_NBYTES = 1000000  # reports about more are made too, but not under sanitizers in every test run


def replay(target, paths):
    """None, or what was said of the first image that breaks a claim."""
    program = BUILD / f"replay_{target}"
    done = subprocess.run([program, *paths], env=dict(os.environ, **poke.SANITIZERS), capture_output=True, text=True,
                          errors="replace", timeout=WITHIN_SECONDS, check=False)
    if done.returncode == 0:
        return None
    lines = done.stderr.splitlines()
    last = max((i for i, line in enumerate(lines) if line.startswith("replay ")), default=0)
    return f"exit code {done.returncode}\n" + "\n".join(lines[last : last + 40])


class Replay(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.seeds = poke.read_seeds(BUILD / "seeds")
        cls.hostile = hostile_images.made()

    def test_made_seeds_are_there(self):
        for name, data in seeds.made().items():
            self.assertEqual(self.seeds[name], data, name)

    def test_corpora_are_based_on_made_seeds_and_short(self):
        known = {"nothing", *seeds.made()}
        for path in sorted(SOURCE.glob("corpus/*/*.poke")):
            self.assertIn(path.parent.name, TARGETS)
            for number, line in poke.lines_of(path):
                self.assertLessEqual(len(line), poke.LONGEST_LINE, f"{path}:{number}")
                self.assertIn(line.split()[0], known, f"{path}:{number}")

    def test_recipes_give_back_what_they_were_made_of(self):
        first = self.seeds["x64_full"]
        images = [b"", first, first[:100], first + b"tail\0\0", first[:0x80] + bytes(9) + first[0x89:],
                  bytes(b ^ 1 for b in first[:40]) + first[40:]]
        for data in images:
            self.assertEqual(poke.apply(poke.make(data, self.seeds), self.seeds), data)

    def replay_target(self, target):
        said = replay(target, sorted((BUILD / "seeds").glob("*.sys")))
        self.assertIsNone(said, said)
        with tempfile.TemporaryDirectory() as folder:
            images = poke.expand(self.seeds, folder, sorted((SOURCE / "corpus" / target).glob("*.poke")))
            self.assertGreaterEqual(len(images), FEWEST_POKES)
            for name, data in self.hostile.items():
                if target != "cli_text" or len(data) <= LARGEST_REPORTED_NBYTES:
                    images.append(pathlib.Path(folder, name + ".sys"))
                    images[-1].write_bytes(data)
            said = replay(target, images)
            self.assertIsNone(said, said)


def add_tests():
    """One test a target, so that each has a line of its own."""
    for target in TARGETS:
        setattr(Replay, f"test_{target}", lambda self, target=target: self.replay_target(target))


add_tests()

if __name__ == "__main__":
    unittest.main()
