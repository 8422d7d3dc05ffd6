"""Wine for x86 drivers, in a small Debian for i386 of the tests' own (scripts/wine_i386.sh), with the methods of
wine.Wine.

Each call gets its own mounts and processes (namespaces), which end with it: nothing stays mounted or running. The
Debian is read-only in there. Drivers are copied to the work folder below the build folder, which is /mnt inside.
"""

import fcntl
import os
import pathlib
import shutil
import subprocess

from support import wine

SCRIPT = pathlib.Path(__file__).resolve().parent.parent.parent / "scripts" / "wine_i386.sh"
INSIDE = "/mnt"
# sh -ec ENTER sh ROOT WORK WORD...: runs the words in ROOT.
ENTER = """
mount --bind "$1" "$1"
mount --bind "$2" "$1/mnt"
mount --bind "$2/tmp" "$1/tmp"
mount -t proc proc "$1/proc"
mount -o remount,bind,ro "$1"
root=$1
shift 2
exec chroot "$root" /usr/bin/env -i "$@"
"""


class Missing(Exception):
    """Why there is no such Wine here."""


class Wine(wine.Wine):
    """One prefix; calls of several processes wait for each other."""

    def __init__(self):
        super().__init__()
        build = pathlib.Path(os.environ["HVCIFIX_BUILD"]).resolve()
        self.work = build / "wine-i386"
        self.prefix = self.work / "prefix"
        self.drive_outside = build / "fixtures" / "drive_x86.exe"
        self.drive = f"{INSIDE}/drive.exe"
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": INSIDE, "WINEPREFIX": f"{INSIDE}/prefix", "WINEDEBUG": "-all",
                            "WINEDLLOVERRIDES": "mscoree,mshtml=", "LC_ALL": "C.UTF-8"}
        self.root = None

    def prepare(self):
        """Makes the Debian and the prefix, when they are not there. Raises Missing with the reason."""
        done = subprocess.run([SCRIPT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Missing(done.stdout.strip() or "scripts/wine_i386.sh failed")
        self.root = done.stdout.strip()
        (self.work / "tmp").mkdir(parents=True, exist_ok=True)
        with self.locked():
            shutil.copy(self.drive_outside, self.work / "drive.exe")
            stamp = self.work / "made-by"
            if not stamp.exists() or stamp.read_text() != self.root:
                shutil.rmtree(self.prefix, ignore_errors=True)
                code, text = self.enter("sh", "-c", "wineboot -i; wineserver -w", timeout=600)
                if not (self.prefix / "system.reg").exists():
                    raise RuntimeError(f"wineboot ended with {code}: {text}")
                stamp.write_text(self.root)

    def locked(self):
        """A lock on the work folder, for a with statement."""
        lock = open(self.work / "lock", "w", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def enter(self, *command, timeout=wine.LIMIT_SECONDS, errors=subprocess.STDOUT):
        """(exit code, output) of a command inside; the caller holds the lock."""
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        words = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", ENTER, "sh", self.root, str(self.work),
                 *settings, *map(str, command)]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                              timeout=timeout, check=False)
        return done.returncode, done.stdout.decode(errors="replace").replace("\r", "")

    def call(self, *command, timeout=wine.LIMIT_SECONDS, errors=subprocess.STDOUT):
        with self.locked():
            return self.enter(*command, timeout=timeout, errors=errors)

    def stop(self):
        """Nothing is left to stop when a call has ended."""

    def places(self, paths):
        """The paths inside of copies of the files."""
        targets = [self.work / f"driver{number}-{os.getpid()}.sys" for number in range(len(paths))]
        for path, target in zip(paths, targets):
            shutil.copy(path, target)
        return [f"{INSIDE}/{target.name}" for target in targets]
