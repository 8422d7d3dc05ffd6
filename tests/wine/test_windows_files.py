"""Replacing files on Windows: what others hold is waited for; whatever happens, the old file or the new one is there.

bystander.exe (tests/wine/bystander_windows.c) is the other program: a scanner, a linker, an editor.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time
import unittest

from support import pdb, tool, windows_case

TEMPORARY = re.compile(r"\A\.hvcifix-\d+-\d+\.tmp\Z")
HELD_MILLISECONDS = 1500
LEAST_WAIT_SECONDS = 1  # the holder was there a little before it said so
FOREVER = 120_000
PATIENCE_SECONDS = 10
HIDDEN, READ_ONLY = 2, 1
LOCK_VIOLATION = 33  # a code of GetLastError()
KILLS = 40
LARGE_NBYTES = 16 << 20  # so that writing, flushing and reading back take a while


class Files(windows_case.WindowsCase):
    def setUp(self):
        super().setUp()
        self.target = self.copy("init_rwx_x64", self.folder / "x.sys")
        self.old = self.target.read_bytes()
        self.assertEqual(tool.run("fix", self.target, "-o", self.folder / "linux.sys").returncode, 0)
        self.new = (self.folder / "linux.sys").read_bytes()
        (self.folder / "linux.sys").unlink()
        self.assertNotEqual(self.old, self.new)

    def timed(self, *arguments):
        begun = time.monotonic()
        done = self.exe(*arguments)
        return done, time.monotonic() - begun


class Held(Files):
    """How the file is held: "share" forbids to replace it, "alone" even to open it."""

    def test_held_for_a_moment(self):
        for how in ("share", "alone"):
            with self.subTest(how=how):
                self.target.write_bytes(self.old)
                self.beside(HELD_MILLISECONDS, how, "x.sys")
                done, seconds = self.timed("fix", "--in-place", "x.sys")
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertGreater(seconds, LEAST_WAIT_SECONDS)
                self.assertEqual(self.target.read_bytes(), self.new)
                self.assert_only("x.sys", "x.sys.hvcifix-undo")

    def test_enforced_while_held_for_a_moment(self):
        """What a scanner holds is waited for, whether it is to be repaired or to be taken away."""
        (self.folder / "p.ini").write_text("[policy]\nmode = fix\n[rules]\nHVCI2102 = error\n")
        self.beside(HELD_MILLISECONDS, "share", "x.sys")
        done, seconds = self.timed("enforce", "--policy", "p.ini", "x.sys")
        self.assertEqual((done.returncode, self.target.read_bytes()), (0, self.new), done.stdout)
        self.assertGreater(seconds, LEAST_WAIT_SECONDS)
        self.target.write_bytes(self.old)
        self.beside(HELD_MILLISECONDS, "share", "x.sys")
        done, seconds = self.timed("enforce", "--policy", "p.ini", "--mode=reject", "x.sys")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertGreater(seconds, LEAST_WAIT_SECONDS)
        self.assert_only("p.ini", "x.sys.rejected")

    def test_changed_while_held(self):
        """What is there when the holder is gone is no longer what was read: it stays."""
        self.beside(HELD_MILLISECONDS, "write", "x.sys")
        done, seconds = self.timed("fix", "--in-place", "x.sys")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn(b'HVCI9007: "x.sys" was changed or replaced by another program since it was read', done.stdout)
        self.assertGreater(seconds, LEAST_WAIT_SECONDS)
        self.assertEqual(self.target.read_bytes(), self.old + b"theirs")
        self.assert_only("x.sys")

    def test_read_while_held_for_a_moment(self):
        (self.folder / "x.rsp").write_text("x.sys")
        for arguments in (["check", "x.sys"], ["show", "x.sys"], ["verify", "x.sys", "x.sys"], ["check", "@x.rsp"]):
            with self.subTest(arguments=arguments):
                self.beside(HELD_MILLISECONDS, "alone", arguments[1].lstrip("@"))
                done, seconds = self.timed(*arguments)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertGreater(seconds, LEAST_WAIT_SECONDS)

    def test_a_catalog_held_for_a_moment(self):
        (self.folder / "x.cat").write_bytes(b"no hash of ours")
        self.beside(HELD_MILLISECONDS, "alone", "x.cat")
        self.assertEqual(self.exe("fix", "--in-place", "x.sys").returncode, 0)
        self.assertEqual(self.target.read_bytes(), self.new)

    def test_reading_goes_beside_writers(self):
        """Who shares reading is not waited for."""
        self.beside(FOREVER, "share", "x.sys")
        done, seconds = self.timed("check", "x.sys")
        self.assertEqual(done.returncode, 0)
        self.assertLess(seconds, PATIENCE_SECONDS)

    def test_never_released(self):
        self.beside(FOREVER, "share", "x.sys")
        done, seconds = self.timed("fix", "--in-place", "x.sys")
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn(b'x.sys : error HVCI9007: Replacing "x.sys" failed: ', done.stdout)
        self.assertRegex(done.stdout, rb"another program holds the file|access is denied")
        self.assertGreaterEqual(seconds, PATIENCE_SECONDS - 1)
        self.assertEqual(self.target.read_bytes(), self.old)
        self.assert_only("x.sys")

    def test_never_readable(self):
        self.beside(FOREVER, "alone", "x.sys")
        done, seconds = self.timed("fix", "--in-place", "x.sys")
        self.assertEqual(done.returncode, 3, done.stdout)
        self.assertIn(b'x.sys : error HVCI9006: Opening "x.sys" failed: another program holds the file.', done.stdout)
        self.assertGreaterEqual(seconds, PATIENCE_SECONDS - 1)
        self.assertEqual(self.target.read_bytes(), self.old)
        self.assert_only("x.sys")


class HeldPdb(windows_case.WindowsCase):
    """A debugger has the PDB open: the image is repaired together with it, or not at all."""

    name = "iat_in_text_x64"

    def setUp(self):
        super().setUp()
        built = pdb.build(self.name)
        self.files = [shutil.copy(built.with_suffix(suffix), self.folder) for suffix in (".sys", ".pdb")]
        self.old = [pathlib.Path(file).read_bytes() for file in self.files]

    def test_for_a_moment(self):
        self.beside(HELD_MILLISECONDS, "share", f"{self.name}.pdb")
        done = self.exe("fix", "--in-place", f"{self.name}.sys")
        self.assertEqual(done.returncode, 0, done.stdout)
        image, new_pdb = (pathlib.Path(file) for file in self.files)
        self.assertEqual(pdb.identity(image)[0], pdb.Pdb(new_pdb).guid)
        self.assertNotIn(self.old[0], (image.read_bytes(), new_pdb.read_bytes()))

    def test_never_released(self):
        for how, code, words in (("share", 4, b"HVCI9007"), ("alone", 3, b"HVCI9006")):
            with self.subTest(how=how):
                holder = self.beside(FOREVER, how, f"{self.name}.pdb")
                done = self.exe("fix", "--in-place", f"{self.name}.sys")
                self.assertEqual(done.returncode, code, done.stdout)
                self.assertIn(words, done.stdout)
                self.assertIn(f"{self.name}.pdb".encode(), done.stdout)
                holder.kill()
                holder.wait()
                self.assertEqual([pathlib.Path(file).read_bytes() for file in self.files], self.old)
                self.assertEqual(sorted(os.listdir(self.folder)), sorted(map(os.path.basename, self.files)))


class Locked(Files):
    """Bytes that another program has locked. Wine lets everybody read them, so hvcifix-faults.exe makes the reading
    fail (tests/support/faults_windows.c); it counts the time that the program would have waited."""

    def faulty(self, fault, *arguments):
        """(exit code, seconds waited, output) of a run in which a call of Windows fails."""
        program = windows_case.BUILD / "wine-helpers" / "hvcifix-faults.exe"
        script, output = self.folder / "script", self.folder / "output"
        (self.folder / "script.log").unlink(missing_ok=True)
        script.write_text("\t".join([fault, *map(windows_case.windows_path, (self.folder, output)), *arguments]) + "\n")
        self.wine.run(self.wine.command(program), {"HVCIFIX_FAULTS": windows_case.windows_path(script)}, self.folder)
        code, fired, slept = (self.folder / "script.log").read_text().split()[:3]
        self.assertEqual(int(fired) > 0, bool(fault))
        return int(code), int(slept) / 1000, (self.folder / "output.out").read_bytes()

    def test_locked_for_a_moment(self):
        expected = self.faulty("", "check", "x.sys")
        self.assertEqual(expected[:2], (0, 0))
        for number in (1, 2, 3):
            fault = "+".join(f"read:{i}:{LOCK_VIOLATION}" for i in range(1, number + 1))
            code, seconds, output = self.faulty(fault, "check", "x.sys")
            self.assertEqual((code, output), (0, expected[2]))
            self.assertTrue(0 < seconds < 1, seconds)

    def test_locked_for_ever(self):
        code, seconds, output = self.faulty(f"read:1-:{LOCK_VIOLATION}", "check", "x.sys")
        self.assertEqual(code, 3)
        self.assertTrue(PATIENCE_SECONDS <= seconds < PATIENCE_SECONDS + 2, seconds)
        self.assertIn(b'HVCI9006: Reading "x.sys" failed: another program holds the file.', output)


class Attributes(Files):
    def attributes(self):
        return int(self.helper("bystander", "attributes", "x.sys").stdout, 16)

    def test_read_only_is_left_alone(self):
        os.chmod(self.target, 0o444)
        self.assertTrue(self.attributes() & READ_ONLY)
        for arguments in (["--in-place", "x.sys"], ["x.sys", "-o", "x.sys"]):
            done, seconds = self.timed("fix", *arguments)
            self.assertEqual(done.returncode, 4, done.stdout)
            self.assertIn(b'"x.sys" is read-only.', done.stdout)
            self.assertLess(seconds, PATIENCE_SECONDS)  # nothing to wait for
        self.assertEqual(self.target.read_bytes(), self.old)
        self.assert_only("x.sys")

    def test_hidden_stays_hidden(self):
        self.assertEqual(self.helper("bystander", "hide", "x.sys").returncode, 0)
        self.assertTrue(self.attributes() & HIDDEN)
        self.assertEqual(self.exe("fix", "--in-place", "x.sys").returncode, 0)
        self.assertEqual(self.target.read_bytes(), self.new)
        self.assertTrue(self.attributes() & HIDDEN)

    def test_rights_stay(self):
        """Of the target, which need not be those that a new file gets."""
        found = set()
        for mode in (0o600, 0o644, 0o666):
            for arguments in (["--in-place", "x.sys"], ["y.sys", "-o", "x.sys"]):
                self.target.write_bytes(self.old)
                (self.folder / "y.sys").write_bytes(self.old)
                os.chmod(self.target, mode)
                before = self.helper("bystander", "rights", "x.sys").stdout
                self.assertEqual(self.exe("fix", *arguments).returncode, 0)
                self.assertEqual(self.target.read_bytes(), self.new)
                self.assertEqual(self.helper("bystander", "rights", "x.sys").stdout, before)
                found.add(before)
        self.assertEqual(len(found), 3)

    def test_a_folder_is_no_file(self):
        (self.folder / "d").mkdir()
        done = self.exe("fix", "x.sys", "-o", "d")
        self.assertEqual(done.returncode, 4)
        self.assertIn(b'"d" is a folder, not a file.', done.stdout)
        done = self.exe("fix", "x.sys", "-o", "no\\such\\folder\\y.sys")
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"there is no such file or folder", done.stdout)
        self.assert_only("d", "x.sys")


class Killed(Files):
    """hvcifix.exe is killed at moments spread over the time from when the temporary file is there until it is gone."""

    def setUp(self):
        super().setUp()
        self.old += bytes(LARGE_NBYTES)  # an overlay
        self.target.write_bytes(self.old)
        self.assertEqual(tool.run("fix", "--in-place", self.target).returncode, 0)
        self.new = self.target.read_bytes()

    def start(self):
        for name in os.listdir(self.folder):
            os.remove(self.folder / name)
        self.target.write_bytes(self.old)
        command = self.wine.command(windows_case.EXE, "fix", "--in-place", "x.sys")
        return subprocess.Popen(command, env=self.wine.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def left_beside(self):
        """What lies beside the image, but for what leads back from the repair."""
        return set(os.listdir(self.folder)) - {"x.sys", "x.sys.hvcifix-undo"}

    def wait_for_temporary(self, process):
        while process.poll() is None and not self.left_beside():
            pass
        return time.monotonic()

    def test_killed_at_any_moment(self):
        process = self.start()
        begun, old_file = self.wait_for_temporary(process), self.target.stat().st_ino
        # The first temporary file becomes the undo file, another one the image.
        while process.poll() is None and (self.target.stat().st_ino == old_file or self.left_beside()):
            pass
        span = time.monotonic() - begun
        self.assertEqual(process.wait(), 0)
        kept_old = kept_new = left_behind = 0
        for number in range(KILLS):
            with self.subTest(number=number, of=KILLS):
                process = self.start()
                begun = self.wait_for_temporary(process)
                time.sleep(max(0.0, begun + span * 1.3 * number / KILLS - time.monotonic()))
                process.send_signal(signal.SIGKILL)
                process.wait()
                content = self.target.read_bytes()
                self.assertTrue(content in (self.old, self.new), "neither the old file nor the new one")
                kept_old += content == self.old
                kept_new += content == self.new
                left = self.left_beside()
                for name in left:
                    self.assertRegex(name, TEMPORARY)
                left_behind += bool(left)
        self.assertTrue(kept_old and kept_new and left_behind, (kept_old, kept_new, left_behind))
        # What a kill leaves does not stand in the way of the next run.
        (self.folder / ".hvcifix-1-0.tmp").write_bytes(b"left")
        self.target.write_bytes(self.old)
        self.assertEqual(self.exe("fix", "--in-place", "x.sys").returncode, 0)
        self.assertEqual(self.target.read_bytes(), self.new)


if __name__ == "__main__":
    unittest.main()
