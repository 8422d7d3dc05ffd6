"""Things of the file system that are no images, or change while they are read: every verb answers with a report and the
right exit code, at once, and a folder's other images are judged.
"""

import ctypes
import os
import pathlib
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from support import tool

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fuzz"))
import seeds  # noqa: E402

VARIANTS = ("plain", "checked")
NOT_ON_WINDOWS = "rights are dropped by a call of Linux; wine/test_windows_paths.py and test_windows_files.py have their own"
WITHIN_SECONDS = 60
LARGE_NBYTES = 1 << 26  # reading takes long enough for something to happen
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
FIX = ("fix", "--dry-run", "--in-place", "--drop-signature")


def obey_permissions():
    """For a child process: root may then read and write only what the file's mode allows."""
    library = ctypes.CDLL(None, use_errno=True)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        if os.geteuid() == 0 and library.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


class Files(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def call(self, *arguments):
        return subprocess.run([tool.TOOL, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=WITHIN_SECONDS, check=False, preexec_fn=obey_permissions)

    def assert_cannot_read(self, path, *said):
        """By every verb; `said` stands in the message."""
        good = self.path("good.sys", seeds.repairable("x64"))
        for verb in (("check",), ("show",), FIX):
            done = self.call(*verb, "--format", "json", path)
            self.assertEqual(done.returncode, 3, (verb, path, done.stderr))
            image = tool.parse(done.stdout)[0]
            errors = [finding for finding in image["findings"] if finding["level"] == "error"]
            self.assertEqual([error["code"] for error in errors], ["HVCI9006"], (verb, path))
            for words in said:
                self.assertIn(words, errors[0]["message"], (verb, path))
            self.assertTrue(errors[0]["cure"])
        for pair in ((path, good), (good, path), (path, path)):
            self.assertEqual(self.call("verify", *pair).returncode, 3, pair)
        os.remove(good)

    def test_socket(self):
        """Its name can be longer than the system allows for sockets, so it is made where the name is short."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            path = os.path.join(folder, "socket.sys")
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(path)
                self.assert_cannot_read(path)

    def test_files_that_may_not_be_read(self):
        path = self.path("secret.sys", seeds.repairable("x64"))
        os.chmod(path, 0)
        self.assert_cannot_read(path, "denied")
        done = self.call("check", self.folder)
        self.assertEqual(done.returncode, 3)
        os.chmod(path, 0o600)
        os.mkdir(self.path("closed"))
        os.chmod(self.path("closed"), 0)
        self.assertEqual(self.call("check", self.path("closed")).returncode, 3)
        os.chmod(self.path("closed"), 0o700)

    def test_folder_that_may_not_be_written(self):
        folder = self.path("locked")
        os.mkdir(folder)
        path = os.path.join(folder, "a.sys")
        data = seeds.repairable("x64")
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(folder, 0o500)
        self.assertEqual(self.call("fix", "--in-place", path).returncode, 4)
        os.chmod(folder, 0o700)
        self.assertEqual(os.listdir(folder), ["a.sys"])
        with open(path, "rb") as file:
            self.assertEqual(file.read(), data)

    def test_rights_of_the_owner_are_not_handed_on(self):
        """The repaired file belongs to who repairs it, so it must not run as its owner."""
        path = self.path("a.sys", seeds.repairable("x64"))
        os.chmod(path, 0o6755)
        self.assertEqual(self.call("fix", "--in-place", path).returncode, 0)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o755)

    def test_output_over_a_file_keeps_its_rights(self):
        path, out = self.path("a.sys", seeds.repairable("x64")), self.path("b.sys", b"old")
        for mode in (0o640, 0o600, 0o2751):
            os.chmod(path, 0o755)
            os.chmod(out, mode)
            self.assertEqual(self.call("fix", path, "-o", out).returncode, 0)
            self.assertEqual(os.stat(out).st_mode & 0o7777, mode & 0o777)
        self.assertEqual(self.call("fix", path, "-o", self.path("new.sys")).returncode, 0)
        self.assertEqual(os.stat(self.path("new.sys")).st_mode & 0o7777, 0o755)

    @unittest.skipUnless(os.geteuid() == 0, "only root gives files away")
    def test_the_owner_stays(self):
        path, out = self.path("a.sys", seeds.repairable("x64")), self.path("b.sys", b"old")
        for target, arguments in ((path, ("--in-place", path)), (out, (path, "-o", out))):
            os.chown(target, 1234, 2345)
            os.chmod(target, 0o6750)
            self.assertEqual(tool.run("fix", *arguments).returncode, 0)
            after = os.stat(target)
            self.assertEqual((after.st_uid, after.st_gid, after.st_mode & 0o7777), (1234, 2345, 0o750))

    def test_output_to_what_is_no_file(self):
        path = self.path("a.sys", seeds.repairable("x64"))
        os.mkfifo(self.path("pipe"))
        for target in ("/dev/full", "/dev/null", self.folder, self.path("pipe"), self.path("none/b.sys"), "/proc/x.sys"):
            self.assertEqual(self.call("fix", path, "-o", target).returncode, 4, target)
        with open("/dev/full", "wb") as full:
            done = subprocess.run([tool.TOOL, "check", path], stdin=subprocess.DEVNULL, stdout=full,
                                  stderr=subprocess.PIPE, timeout=WITHIN_SECONDS, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertEqual(self.call("check", path, "--output", "/dev/full").returncode, 4)
        self.assertEqual(sorted(os.listdir(self.folder)), ["a.sys", "pipe"])

    def test_links_in_circles(self):
        """Links to folders are not followed; each image is judged once."""
        self.path("a.sys", seeds.repairable("x64"))
        os.symlink(".", self.path("here"))
        os.symlink(self.folder, self.path("all"))
        os.mkdir(self.path("sub"))
        os.symlink("..", self.path("sub/up"))
        done = self.call("check", "--format", "json", self.folder)
        self.assertEqual([image["path"] for image in tool.parse(done.stdout)], [self.path("a.sys")])
        self.assertEqual(done.returncode, 0)

    def test_folders_deeper_than_a_path_can_be(self):
        """What cannot be named is said; nothing overflows."""
        here = os.getcwd()
        os.makedirs(self.path("deep"))
        self.path("a.sys", seeds.headers_only("x64"))
        depth = 2200  # more than a path of 4,096 bytes can name
        try:
            os.chdir(self.path("deep"))
            for _ in range(depth):
                os.mkdir("d")
                os.chdir("d")
        finally:
            os.chdir(here)
        done = self.call("check", "--format", "json", self.folder)
        images = tool.parse(done.stdout)
        self.assertEqual(done.returncode, 3)
        self.assertEqual({image["status"] for image in images}, {"clean", "error"})
        subprocess.run(["rm", "-rf", self.path("deep")], check=True)  # Python cannot

    def test_files_that_change_while_they_are_read(self):
        """Cut off, emptied, made longer, removed, replaced by another: an answer about one moment, and no signal. A
        mapped file would end the process when it is cut off."""
        seed = seeds.repairable("x64")
        path = self.path("large.sys")
        dice = random.Random(1)
        seen = set()

        def cut():
            os.truncate(path, dice.choice((0, 1, 100, len(seed), LARGE_NBYTES // 2)))

        def replace():
            self.path("other.sys", seed)
            os.replace(self.path("other.sys"), path)

        changes = (cut, cut, cut, lambda: os.truncate(path, 2 * LARGE_NBYTES), lambda: os.remove(path), replace)
        for turn in range(24):
            with open(path, "wb") as file:
                file.write(seed)
                file.truncate(LARGE_NBYTES)
            timer = threading.Timer(dice.random() * 0.04, changes[turn % len(changes)])
            verb = (("check",), ("show",), FIX)[turn % 3]
            timer.start()
            done = self.call(*verb, "--format", "json", path)
            timer.join()
            self.assertIn(done.returncode, (0, 1, 3), (turn, done.stderr))
            seen.add(tool.parse(done.stdout)[0]["status"])
            if os.path.exists(path):
                os.remove(path)
        self.assertIn("error", seen)

    def test_cut_off_again_and_again(self):
        """The file loses and gets back its end, thousands of times, while it is judged."""
        seed = seeds.repairable("x64")
        path = self.path("large.sys")
        with open(path, "wb") as file:
            file.write(seed)
            file.truncate(LARGE_NBYTES)
        stop = threading.Event()

        def churn():
            while not stop.is_set():
                os.truncate(path, len(seed))
                os.truncate(path, LARGE_NBYTES)
                time.sleep(0.0005)

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for _ in range(10):
                done = self.call("check", "--format", "json", path)
                self.assertIn(done.returncode, (0, 3), done.stderr)
                tool.parse(done.stdout)
                self.assertIn(self.call("verify", path, path).returncode, (0, 1, 3))
        finally:
            stop.set()
            thread.join()


if __name__ == "__main__":
    unittest.main()
