#!/usr/bin/python3
"""Runs all tests and prints one line for each, the coverage of tool/, and the counts as the last line.

    run.py --build BUILD [WORD...]     only the test programs whose name[variant] contains one of the words

Two kinds of tests: cmocka programs (BUILD/tests/test_*, made from tests/unit), and Python test cases in
tests/*/test_*.py. Three variants: "plain" is the tool as users build it; "checked" is built with sanitizers and
coverage counters; "windows" is hvcifix.exe under Wine. Unit tests run in the first two, tests/cli in all three, the
rest in the first. A Python module can say VARIANTS = ("plain",) of the first two, and NOT_ON_WINDOWS = "why" of the
third.

Tests find their surroundings in the environment: HVCIFIX (the tool), HVCIFIX_VARIANT, HVCIFIX_PEER (with "windows": the
Linux program), HVCIFIX_BUILD, HVCIFIX_SOURCE, HVCIFIX_FIXTURES (folder of drivers) and HVCIFIX_IMAGES (a file with one
image path a line).
With HVCIFIX_REQUIRE_ALL=1 a skipped test counts as failed.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from support import coverage, matrix, wine

SOURCE = pathlib.Path(__file__).resolve().parent.parent
TESTS = SOURCE / "tests"
WORKERS = 2
JOB_SECONDS = 1800
SLOW_FIRST = ["test_kill[plain]", "test_malformed[checked]", "test_windows_files[plain]", "test_reports[windows]",
              "test_malformed[windows]", "test_strict[plain]", "test_wine[plain]", "test_findings[plain]",
              "test_mutations[plain]"]  # so that the workers end together


class Outcome:
    """One test's result: "pass", "fail" or "skip", with what there is to say about it."""

    def __init__(self, name, verdict, seconds=0.0, detail=""):
        self.name, self.verdict, self.seconds, self.detail = name, verdict, seconds, detail.strip()


class Surroundings:
    """Where things are, and the environment that tests get."""

    def __init__(self, build):
        self.build = build.resolve()
        self.fixtures = self.build / "fixtures"
        self.images = self.build / "images.txt"

    def tool(self, variant):
        return self.build / {"plain": "hvcifix", "checked": "checked/hvcifix", "windows": "hvcifix.exe"}[variant]

    def environment(self, variant):
        return dict(os.environ, HVCIFIX=str(self.tool(variant)), HVCIFIX_VARIANT=variant,
                    HVCIFIX_PEER=str(self.tool("plain")), HVCIFIX_BUILD=str(self.build), HVCIFIX_SOURCE=str(SOURCE),
                    HVCIFIX_FIXTURES=str(self.fixtures), HVCIFIX_IMAGES=str(self.images),
                    # A sanitizer's complaint must not look like one of the tool's exit codes.
                    ASAN_OPTIONS="exitcode=99", UBSAN_OPTIONS="exitcode=99:print_stacktrace=1", LC_ALL="C.UTF-8")

    def list_images(self):
        """Writes the list that HVCIFIX_IMAGES names: fixtures and the real images that could be had."""
        fixtures = [str(self.fixtures / f"{fixture.file_name}.sys") for fixture in matrix.read()]
        real = (self.build / "real-images.txt").read_text()
        self.images.write_text("\n".join(fixtures) + "\n" + real)


def real_image_outcomes(build):
    """One outcome for each package of real images: skipped where it could not be had."""
    missing = {}
    for line in (build / "real-images-missing.txt").read_text().splitlines():
        name, _, reason = line.partition("\t")
        missing[name] = reason
    names = ["wine64"]
    for line in (TESTS / "real_images.tsv").read_text().splitlines():
        if not line.startswith("#"):
            names.append(" ".join(line.split("\t")[1:3]))
    return [Outcome(f"real images: {name}", "skip" if name in missing else "pass", 0, missing.get(name, ""))
            for name in names]


def run_unit_test(program, variant, environment):
    """Runs one cmocka program and reads its TAP output."""
    prefix = f"unit/{program.name} [{variant}]"
    begun = time.monotonic()
    try:
        done = subprocess.run([program], env=dict(environment, CMOCKA_MESSAGE_OUTPUT="TAP"), cwd=SOURCE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, errors="replace", timeout=JOB_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return [Outcome(prefix, "fail", JOB_SECONDS, "timed out")]
    outcomes, said = [], []
    for line in done.stdout.splitlines():
        test = re.match(r"(not )?ok \d+ (- |# SKIP )(.*)", line)
        if test:  # what was printed by the test itself stands before its line
            verdict = "skip" if "SKIP" in test[2] else "fail" if test[1] else "pass"
            outcomes.append(Outcome(f"{prefix} {test[3]}", verdict, 0, "" if verdict == "pass" else "\n".join(said)))
            said = []
        elif line.startswith("# ") and outcomes and outcomes[-1].verdict == "fail":
            outcomes[-1].detail += "\n" + line  # what cmocka says of it stands after
        else:
            said.append(line)
    if not outcomes or (done.returncode != 0 and all(outcome.verdict != "fail" for outcome in outcomes)):
        outcomes.append(Outcome(prefix, "fail", 0, f"exit code {done.returncode}\n" + "\n".join(said)))
    outcomes[-1].seconds = time.monotonic() - begun
    return outcomes


def run_python_tests(path, variant, environment):
    """Runs one module in a process of its own (support/run_module.py), which reports test by test."""
    prefix = f"{path.parent.name}/{path.stem} [{variant}]"
    with tempfile.NamedTemporaryFile("r", suffix=".json") as report:
        command = [sys.executable, TESTS / "support" / "run_module.py", path, variant, report.name]
        try:
            done = subprocess.run(command, env=environment, cwd=SOURCE, stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                  timeout=JOB_SECONDS, check=False)
            trouble = f"exit code {done.returncode}\n{done.stdout}" if done.returncode else ""
        except subprocess.TimeoutExpired:
            trouble = "timed out"
        results = [json.loads(line) for line in report]
    outcomes = [Outcome(f"{prefix} {name}", verdict, seconds, detail) for name, verdict, seconds, detail in results]
    if trouble:
        outcomes.append(Outcome(prefix, "fail", 0, trouble))
    return outcomes


def no_wine():
    return [Outcome("cli [windows]", "skip", 0, "Wine is not installed")]


def jobs(surroundings, words):
    """(name, function, its arguments...), slow ones first; each gives a list of outcomes."""
    found = []
    for variant in ("plain", "checked", "windows"):
        environment = surroundings.environment(variant)
        if variant == "windows" and not wine.is_installed():
            found.append(("cli[windows]", no_wine))
            break
        for path in sorted(TESTS.glob("*/test_*.py")):
            if variant == "plain" or path.parent.name == "cli":
                found.append((f"{path.stem}[{variant}]", run_python_tests, path, variant, environment))
        for program in sorted((surroundings.tool(variant).parent / "tests").glob("test_*")):
            source = TESTS / "unit" / f"{program.name}.c"
            if source.exists() and variant != "windows":  # neither dependency files nor programs of removed tests
                found.append((f"{program.name}[{variant}]", run_unit_test, program, variant, environment))
    if words:
        found = [job for job in found if any(word in job[0] for word in words)]

    def place(job):
        return SLOW_FIRST.index(job[0]) if job[0] in SLOW_FIRST else len(SLOW_FIRST)
    return sorted(found, key=place)


@contextlib.contextmanager
def programs_of_windows(surroundings, chosen):
    """Wine is up while tests use it."""
    needed = [job for job in chosen if "windows" in job[0]]
    programs = wine.Programs(surroundings.build) if needed and wine.is_installed() else None
    if programs:
        programs.begin()
    try:
        yield
    finally:
        if programs:
            programs.end()


def say(outcome, require_all):
    """Prints one outcome; returns the word it counts as."""
    counts_as = "fail" if outcome.verdict == "skip" and require_all else outcome.verdict
    label = {"pass": "ok  ", "fail": "FAIL", "skip": "skip"}[counts_as]
    seconds = f"  ({outcome.seconds:.1f} s)" if outcome.seconds >= 1 else ""
    print(f"{label} {outcome.name}{seconds}")
    if counts_as != "pass":
        reason = outcome.detail or "no reason given"
        if outcome.verdict == "skip":
            reason = "skipped: " + reason
        for line in reason.splitlines():
            print("       " + line)
    sys.stdout.flush()
    return counts_as


def main():
    parser = argparse.ArgumentParser(description="run the tests of hvcifix")
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    surroundings = Surroundings(options.build)
    surroundings.list_images()
    coverage.reset(surroundings.build / "checked")
    require_all = os.environ.get("HVCIFIX_REQUIRE_ALL") == "1"

    counts = {"pass": 0, "fail": 0, "skip": 0}
    for outcome in real_image_outcomes(surroundings.build):
        counts[say(outcome, require_all)] += 1
    chosen = jobs(surroundings, options.words)
    with programs_of_windows(surroundings, chosen), concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        running = [pool.submit(job[1], *job[2:]) for job in chosen]
        for finished in concurrent.futures.as_completed(running):
            for outcome in finished.result():
                counts[say(outcome, require_all)] += 1
    if not options.words:
        coverage.report(surroundings.build / "checked", SOURCE, surroundings.build / "uncovered.txt")
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    sys.exit(1 if counts["fail"] or not counts["pass"] else 0)


if __name__ == "__main__":
    main()
