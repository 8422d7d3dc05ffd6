"""Killed at any moment, a repair that writes an image and its PDB, and the way back, leave each of them old or new; the two
that lie beside each other belong together, or differ in their GUID; no PDB of a linker is lost; and the same command, or
`restore`, brings everything to its end.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from support import pdb, tool

sys.path.append(str(pathlib.Path(__file__).resolve().parent))
from test_kill import TEMPORARY, can_trace, take_endings  # noqa: E402

VARIANTS = ("plain",)
NOT_ON_WINDOWS = "strace counts Linux system calls; wine/test_windows_files.py has the PDB that is held"
# What leaves a trace in a folder. Between two of them nothing changes there.
CALLS = "openat,write,pwrite64,fsync,rename,renameat,linkat,unlink,fchmod"
NAME = "iat_in_text_x64"
IMAGE, PDB, KEPT, UNDO = f"{NAME}.sys", f"{NAME}.pdb", f"{NAME}.pdb.hvcifix-old", f"{NAME}.sys.hvcifix-undo"


@unittest.skipUnless(can_trace(), "strace may not trace here")
class Killed(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = self.folder / "log"
        self.work = self.folder / "work"
        built = pdb.build(NAME)
        self.old = {IMAGE: built.read_bytes(), PDB: built.with_suffix(".pdb").read_bytes()}
        self.new = self.run_whole(self.old, "fix", "--in-place", IMAGE)
        self.assertEqual(set(self.new), {IMAGE, PDB, KEPT, UNDO})
        self.assertNotEqual(self.new[PDB], self.old[PDB])

    def fill(self, files):
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        for name, content in files.items():
            (self.work / name).write_bytes(content)

    def files(self):
        return {path.name: path.read_bytes() for path in self.work.iterdir() if not TEMPORARY.fullmatch(path.name)}

    def run_tool(self, *arguments):
        return tool.run(*(self.work / each if each in (IMAGE, "out.sys") else each for each in arguments))

    def run_whole(self, files, *arguments):
        self.fill(files)
        done = self.run_tool(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout)
        return self.files()

    def trace(self, arguments, *options):
        arguments = [self.work / each if each in (IMAGE, "out.sys") else each for each in arguments]
        return subprocess.run(["strace", "-f", "-qq", "-y", "-o", self.log, "-e", f"trace={CALLS}", *options, tool.TOOL,
                               *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                              preexec_fn=take_endings)

    def kills(self, files, *arguments):
        """The folder after a kill at each call that changes something in it."""
        self.fill(files)
        self.assertEqual(self.trace(arguments).returncode, 0)
        seen, points = {}, []
        for line in self.log.read_text("utf-8", "replace").splitlines():
            name = re.match(r"\d+ +(\w+)\(", line)
            if not name:
                continue
            seen[name[1]] = seen.get(name[1], 0) + 1
            if str(self.work) in line and not ("openat" in line and not re.search("O_CREAT|O_TMPFILE", line)):
                points.append((name[1], seen[name[1]]))
        self.assertGreater(len(points), 6)
        for name, number in points:
            with self.subTest(arguments=" ".join(arguments), call=name, number=number):
                self.fill(files)
                self.assertEqual(self.trace(arguments, "-e", f"inject={name}:signal=KILL:when={number}").returncode, -9)
                yield number, self.files()

    def assert_same(self, files, expected):
        self.assertEqual(sorted(files), sorted(expected))
        self.assertEqual([name for name in files if files[name] != expected[name]], [])

    def assert_pair(self, left, image=IMAGE, name=PDB):
        """An image and the PDB that has its name belong together, or no debugger takes the one for the other."""
        if image in left and name in left:
            (self.work / "image").write_bytes(left[image])
            (self.work / "pdb").write_bytes(left[name])
            belongs = pdb.Pdb(self.work / "pdb").guid == pdb.identity(self.work / "image")[0]
            self.assertEqual(belongs, (left[image], left[name]) in
                             ((self.old[IMAGE], self.old[PDB]), (self.new[IMAGE], self.new[PDB])))
            (self.work / "image").unlink(), (self.work / "pdb").unlink()

    def assert_in_place(self, left, has_undo=True):
        self.assertTrue(left[IMAGE] in (self.old[IMAGE], self.new[IMAGE]))
        self.assertTrue(left[PDB] in (self.old[PDB], self.new[PDB]))
        self.assertLessEqual(set(left), {IMAGE, PDB, KEPT, UNDO})
        self.assertTrue(left.get(KEPT, self.old[PDB]) == self.old[PDB])
        if left[IMAGE] == self.new[IMAGE]:
            self.assertTrue(left[PDB] == self.new[PDB])
        if has_undo or left[IMAGE] == self.old[IMAGE]:
            self.assertTrue(self.old[PDB] in (left[PDB], left.get(KEPT)), "the old PDB is lost")
        if has_undo and (left[IMAGE], left[PDB]) != (self.old[IMAGE], self.old[PDB]):
            self.assertTrue(left.get(UNDO) == self.new[UNDO], "nothing leads back")
        self.assert_pair(left)

    def test_fix_in_place(self):
        states = set()
        for number, left in self.kills(self.old, "fix", "--in-place", IMAGE):
            self.assert_in_place(left)
            states.add((left[IMAGE] == self.new[IMAGE], left[PDB] == self.new[PDB], KEPT in left, UNDO in left))
            if number % 2 and UNDO in left:
                self.assertEqual(self.run_tool("restore", IMAGE).returncode, 0)
                restored = self.files()
                self.assert_same(restored, self.old)
            elif left[IMAGE] == self.old[IMAGE]:
                done = self.run_tool("fix", "--in-place", IMAGE)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assert_same(self.files(), self.new)
                self.assertEqual(b"ended before its end" in b" ".join(done.stdout.split()), left[PDB] == self.new[PDB])
                self.assertEqual(self.run_tool("restore", IMAGE).returncode, 0)
                self.assert_same(self.files(), self.old)
        # Nothing yet; what leads back; the PDB kept; the new PDB; all.
        self.assertEqual(states, {(False, False, False, False), (False, False, False, True), (False, False, True, True),
                                  (False, True, True, True), (True, True, True, True)})

    def test_restore(self):
        for _, left in self.kills(self.new, "restore", IMAGE):
            self.assert_in_place(left, has_undo=False)
            if left != self.old:
                self.assertIn(UNDO, left)
                self.assertEqual(self.run_tool("restore", IMAGE).returncode, 0)
            self.assert_same(self.files(), self.old)

    def test_enforce(self):
        """Leaves nothing that leads back; the same command goes on."""
        whole = {IMAGE: self.new[IMAGE], PDB: self.new[PDB]}
        for _, left in self.kills(self.old, "enforce", "--mode", "fix", IMAGE):
            self.assert_in_place(left, has_undo=False)
            done = self.run_tool("enforce", "--mode", "fix", IMAGE)
            self.assertEqual(done.returncode, 0, done.stdout)
            now = self.files()
            if left[IMAGE] == self.old[IMAGE]:
                self.assert_same(now, whole)

    def test_fix_to_another_file(self):
        """What had the names before is there until it is replaced; a PDB of something else stays, under another name."""
        other = pdb.build("all_defects_x64").with_suffix(".pdb").read_bytes()
        before = {**self.old, "out.sys": self.old[IMAGE], "out.pdb": other}
        whole = self.run_whole(before, "fix", IMAGE, "-o", "out.sys")
        self.assert_same(whole, {**before, "out.sys": self.new[IMAGE], "out.pdb": self.new[PDB],
                                 "out.pdb.hvcifix-old": other})
        for _, left in self.kills(before, "fix", IMAGE, "-o", "out.sys"):
            self.assert_same({**left, **self.old}, left)
            self.assertTrue(left["out.sys"] in (self.old[IMAGE], self.new[IMAGE]))
            self.assertTrue(other in (left["out.pdb"], left.get("out.pdb.hvcifix-old")))
            self.assertTrue(left["out.pdb"] in (other, self.new[PDB]))
            if left["out.sys"] == self.new[IMAGE]:
                self.assertTrue(left["out.pdb"] == self.new[PDB])
            self.assert_pair(left, "out.sys", "out.pdb")
            self.assertEqual(self.run_tool("fix", IMAGE, "-o", "out.sys").returncode, 0)
            self.assert_same(self.files(), whole)


if __name__ == "__main__":
    unittest.main()
