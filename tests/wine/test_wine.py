"""Drivers start, answer and stop under Wine, and so do their repaired versions, in the same way."""

import os
import shutil
import tempfile
import unittest

from support import images, matrix, strict_loader, tool, wine

INPUTS = 4  # drive.c asks each question with so many inputs
COMMON_QUESTIONS = 3  # start, tables, imports
# Flags of the compiler that change nothing of what a driver answers.
WITHOUT_EFFECT = ("-DINIT_FLAGS", "-DLARGEST_ALIGNMENT", "-DONE_MORE_CALL", "-DGUARD_SECTION")
# Constructs whose answers depend on the kernel: Wine's ExRaiseStatus raises a code of its own; the build number.
UNLIKE = ("unwinding", "import_slots")
WITH_EFFECT = ("patch:debug_behind",)  # the driver's debug directory is among what it reads


def answers(load):
    """{(question, input): answer} of one load."""
    found = {}
    for line in load.splitlines():
        words = line.split()
        if len(words) == 6 and words[0] == "question" and words[4] == "answer":
            found[words[1], words[3]] = words[5]
    return found


@unittest.skipUnless(wine.is_installed(), "Wine is not installed")
class Drivers(unittest.TestCase):
    machine = "x64"
    real_count = 6  # keyboard and mouse, for Windows 5.2, 6.0 and 6.1

    @classmethod
    def setUpClass(cls):
        cls.wine = cls.new_wine()
        cls.wine.prepare()
        cls.loads = {}  # path of an original -> what its loads said
        paths = [fixture.path for fixture in cls.drivers()]
        cls.loads.update(zip(paths, cls.wine.load_all(paths)))

    @classmethod
    def tearDownClass(cls):
        cls.wine.stop()

    @staticmethod
    def new_wine():
        return wine.Wine()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        self.addCleanup(shutil.rmtree, self.folder)

    @classmethod
    def all_drivers(cls):
        return [f for f in matrix.read() if f.machine == cls.machine and f.chain != "program"]

    @classmethod
    def drivers(cls):
        return [f for f in cls.all_drivers() if not f.not_in_wine]

    def load(self, path):
        """Each original is loaded once for all tests, the fixtures that start some at a time."""
        if path not in self.loads:
            self.loads[path] = self.wine.load(path)
        return self.loads[path]

    def repair(self, path, *options):
        out = os.path.join(self.folder, os.path.basename(path) + ".repaired.sys")
        done = tool.run("fix", path, "-o", out, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return out

    def test_fixtures_start_answer_and_stop_twice(self):
        for fixture in self.drivers():
            with self.subTest(fixture=fixture.file_name):
                loads = self.load(fixture.path)
                self.assertEqual(len(loads), 2)
                for load in loads:
                    lines = load.splitlines()
                    self.assertEqual(lines[:2], ["start 0", "open 0"], load)
                    self.assertEqual(lines[-2:], ["stop 0, then stopped", "delete 1"], load)
                    self.assertGreaterEqual(len(answers(load)), (COMMON_QUESTIONS + 1) * INPUTS, load)

    def test_the_strict_loader_hears_the_same(self):
        """Its kernel and its handling of exceptions are the tests' own (tests/loader): Wine is the second source."""
        for fixture in self.drivers():
            with self.subTest(fixture=fixture.file_name):
                code, said = strict_loader.run("--as-asked", "--steps", "0", fixture.path)
                self.assertEqual(code, 0, said)
                heard = answers(said.split("start 0x0\n")[1].replace(" 0x", " "))  # the first load
                unlike = {str(COMMON_QUESTIONS + place) for place, name in enumerate(fixture.constructs) if name in UNLIKE}
                for (question, value), answer in answers(self.load(fixture.path)[0]).items():
                    if question not in unlike:
                        self.assertEqual(heard.get((question, value)), answer, (question, value))

    def test_exceptions_do_not_start(self):
        for fixture in self.all_drivers():
            if fixture.not_in_wine:
                with self.subTest(fixture=fixture.file_name):
                    self.assertRegex(self.load(fixture.path)[0], "^start [1-9]")

    def test_defects_do_not_change_answers(self):
        """The same sources answer the same, however they are compiled and linked: so the answers mean something."""
        by_source = {}
        for fixture in self.drivers():
            if fixture.chain == "sign":
                continue
            definitions = [flag for flag in fixture.compile_flags.split()
                           if flag.startswith("-D") and not flag.startswith(WITHOUT_EFFECT)]
            definitions += [word for word in fixture.link_flags.split() if word in WITH_EFFECT]
            answered = sorted(answers(self.load(fixture.path)[0]).items())
            by_source.setdefault((fixture.sources, *definitions), {}).setdefault(tuple(answered), []).append(fixture)
        self.assertGreaterEqual(len(by_source), 30)
        for source, different in by_source.items():
            self.assertEqual(len(different), 1, (source, [[f.file_name for f in same] for same in different.values()]))

    def test_repaired_fixtures_behave_the_same(self):
        """Those that test_rewritten.py, which compares calls of the kernel too, does not take."""
        repaired = [f for f in self.drivers() if f.fix == "leaves" or (f.fix == "repairs" and f.chain == "sign")]
        self.assertTrue(repaired)
        outs = [self.repair(fixture.path, "--drop-signature") for fixture in repaired]
        for fixture, out, loads in zip(repaired, outs, self.wine.load_all(outs)):
            with self.subTest(fixture=fixture.file_name):
                self.assertNotEqual(images.read(out), images.read(fixture.path))
                self.assertEqual(loads, self.load(fixture.path))

    def test_repaired_real_drivers_behave_the_same(self):
        paths = images.real_drivers_of(self.machine)
        if not paths:
            self.skipTest("the package node-interception could not be had")
        self.assertEqual(len(paths), self.real_count)
        originals = dict(zip(paths, self.wine.load_all(paths)))
        self.assertEqual(sum(loads[0].startswith("start 0") for loads in originals.values()), len(paths))
        # test_rewritten.py has the others
        aligned = [path for path in paths if images.Headers(images.read(path)).is_page_aligned]
        outs = [self.repair(path, "--drop-signature") for path in aligned]
        for path, loads in zip(aligned, self.wine.load_all(outs)):
            with self.subTest(path=os.path.basename(path)):
                self.assertEqual(loads, originals[path])


if __name__ == "__main__":
    unittest.main()
