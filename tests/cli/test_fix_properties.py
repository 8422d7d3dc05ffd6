"""What must hold for every `fix`, whatever the image: of each fixture, with each set of options of the table.

Independent witnesses: pefile and osslsigncode for checksums, llvm-readobj for what is wrong with the result.
"""

import re
import subprocess
import unittest

from support import fixing, images, matrix, readobj, tool

WRITE = 0x80000000
BEFORE_1703 = ["--target", "1607"]
HARMLESS = {"HVCI9011"}  # what only some releases of Windows refuse; `fix` does not touch it
STEP = 7 if tool.IS_SLOW else 1  # calls that take one image each are made for every so manieth


class FixedFixtures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.fixed = fixing.Fixed()

    @classmethod
    def tearDownClass(cls):
        cls.fixed.close()

    def chosen(self, cases):
        """The cases themselves; fails when there is none."""
        self.assertTrue(cases)
        return cases


class Verdicts(FixedFixtures):
    """`fix` does what the table says."""

    def test_repairs(self):
        for case in self.chosen(self.fixed.those("repairs")):
            with self.subTest(case=str(case)):
                self.assertEqual((case.report["status"], [refusal["message"] for refusal in case.refusals
                                                          if refusal["code"] not in HARMLESS]), ("fixed", []))
                self.assertTrue(fixing.changed(case))

    def test_nothing_to_repair_changes_nothing(self):
        for case in self.chosen(self.fixed.those("copies")):
            with self.subTest(case=str(case)):
                self.assertIn(case.report["status"], ("clean", "findings"))
                self.assertEqual({f["level"] for f in case.report["findings"]} - {"note"}, set())
                self.assertFalse(fixing.changed(case))

    def test_signed_is_left_alone(self):
        for case in self.chosen(self.fixed.those("leaves")):
            with self.subTest(case=str(case)):
                self.assertFalse(fixing.changed(case))
                self.assertIn("signed", case.report["remark"])

    def test_refusals_say_why_and_what_to_do(self):
        for case in self.chosen(self.fixed.those("refuses")):
            with self.subTest(case=str(case)):
                self.assertEqual(case.report["status"], "refused")
                said = [(finding["code"], finding["rva"], finding["message"]) for finding in case.report["findings"]]
                self.assertEqual(len(said), len(set(said)), "the same is said twice")
                self.assertFalse(fixing.changed(case))
                self.assertTrue(case.refusals)
                for refusal in case.refusals:
                    self.assertTrue(refusal["message"] and refusal["cure"])
                    if case.fixture.name.startswith("init_") and case.fixture.name.endswith("_refuse"):
                        self.assertIn("INIT", refusal["message"])

    def test_repaired_right_or_refused(self):
        for case in self.chosen(self.fixed.those("either")):
            with self.subTest(case=str(case)):
                self.assertIn(case.report["status"], ("fixed", "refused"))
                self.assertEqual(fixing.changed(case), case.is_fixed)
                self.assertEqual(case.is_fixed, not set(r["code"] for r in case.refusals) - HARMLESS)

    def test_what_no_windows_loads_is_rejected(self):
        for case in self.chosen(self.fixed.those("rejects")):
            with self.subTest(case=str(case)):
                self.assertEqual(case.report["status"], "error")
                self.assertFalse(fixing.changed(case))

    def test_no_verdict_is_unknown(self):
        judged = sum(len(self.fixed.those(verdict)) for verdict in
                     ("repairs", "copies", "leaves", "refuses", "either", "rejects", "-"))
        self.assertEqual(judged, len(self.fixed.cases))
        codes = self.fixed.codes[("fix", "--in-place")]  # one of each call with many images: the worst of them
        self.assertLessEqual(codes, {0, 1, 3})  # never 6
        self.assertLessEqual({1, 3}, codes)


class Results(FixedFixtures):
    """What came out is right, says everybody who can be asked."""

    def test_verifier_accepts_without_any_map(self):
        for case in self.chosen(self.fixed.repaired[::STEP]):
            with self.subTest(case=str(case)):
                code, report = tool.run("verify", case.old, case.path, "--quiet").returncode, case.report
                self.assertEqual(code, 0)
                self.assertIn(report["verification"]["result"], ("proved", "assumed"))

    def test_no_error_is_left(self):
        reports = self.fixed.call(("check",), [case.path for case in self.fixed.repaired])
        for case in self.chosen(self.fixed.repaired):
            with self.subTest(case=str(case)):
                errors = {finding["code"] for finding in reports[case.path]["findings"] if finding["level"] == "error"}
                # What the code asks for is left to --nx (test_fix_nx.py); of that, only what the table says.
                self.assertLessEqual(errors, set(case.fixture.findings) & matrix.OF_CALLS)

    def test_another_reader_finds_nothing_left(self):
        for case in self.chosen(self.fixed.repaired[::STEP]):
            with self.subTest(case=str(case)):
                found = set(readobj.findings(case.path)) - HARMLESS
                if case.options != BEFORE_1703:
                    found -= {"HVCI2101"}  # a note
                if case.fixture.chain != "program":
                    self.assertEqual(found, set())

    def test_checksums(self):
        for case in self.chosen(self.fixed.repaired[::STEP]):
            with self.subTest(case=str(case)):
                data = images.read(case.path)
                headers = images.Headers(data)
                self.assertEqual(headers.stored_checksum(), headers.right_checksum())
                if len(data) % 2:
                    continue  # osslsigncode adds the size without the last byte
                said = subprocess.run(["osslsigncode", "verify", case.path], capture_output=True, check=False).stdout
                sums = re.findall(rb"PE checksum *: ([0-9A-F]{8})", said)  # one where what is stored is right, else two
                self.assertEqual(sums, [b"%08X" % headers.stored_checksum()], said)

    def test_llvm_reads_all_of_it(self):
        """It complains about nothing that it does not say of the old image."""
        for case in self.chosen(self.fixed.repaired[::STEP]):
            with self.subTest(case=str(case)):
                said = [subprocess.run(["llvm-readobj-19", "--all", path], capture_output=True, check=False)
                        for path in (case.old, case.path)]
                complaints = [set(re.findall(rb"(?:warning|error): .*?: (.*)", done.stderr)) for done in said]
                self.assertLessEqual(said[1].returncode, said[0].returncode)
                self.assertLessEqual({re.sub(rb"0x[0-9A-Fa-f]+", b"", text) for text in complaints[1]},
                                     {re.sub(rb"0x[0-9A-Fa-f]+", b"", text) for text in complaints[0]})

    def test_fixed_twice_is_fixed_once(self):
        before = {case.path: images.read(case.path) for case in self.fixed.repaired}
        reports = self.fixed.call(("fix", "--in-place"), list(before))
        for case in self.chosen(self.fixed.repaired):
            with self.subTest(case=str(case)):
                self.assertIn(reports[case.path]["status"], ("clean", "findings"))
                self.assertEqual(images.read(case.path), before[case.path])

    def test_pages_are_writable_or_executable_but_not_both(self):
        """As llvm-readobj has the sections: aligned to pages or more, ascending without gaps, no pages beside them."""
        for case in self.chosen(self.fixed.repaired[::STEP]):
            with self.subTest(case=str(case)):
                sections = [readobj.Section(part) for part in readobj.read("--sections", case.path).split("Section {")[1:]]
                headers = readobj.read("--file-headers", case.path)
                align = readobj.number(headers, "SectionAlignment")
                self.assertEqual(align % readobj.PAGE_NBYTES, 0)
                next_rva = -(-readobj.number(headers, "SizeOfHeaders") // align) * align
                for section in sections:
                    if case.fixture.chain != "program":
                        self.assertNotEqual(section.flags & (readobj.EXECUTE | WRITE), readobj.EXECUTE | WRITE)
                    self.assertEqual(section.rva, next_rva, section.name)
                    nbytes = readobj.number(section.text, "VirtualSize") or readobj.number(section.text, "RawDataSize")
                    next_rva += -(-nbytes // align) * align
                self.assertEqual(readobj.number(headers, "SizeOfImage"), next_rva)


if __name__ == "__main__":
    unittest.main()
