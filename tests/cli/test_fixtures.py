"""`check` finds in each fixture what the table says, and nothing else."""

import unittest

from support import matrix, tool

MACHINES = {"x64": "x64", "x86": "x86", "arm64": "ARM64"}


class Fixtures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixtures = matrix.read()
        cls.images = tool.check([fixture.path for fixture in cls.fixtures])

    def test_findings(self):
        for fixture in self.fixtures:
            with self.subTest(fixture=fixture.file_name):
                image = self.images[fixture.path]
                self.assertEqual(tool.codes(image), set(fixture.findings))
                status = "findings" if fixture.findings else "clean"
                self.assertEqual(image["status"], "error" if fixture.fix == "rejects" else status)
                for code, count in fixture.findings.items():
                    if count is not None:
                        places = [f["count"] for f in image["findings"] if f["code"] == code]
                        self.assertEqual(sum(places), count)

    def test_machine(self):
        for fixture in self.fixtures:
            with self.subTest(fixture=fixture.file_name):
                self.assertEqual(self.images[fixture.path]["machine"].lower(), MACHINES[fixture.machine].lower())

    def test_levels(self):
        """Kernel images: 2102 is a note, 2101 one on the default target, all else an error. User mode: notes. 9011 is a
        note where some Windows loads the image."""
        for fixture in self.fixtures:
            for finding in self.images[fixture.path]["findings"]:
                with self.subTest(fixture=fixture.file_name, code=finding["code"]):
                    is_note = finding["code"] in ("HVCI2101", "HVCI2102") or fixture.chain == "program"
                    if finding["code"] == "HVCI9011":
                        is_note = fixture.fix != "rejects"
                    if finding.get("call"):  # a warning where it depends on a value
                        self.assertEqual(finding["level"],
                                         {"executable": "error", "depends": "warning"}[finding["call"]["verdict"]])
                        continue
                    self.assertEqual(finding["level"], "note" if is_note else "error")

    def test_straddling_is_an_error_before_1703(self):
        for target, level in (("1607", "error"), ("1703", "note")):
            paths = [fixture.path for fixture in self.fixtures if fixture.name == "straddle"]
            for path, image in tool.check(paths, "--target", target).items():
                with self.subTest(path=path, target=target):
                    self.assertEqual([finding["level"] for finding in image["findings"]], [level])

    def test_exit_code(self):
        """1 when there is an error, 0 when there are only notes or nothing; 3 for what no Windows loads. In the two variants
        that start slowly, of every fifth, and of what is rejected."""
        step = 5 if tool.IS_SLOW else 1
        for fixture in [f for number, f in enumerate(self.fixtures) if number % step == 0 or f.fix == "rejects"]:
            with self.subTest(fixture=fixture.file_name):
                levels = {finding["level"] for finding in self.images[fixture.path]["findings"]}
                expected = 3 if fixture.fix == "rejects" else 1 if "error" in levels else 0
                self.assertEqual(tool.run("check", fixture.path).returncode, expected)

    def test_findings_say_where_why_and_how(self):
        for fixture in self.fixtures:
            for finding in self.images[fixture.path]["findings"]:
                with self.subTest(fixture=fixture.file_name, code=finding["code"]):
                    self.assertTrue(finding["message"] and finding["cure"])
                    self.assertTrue(finding["evidence"] or finding["code"] == "HVCI9011")
                    self.assertTrue(finding["section"] or finding["file_offset"] is not None)


if __name__ == "__main__":
    unittest.main()
