"""Runs the test cases of one Python file in this process: run_module.py FILE VARIANT REPORT.

Writes a line of JSON to REPORT for each test as soon as it ends: [name, verdict, seconds, detail].
A module that sets VARIANTS to a tuple without VARIANT has no tests in it. For "windows" it must say why instead, in
NOT_ON_WINDOWS.
"""

import importlib.util
import json
import pathlib
import sys
import time
import unittest


class Recorder(unittest.TestResult):
    """Collects what unittest says about a test, subtests included, into one verdict."""

    def __init__(self, report):
        super().__init__()
        self.report = report
        self.current = None

    def startTest(self, test):
        super().startTest(test)
        self.current, self.begun, self.failures_seen, self.skips_seen = test, time.monotonic(), [], []

    def stopTest(self, test):
        super().stopTest(test)
        if self.failures_seen:
            self.write(test, "fail", self.failures_seen)
        elif self.skips_seen:
            self.write(test, "skip", self.skips_seen)
        else:
            self.write(test, "pass", [])
        self.current = None

    def write(self, test, verdict, details):
        seconds = time.monotonic() - self.begun if self.current else 0.0
        name = ".".join(test.id().split(".")[1:]) or test.id()
        self.report.write(json.dumps([name, verdict, seconds, "\n".join(details)]) + "\n")
        self.report.flush()

    def addFailure(self, test, err):
        text = self._exc_info_to_string(err, test)
        if self.current:
            self.failures_seen.append(text)
        else:
            self.write(test, "fail", [text])  # setUpClass and its kin

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        if err:
            self.failures_seen.append(f"{subtest}\n{self._exc_info_to_string(err, test)}")

    def addSkip(self, test, reason):
        if self.current:
            self.skips_seen.append(reason)
        else:
            self.write(test, "skip", [reason])

    def addUnexpectedSuccess(self, test):
        self.failures_seen.append("unexpected success")


def main(path, variant, report_path):
    path = pathlib.Path(path)
    sys.path[:0] = [str(path.parent.parent), str(path.parent)]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    if variant == "windows" and getattr(module, "NOT_ON_WINDOWS", ""):
        return
    if variant != "windows" and variant not in getattr(module, "VARIANTS", (variant,)):
        return
    with open(report_path, "w", encoding="utf-8") as report:
        unittest.defaultTestLoader.loadTestsFromModule(module).run(Recorder(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
