"""The table of fixtures (fixtures/matrix.tsv)."""

import os
import pathlib

# Wine does not load images whose file alignment is smaller than their low section alignment (Windows does from 512 on):
# fixture -> the same driver without that.
TWINS = {"rich_low_80_file_20": "rich_low_80", "rich_low_800_file_200": "rich_low_800"}
TABLE = pathlib.Path(__file__).resolve().parent.parent.parent / "fixtures" / "matrix.tsv"
VERDICTS = {"copies", "repairs", "refuses", "either", "leaves", "rejects", "-"}
# What code asks for: no repair of the layout cures it.
OF_CALLS = {"HVCI2000", "HVCI2001", "HVCI2002", "HVCI2300", "HVCI2301", "HVCI2302", "HVCI2303"}


def verdict_of(column, machine):
    """The verdict for a machine: "repairs,arm64:refuses" is "repairs" for x64."""
    verdict, *exceptions = column.split(",")
    verdict = dict(exception.split(":") for exception in exceptions).get(machine, verdict)
    if verdict not in VERDICTS:
        raise ValueError(f"{TABLE}: no verdict {verdict!r}")
    return verdict


class Fixture:
    """One fixture for one machine."""

    def __init__(self, machine, row):
        self.machine = machine
        self.name, _, self.chain, self.sources, self.compile_flags, self.link_flags = row[:6]
        self.seen = row[8]
        column, *others = row[7].split(" ")
        self.fix = verdict_of(column, machine)
        self.runs = [((), self.fix)]  # (options, what `fix` does with them)
        for other in others:
            target, _, column = other.partition(":")
            self.runs.append((("--target", target), verdict_of(column, machine)))
        self.file_name = f"{self.name}_{machine}"
        self.findings = {}  # code -> number of places, or None where the table gives none
        for finding in row[6].split() if row[6] != "-" else []:
            code, _, count = finding.partition("*")
            self.findings["HVCI" + code] = int(count) if count else None

    @property
    def constructs(self):
        """Names of its constructs, in the order of their questions (fixtures/src/ioctl.h)."""
        known = groups()
        words = [word for source in self.sources.split() for word in known.get(source, [source])]
        return [word for word in words if not word.endswith((".rc", ".def", ".lib")) and word != "load_config"]

    @property
    def rewrite(self):
        """What `fix` does with `rewrite_options`: with those, all that is wrong on any target is repaired."""
        return self.runs[-1][1]

    @property
    def rewrite_options(self):
        return list(self.runs[-1][0])

    @property
    def not_in_wine(self):
        return self.name in TWINS

    @property
    def path_in_wine(self):
        """The path of what answers as this fixture does: itself, or its twin where Wine does not load it."""
        return os.path.join(os.environ["HVCIFIX_FIXTURES"], f"{TWINS.get(self.name, self.name)}_{self.machine}.sys")

    @property
    def path(self):
        return os.path.join(os.environ["HVCIFIX_FIXTURES"], self.file_name + ".sys")


def groups():
    """{"@NAME": its sources}, which the table's head defines."""
    heads = [line[2:].split("\t") for line in TABLE.read_text().splitlines() if line.startswith("# @")]
    return {name: sources.split() for name, sources in heads}


def read():
    """All fixtures, in the order of the table."""
    fixtures = []
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            row = line.split("\t")
            fixtures += [Fixture(machine, row) for machine in row[1].split(",")]
    return fixtures


def read_some():
    """For tests that repair or show each fixture, perhaps several times: all of them, and for the two slow variants, which
    are the same code built otherwise, every tenth."""
    return read() if os.environ["HVCIFIX_VARIANT"] == "plain" else read()[::10]
