"""The table of fixtures says what an independent reader sees, so that no expectation comes from hvcifix."""

import unittest

from support import matrix, readobj

COUNTED = {"HVCI2101"}
OF_CALLS = {"HVCI2000", "HVCI2002", "HVCI2303"}  # what arrives when the driver runs shows them: tests/wine/test_nx.py


class Matrix(unittest.TestCase):
    def test_findings_are_what_readobj_shows(self):
        fixtures = matrix.read()
        self.assertGreater(len(fixtures), 60)
        for fixture in fixtures:
            with self.subTest(fixture=fixture.file_name):
                seen = readobj.findings(fixture.path)
                self.assertEqual(set(seen), set(fixture.findings) - OF_CALLS)
                for code in COUNTED & set(seen):
                    self.assertEqual(seen[code], fixture.findings[code])

    def test_every_layout_rule_has_a_fixture_on_each_machine(self):
        for machine in ("x64", "x86", "arm64"):
            codes = set().union(*(f.findings for f in matrix.read() if f.machine == machine))
            self.assertEqual(codes - {"HVCI9011"} - OF_CALLS, {f"HVCI{code}" for code in (2003, 2004, 2005, 2006, 2101, 2102)})


if __name__ == "__main__":
    unittest.main()
