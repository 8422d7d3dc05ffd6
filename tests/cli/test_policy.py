"""Policy files at the command line: what a build owner writes, and what a run says of it.

Diagnostics are judged by MSBuild's own patterns, JSON by the schema. Today is a day of the test's own.
"""

import json
import os
import pathlib
import re
import shutil
import tempfile
import unittest

from support import images, matrix, msbuild, schema, tool

TODAY = {"SOURCE_DATE_EPOCH": str(20779 * 86400 + 3600)}  # 2026-11-22, one o'clock in the morning
SOURCE = pathlib.Path(__file__).resolve().parents[2]
PRESETS = ("windows-11", "windows-10-1507", "whcp", "audit")
WAIVER = """[waiver "{name}"]
image = {image}
code = HVCI2003
reason = The vendor is asked.
owner = drivers@contoso.example
expires = {expires}
"""


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


class Policies(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, text, name="policy.ini"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return path

    def run_tool(self, *arguments):
        return tool.run(*arguments, environment=TODAY)

    def diagnostics(self, output):
        """[(file name with line and column, category, code)]"""
        return [(re.split(r"[/\\]", origin)[-1], category, code)
                for origin, category, code, _ in msbuild.diagnostics(output.decode("utf-8"))]


class Files(Policies):
    def test_init_writes_what_check_accepts(self):
        for preset in (None, *PRESETS):
            with self.subTest(preset=preset):
                words = ["--preset", preset] if preset else []
                done = self.run_tool("policy", "init", *words)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                path = self.write(done.stdout.decode("utf-8"), f"{preset}.ini")
                judged = self.run_tool("policy", "check", path)
                self.assertEqual(judged.returncode, 0, judged.stdout)
                self.assertIn(b"can be used", judged.stdout)
                self.assertEqual(self.diagnostics(judged.stdout), [])

    def test_init_keeps_what_is_there(self):
        path = os.path.join(self.folder, "new.ini")
        self.assertEqual(self.run_tool("policy", "init", "--output", path).returncode, 0)
        first = images.read(path)
        self.assertTrue(first)
        again = self.run_tool("policy", "init", "--preset", "audit", "--output", path)
        self.assertEqual(again.returncode, 2)
        self.assertIn(b"already", again.stderr)
        self.assertEqual(images.read(path), first)

    def test_problems_can_be_jumped_to(self):
        self.write(WAIVER.format(name="old", image="*", expires="2026-11-21"), "base.ini")
        path = self.write("[policy]\r\ninclude = base.ini\r\n  mdoe = fix\r\n[rules]\r\nHVCI2003 = severe\r\n")
        done = self.run_tool("policy", "check", path)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(self.diagnostics(done.stdout), [("policy.ini(3,3)", "error", "HVCI9040"),
                                                         ("policy.ini(5,12)", "error", "HVCI9040"),
                                                         ("base.ini(1,1)", "error", "HVCI9042")])
        self.assertIn(b'did you mean "mode"?', done.stdout)
        self.assertIn(b"error, warning, note, off or default", done.stdout)
        self.assertEqual(self.run_tool("policy", "check", os.path.join(self.folder, "base.ini")).returncode, 1)

    def test_wrong_command_lines(self):
        for words in (["policy"], ["policy", "judge", "x"], ["policy", "check"], ["policy", "init", "x"],
                      ["policy", "init", "--preset", "windows-95"], ["policy", "check", "x", "--preset", "audit"],
                      ["fix", "--policy", "x", "--dry-run", "y"]):
            with self.subTest(words=words):
                done = self.run_tool(*words)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"error HVCI9010", done.stderr)

    def test_rules_shows_what_holds_and_who_says_so(self):
        self.write("[policy]\ntarget = 11\nname = Contoso\n[rules]\nHVCI2102 = error\n", "base.ini")
        path = self.write("[policy]\ninclude = base.ini\npreset = audit\ntarget = 1607\n[fix]\n2005 = never\n")
        done = self.run_tool("rules", "--policy", path)
        self.assertEqual(done.returncode, 0)
        lines = {line.split()[0]: line.replace("\\", "/") for line in done.stdout.decode("utf-8").splitlines() if line}
        self.assertRegex(lines["target"], r" 1607 .*/policy\.ini\(4,1\)$")
        self.assertRegex(lines["name"], r" Contoso .*/base\.ini\(3,1\)$")
        self.assertRegex(lines["mode"], r" audit .*preset audit\(2,1\)$")
        self.assertRegex(lines["drop-signature"], r" no .*built in$")
        self.assertRegex(lines["HVCI2102"], r"error, .*/base\.ini\(5,1\); repair enforce, built in$")
        self.assertRegex(lines["HVCI2005"], r"error, built in; repair never, .*/policy\.ini\(6,1\)$")


class Page(Policies):
    """docs/POLICY.md shows what is true."""

    def setUp(self):
        super().setUp()
        page = (SOURCE / "docs" / "POLICY.md").read_text("utf-8")
        self.examples = dict(re.findall(r"^```ini\n(; ([\w-]+\.ini)\n.*?)^```$", page, re.M | re.S))
        self.wrong, self.said = re.search(r"^```\n(\[policy\]\n.*?)^```$.*?^```text\n(.*?)^```$", page, re.M | re.S).groups()
        self.page = page
        for text, name in self.examples.items():
            self.write(text, name)

    def test_its_examples_are_good_policies(self):
        self.assertEqual(self.page.count("```ini"), len(self.examples))
        self.assertGreaterEqual(len(self.examples), 5)
        for name in self.examples.values():
            done = self.run_tool("policy", "check", os.path.join(self.folder, name))
            self.assertEqual((done.returncode, self.diagnostics(done.stdout)), (0, []), done.stdout)
        done = self.run_tool("rules", "--policy", os.path.join(self.folder, "team.ini"))
        self.assertRegex(done.stdout.decode().replace("\\", "/"), r"\nHVCI2102 +error, \S*/organisation\.ini\(8,1\)")

    def test_what_it_says_of_a_wrong_one(self):
        done = tool.run("policy", "check", os.path.basename(self.write(self.wrong, "wrong.ini")), cwd=self.folder)
        self.assertEqual((done.returncode, done.stdout.decode()), (2, self.said))

    def test_it_speaks_of_every_section_and_preset(self):
        init = self.run_tool("policy", "init").stdout.decode()
        for section in re.findall(r"^;?\[(\w+)", init, re.M):
            self.assertIn(f"`[{section}", self.page)
        for preset in PRESETS:
            self.assertIn(f"`{preset}`", self.page)


class Judging(Policies):
    def check(self, policy, *paths, words=()):
        return self.run_tool("check", "--policy", policy, *words, *paths)

    def levels(self, policy, path):
        """(exit code, {code: levels}) of one image."""
        done = self.check(policy, path, words=["--format", "json"])
        report = json.loads(done.stdout)
        schema.validate(report)
        found = {}
        for finding in report["images"][0]["findings"]:
            found.setdefault(finding["code"], set()).add(finding["level"])
        return done.returncode, found

    def test_levels(self):
        bad = fixture("all_defects_x64")
        policy = self.write("[rules]\nHVCI2003 = warning\nHVCI2004 = note\nHVCI2005 = off\nHVCI2006 = off\nHVCI2102 = error\n")
        code, found = self.levels(policy, bad)
        self.assertEqual(code, 1)
        self.assertEqual(found["HVCI2003"], {"warning"})
        self.assertEqual(found["HVCI2004"], {"note"})
        self.assertEqual(found["HVCI2102"], {"error"})
        self.assertNotIn("HVCI2005", found)
        policy = self.write("".join(f"[rules]\n" if not i else f"HVCI{i} = warning\n" for i in (0, 2003, 2004, 2005, 2006)))
        self.assertEqual(self.levels(policy, bad)[0], 0)  # warnings stop nothing

    def test_target(self):
        straddling = fixture("all_defects_x64")
        policy = self.write("[policy]\ntarget = 1607\n")
        self.assertEqual(self.levels(policy, straddling)[1]["HVCI2101"], {"error"})
        done = self.check(policy, straddling, words=["--target", "11", "--format", "json"])
        self.assertEqual([finding["level"] for finding in json.loads(done.stdout)["images"][0]["findings"]
                          if finding["code"] == "HVCI2101"], ["note"])

    def test_waivers_mark_and_stop_nothing(self):
        bad = fixture("wx_page_x64")
        only_2003 = "[rules]\nHVCI2004 = off\nHVCI2005 = off\nHVCI2006 = off\n"
        self.assertEqual(self.levels(self.write(only_2003), bad)[0], 1)
        name = os.path.basename(bad)
        for expires, level in (("2027-11-22", "note"), ("2026-12-22", "warning"), ("2026-11-22", "warning")):
            policy = self.write(only_2003 + WAIVER.format(name="w", image=name.upper(), expires=expires))
            with self.subTest(expires=expires):
                code, found = self.levels(policy, bad)
                self.assertEqual((code, found["HVCI2003"]), (0, {level}))
                report = json.loads(self.check(policy, bad, words=["--format", "json"]).stdout)
                waived = [f["waiver"] for f in report["images"][0]["findings"] if f["code"] == "HVCI2003"]
                self.assertEqual(waived, [{"name": "w", "reason": "The vendor is asked.", "expires": expires,
                                           "owner": "drivers@contoso.example"}] * len(waived))
                text = self.check(policy, bad).stdout.decode("utf-8")
                self.assertIn(f"{level} HVCI2003: waived until {expires}: ", text)
                self.assertIn("The vendor is asked.", text)
                self.assertIn(" waived", text.splitlines()[-1])
        policy = self.write(only_2003 + WAIVER.format(name="w", image=name, expires="2026-11-21"))
        done = self.check(policy, bad)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.diagnostics(done.stderr), [("policy.ini(5,1)", "error", "HVCI9042")])
        self.assertIn(b"error HVCI2003: Section", done.stdout)

    def test_reports_say_why_the_run_failed(self):
        """An expired waiver alone ends a run with 1; whoever has only the report must find it there."""
        policy = self.write(WAIVER.format(name="w", image="other.sys", expires="2026-11-21"))
        text, sarif = (os.path.join(self.folder, name) for name in ("r.txt", "r.sarif"))
        for verb, level, code in (("check", "error", 1), ("enforce", "warning", 0)):
            words = ["--report", text, "--report", sarif] + (["--mode", "audit"] if verb == "enforce" else [])
            done = self.run_tool(verb, "--policy", policy, *words, fixture("clean_x64"))
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertEqual(self.diagnostics(images.read(text)), [("policy.ini(1,1)", level, "HVCI9042")])
            with open(sarif, encoding="utf-8") as file:
                told = json.load(file)["runs"][0]["invocations"][0]
            self.assertEqual([(one["descriptor"]["id"], one["level"]) for one in told["toolConfigurationNotifications"]],
                             [("HVCI9042", level)])
            self.assertTrue(told["executionSuccessful"])

    def test_a_waiver_that_waives_nothing_is_said(self):
        bad, good = fixture("all_defects_x64"), fixture("clean_x64")
        text = "".join(WAIVER.format(name=name, image=image, expires="2027-11-22") for name, image in
                       (("used", "all_defects*"), ("unused", "clean_*.sys"), ("elsewhere", "other.sys")))
        policy = self.write(text)
        for jobs in ("1", "2"):
            done = self.check(policy, bad, good, words=["--jobs", jobs])
            self.assertEqual(self.diagnostics(done.stderr), [("policy.ini(7,1)", "warning", "HVCI9043")])
        self.assertEqual(self.check(policy, good).returncode, 0)

    def test_a_broken_policy_judges_nothing(self):
        good = fixture("clean_x64")
        for text in ("[policy]\nmod = fix\n", "[rules]\nHVCI2003 = of\n", "nothing\n", WAIVER.format(name="w", image="*", expires="x")):
            with self.subTest(text=text):
                done = self.check(self.write(text), good)
                self.assertEqual((done.returncode, done.stdout), (2, b""))
                self.assertIn(b"error HVCI9040", done.stderr)
        gone = self.check(os.path.join(self.folder, "gone.ini"), good)
        self.assertEqual((gone.returncode, gone.stdout), (2, b""))
        self.assertIn(b"error HVCI9040", gone.stderr)

    def test_a_report_is_not_written_over_the_policy(self):
        policy = self.write("[policy]\nname = x\n")
        done = self.check(policy, fixture("clean_x64"), words=["--output", policy])
        self.assertEqual(done.returncode, 2)
        self.assertEqual(images.read(policy), b"[policy]\nname = x\n")
