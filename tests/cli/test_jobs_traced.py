"""Threads as the system sees them: how many there are, what happens when there are none to have, and that reports come
early and do not pile up behind one slow image.

strace counts and refuses system calls, and makes the opening of one file slow.
"""

import fcntl
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from support import images, matrix, tool

VARIANTS = ("plain",)  # a leak check cannot run below strace, and sanitizers need much address space
NOT_ON_WINDOWS = "strace counts Linux system calls; cli/test_jobs.py compares the reports there as well"

TEMPORARY = re.compile(r"\.hvcifix-\d+-\d+\.tmp")  # docs/DESIGN.md
UNDO = ".hvcifix-undo"  # docs/UNDO.md
THREAD_CALLS = "clone,clone3"
SLOW_SECONDS = 3
WINDOW_PER_WORKER, WINDOW_NBYTES = 64, 8 << 20  # tool/cli/ordered.c, ordered_internal.h
BIG_IMAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "bench", "big_image.py")
F_SETPIPE_SZ, PIPE_NBYTES, STREAM_NBYTES = 1031, 4096, 4096


def can_trace():
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


@unittest.skipUnless(can_trace(), "strace may not trace here")
class Traced(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = os.path.join(self.folder, "strace.log")

    def command(self, strace_options, arguments):
        return ["strace", "-f", "-qq", "-o", self.log, *strace_options, tool.TOOL, *arguments]

    def trace(self, strace_options, arguments):
        return subprocess.run(self.command(strace_options, arguments), stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=120, check=False)

    def log_lines(self):
        with open(self.log, encoding="utf-8", errors="replace") as lines:
            return lines.read().splitlines()

    def count_threads(self, *arguments):
        self.trace(["-e", f"trace={THREAD_CALLS}"], arguments)
        return sum(bool(re.match(r"\d+ +clone3?\(", line)) for line in self.log_lines())

    def many_files(self, count):
        """Files that are quickly refused."""
        paths = [os.path.join(self.folder, f"{number:04}.sys") for number in range(count)]
        for path in paths:
            with open(path, "wb") as file:
                file.write(b"no image")
        return paths

    def test_no_more_threads_than_needed(self):
        image = fixture("clean_x64")
        self.assertEqual(self.count_threads("check", image), 0)
        self.assertEqual(self.count_threads("check", "--jobs", "8", image), 0)
        self.assertEqual(self.count_threads("check", "--jobs", "1", *[image] * 50), 0)
        self.assertEqual(self.count_threads("fix", "--jobs", "8", image, "-o", os.path.join(self.folder, "out.sys")), 0)
        self.assertLessEqual(self.count_threads("check", "--jobs", "8", image, image), 1)
        self.assertIn(self.count_threads("check", "--jobs", "4", *[image] * 500), (1, 2, 3))

    def test_refused_threads(self):
        paths = [fixture.path for fixture in matrix.read()]
        expected = tool.run("check", "--jobs", "1", *paths)
        done = self.trace(["-e", f"inject={THREAD_CALLS}:error=EAGAIN"], ["check", "--jobs", "8", *paths])
        self.assertTrue(any("(INJECTED)" in line for line in self.log_lines()))
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (expected.returncode, expected.stdout, expected.stderr))

    def test_reports_come_early(self):
        first, slow = fixture("clean_x64"), shutil.copy(fixture("clean_x64"), os.path.join(self.folder, "slow.sys"))
        for jobs in ("1", "4"):
            options = ["-P", slow, "-e", "trace=openat", "-e", f"inject=openat:delay_enter={SLOW_SECONDS}s"]
            with subprocess.Popen(self.command(options, ["check", "--jobs", jobs, first, first, slow, first]),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
                lines = [process.stdout.readline() for _ in range(2)]
                read_at = time.monotonic()
                rest = process.stdout.read()
                waited = time.monotonic() - read_at
            self.assertTrue(all(line.startswith(first.encode() + b": clean") for line in lines), lines)
            self.assertEqual(len(rest.splitlines()), 3)
            self.assertGreater(waited, SLOW_SECONDS / 2, "the first reports came with the last")

    def test_reports_do_not_pile_up(self):
        paths = self.many_files(1000)
        expected = tool.run("check", "--jobs", "1", *paths)
        shown = expected.stdout.index(paths[1].encode())  # bytes of one report
        for jobs in (2, 4):
            with subprocess.Popen(self.command(["-e", "trace=openat"], ["check", "--jobs", str(jobs), *paths]),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
                fcntl.fcntl(process.stdout, F_SETPIPE_SZ, PIPE_NBYTES)
                begun = self.settled_count(paths)  # nobody reads: the first to report is stuck, the others go on
                rest = process.stdout.read()
            self.assertEqual(rest, expected.stdout)
            stuck = (PIPE_NBYTES + STREAM_NBYTES) // shown + 1
            self.assertGreater(begun, WINDOW_PER_WORKER)
            self.assertLessEqual(begun, stuck + jobs * WINDOW_PER_WORKER + jobs)

    def test_long_reports_do_not_pile_up(self):
        """What waits is limited by its bytes as well, long before there are too many."""
        image = os.path.join(self.folder, "0000.sys")
        shutil.copyfile(fixture("rich_low_80_x64"), image)
        arguments = ["show", "--references", "--format", "json"]
        shown = len(tool.run(*arguments, image).stdout)
        at_most = WINDOW_NBYTES // shown + 1  # that wait
        self.assertLess(at_most + 10, WINDOW_PER_WORKER)
        for jobs in (2, 4):
            with subprocess.Popen(self.command(["-e", "trace=openat"], [*arguments, "--jobs", str(jobs), *[image] * 400]),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL) as process:
                begun = self.settled_count([image])
                process.stdout.close()  # nobody will read
            self.assertGreater(begun, jobs)
            self.assertLessEqual(begun, 1 + at_most + jobs)

    def test_judging_stops_without_a_reader(self):
        paths = self.many_files(1000)
        shown = tool.run("check", "--jobs", "1", *paths).stdout.index(paths[1].encode())
        for jobs in (1, 4):
            with subprocess.Popen(self.command(["-e", "trace=openat"], ["check", "--jobs", str(jobs), *paths]),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
                fcntl.fcntl(process.stdout, F_SETPIPE_SZ, PIPE_NBYTES)
                process.stdout.close()
                self.assertEqual(process.wait(60), 4)
            begun = self.count_begun(paths)
            self.assertGreater(begun, 0)
            self.assertLessEqual(begun, (PIPE_NBYTES + STREAM_NBYTES) // shown + 1 + jobs * WINDOW_PER_WORKER + jobs)

    def count_begun(self, paths):
        return sum(paths[0][:-len("0000.sys")] in line and ".sys" in line for line in self.log_lines())

    def settled_count(self, paths):
        """How many of these files were opened when no more are."""
        begun, deadline = 0, time.monotonic() + 60
        while time.monotonic() < deadline:
            time.sleep(1)
            now = self.count_begun(paths)
            if now == begun != 0:
                return begun
            begun = now
        raise AssertionError("it never comes to rest")

    def test_killed_among_many_repairs(self):
        old, paths = images.read(fixture("init_rwx_x64")), [os.path.join(self.folder, f"{n:02}.sys") for n in range(60)]
        new_path = os.path.join(self.folder, "new")
        self.assertEqual(tool.run("fix", fixture("init_rwx_x64"), "-o", new_path).returncode, 0)
        new = images.read(new_path)
        for call in ("rename", "fsync", "write"):
            for path in paths:
                shutil.copyfile(fixture("init_rwx_x64"), path)
            done = self.trace(["-e", f"inject={call}:signal=KILL:when=5"], ["fix", "--in-place", "--jobs", "8", *paths])
            self.assertEqual(done.returncode, -9)
            contents = [images.read(path) for path in paths]
            self.assertEqual(set(contents), {old, new})
            known = {os.path.basename(path) for path in [*paths, new_path, self.log, *(path + UNDO for path in paths)]}
            for name in set(os.listdir(self.folder)) - known:
                self.assertRegex(name, TEMPORARY)
                os.remove(os.path.join(self.folder, name))
            # What a kill leaves does not stand in the way of the next run.
            self.assertEqual(tool.run("fix", "--in-place", "--jobs", "8", *paths).returncode, 0)
            self.assertEqual({images.read(path) for path in paths}, {new})

    def check_with_little_memory(self, jobs, limits, paths):
        expected = tool.run("check", "--jobs", "1", *paths)
        for mebibytes in limits:
            limit = mebibytes * 1024 * 1024
            done = subprocess.run([tool.TOOL, "check", "--jobs", str(jobs), *paths], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=120, check=False,
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
            self.assertEqual((done.returncode, done.stdout, done.stderr),
                             (expected.returncode, expected.stdout, expected.stderr), (jobs, mebibytes))

    def test_little_memory(self):
        """Threads are added only as far as memory reaches, so what one thread alone can judge is judged by many."""
        paths = [fixture.path for fixture in matrix.read()]
        # From 64 MiB on the C library could give one thread so much at once that others found nothing.
        self.check_with_little_memory(64, (24, 32, 48, 64, 70, 90, 96, 104, 112, 128), paths)

    def test_large_images_and_little_memory(self):
        """An image for which memory does not reach beside the others is judged alone."""
        paths = []
        for kind, mebibytes in (("data", 8), ("imports", 4), ("code", 6)):
            path = os.path.join(self.folder, f"{kind}.sys")
            subprocess.run([sys.executable, BIG_IMAGE, kind,
                            str(mebibytes), path], check=True)
            paths.append(path)
        for jobs in (1, 2, 8):
            self.check_with_little_memory(jobs, (72, 88, 104), paths * 8)


if __name__ == "__main__":
    unittest.main()
