"""Every call of the program to the system fails in turn, or comes short: a clear error, or the same result as always.

tests/support/faults.c is loaded into the tool and makes one call fail: each piece of memory (the program's and the C
library's), each open, read, write, flush, rename, listing, thread, and each write of the report. What must hold then
is in tests/support/fault_cases.py; tests/wine/test_windows_faults.py does the same on Windows.
"""

import collections
import os
import pathlib
import re
import shutil
import subprocess
import unittest
import unittest.mock

from support import fault_cases, pdb, tool

VARIANTS = ("plain", "checked")
NOT_ON_WINDOWS = "tests/wine/test_windows_faults.py makes the same calls fail"
VARIANT = os.environ.get("HVCIFIX_VARIANT", "plain")
FAULTS = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "tests" / "faults.so"
WITHIN_SECONDS = 60

ANSWERS = {
    "memory": ("{}:ENOMEM", "{}-:ENOMEM"),
    "open": ("{}:EACCES", "{}:EMFILE", "{}:EIO", "{}:EINTR", "{}-:EMFILE"),
    "read": ("{}:EIO", "{}:EINTR", "{}:one", "{}:half", "{}:end", "{}-:one", "{}-:EIO"),
    "write": ("{}:ENOSPC", "{}:EIO", "{}:EINTR", "{}:one", "{}:half", "{}:end", "{}-:one", "{}-:ENOSPC"),
    "close": ("{}:EIO", "{}:EINTR"),
    "fstat": ("{}:EIO", "{}:ENOMEM"),
    "stat": ("{}:EIO", "{}:EACCES", "{}:ENOMEM", "{}-:EIO"),
    "lstat": ("{}:EIO", "{}:ENOMEM", "{}-:EIO"),
    "mmap": ("{}:ENOMEM", "{}:EACCES"),
    "fsync": ("{}:EIO", "{}:ENOSPC", "{}:EINTR", "{}:late"),
    "fchmod": ("{}:EPERM", "{}:EIO"),
    "linkat": ("{}:EPERM", "{}:EIO", "{}:EEXIST", "{}:late", "{}-:ENOENT"),
    "access": ("{}:EACCES",),
    "fchown": ("{}:EPERM", "{}-:EPERM"),
    "rename": ("{}:EIO", "{}:EACCES", "{}:ENOSPC", "{}:EXDEV", "{}:EBUSY", "{}:late"),
    "unlink": ("{}:EIO",),
    "mkdir": ("{}:EIO", "{}:EACCES", "{}:ENOSPC"),
    "rmdir": ("{}:EIO",),
    "chmod": ("{}:EIO", "{}:EPERM"),
    "utimensat": ("{}:EIO", "{}:EPERM"),
    "realpath": ("{}:EIO", "{}:EACCES", "{}:ENOMEM"),
    "opendir": ("{}:EIO", "{}:EMFILE", "{}:ENOMEM", "{}-:EMFILE"),
    "readdir": ("{}:EIO", "{}-:EIO"),
    "fopen": ("{}:EACCES", "{}:ENOSPC"),
    "print": ("{}:ENOSPC", "{}:EIO", "{}:EINTR", "{}:one", "{}:half", "{}-:one"),
    "thread": ("{}:EAGAIN", "{}-:EAGAIN"),
}


# What the tool calls that cannot fail, or whose failure means nothing to it. fwrite() and its kin write through a
# stream of faults.c; a mutex that exists can be locked. fgets() and fopen64() are inih's, linked in whole, for files
# that it would open itself; sync_file_range() only asks for what fsync() does.
HARMLESS = re.compile(r"""_.*|Zydis.*|mem(chr|cmp|cpy|move|set)|
    str(chr|cmp|cpy|cspn|error|len|ncmp|pbrk|rchr|spn|str|toul|toll)|v?snprintf|time|ini_parse_stream|fgets|fopen64|
    sync_file_range|
    posix_spawn.*|waitpid|kill|raise|sig(nal|action|addset|emptyset|procmask)| # tests/cmake/test_link.py, test_interrupt.py
    qsort|getenv|getpid|isatty|fcntl|sysconf|sched_getaffinity|madvise|mallopt|closedir|f(close|error|flush|write|printf)|
    pthread_(join|attr_destroy|(mutex|cond)_.*)|
    # libgcab, when a cabinet is to be written: test_fix_cabinets.py has it missing
    dl(open|sym|close)|
    # the width of the terminal, the speed of a run
    ioctl|clock_gettime|
    # linked in with libarchive, which reads from memory here, its decompressors, and cJSON, which only allocates
    ZSTD_trace_.*|cJSON_.*|iconv(_.*)?|(new|free|use)locale|nl_langinfo|gnu_dev_.*|mbrtowc|wcrtomb|wcs.*|wmem.*|stpcpy|
    strdup|mktime|secure_getenv|abort|exit|mkstemp|fdopen|fileno|fread|fgetc|ungetc|fputc""", re.VERBOSE)


@unittest.skipUnless(FAULTS.exists(), f"{FAULTS} was not built")
class Faults(fault_cases.FaultCases, unittest.TestCase):
    if VARIANT == "plain":
        ANSWERS = ANSWERS
    else:  # the sanitizers take long to start, and their leak checker knows better what is left over
        ANSWERS = {name: answers[:2] for name, answers in ANSWERS.items()}
        MOST_NUMBERS, FEWEST_FAULTS = 8, 3
        COUNTS_BLOCKS = False

        def answers(self, name, place):
            """One of them, in turn: the first call of a kind fails in the first way, the next one in the second."""
            return [self.ANSWERS[name][place % len(self.ANSWERS[name])]]

    input = os.devnull

    def run_many(self, prepare, arguments, faults):
        for fault in faults:
            yield self.run_one(prepare, arguments, fault)

    def run_one(self, prepare, arguments, fault):
        folder, log = self.root / "folder", self.root / "log"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        prepare(folder)
        log.unlink(missing_ok=True)
        environment = dict(os.environ, LD_PRELOAD=str(FAULTS), HVCIFIX_FAULT=fault, HVCIFIX_FAULT_LOG=str(log))
        if VARIANT == "checked":
            environment["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        with open(self.input, "rb") as stream:
            done = subprocess.run([tool.TOOL, *arguments], cwd=folder, env=environment, stdin=stream,
                                  capture_output=True, timeout=WITHIN_SECONDS, check=False)
        lines = log.read_text().splitlines() if log.exists() else []
        counted = {name: int(count) for name, count in map(str.split, lines)}
        return fault_cases.Run(done.returncode, done.stdout, done.stderr, fault_cases.content(folder), counted)

    def folders(self, folder):
        super().folders(folder)
        os.symlink("deep", folder / "in" / "link")
        os.symlink("../driver.sys", folder / "in" / "link.sys")

    def test_fix_package(self):
        self.try_all(self.package, "fix", "drv", "-o", "new", "-j", "1")
        with unittest.mock.patch.object(self, "COUNTS_BLOCKS", False):  # the C library keeps a locale that was opened
            # libarchive ends the program, or worse, when memory is refused
            self.try_all(self.archive, "fix", "drv.zip", "-o", "new.zip", "-j", "1", "--driver-ver", "1/2/2020,2",
                         names=[name for name in self.ANSWERS if name != "memory"])
            # GLib, too, ends the program then; and it keeps what it has
            self.try_all(self.cabinet, "fix", "drv.cab", "-o", "new.cab", "-j", "1",
                         names=[name for name in self.ANSWERS if name != "memory"])

    if VARIANT == "plain":
        def test_image_and_pdb(self):
            """Both are replaced, or neither; on the way back the undo file stays until both are back."""
            built = pdb.build("iat_in_text_x64")
            own = built.with_suffix(".pdb").name

            def prepare(folder):
                shutil.copyfile(built, folder / "driver.sys")
                shutil.copyfile(built.with_suffix(".pdb"), folder / own)

            def prepare_restore(folder):
                prepare(folder)
                self.assertEqual(tool.run("fix", "--in-place", folder / "driver.sys").returncode, 0)

            names = ("open", "read", "write", "fsync", "stat", "rename", "linkat", "unlink")
            answers = {name: ANSWERS[name][:2] for name in names}
            with unittest.mock.patch.object(self, "ANSWERS", answers):
                old = (built.read_bytes(), built.with_suffix(".pdb").read_bytes())
                failed = 0
                for run in self.try_all(prepare, "fix", "--in-place", "driver.sys").values():
                    is_old = run.files["driver.sys"] == old[0]
                    self.assertEqual(run.files[own] == old[1], is_old)
                    failed += is_old
                self.assertGreater(failed, 10)
                for run in self.try_all(prepare_restore, "restore", "driver.sys").values():
                    if run.files.get(own) != old[1]:
                        self.assertIn("driver.sys" + fault_cases.UNDO, run.files)
                        self.assertIn(run.returncode, (3, 4))

        def test_no_call_is_left_out(self):
            """A call that the tool makes is made to fail here, or is known to be harmless."""
            def names(*options):
                listed = subprocess.run(["nm", "-D", *options], capture_output=True, check=True).stdout.decode()
                return {line.split()[-1].partition("@")[0] for line in listed.splitlines()}

            met = names("--defined-only", FAULTS)
            self.assertIn("read", met)
            called = names("--undefined-only", tool.TOOL)
            self.assertIn("pread", called)
            self.assertEqual([name for name in sorted(called - met) if not HARMLESS.fullmatch(name)], [])

    def test_doctor_of_a_package(self):
        self.try_all(self.package, "doctor", "drv")

    def test_translate_a_log(self):
        """What goes through is whole, or the exit code says that it is not."""
        (self.root / "crash.txt").write_text("kbd n+0x1310\nfffff880`05201310\n" * 3000)
        shutil.copyfile(self.fixture("all_defects_x64"), self.root / "d.sys")
        self.assertEqual(tool.run("fix", self.root / "d.sys", "-o", self.root / "n.sys", "--map", self.root / "d.json",
                                  alone=True).returncode, 0)
        self.input = self.root / "crash.txt"
        with unittest.mock.patch.object(self, "COUNTS_BLOCKS", False):  # the C library keeps what it read ahead
            self.try_all(lambda folder: shutil.copyfile(self.root / "d.json", folder / "map.json"), "translate",
                         "map.json", "--base", "fffff880`05200000")

    def test_several_threads(self):
        """The same when threads share the work; also when some or all of them cannot be had."""
        # AddressSanitizer itself gives up in a thread for which it gets no memory.
        names = [name for name in ANSWERS if VARIANT == "plain" or name != "memory"]
        self.try_all(self.folders, "check", "--jobs", "4", "--format", "json", ".", names=names)
        self.try_all(self.two_drivers, "fix", "--jobs", "4", "--in-place", ".", names=names)

    def test_policy(self):
        """A policy that cannot be read allows nothing, and what it rejects is either there or renamed."""
        def prepare(folder):
            shutil.copyfile(self.fixture("wx_page_x64"), folder / "driver.sys")
            (folder / "base.ini").write_text("[policy]\nmode = reject\n")
            (folder / "policy.ini").write_text("[policy]\ninclude = base.ini\n")

        self.try_all(prepare, "check", "--policy", "policy.ini", "driver.sys")
        runs = self.try_all(prepare, "enforce", "--policy", "policy.ini", "driver.sys")
        self.assertEqual(runs["rename:1:EIO"].returncode, 4)
        self.assertIn("driver.sys", runs["rename:1:EIO"].files)

    def test_fix_through_a_link(self):
        def prepare(folder):
            self.one_driver(folder)
            os.symlink("driver.sys", folder / "link.sys")

        self.try_all(prepare, "fix", "--in-place", "link.sys")

    def test_temporary_files_with_a_name(self):
        """As on systems and disks where every file has one."""
        with unittest.mock.patch.dict(os.environ, {"HVCIFIX_FAULT_NAMED": "1"}):
            runs = self.try_all(self.one_driver, "fix", "--in-place", "driver.sys", faults=["read:2:wrong", "close:2:EIO"])
            self.assertEqual(runs["close:2:EIO"].returncode, 4)
            self.assertEqual({run.log["linkat"] for run in runs.values()}, {0})

    def test_changed_by_somebody_else(self):
        """Whenever somebody writes to the file, what they wrote is not lost."""
        with unittest.mock.patch.dict(os.environ, {"HVCIFIX_FAULT_TARGET": "driver.sys"}):
            arguments = ("fix", "--in-place", "driver.sys")
            whole = self.run_one(self.one_driver, arguments, "")
            codes = collections.Counter()
            for name in ("open", "fstat", "read", "stat", "realpath", "write", "fchmod", "fsync", "access", "linkat",
                         "close", "print"):
                for number in range(1, whole.log[name] + 1):
                    with self.subTest(name=name, number=number):
                        run = self.run_one(self.one_driver, arguments, f"{name}:{number}:theirs")
                        self.assertEqual(run.log["fired"], 1)
                        beside = set(run.files) - {"driver.sys"}
                        self.assertEqual(beside, set() if run.returncode else {"driver.sys" + fault_cases.UNDO})
                        self.assertTrue(run.files["driver.sys"].endswith(b"theirs"))
                        codes[run.returncode] += 1
                        if run.returncode:
                            self.assertEqual(run.returncode, 4)
                            self.assertIn(b'HVCI9007: "driver.sys" was changed or replaced by another program',
                                          run.stdout)
        self.assertGreater(codes[4], 8)  # between reading and replacing
        self.assertGreater(codes[0], 2)  # before and after

    def test_report_file_over_the_image_by_a_link(self):
        """Where the system does not tell whether two names are one file, nothing is written over either."""
        def prepare(folder):
            self.one_driver(folder)
            os.link(folder / "driver.sys", folder / "again.sys")

        arguments = ("check", "driver.sys", "--output", "again.sys")
        whole = self.run_one(prepare, arguments, "")
        self.assertEqual(whole.returncode, 2)
        self.assertGreater(whole.log["stat"], 0)
        for number in self.numbers(whole.log["stat"]):
            for error in ("EIO", "ENOMEM"):
                run = self.run_one(prepare, arguments, f"stat:{number}:{error}")
                self.assertTrue(run.files == whole.files)
                self.assertEqual(run.returncode, 2)


if __name__ == "__main__":
    unittest.main()
