"""Rewritten drivers behave as before under Wine: original and rewritten start, answer the same, make the same kernel
calls, stop, and load a second time.

All fixtures are taken that `fix` repairs, with the options of the table. HVCIFIX_ONLY may hold words, one of which the
name of a fixture must contain. Many drivers share one start of Wine; a pair that differs there is compared again alone,
because a driver that crashes takes others with it, and Wine itself is not always up on a busy machine.
"""

import os
import shutil
import tempfile
import unittest

from support import images, matrix, relay, tool

ONLY = os.environ.get("HVCIFIX_ONLY", "").split()
PAIRS_A_START = 12


def difference(one, other):
    """"" when both drivers (relay.Run) did the same in each of two loads, else what differs first."""
    if not one.loads or not one.loads[0].startswith("start 0\n"):
        return f"the original does not start: {one.loads}"
    for number in range(2):
        load, new_load = [run.loads[number] if number < len(run.loads) else "" for run in (one, other)]
        for line, new_line in zip(load.splitlines(), new_load.splitlines()):
            if line != new_line:
                return f"load {number}: {line}, but {new_line}"
        if load != new_load:
            return f"load {number}: {load}, but {new_load}"
        if number >= min(len(one.calls), len(other.calls)):
            return f"load {number}: Wine tells of no calls"
        other_call = relay.difference(one.calls[number], other.calls[number])
        if other_call:
            return f"load {number}: {other_call}"
    return ""


def compare(host, pairs, tries=5):
    """[difference] of pairs of paths whose file names are all different."""
    differences = []
    for first in range(0, len(pairs), PAIRS_A_START):
        some = pairs[first : first + PAIRS_A_START]
        runs = relay.run(host, [path for pair in some for path in pair], tries=1)
        for pair, one, other in zip(some, runs[::2], runs[1::2]):
            if difference(one, other):
                one, other = relay.run(host, pair, tries=tries)
            differences.append(difference(one, other))
    return differences


class Rewritten(unittest.TestCase):
    """On x64; test_rewritten_i386.py does the same on x86."""

    machine = "x64"
    fewest_fixtures = 50

    @classmethod
    def setUpClass(cls):
        cls.host = relay.tracing(cls.machine)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        self.addCleanup(shutil.rmtree, self.folder)

    def new_path(self, name):
        return os.path.join(self.folder, f"{name}.new.sys")

    def assert_all_the_same(self, pairs):
        for (old, _), found in zip(pairs, compare(self.host, pairs)):
            with self.subTest(driver=os.path.basename(old)):
                self.assertEqual(found, "")

    def original_in_wine(self, fixture, number):
        """What the rewritten driver is compared with. Where Wine loads only a twin, a copy of that: it has its own pair."""
        if not fixture.not_in_wine:
            return fixture.path
        copy = os.path.join(self.folder, f"twin{number}.sys")
        shutil.copy(fixture.path_in_wine, copy)
        return copy

    def test_fixtures(self):
        pairs, refused = [], []
        for fixture in matrix.read():
            is_driver = fixture.machine == self.machine and fixture.chain not in ("program", "sign")
            if not is_driver or (ONLY and not any(word in fixture.file_name for word in ONLY)):
                continue
            for number, (options, verdict) in enumerate(fixture.runs):
                if verdict not in ("repairs", "either"):
                    continue
                new = self.new_path(f"{fixture.file_name}.{number}")
                code = tool.run("fix", fixture.path, "-o", new, *options).returncode
                if code != 0:
                    refused += [fixture.file_name] if verdict == "repairs" or code != 1 else []
                    continue
                old = self.original_in_wine(fixture, len(pairs))
                if number:  # two pairs of one driver, and every file name may be there once only
                    old = shutil.copy(old, os.path.join(self.folder, f"{fixture.file_name}.old{number}.sys"))
                pairs.append((old, new))
        self.assertGreater(len(pairs), 0 if ONLY else self.fewest_fixtures)
        self.assert_all_the_same(pairs)
        self.assertEqual(refused, [])  # cli/test_fix_properties.py says why

    def test_real_drivers(self):
        """The drivers of a 2009 WDK; two for x86 have sections aligned to 128 bytes."""
        paths = images.real_drivers_of(self.machine)
        if not paths:
            self.skipTest("the package node-interception could not be had")
        low_aligned = [path for path in paths if not images.Headers(images.read(path)).is_page_aligned]
        self.assertEqual(len(low_aligned), 2 if self.machine == "x86" else 0)
        pairs = []
        for path in paths:
            with self.subTest(path=os.path.basename(path)):
                new = self.new_path(os.path.basename(path))
                done = tool.run("fix", path, "-o", new, "--drop-signature")
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                self.assertTrue(images.Headers(images.read(new)).is_page_aligned)
                pairs.append((path, new))
        self.assert_all_the_same(pairs)

    def test_comparison_sees_differences(self):
        """The same file is the same; another driver is not, be it by an answer, by a call, or because it does not start."""
        names = {f.name: f.path for f in matrix.read() if f.machine == self.machine}
        same, broken = self.new_path("same"), self.new_path("broken")
        shutil.copy(names["clean"], same)
        data = bytearray(images.read(same))
        headers = images.Headers(bytes(data))
        foff = headers.pe.get_offset_from_rva(headers.optional.AddressOfEntryPoint)
        data[foff : foff + 2] = b"\x0f\x0b"  # ud2
        with open(broken, "wb") as file:
            file.write(data)
        expected = {same: "^$", names["natural"]: "^load 0: question 3 ",
                    names["one_more_call"]: "^load 0: call .*RtlUpcaseUnicodeChar"}
        clean, *others = relay.run(self.host, [names["clean"], *expected])
        for other, words in zip(others, expected.values()):
            self.assertRegex(difference(clean, other), words)
        self.assertRegex(compare(self.host, [(names["clean"], broken)], tries=1)[0],
                         "^load 0: start 0, but (start [1-9]|wine: )")


if __name__ == "__main__":
    unittest.main()
