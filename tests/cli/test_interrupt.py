"""Ctrl-C and its kin in the middle of a run over many images: every image is old or new whole, and nothing is left.

The run is interrupted behind its first report, so it is certain to be under way. What Windows does with Ctrl-C is in
wine/test_windows_console.py.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

from support import images, matrix, schema, tool

VARIANTS = ("plain", "checked")
NOT_ON_WINDOWS = "Windows has no signals; wine/test_windows_console.py presses Ctrl-C there"
UNDO = ".hvcifix-undo"
COUNT = 80 if os.environ.get("HVCIFIX_VARIANT") == "plain" else 24  # images; each takes the sanitizers longer
SOON_SECONDS = 3
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def take_endings():
    """Who started the tests may ignore these signals, as a shell does for what it runs in the background."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_DFL)


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


class Interrupted(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = os.path.join(self.folder, "out")

    def fill(self, file_name):
        os.mkdir(self.out)
        for number in range(COUNT):
            shutil.copy(fixture(file_name), os.path.join(self.out, f"{number:03}.sys"))
        return images.read(fixture(file_name))

    def repaired(self, file_name):
        path = os.path.join(self.folder, "repaired.sys")
        self.assertEqual(tool.run("fix", fixture(file_name), "-o", path).returncode, 0)
        return images.read(path)

    def interrupt(self, ending, *arguments, preexec=take_endings):
        """(process, output, errors) of a run that gets the signal behind its first line."""
        process = subprocess.Popen([tool.TOOL, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, preexec_fn=preexec, bufsize=0)
        first = process.stdout.readline()
        process.send_signal(ending)
        begun = time.monotonic()
        output, errors = process.communicate(timeout=60)
        self.assertLess(time.monotonic() - begun, SOON_SECONDS)
        return process, first + output, errors

    def contents(self, old, new, suffix=""):
        """How many images are new; none is anything but old or new, and there is no other file but undo files."""
        files = sorted(os.listdir(self.out))
        names = [name for name in files if not name.endswith(UNDO)]
        self.assertEqual(sorted(name.removesuffix(suffix) for name in names), [f"{n:03}.sys" for n in range(COUNT)])
        found = [images.read(os.path.join(self.out, name)) for name in names]
        self.assertTrue(all(content in (old, new) for content in found))
        self.assertLessEqual({name.removesuffix(UNDO) for name in files if name.endswith(UNDO)}, set(names))
        return sum(content == new for content in found)

    def test_fix(self):
        old, new = self.fill("all_defects_x64"), self.repaired("all_defects_x64")
        done = 0
        for ending in ENDINGS:
            process, output, errors = self.interrupt(ending, "fix", "--in-place", self.out)
            with self.subTest(ending=ending):
                self.assertEqual(process.returncode, -ending)
                self.assertIn(b"hvcifix : interrupted", errors)
                before, done = done, self.contents(old, new)
                # What was repaired was said, and the rest was not looked at.
                self.assertEqual(output.count(b": fixed"), done - before)
                self.assertLess(done, COUNT)
        self.assertEqual(tool.run("fix", "--in-place", self.out).returncode, 0)
        self.assertEqual(self.contents(old, new), COUNT)

    def test_enforce_does_not_reject_what_it_has_not_judged(self):
        old = self.fill("counters_wx_page_refuse_x86")
        policy = os.path.join(self.folder, "policy.ini")
        with open(policy, "w", encoding="utf-8") as file:
            file.write("[policy]\nmode = fix\n")
        process, output, _ = self.interrupt(signal.SIGINT, "enforce", "--policy", policy, "--format", "json", self.out)
        self.assertEqual(process.returncode, -signal.SIGINT)
        report = json.loads(output)  # whole, and says that it is not on all
        schema.validate(report)
        self.assertIs(report["interrupted"], True)
        self.contents(old, old, ".rejected")
        rejected = {name.removesuffix(".rejected") for name in os.listdir(self.out) if name.endswith(".rejected")}
        self.assertEqual({os.path.basename(image["path"]) for image in report["images"]}, rejected)
        self.assertTrue(0 < len(rejected) < COUNT)

    def test_no_half_report(self):
        self.fill("all_defects_x64")
        report = os.path.join(self.folder, "report.json")
        paths = [self.out] * 20
        for older in (None, b"an older report\n"):
            if older:
                pathlib.Path(report).write_bytes(older)
            process = subprocess.Popen([tool.TOOL, "check", "--format", "json", "--output", report, *paths],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, preexec_fn=take_endings)
            while process.poll() is None and (not os.path.exists(report) or os.path.getsize(report) in (0, len(older or b""))):
                time.sleep(0.001)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=60)[1]
            left = images.read(report) if os.path.exists(report) else None
            self.assertEqual((process.returncode, left), (-signal.SIGINT, older), errors)
            self.assertLessEqual(set(os.listdir(self.folder)), {"out", "report.json"})
        process = subprocess.Popen([tool.TOOL, "check", "--output", "/dev/null", *paths], stdin=subprocess.DEVNULL,
                                   stderr=subprocess.PIPE, preexec_fn=take_endings)
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertTrue(os.path.exists("/dev/null"))

    def test_what_the_caller_ignores_stays_ignored(self):
        self.fill("clean_x64")
        process, output, errors = self.interrupt(
            signal.SIGHUP, "check", self.out, preexec=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
        self.assertEqual((process.returncode, errors), (0, b""))
        self.assertIn(b"%d clean" % COUNT, output)


if __name__ == "__main__":
    unittest.main()
