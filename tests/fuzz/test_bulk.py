"""Every field of small images at its extremes, every truncation, and pairs of fields: tests/fuzz/bulk.c tries them under
the sanitizers and makes its claims for each, here for a part that takes a minute. And the work that each verb does on
images that were made to be slow: twice the image, twice the steps.
"""

import inspect
import os
import pathlib
import struct
import subprocess
import tempfile
import unittest

import hostile_images
import poke
import seeds
from support import matrix

VARIANTS = ("plain",)  # bulk is of the fuzz build, always with sanitizers
BUILD = pathlib.Path(os.environ.get("HVCIFIX_BUILD", "build"), "fuzz")
WITHIN_SECONDS = 900
EXECUTE, WRITE = 0x20000000, 0x80000000
SEEDS = ("x64_full", "x86_full", "arm64_full", "x64_init", "x86_init", "x64_signed", "x64_merged", "x64_straddling",
         "x64_symbols", "x86_managed", "x64_flat", "ia64_headers", "arm_headers", "x64_headers")
NOT_ALWAYS_CLEAN = ("x64_merged", "x64_straddling", "x64_flat")  # they have more than a writable INIT
FIELDS_STEP, PAIRS = 23, 4000
SCALES = (1, 2, 4)
MOST_GROWTH = 1.25  # of the steps for each byte, from the smallest image to one of four times as many records
FEWEST_STEPS = 50000  # below, what is done once for each image outweighs the rest
KINDS = {"resources": ("deep", "wide"), "relocations": ("same", "empty", "far"), "sections": ("empty", "row", "same")}


def not_writable(data):
    """The image without the write right of executable sections: clean, so that every defect shows."""
    data = bytearray(data)
    pe = struct.unpack_from("<I", data, 0x3C)[0]
    count, opt_nbytes = struct.unpack_from("<H", data, pe + 6)[0], struct.unpack_from("<H", data, pe + 20)[0]
    for header in range(pe + 24 + opt_nbytes, pe + 24 + opt_nbytes + 40 * count, 40):
        flags = struct.unpack_from("<I", data, header + 36)[0]
        if flags & EXECUTE:
            struct.pack_into("<I", data, header + 36, flags & ~WRITE)
    return bytes(data)


def makers():
    """(name, function of a count) of the images whose size follows a count of records."""
    for name, make in vars(hostile_images).items():
        if not inspect.isfunction(make) or "count" not in inspect.signature(make).parameters:
            continue
        for kind in KINDS.get(name, [None]):
            count = inspect.signature(make).parameters["count"].default // SCALES[-1]
            yield f"{name}_{kind}" if kind else name, lambda scale, make=make, kind=kind, count=count: (
                make(kind, count * scale) if kind else make(count * scale))


class Bulk(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = pathlib.Path(scratch.name)

    def run_bulk(self, *arguments):
        """The words of each line of the answer."""
        done = subprocess.run([BUILD / "bulk", *map(str, arguments)], env=dict(os.environ, **poke.SANITIZERS),
                              cwd=self.folder, capture_output=True, text=True, errors="replace", timeout=WITHIN_SECONDS,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-4000:])
        return [line.split() for line in done.stdout.splitlines()]

    def seed_paths(self):
        """Each seed as it is, and without what makes it findings."""
        paths = []
        for name in SEEDS:
            data = seeds.made()[name]
            for prefix, changed in (("", data), ("clean-", not_writable(data))):
                if not prefix or changed != data:
                    paths.append(self.folder / f"{prefix}{name}")
                    paths[-1].write_bytes(changed)
        return paths

    def counts(self, kind, step):
        """{name: (variants, clean, findings, error, fixed)}"""
        return {name: tuple(map(int, counts)) for _, name, *counts in self.run_bulk(kind, step, *self.seed_paths())}

    def test_every_truncation(self):
        for name, (count, clean, findings, error, fixed) in self.counts("cuts", 1).items():
            self.assertGreater(count, 1000, name)
            self.assertEqual(clean + findings + error, count)
            self.assertGreater(error, count // 2, name)  # what is behind the last section is no one's
            self.assertEqual(fixed, 0, name)

    def test_fields_at_their_extremes(self):
        by_seed = self.counts("fields", FIELDS_STEP)
        self.assertGreater(sum(counts[0] for counts in by_seed.values()), 60000)
        for name, (_, clean, findings, error, fixed) in by_seed.items():
            self.assertGreater(error, 20, name)
            if name.startswith("clean-") and name.removeprefix("clean-") not in NOT_ALWAYS_CLEAN:
                self.assertGreater(clean, 500, name)  # else the claim about "clean" says little
            if name in ("x64_init", "x86_init"):
                self.assertGreater(fixed, 20, name)
        self.assertGreater(sum(counts[2] for counts in by_seed.values()), 1000)

    def test_pairs_of_fields(self):
        by_seed = self.counts("pairs", PAIRS)
        self.assertGreater(sum(counts[1] for counts in by_seed.values()), 20000)
        for name, (count, *_) in by_seed.items():
            self.assertEqual(count, PAIRS, name)

    def test_oracle_objects_to_what_it_should(self):
        """The second reading is not blind: seeds with defects are objected to by both."""
        for name, (_, clean, *_) in self.counts("pairs", 200).items():
            if name in NOT_ALWAYS_CLEAN:
                self.assertLess(clean, 20, name)

    def test_work_is_linear(self):
        paths, tried = [], set()
        for name, make in makers():
            for scale in SCALES:
                paths.append(self.folder / f"{name}.{scale}")
                paths[-1].write_bytes(make(scale))
            tried.add(name)
        self.assertGreaterEqual(len(tried), 18)
        steps = {(verb, name): (int(nbytes), int(count)) for verb, name, nbytes, count, _ in self.run_bulk("work", *paths)}
        compared = set()
        for (verb, file_name), (_, count) in steps.items():
            name, scale = file_name.rsplit(".", 1)
            first = steps[verb, f"{name}.1"][1]
            if first < FEWEST_STEPS:
                continue
            self.assertLess(count, first * int(scale) * MOST_GROWTH, (verb, file_name))
            compared.add((verb, name))
        self.assertGreaterEqual(len(compared), 30)

    def test_work_of_new_layouts_is_linear(self):
        """The same drivers with four times as many functions are laid out anew and proved in four times the steps."""
        drivers = {fixture.file_name: fixture for fixture in matrix.read() if fixture.sources == "bulk"}
        larger = [name for name in drivers if "larger" in name]
        self.assertGreaterEqual(len(larger), 4)
        work = self.run_bulk("work", *(fixture.path for fixture in drivers.values()))
        fixes = {pathlib.Path(name).stem: (int(nbytes), int(count)) for verb, name, nbytes, count, _ in work if verb == "fix"}
        for name in larger:
            (nbytes, count), (first_nbytes, first_count) = fixes[name], fixes[name.replace("larger_", "")]
            self.assertGreater(nbytes, 2 * first_nbytes)
            self.assertLess(count / nbytes, first_count / first_nbytes * MOST_GROWTH, name)


if __name__ == "__main__":
    unittest.main()
