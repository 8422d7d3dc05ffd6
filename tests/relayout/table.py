#!/usr/bin/python3
"""Lays native images out anew, each by itself and with a time limit, and prints the table of docs/RELAYOUT.md.

    table.py PROGRAM [--seed N] [--seconds N] [--lines FILE] PATH...     files, and folders with all that is in them

PROGRAM is BUILD/tests/relayout. --lines keeps what it says of each image. Ends with 1 when one is wrong.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

WORKERS = 2
FIELDS = ("path", "machine", "result", "kind", "moved", "iat", "reason")
MOST_REASONS = 12


class Line:
    """What the program says of one image."""

    def __init__(self, text):
        values = dict(zip(FIELDS, text.rstrip("\n").split("\t")))
        self.machine, self.result, self.kind = values["machine"], values["result"], values["kind"]
        self.iat, self.reason, self.text = values["iat"], values["reason"], text
        counts = values["moved"].split("/")
        self.moved_count, self.movable_count = [int(count) for count in counts] if len(counts) == 2 else [0, 0]


def machine_of(path):
    """"x64", "x86" or None."""
    with open(path, "rb") as file:
        head = file.read(4096)
        at = int.from_bytes(head[0x3C:0x40], "little")
        file.seek(at)
        head = head[:2] + file.read(6)
    if len(head) < 8 or head[:2] != b"MZ" or head[2:6] != b"PE\0\0":
        return None
    return {0x8664: "x64", 0x14C: "x86"}.get(int.from_bytes(head[6:8], "little"))


def collect(paths):
    """All images of x86 and x64, each once, by real path."""
    files = []
    for path in paths:
        if os.path.isdir(path):
            files += (os.path.join(folder, name) for folder, _, names in os.walk(path) for name in sorted(names))
        else:
            files.append(path)
    real = dict.fromkeys(os.path.realpath(file) for file in files if os.path.isfile(file))
    return [file for file in real if machine_of(file)]


def ask(program, seed, path, seconds):
    try:
        done = subprocess.run([program, "-s", str(seed), path], capture_output=True, text=True, errors="replace",
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired:
        return Line("\t".join([path, machine_of(path), "refused", "-", "-", "-", f"more than {seconds} seconds"]) + "\n")
    if done.returncode not in (0, 1) or not done.stdout:
        return Line("\t".join([path, machine_of(path), "wrong", "-", "-", "-", f"ended with {done.returncode}"]) + "\n")
    return Line(done.stdout)


def ask_all(program, seed, paths, seconds=60):
    """[Line], in the order of the paths."""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(lambda path: ask(program, seed, path, seconds), paths))


def without_places(reason):
    """The same words for every image."""
    reason = re.sub(r"0x[0-9A-Fa-f]+", "N", reason)
    return re.sub(r"([Ss]ection) \S+", r"\1 S", reason)


def table(lines):
    """Markdown."""
    text = ["| machine | images | verified | of these: all sections moved | IAT on pages of its own | sections that moved "
            "| refused | wrong |", "|---|---|---|---|---|---|---|---|"]
    for machine in ("x64", "x86"):
        mine = [line for line in lines if line.machine == machine and line.result in ("verified", "refused", "wrong")]
        verified = [line for line in mine if line.result == "verified"]
        text.append(
            f"| {machine} | {len(mine)} | {len(verified)} ({100 * len(verified) / max(1, len(mine)):.1f} %) "
            f"| {sum(line.moved_count == line.movable_count for line in verified)} "
            f"| {sum(line.iat == 'moves' for line in verified)} "
            f"| {sum(line.moved_count for line in verified)} of {sum(line.movable_count for line in verified)} "
            f"| {sum(line.result == 'refused' for line in mine)} | {sum(line.result == 'wrong' for line in mine)} |")
    for title, wanted in (("Refused", lambda line: line.result == "refused"),
                          ("Verified, but not with all sections moved",
                           lambda line: line.result == "verified" and line.moved_count < line.movable_count)):
        reasons = collections.Counter((line.machine, without_places(line.reason)) for line in lines if wanted(line))
        text += ["", f"{title}, by reason (of the boldest layout that was not proved):", "", "| images | machine | reason |",
                 "|---|---|---|"]
        text += [f"| {count} | {machine} | {reason} |"
                 for (machine, reason), count in reasons.most_common(MOST_REASONS)]
    return "\n".join(text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--lines", type=pathlib.Path)
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args()
    lines = ask_all(options.program, options.seed, collect(options.paths), options.seconds)
    if options.lines:
        options.lines.write_text("".join(line.text for line in lines))
    print(table(lines))
    sys.exit(any(line.result == "wrong" for line in lines))


if __name__ == "__main__":
    main()
