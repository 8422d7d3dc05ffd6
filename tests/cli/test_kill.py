"""Killed at any moment, or refused by the operating system, `fix` leaves the old file or the new one, and so does
`restore`; and wherever the new one is, what leads back from it lies beside it.

strace stops the tool at each of its system calls that could leave a trace: once by a kill, once by an error.
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support import images, matrix, tool

VARIANTS = ("plain",)  # a leak check cannot run below strace
NOT_ON_WINDOWS = "strace counts Linux system calls; wine/test_windows_files.py kills hvcifix.exe instead"

# What opens, writes, flushes, renames, removes, or changes rights and owners.
CALLS = ("openat,open,creat,write,pwrite64,writev,ftruncate,fallocate,fsync,fdatasync,rename,renameat,renameat2,"
         "link,linkat,unlink,unlinkat,chmod,fchmod,fchmodat,chown,fchown,fchownat,utimensat,close")
TEMPORARY = re.compile(r"\.hvcifix-\d+-\d+\.tmp")  # docs/DESIGN.md
MODE = 0o640
UNDO = ".hvcifix-undo"  # docs/UNDO.md


def can_trace():
    done = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False)
    return done.returncode == 0


ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def take_endings():
    """Who started the tests may ignore these signals, as a shell does for what it runs in the background."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_DFL)


@unittest.skipUnless(can_trace(), "strace may not trace here")
class Interrupted(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.target = os.path.join(self.folder, "driver.sys")
        self.fixture = next(f for f in matrix.read() if f.file_name == "init_rwx_x64").path
        self.old = images.read(self.fixture)
        shutil.copyfile(self.fixture, self.target)
        os.chmod(self.target, MODE)
        self.assertEqual(tool.run("fix", "--in-place", self.target).returncode, 0)
        self.new = images.read(self.target)
        self.undo = images.read(self.target + UNDO)
        self.assertNotEqual(self.old, self.new)

    call = ("fix", "--in-place")

    def renew(self):
        """The folder as it is before a run: the unrepaired driver in it; before `restore`, the repaired one."""
        for name in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, name))
        for path, content in ((self.target, self.new), (self.target + UNDO, self.undo)) \
                if self.call[0] == "restore" else ((self.target, self.old),):
            with open(path, "wb") as file:
                file.write(content)
            os.chmod(path, MODE)

    def trace(self, *strace_options):
        command = ["strace", "-f", "-qq", "-o", "/dev/null", *strace_options, tool.TOOL, *self.call, self.target]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                              preexec_fn=take_endings)

    def count_calls(self):
        """[(system call, its number among calls of that name)] of an undisturbed run."""
        self.renew()
        log = os.path.join(tempfile.gettempdir(), f"hvcifix-strace-{os.getpid()}.log")
        subprocess.run(["strace", "-f", "-qq", "-o", log, "-e", f"trace={CALLS}", tool.TOOL, *self.call,
                        self.target], stdin=subprocess.DEVNULL, capture_output=True, check=True)
        with open(log, encoding="utf-8", errors="replace") as lines:
            names = [found[1] for found in map(re.compile(r"\d+ +(\w+)\(").match, lines) if found]
        os.remove(log)
        seen, calls = {}, []
        for name in names:
            seen[name] = seen.get(name, 0) + 1
            calls.append((name, seen[name]))
        return calls

    def assert_old_or_new(self):
        content = images.read(self.target)
        self.assertIn(content, (self.old, self.new), "the target is neither the old file nor the new one")
        self.assertEqual(os.stat(self.target).st_mode & 0o7777, MODE)
        if content == self.new:
            self.assertEqual(images.read(self.target + UNDO), self.undo, "nothing leads back")
        return content == self.new

    def test_what_is_relied_on_outlasts_a_power_failure(self):
        """The file that leads back, and its name, are on the disk before the image is replaced; the image is before
        that file goes."""
        undo, image = re.escape(self.target + UNDO), re.escape(self.target)
        first, then = {"fix": (rf'rename\(.*, "{undo}"\)', rf'rename\(.*, "{image}"\)'),
                       "restore": (rf'rename\(.*, "{image}"\)', rf'unlink\("{undo}"\)')}[self.call[0]]
        log = pathlib.Path(self.folder, "log")
        self.renew()
        done = subprocess.run(["strace", "-f", "-qq", "-y", "-o", log, "-e", "trace=fsync,rename,unlink", tool.TOOL,
                               *self.call, self.target], stdin=subprocess.DEVNULL, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0)
        flush = rf"fsync\(\d+<{re.escape(self.folder)}>\) *= 0"
        self.assertRegex(log.read_text(), rf"{first}(?s:.*){flush}(?s:.*){then}")

    def test_killed_at_every_call(self):
        calls = self.count_calls()
        for name in ("rename", "write", "fsync", "fchmod"):
            self.assertTrue(any(call.startswith(name) for call, _ in calls), f"no {name} was seen")
        kept_old = kept_new = left_behind = 0
        has_unnamed = any(call == "linkat" for call, _ in calls)
        for name, number in calls:
            with self.subTest(call=name, number=number):
                self.renew()
                done = self.trace("-e", f"inject={name}:signal=KILL:when={number}")
                self.assertEqual(done.returncode, -9)
                if self.assert_old_or_new():
                    kept_new += 1
                else:
                    kept_old += 1
                left_here = 0
                for left in set(os.listdir(self.folder)) - {"driver.sys", "driver.sys" + UNDO}:
                    self.assertRegex(left, TEMPORARY)
                    left_here += 1
                left_behind += left_here
                self.go_on(number)
                # As long as the file has no name, whoever ends the program finds nothing of it.
                if has_unnamed and name not in ("close", "rename"):
                    self.assertEqual(left_here, 0)
        # The kills fell on both sides of the replacement, and between its beginning and its end.
        self.assertTrue(kept_old and kept_new and left_behind, (kept_old, kept_new, left_behind))

    def go_on(self, number):
        """What a kill leaves does not stand in the way of the next run, nor of the way back."""
        if self.call[0] == "restore" or (number % 2 and os.path.exists(self.target + UNDO)):
            expected = 0 if os.path.exists(self.target + UNDO) else 3
            self.assertEqual(tool.run("restore", self.target).returncode, expected)
            self.assertEqual(images.read(self.target), self.old)
            self.assertFalse(os.path.exists(self.target + UNDO))
        self.assertEqual(tool.run("fix", "--in-place", self.target).returncode, 0)
        self.assertEqual((images.read(self.target), images.read(self.target + UNDO)), (self.new, self.undo))
        self.assertEqual(tool.run("restore", self.target).returncode, 0)
        self.assertEqual(images.read(self.target), self.old)

    def test_ended_while_it_writes(self):
        """Ctrl-C, or the end of a session, leaves nothing."""
        if not any(call == "linkat" for call, _ in self.count_calls()):
            self.skipTest("this disk has no files without a name")
        for ending in (ending.name for ending in ENDINGS):
            for name, number in (("write", 1), ("fsync", 1), ("fchmod", 1), ("write", 2), ("fsync", 2)):
                self.renew()
                done = self.trace("-e", f"inject={name}:signal={ending}:when={number}")
                self.assertLess(done.returncode, 0)
                self.assertEqual(images.read(self.target), self.old)
                self.assertEqual(os.listdir(self.folder), ["driver.sys"])

    def wait_until_it_writes(self, process):
        """Until the traced program flushes its temporary file, which takes long then."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                traced = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                opened = [os.readlink(link) for pid in traced for link in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
            except OSError:  # it begins, or ends
                opened = []
            if any(path.startswith(self.folder + "/#") or TEMPORARY.search(os.path.basename(path)) for path in opened):
                time.sleep(0.3)  # it proves what is in there, then flushes it
                return
            time.sleep(0.01)
        self.fail("no temporary file was seen")

    def test_changed_by_somebody_else_while_it_writes(self):
        """What is there is no longer what was read: it stays."""
        theirs = bytes(reversed(self.old))

        def put_another():
            with open(self.target + ".new", "wb") as file:
                file.write(self.old)
            os.replace(self.target + ".new", self.target)

        def overwrite():
            with open(self.target, "r+b") as file:
                file.write(theirs)

        for change, kept in ((put_another, self.old), (overwrite, theirs), (lambda: os.remove(self.target), None)):
            for output in ((), ("-o", self.target), ("-o", os.path.join(self.folder, "link.sys"))):
                self.renew()
                os.symlink("driver.sys", os.path.join(self.folder, "link.sys"))
                arguments = ["fix", self.target, *output] if output else ["fix", "--in-place", self.target]
                with subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e",
                                       "inject=fsync:delay_enter=1s:when=1", tool.TOOL, *arguments],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
                    self.wait_until_it_writes(process)
                    change()
                    said = process.communicate(timeout=60)[0]
                self.assertEqual(process.returncode, 4, said)
                self.assertIn(b"HVCI9007", said)
                self.assertIn(b"was changed or replaced by another program since it was read", said)
                self.assertEqual(images.read(self.target) if os.path.exists(self.target) else None, kept)
                self.assertEqual(set(os.listdir(self.folder)) - {"driver.sys"}, {"link.sys"})

    def test_every_call_refused_by_the_system(self):
        failed_cleanly = 0
        for name, number in self.count_calls():
            for error in ("EIO", "ENOSPC"):
                with self.subTest(call=name, number=number, error=error):
                    self.renew()
                    done = self.trace("-e", f"inject={name}:error={error}:when={number}")
                    self.assertGreaterEqual(done.returncode, 0, "died of a signal")
                    is_new = self.assert_old_or_new()
                    if done.returncode == 0:
                        self.assertTrue(is_new, "it says that it succeeded")
                    elif done.returncode == 4 and not is_new:
                        self.assertIn(b"HVCI9007", done.stdout + done.stderr)
                        failed_cleanly += 1
                    if not name.startswith("unlink"):
                        beside = ["driver.sys" + UNDO] if is_new else []
                        self.assertEqual(sorted(os.listdir(self.folder)), ["driver.sys", *beside])
        self.assertGreater(failed_cleanly, 3)


class RestoreInterrupted(Interrupted):
    """The same, the other way round."""

    call = ("restore",)

    def test_ended_while_it_writes(self):
        if not any(call == "linkat" for call, _ in self.count_calls()):
            self.skipTest("this disk has no files without a name")
        for name in ("write", "fsync", "fchmod"):
            self.renew()
            self.assertLess(self.trace("-e", f"inject={name}:signal=SIGTERM:when=1").returncode, 0)
            self.assertEqual(images.read(self.target), self.new)
            self.assertEqual(sorted(os.listdir(self.folder)), ["driver.sys", "driver.sys" + UNDO])

    def test_changed_by_somebody_else_while_it_writes(self):
        theirs = bytes(reversed(self.new))
        self.renew()
        with subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e",
                               "inject=fsync:delay_enter=1s:when=1", tool.TOOL, "restore", self.target],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            self.wait_until_it_writes(process)
            with open(self.target, "wb") as file:
                file.write(theirs)
            said = process.communicate(timeout=60)[0]
        self.assertEqual(process.returncode, 4, said)
        self.assertIn(b"HVCI9007", said)
        self.assertEqual((images.read(self.target), images.read(self.target + UNDO)), (theirs, self.undo))

    def test_every_call_refused_by_the_system(self):
        failed_cleanly = 0
        for name, number in self.count_calls():
            with self.subTest(call=name, number=number):
                self.renew()
                done = self.trace("-e", f"inject={name}:error=EIO:when={number}")
                self.assertGreaterEqual(done.returncode, 0, "died of a signal")
                is_new = self.assert_old_or_new()
                if done.returncode == 0:
                    self.assertFalse(is_new, "it says that it succeeded")
                    self.assertEqual(os.listdir(self.folder), ["driver.sys"])
                failed_cleanly += done.returncode == 4 and is_new
        self.assertGreater(failed_cleanly, 3)


if __name__ == "__main__":
    unittest.main()
