"""The table of fixtures (fixtures/matrix.tsv)."""

import os
import pathlib

TABLE = pathlib.Path(__file__).resolve().parent.parent.parent / "fixtures" / "matrix.tsv"


class Fixture:
    """One fixture for one machine."""

    def __init__(self, machine, row):
        self.machine = machine
        self.name, _, self.chain, self.sources, self.compile_flags, self.link_flags = row[:6]
        self.fix, self.seen = row[7], row[8]
        self.file_name = f"{self.name}_{machine}"
        self.findings = {}  # code -> number of places, or None where the table gives none
        for finding in row[6].split() if row[6] != "-" else []:
            code, _, count = finding.partition("*")
            self.findings["HVCI" + code] = int(count) if count else None

    @property
    def path(self):
        return os.path.join(os.environ["HVCIFIX_FIXTURES"], self.file_name + ".sys")


def read():
    """All fixtures, in the order of the table."""
    fixtures = []
    for line in TABLE.read_text().splitlines():
        if line and not line.startswith("#"):
            row = line.split("\t")
            fixtures += [Fixture(machine, row) for machine in row[1].split(",")]
    return fixtures
