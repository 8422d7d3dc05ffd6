"""A Wine prefix of the tests' own, in which drivers are started as kernel services."""

import os
import pathlib
import shutil
import subprocess
import time

LIMIT_SECONDS = 120
NOT_READY = ("start 1053", "start 1055")  # the first start in a fresh prefix: the service host is not up yet


def is_installed():
    return shutil.which("wine") is not None and shutil.which("wineboot") is not None


class Wine:
    """Runs programs in one prefix below the build folder; made when it is first needed, and kept."""

    def __init__(self):
        build = pathlib.Path(os.environ["HVCIFIX_BUILD"])
        self.prefix = build / "wine"
        self.drive = build / "fixtures" / "drive.exe"
        self.environment = dict(os.environ, WINEPREFIX=str(self.prefix), WINEDEBUG="-all", WINEARCH="win64",
                                WINEDLLOVERRIDES="mscoree,mshtml=", DISPLAY="")

    def call(self, *command, timeout=LIMIT_SECONDS):
        # Output goes through a file: Wine's background processes keep pipes open.
        log = self.prefix.parent / f"wine-{os.getpid()}.log"
        with open(log, "wb+") as output:
            done = subprocess.run(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                                  stderr=subprocess.STDOUT, timeout=timeout, check=False)
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

    def load(self, path, times=2):
        """What happened when the driver was loaded so many times: one text for each load."""
        for _ in range(5):
            windows_path = "Z:" + str(path).replace("/", "\\")
            _, text = self.call("wine", str(self.drive), str(times), windows_path)
            is_ready = not any(line in NOT_READY for line in text.splitlines())
            if is_ready and len(text.split("load\n")) == times + 1:
                break  # else the services were not up, or Wine itself ended early on a busy machine
            self.stop()
            time.sleep(1)
        return text.split("load\n")[1:] or [text]
