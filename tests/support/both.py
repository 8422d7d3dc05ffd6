"""One call made by both programs, hvcifix.exe under Wine and the Linux program, whose answers must be the same.

Both get the same arguments, byte for byte: to Windows "/tmp/x.sys" is a path on the current drive, and under Wine that
drive is the root of the Linux file system. What may differ is said in `plain`, and nowhere else. A call that writes is
made by the Linux program first; what it wrote is taken back before hvcifix.exe runs, and compared too.
"""

import difflib
import functools
import os
import re
import shutil
import subprocess

from support import wine

UNDO = ".hvcifix-undo"
READING = ("check", "show", "verify", "explain", "rules", "help", "doctor")
SYSTEM_REASON = re.compile(rb"failed: [^\n]*? \(system code \d+\)\.")
NOT_IN_WINDOWS_NAMES = set('<>:"|?*\\') | {chr(code) for code in range(32)}


def can_be_named(path):
    """Can a file have this name on Windows?"""
    try:
        name = os.path.basename(os.fsencode(path)).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not set(name) & NOT_IN_WINDOWS_NAMES and not name.endswith((" ", "."))


@functools.cache
def programs():
    prefix = wine.Programs()
    prefix.begin()
    return prefix


def plain(output):
    """Without what depends on the system: the separator of paths (in JSON it stands twice), and the system's own words
    for an error that has none of ours."""
    return SYSTEM_REASON.sub(b"failed: (the system's words).", output.replace(b"\\\\", b"/").replace(b"\\", b"/"))


def may_write(arguments):
    if {"--help", "-h", "--version", "--dry-run"} & set(arguments):
        return False
    return not arguments or arguments[0] not in READING or any(a.startswith("--output") for a in arguments)


def files_of(arguments, cwd):
    """{path: content} of all files that the arguments name, or that lie in a folder that they name, and of the PDBs
    beside images; None for what is not there."""
    found = {}
    for argument in arguments:
        value = argument.partition("=")[2] if argument.startswith("--") else argument
        path = os.path.join(cwd or "", value)
        for folder, _, names in os.walk(path):
            found.update((os.path.join(folder, name), None) for name in names)
        if value and not os.path.isdir(path):
            found[path] = None
            if path.endswith(".sys"):
                found.update({path[:-4] + end: None for end in (".pdb", ".pdb.hvcifix-old")})
            if next(iter(arguments)) == "enforce":
                found[path + ".rejected"] = None
    if next(iter(arguments), "") in ("fix", "restore"):
        for path in list(found):
            found.setdefault(path + UNDO)
            if path.endswith(UNDO):
                found.setdefault(path.removesuffix(UNDO))
    for path in found:
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


def take_back(before, after):
    for path, content in before.items():
        now = after.get(path)
        if content is None and now is not None:
            if os.path.exists(path):  # the same file may stand there by two names
                os.remove(path)
        elif content != now and content is not None:
            with open(path, "wb") as file:
                file.write(content)


class NewPackage:
    """What `fix PACKAGE -o OUT` puts beside OUT, and into a folder OUT that was empty."""

    def __init__(self, arguments, cwd):
        takes_package = arguments[:1] == ["fix"] and "-o" in arguments[:-1] and any(
            argument == "--extract" or argument.endswith((".zip", ".cab", ".exe")) or
            os.path.isdir(os.path.join(cwd or "", argument)) for argument in arguments[1:])
        out = os.path.join(cwd or "", arguments[arguments.index("-o") + 1]) if takes_package else ""
        self.parent = os.path.dirname(out.rstrip("/")) if out else ""
        self.before = {name: os.path.isdir(self.path(name)) and not os.listdir(self.path(name))
                       for name in self.names()}

    def path(self, name):
        return os.path.join(self.parent, name)

    def names(self):
        return sorted(os.listdir(self.parent)) if os.path.isdir(self.parent) else []

    def content(self):
        """{path: content, or None of a folder} of what is new."""
        found = {}
        for name in self.names():
            was_empty = self.before.get(name)
            if was_empty is False:
                continue
            if was_empty is None and os.path.isfile(self.path(name)):
                with open(self.path(name), "rb") as file:
                    found[name] = file.read()
            for folder, folders, files in os.walk(self.path(name)):
                found.update((os.path.join(folder, inside), None) for inside in folders)
                for inside in files:
                    with open(os.path.join(folder, inside), "rb") as file:
                        found[os.path.join(folder, inside)] = file.read()
        return found

    def take_back(self):
        for name in self.names():
            was_empty = self.before.get(name)
            if was_empty is False:
                continue
            if os.path.isdir(self.path(name)):
                shutil.rmtree(self.path(name))
                if was_empty:
                    os.mkdir(self.path(name))
            else:
                os.remove(self.path(name))


def differences(peer, done):
    """What two finished processes did not say alike; empty when they agree."""
    lines = []
    if peer.returncode != done.returncode:
        lines.append(f"exit code {peer.returncode} on Linux, {done.returncode} on Windows")
    for what, a, b in (("stdout", peer.stdout, done.stdout), ("stderr", peer.stderr, done.stderr)):
        if plain(a) != plain(b):
            texts = [plain(output).decode(errors="backslashreplace").splitlines() for output in (a, b)]
            lines += list(difflib.unified_diff(*texts, f"{what} on Linux", f"{what} on Windows", lineterm=""))[:40]
    return lines


def run(peer, exe, arguments, environment, cwd, timeout):
    """The finished process of hvcifix.exe, after the Linux program `peer` gave the same answer."""
    before = files_of(arguments, cwd) if may_write(arguments) else {}
    package = NewPackage(arguments, cwd)
    peer_done = subprocess.run([peer, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                               cwd=cwd, env=dict(os.environ, **(environment or {})), check=False)
    peer_files = files_of(before, None)
    peer_package = package.content()
    take_back(before, peer_files)
    package.take_back()
    done = programs().run(programs().command(exe, *arguments), environment, cwd, timeout)
    found = differences(peer_done, done)
    if found:
        raise AssertionError("\n".join([f"hvcifix {' '.join(arguments)[:500]}", *found]))
    written = files_of(before, None)
    for path, content in written.items():
        if content != peer_files.get(path):
            raise AssertionError(f"hvcifix {' '.join(arguments)[:500]}: {path} is not what the Linux program writes")
    if package.content() != peer_package:
        raise AssertionError(f"hvcifix {' '.join(arguments)[:500]}: the package is not what the Linux program writes")
    return done
