"""Rewritten drivers behave as before under Wine: original and rewritten start, answer the same, make the same kernel calls,
stop, and load a second time.

Those are taken that the table of fixtures says `fix` repairs now. With HVCIFIX_REWRITER, a command in which {old}, {new} and
{options} are replaced, all are taken that it must repair, or may, once pieces can move (column "rewrite"). HVCIFIX_ONLY
may hold words, one of which the name of a fixture must contain.
"""

import os
import shlex
import shutil
import subprocess
import tempfile
import unittest

from support import images, matrix, relay, tool

REWRITER = os.environ.get("HVCIFIX_REWRITER")
ONLY = os.environ.get("HVCIFIX_ONLY", "").split()


def rewrite(old, new, options):
    """The finished process that writes `new`."""
    if REWRITER:
        words = []
        for word in shlex.split(REWRITER):
            words += options if word == "{options}" else [word.format(old=old, new=new)]
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return tool.run("fix", old, "-o", new, *options)


def compare(host, old, new, tries=5):
    """"" when both drivers do the same in each of two loads, else what differs first."""
    one, other = relay.run(host, [old, new], tries=tries)
    if not one.loads[0].startswith("start 0\n"):
        return f"the original does not start: {one.loads[0]}"
    for number in range(2):
        load, new_load = one.loads[number], other.loads[number] if number < len(other.loads) else ""
        for line, new_line in zip(load.splitlines(), new_load.splitlines()):
            if line != new_line:
                return f"load {number}: {line}, but {new_line}"
        if load != new_load:
            return f"load {number}: {load}, but {new_load}"
        if number >= min(len(one.calls), len(other.calls)):
            return f"load {number}: Wine tells of no calls"
        difference = relay.difference(one.calls[number], other.calls[number])
        if difference:
            return f"load {number}: {difference}"
    return ""


class Rewritten(unittest.TestCase):
    """On x64; test_rewritten_i386.py does the same on x86."""

    machine = "x64"

    @classmethod
    def setUpClass(cls):
        cls.host = relay.tracing(cls.machine)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        self.addCleanup(shutil.rmtree, self.folder)

    def new_path(self, name):
        return os.path.join(self.folder, f"{name}.new.sys")

    def fixtures(self):
        """Those that are rewritten."""
        drivers = [f for f in matrix.read() if f.machine == self.machine and f.chain not in ("program", "sign")]
        chosen = [f for f in drivers if f.rewrite in ("repairs", "either")]
        return [f for f in chosen if not ONLY or any(word in f.file_name for word in ONLY)]

    def test_fixtures(self):
        chosen = self.fixtures()
        self.assertTrue(chosen)
        for fixture in chosen:
            with self.subTest(fixture=fixture.file_name):
                new = self.new_path(fixture.file_name)
                done = rewrite(fixture.path, new, fixture.rewrite_options)
                if fixture.rewrite == "either" and done.returncode == 1:
                    continue  # refused, as it may be
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                if not (fixture.not_in_wine and images.read(new) == images.read(fixture.path)):
                    self.assertEqual(compare(self.host, fixture.path_in_wine, new), "")
                os.remove(new)

    def test_real_drivers(self):
        """The low-aligned ones are refused as yet; once `fix` repairs them, they are compared."""
        paths = images.real_drivers_of(self.machine)
        if not paths:
            self.skipTest("the package node-interception could not be had")
        for path in paths:
            with self.subTest(path=os.path.basename(path)):
                new = self.new_path(os.path.basename(path))
                done = rewrite(path, new, ["--drop-signature"])
                may_refuse = not images.Headers(images.read(path)).is_page_aligned
                self.assertIn(done.returncode, (0, 1) if may_refuse else (0,), done.stdout + done.stderr)
                if done.returncode == 0:
                    self.assertEqual(compare(self.host, path, new), "")

    def test_comparison_sees_differences(self):
        """The same file is the same; another driver is not, be it by an answer, by a call, or because it does not start."""
        names = {f.name: f.path for f in matrix.read() if f.machine == self.machine}
        same, broken = self.new_path("same"), self.new_path("broken")
        shutil.copy(names["clean"], same)
        self.assertEqual(compare(self.host, names["clean"], same), "")
        self.assertRegex(compare(self.host, names["clean"], names["natural"]), "^load 0: question 3 ")
        self.assertRegex(compare(self.host, names["clean"], names["one_more_call"]), "^load 0: call .*RtlUpcaseUnicodeChar")
        data = bytearray(images.read(same))
        headers = images.Headers(bytes(data))
        foff = headers.pe.get_offset_from_rva(headers.optional.AddressOfEntryPoint)
        data[foff : foff + 2] = b"\x0f\x0b"  # ud2
        with open(broken, "wb") as file:
            file.write(data)
        self.assertRegex(compare(self.host, names["clean"], broken, tries=1), "^load 0: start 0, but (start [1-9]|wine: )")


if __name__ == "__main__":
    unittest.main()
