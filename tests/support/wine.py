"""Wine prefixes of the tests' own: one in which drivers are started as kernel services, one for programs.

They are apart because tests that start drivers end their prefix's wineserver, and everything that runs in it.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time

LOADER = next(filter(os.path.exists, ("/usr/lib/wine/wine64", "/usr/bin/wine")), "wine")  # Debian's wine is a script
LIMIT_SECONDS = 120
LONGEST_COMMAND = 32_000  # characters
# The first start in a fresh prefix: the service host is not up yet. 1359: the host ended while it was asked.
NOT_READY = ("start 1053", "start 1055", "start 1359")
# Fixtures answer; other drivers have no such device.
WHOLE_LOAD = re.compile(r"start 0\nopen (0\n(question \d+ .*\n)+|[1-9]\d*\n)stop 0, then stopped\ndelete 1\n")


def is_installed():
    return shutil.which("wine") is not None and shutil.which("wineboot") is not None


LOADER_GAVE_UP = b"Inconsistency detected by ld.so"
READING_VERBS = ("check", "verify", "show", "explain", "rules")


class Prefix:
    """Runs programs in one prefix below the build folder; made when it is first needed, and kept."""

    def __init__(self, name, build=None):
        build = pathlib.Path(build or os.environ["HVCIFIX_BUILD"])
        self.prefix = build / name
        self.environment = dict(os.environ, WINEPREFIX=str(self.prefix), WINEDEBUG="-all", WINEARCH="win64",
                                WINEDLLOVERRIDES="mscoree,mshtml=", DISPLAY="", LC_ALL="C.UTF-8")

    def call(self, *command, timeout=LIMIT_SECONDS, errors=subprocess.STDOUT):
        # Output goes through a file: Wine's background processes keep pipes open.
        log = self.prefix.parent / f"wine-{os.getpid()}.log"
        with open(log, "wb+") as output:
            done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=errors, timeout=timeout, check=False)
            output.seek(0)
            text = output.read().decode(errors="replace").replace("\r", "")
        log.unlink()
        return done.returncode, text

    def stop(self):
        self.call("wineserver", "-k")
        self.call("wineserver", "-w")

    def prepare(self):
        """Makes the prefix when it is not there or was made by another Wine."""
        version = self.call("wine", "--version")[1]
        stamp = self.prefix / "made-by"
        if not stamp.exists() or stamp.read_text() != version:
            shutil.rmtree(self.prefix, ignore_errors=True)
            code, text = self.call("wineboot", "-i", timeout=600)
            self.stop()
            if not self.prefix.is_dir():
                raise RuntimeError(f"wineboot ended with {code}: {text}")
            stamp.write_text(version)


def windows_path(path):
    """A path of this system as Wine's drive Z names it."""
    return "Z:" + str(path).replace("/", "\\")


class Wine(Prefix):
    """Starts drivers."""

    DRIVERS_A_START = 12

    def __init__(self):
        super().__init__("wine")
        self.drive = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "fixtures" / "drive.exe"

    def places(self, paths):
        """Where Wine finds the files, whose names are all different."""
        return [str(path) for path in paths]

    def drive_all(self, places, times):
        """What drive.exe says of drivers at these places that it loads one after the other."""
        # The service host says on standard error that a driver called a function Wine has only a stub of
        # (ExRaiseStatus, whose exception the fixtures catch); that reaches us when this call starts the host.
        return self.call("wine", str(self.drive), str(times), *map(windows_path, places), errors=subprocess.DEVNULL)[1]

    def load_all(self, paths, times=2):
        """What `load` gives, for each of many drivers. Some share one start of Wine; one of which anything is heard there
        but that it starts and stops is loaded again alone, because a driver that crashes takes others with it."""
        loads = []
        for first in range(0, len(paths), self.DRIVERS_A_START):
            some = paths[first : first + self.DRIVERS_A_START]
            texts = re.split(r"^driver \d+\n", self.drive_all(self.places(some), times), flags=re.MULTILINE)[1:]
            heard = [text.split("load\n")[1:] for text in texts] + [[]] * (len(some) - len(texts))
            for path, one in zip(some, heard):
                is_whole = len(one) == times and all(WHOLE_LOAD.fullmatch(load) for load in one)
                loads.append(one if is_whole else self.load(path, times))
        return loads

    def load(self, path, times=2):
        """What happened when the driver was loaded so many times: one text for each load."""
        place, = self.places([path])
        for _ in range(5):
            text = self.drive_all([place], times)
            is_ready = not any(line in NOT_READY for line in text.splitlines())
            if is_ready and len(text.split("load\n")) == times + 1:
                break  # else the services were not up, or Wine itself ended early on a busy machine
            self.stop()
            time.sleep(1)
        return text.split("load\n")[1:] or [text]


class Programs(Prefix):
    """Runs command-line programs. All modules share the prefix, so none of them ends its server; while the server
    runs, a call takes a tenth of a second."""

    IDLE_SECONDS = 300  # then the server ends by itself

    def __init__(self, build=None):
        super().__init__("wine-programs", build)

    def begin(self):
        """Makes the prefix and starts its server, where that has not been done."""
        self.prepare()
        self.call("wineserver", f"-p{self.IDLE_SECONDS}")  # ends with an error where one runs already

    def end(self):
        self.stop()

    @staticmethod
    def command(program, *arguments):
        words = [LOADER, str(program), *map(str, arguments)]
        if sum(len(word) + 3 for word in words) > LONGEST_COMMAND:
            raise ValueError("longer than a command line of Windows can be")
        return words

    def run(self, command, environment=None, cwd=None, timeout=LIMIT_SECONDS):
        """The finished process of a command. On a busy machine Wine itself sometimes ends with 1 before the program
        begins, without a word; then the call is made again. hvcifix never ends with 1 without a word. The system's own
        loader was seen to give up at Wine's end; a call that only reads is made again then, too."""
        for _ in range(3):
            done = self.run_once(command, environment, cwd, timeout)
            gave_up = LOADER_GAVE_UP in done.stderr and len(command) > 2 and command[2] in READING_VERBS
            if not gave_up and (done.returncode != 1 or done.stdout or done.stderr):
                break
        return done

    def run_once(self, command, environment, cwd, timeout):
        """Output goes through files, because Wine's background processes keep pipes open."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            done = subprocess.run(command, env=dict(self.environment, **(environment or {})), cwd=cwd,
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=errors, timeout=timeout, check=False)
            output.seek(0)
            errors.seek(0)
            return subprocess.CompletedProcess(command, done.returncode, output.read(), errors.read())
