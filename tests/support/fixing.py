"""`fix` over all fixtures of the table at once: copies are repaired in place, many in one call, and judged again."""

import os
import shutil
import tempfile

from support import images, matrix, tool


class Case:
    """One fixture with one set of options: where its copy lies, and what `fix --in-place` said of it."""

    def __init__(self, fixture, options, verdict, path):
        self.fixture, self.options, self.verdict, self.path = fixture, list(options), verdict, path
        self.report = None

    def __str__(self):
        return " ".join([self.fixture.file_name, *self.options])

    @property
    def old(self):
        return self.fixture.path

    @property
    def is_fixed(self):
        return self.report["status"] == "fixed"

    @property
    def refusals(self):
        return [finding for finding in self.report["findings"] if finding["code"].startswith("HVCI9")]


class Fixed:
    """All cases, fixed in a folder of their own; call close() behind."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.cases, self.codes = [], {}
        for fixture in matrix.read():
            for number, (options, verdict) in enumerate(fixture.runs):
                path = os.path.join(self.folder, f"{fixture.file_name}.{number}.sys")
                shutil.copy(fixture.path, path)
                self.cases.append(Case(fixture, options, verdict, path))
        reports = self.call(("fix", "--in-place"), [case.path for case in self.cases])
        for case in self.cases:
            case.report = reports[case.path]

    def call(self, words, paths):
        """{path: report} of calls with many images each, with the options of the images' cases."""
        options_of = {case.path: tuple(case.options) for case in self.cases}
        reports = {}
        for options in sorted(set(options_of.values())):
            chosen = [path for path in paths if options_of[path] == options]
            for first in range(0, len(chosen), tool.BATCH):
                code, found = tool.report(*words, *options, *chosen[first : first + tool.BATCH])
                self.codes.setdefault(words, set()).add(code)
                reports.update({report["path"]: report for report in found})
        return reports

    def those(self, verdict):
        return [case for case in self.cases if case.verdict == verdict]

    @property
    def repaired(self):
        """Those that came out changed."""
        return [case for case in self.cases if case.is_fixed]

    def close(self):
        shutil.rmtree(self.folder)


def changed(case):
    return images.read(case.path) != images.read(case.old)
