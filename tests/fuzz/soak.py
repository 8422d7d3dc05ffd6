#!/usr/bin/python3
"""Runs fuzz targets one after the other, each for so many seconds, and prints what came of it.

    soak.py FOLDER SECONDS NAME...     FOLDER is build/fuzz, with the programs fuzz_NAME and the seeds

A target that finds something is started again until its time is over. What it found goes to FOLDER/finds, what it
learned to FOLDER/corpus/NAME, libFuzzer's own output to FOLDER/logs/NAME.log (and, for a single target, to the screen).
Exit code 1: something was found, or the arguments are wrong.
"""

import os
import pathlib
import re
import subprocess
import sys
import time

import poke

LIMITS = ["-max_len=20000", "-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"]
SOURCE = pathlib.Path(__file__).resolve().parent
COLUMNS = "{:<18}{:>9}{:>13}{:>9}{:>8}{:>9}{:>8}{:>7}"
SHORTEST_SECONDS = 2  # less is not worth another start


class Figures:
    """What libFuzzer says of a target, over all of its starts."""

    def __init__(self):
        self.executions, self.edges, self.features, self.inputs = 0, 0, 0, 0
        self.of_this_start = 0

    def begin(self):
        self.executions += self.of_this_start
        self.of_this_start = 0

    def read(self, line):
        status = re.match(r"#(\d+)\s.*\bcov: (\d+) ft: (\d+) corp: (\d+)/", line)
        if status:
            self.of_this_start, self.edges, self.features, self.inputs = map(int, status.groups())


def run_once(folder, name, seconds, figures, log, is_shown):
    command = [f"./fuzz_{name}", *LIMITS, f"-max_total_time={seconds}", f"-artifact_prefix=finds/{name}-",
               f"corpus/{name}", "seeds"]
    figures.begin()
    with subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        for line in process.stdout:
            figures.read(line)
            log.write(line)
            if is_shown:
                print(line, end="", flush=True)
    return process.returncode


def soak(folder, name, seconds, is_shown):
    """One line of the table, and the number of finds."""
    corpus, finds = folder / "corpus" / name, folder / "finds"
    for path in (corpus, finds, folder / "logs"):
        path.mkdir(parents=True, exist_ok=True)
    poke.expand(poke.read_seeds(folder / "seeds"), corpus, sorted((SOURCE / "corpus" / name).glob("*.poke")))
    known = set(finds.iterdir())
    figures, begun = Figures(), time.monotonic()
    with open(folder / "logs" / f"{name}.log", "w", encoding="utf-8") as log:
        while (left := int(seconds - (time.monotonic() - begun))) >= SHORTEST_SECONDS:
            found_count = len(set(finds.iterdir()) - known)
            code = run_once(folder, name, left, figures, log, is_shown)
            if code != 0 and len(set(finds.iterdir()) - known) == found_count:
                raise SystemExit(f"fuzz_{name} ends with {code} and leaves no find: see logs/{name}.log")
    figures.begin()
    took, new = time.monotonic() - begun, set(finds.iterdir()) - known
    per_second = round(figures.executions / max(took, 1))
    line = COLUMNS.format(name, round(took), figures.executions, per_second, figures.edges, figures.features,
                          figures.inputs, len(new))
    return line, len(new)


def main(folder, seconds, *names):
    folder = pathlib.Path(folder).resolve()
    os.chdir(SOURCE)
    heading = COLUMNS.format("target", "seconds", "executions", "exec/s", "edges", "features", "inputs", "finds")
    lines, found = [heading], 0
    for name in names:
        line, count = soak(folder, name, int(seconds), len(names) == 1)
        found += count
        lines.append(line)
        if len(names) > 1:
            print("\n".join(lines if len(lines) == 2 else lines[-1:]), flush=True)
    if len(names) == 1:
        print("\n".join(lines))
    return 1 if found else 0


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    if not sys.argv[2].isdecimal() or int(sys.argv[2]) < SHORTEST_SECONDS:
        sys.exit(f"soak.py: {sys.argv[2]!r} is no number of seconds from {SHORTEST_SECONDS} on.")
    sys.exit(main(*sys.argv[1:]))
