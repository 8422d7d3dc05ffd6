"""Every call of hvcifix.exe to Windows fails in turn, or comes short: a clear error, or the same result as always.

hvcifix-faults.exe is the program linked with tests/support/faults*_windows.c, which stand before its imports and do
many runs in one process; what must hold is in tests/support/fault_cases.py. Codes are those of GetLastError().
"""

import os
import pathlib
import re
import shutil
import subprocess
import unittest

from support import fault_cases, wine
from support.windows_case import windows_path

VARIANTS = ("plain",)
PROGRAM = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "wine-helpers" / "hvcifix-faults.exe"
WITHIN_SECONDS = 300
LONGEST_SLEEP_MS = 12000  # for one file that is held for ever
MOST_FILES = 3  # that one run opens

NOT_FOUND, TOO_MANY_OPEN, DENIED, NO_MEMORY, CRC, SHARING, LOCKED, NOT_SUPPORTED = 2, 4, 5, 8, 23, 32, 33, 50
NET_GONE, EXISTS, INVALID, FULL, DEVICE, CORRUPT = 64, 80, 87, 112, 1117, 1392


def answers(*codes, forever=()):
    return tuple(f"{{}}:{code}" for code in codes) + tuple(f"{{}}-:{code}" for code in forever)


ANSWERS = {
    "memory": answers(NO_MEMORY, forever=[NO_MEMORY]),
    "create": answers(DENIED, TOO_MANY_OPEN, SHARING, LOCKED, DEVICE, forever=[SHARING, DENIED]),
    "read": answers(CRC, LOCKED, NO_MEMORY, "one", "half", "end", forever=["one", DEVICE]),
    "write": answers(FULL, DEVICE, LOCKED, "one", "half", "end", forever=["one", FULL]),
    "flush": answers(DEVICE, FULL),
    "close": answers(DEVICE),
    "size": answers(DEVICE, NO_MEMORY),
    "attributes": answers(NOT_FOUND, DENIED, SHARING, NO_MEMORY, DEVICE, forever=[DEVICE, NO_MEMORY]),
    "copy": answers(DENIED, SHARING, LOCKED, FULL, DEVICE, EXISTS, forever=[SHARING, DEVICE, EXISTS]),
    "eof": answers(DEVICE, FULL),
    "time": answers(DENIED),
    "security": answers(DENIED, NOT_SUPPORTED, forever=[DENIED]),
    "move": answers(DENIED, SHARING, DEVICE, NET_GONE, NO_MEMORY, "lost", forever=[DENIED, DEVICE, "lost"]),
    "delete": answers(DENIED, forever=[SHARING]),
    "find": answers(DENIED, NO_MEMORY, DEVICE),
    "next": answers(DENIED, DEVICE, CORRUPT, forever=[CORRUPT]),
    "full": answers(INVALID, NO_MEMORY),
    "final": answers(DENIED),
    "info": answers(DEVICE, NO_MEMORY, forever=[DEVICE]),
    "thread": answers(NO_MEMORY, forever=[NO_MEMORY]),
    "fopen": answers(DENIED),
    "print": answers(FULL, forever=[FULL]),
}


# What the program imports that cannot fail, or whose failure means nothing to it.
HARMLESS = re.compile(r"""__acrt_iob_func|_fileno|_get_osfhandle|_setmode|_strnicmp|_wcsnicmp|tolower|FormatMessageW|
    Get(LastError|CommandLineW|ConsoleMode|CurrentProcess(Id)?|CurrentThreadId)|
    Get(ActiveProcessorCount|ProcessAffinityMask)|
    Set(LastError|ConsoleMode)|WriteConsoleW|GetFileType|GetSecurityDescriptorControl|LocalFree|InitializeSRWLock|
    InitializeConditionVariable|(Acquire|Release)SRWLockExclusive|SleepConditionVariableSRW|WakeAllConditionVariable|
    WaitForSingleObject|_time64|BCrypt.*|
    # the linker that `link` runs (tests/cmake/test_link.py), Ctrl-C and progress (test_windows_console.py)
    CreateProcessW|GetExitCodeProcess|GetEnvironmentVariableW|GetStdHandle|ExitProcess|SetConsoleCtrlHandler|
    GetConsoleScreenBufferInfo|GetTickCount64|SearchPathW|SetHandleInformation|
    # what tells the doctor whether memory integrity is on; without it the page says where to look
    GetModuleHandleW|GetProcAddress|
    # cabinet.dll, when a cabinet is to be written; where it cannot be loaded the new package is a folder
    GetSystemDirectoryW|LoadLibraryW|FreeLibrary|
    # folders of repaired packages: not made to fail here; test_faults.py refuses each such call on Linux
    CreateDirectoryW|RemoveDirectoryW|SetFileAttributesW""", re.VERBOSE)
SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"]) / "tests" / "support" / "faults_imports_windows.c"
OBJECTS = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "windows" / "obj" / "tool"


@unittest.skipUnless(wine.is_installed(), "Wine is not installed")
class WindowsFaults(fault_cases.FaultCases, unittest.TestCase):
    ANSWERS = ANSWERS

    @classmethod
    def setUpClass(cls):
        cls.wine = wine.Programs()
        cls.wine.begin()

    def run_many(self, prepare, arguments, faults):
        """In one process; should a run end that, the rest in another."""
        runs, lines = self.root / "runs", []
        shutil.rmtree(runs, ignore_errors=True)
        for number, fault in enumerate(faults):
            folder = runs / str(number)
            folder.mkdir(parents=True)
            prepare(folder)
            lines.append("\t".join([fault, windows_path(folder), windows_path(runs / f"output{number}"), *arguments]))
        done = []
        while len(done) < len(lines):
            done += self.run_lines(runs, lines[len(done) :])
        return [fault_cases.Run(returncode, self.read(runs / f"output{number}.out"),
                                self.read(runs / f"output{number}.err"), fault_cases.content(runs / str(number)), log)
                for number, (returncode, log) in enumerate(done)]

    def run_lines(self, runs, lines):
        """[(exit code, log)] of all lines, or of those up to the one that ended the program."""
        script, log = runs / "script", runs / "script.log"
        script.write_text("".join(line + "\n" for line in lines))
        log.unlink(missing_ok=True)
        process = self.wine.run(self.wine.command(PROGRAM), {"HVCIFIX_FAULTS": windows_path(script)}, runs,
                                WITHIN_SECONDS)
        done = []
        for line in log.read_text().splitlines() if log.exists() else []:
            code, fired, slept, blocks, files, *counts = line.split()
            counted = {name: int(count) for name, count in (pair.split("=") for pair in counts)}
            done.append((int(code), dict(counted, fired=int(fired), slept=int(slept), blocks=int(blocks),
                                         files=int(files))))
        self.assertLessEqual(len(done), len(lines))
        if len(done) < len(lines):
            done.append((process.returncode or -1, {}))
        return done

    @staticmethod
    def read(path):
        return path.read_bytes() if path.exists() else b""

    def judge(self, fault, arguments, before, whole, run):
        made_no_difference = super().judge(fault, arguments, before, whole, run)
        if run.log:
            self.assertLessEqual(run.log["slept"], LONGEST_SLEEP_MS * MOST_FILES)
        return made_no_difference

    def same_words(self, fault, run, whole):
        # A path that cannot be made full is taken and shown in the form that always leads there.
        return super().same_words(fault, run, whole) or fault.startswith("full:")

    def test_no_import_is_left_out(self):
        """A function of Windows that the program calls is made to fail here, or is known to be harmless."""
        met = set(re.findall(r"^IMPORT\(\w+,\s*(\w+),", SOURCE.read_text(), re.MULTILINE)) | {"_wfopen"}
        self.assertIn("ReadFile", met)
        listed = subprocess.run(["x86_64-w64-mingw32-nm", "-u", *OBJECTS.rglob("*.o")], capture_output=True, check=True)
        called = set(re.findall(r"\b__imp_(\w+)", listed.stdout.decode()))
        self.assertIn("ReadFile", called)
        self.assertEqual([name for name in sorted(called - met) if not HARMLESS.fullmatch(name)], [])

    def test_several_threads(self):
        """The same when threads share the work; also when some or all of them cannot be had."""
        self.try_all(self.folders, "check", "--jobs", "4", "--format", "json", ".")
        self.try_all(self.two_drivers, "fix", "--jobs", "4", "--in-place", ".")

    def test_two_failures(self):
        """What is tried next fails as well."""
        failures = ("flush:1:112", "write:1:1117", "read:2:23", "eof:1:112", "move:1-:1117", "move:1-:lost",
                    "create:4-:5")
        removal = [f"{name}+delete:1-:{code}" for code in (DENIED, SHARING) for name in failures]
        links = [f"attributes:{number}:link+{other}" for number in range(1, 5)
                 for other in ("final:1:5", "final:2:8", "create:2:5", "memory:9-:8", "attributes:4-:5")]
        runs = self.try_all(self.one_driver, "fix", "--in-place", "driver.sys", names=["close"],
                            faults=removal + links)
        # A link that cannot be followed is not replaced itself.
        unfollowed = [run for fault, run in runs.items() if "link+final:1" in fault and run.log["fired"] > 1]
        self.assertTrue(unfollowed)
        self.assertEqual({run.returncode for run in unfollowed}, {4})


if __name__ == "__main__":
    unittest.main()
