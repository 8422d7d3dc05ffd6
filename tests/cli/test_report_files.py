"""Report files: --report, [report] of a policy, SARIF in both profiles, --baseline.

SARIF is judged by Microsoft's Sarif.Multitool (schema and rules of good form, GitHub's too); .gz is read by Python's
gzip; fixes of SARIF are applied and compared with what fix writes.
"""

import base64
import collections
import gzip
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from support import matrix, tool

SOURCE = pathlib.Path(__file__).resolve().parents[2]
DEFECTS = "all_defects_x64.sys"
ANCHOR = ("--sarif-profile", "github", "--sarif-anchor", "src/driver.vcxproj:12")

# Warnings of the judge that stay, each with the reason.
KNOWN_WARNINGS = {
    "SARIF2005": "the program has no page on the web that informationUri could name",
}


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name + ".sys" == file_name)


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix test ü-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def put(self, file_name, *parts):
        os.makedirs(os.path.dirname(self.path(*parts)), exist_ok=True)
        shutil.copy(fixture(file_name), self.path(*parts))

    def write(self, name, text):
        with open(self.path(name), "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return name

    def bytes(self, *parts):
        with open(self.path(*parts), "rb") as file:
            return file.read()

    def run_in(self, *arguments, expected):
        """Alone, because both programs would write the same files."""
        result = tool.run(*arguments, cwd=self.folder, alone=True)
        output = (result.stdout + result.stderr).decode()
        self.assertEqual(result.returncode, expected, output[-2000:])
        return output

    def sarif(self, *arguments, expected, name="r.sarif"):
        self.run_in(*arguments, "--report", name, expected=expected)
        text = self.bytes(name)
        log = json.loads(gzip.decompress(text) if name.endswith(".gz") else text)
        self.assertEqual(len(log["runs"]), 1)
        return log["runs"][0]


class Files(Case):
    def test_formats(self):
        self.put(DEFECTS, "a.sys")
        reports = ["r.txt", "r.json", "r.SARIF", "r.html", "z.txt.gz", "z.json.gz", "z.sarif.gz", "z.html.gz"]
        wishes = [word for name in reports for word in ("--report", name)]
        output = self.run_in("check", "a.sys", *wishes, expected=1)
        self.assertEqual(output.replace("\r\n", "\n"), self.bytes("r.txt").decode())
        self.assertEqual(json.loads(self.bytes("r.json"))["images"][0]["path"], "a.sys")
        self.assertEqual(json.loads(self.bytes("r.SARIF"))["version"], "2.1.0")
        self.assertIn(b"</html>", self.bytes("r.html"))
        for name in ("txt", "json", "html", "sarif"):
            packed = self.bytes(f"z.{name}.gz")
            plain = self.bytes("r.SARIF" if name == "sarif" else f"r.{name}")
            self.assertEqual(gzip.decompress(packed), plain)
            self.assertEqual(packed[3:8], bytes(5), "no name, no time")
            self.assertEqual(packed[9], 255, "no system")

    def test_no_suffix(self):
        self.put(DEFECTS, "a.sys")
        self.assertIn("says no format", self.run_in("check", "a.sys", "--report", "r.out", expected=2))
        self.run_in("check", "a.sys", "--report", "r.out", "--format", "json", expected=1)
        self.assertEqual(len(json.loads(self.bytes("r.out"))["images"]), 1)

    def test_format_on_the_stream(self):
        self.put(DEFECTS, "a.sys")
        self.run_in("check", "a.sys", "--format", "sarif", "--output", "a", "--report", "b.sarif", expected=1)
        self.assertEqual(self.bytes("a"), self.bytes("b.sarif"))

    def test_same_for_any_number_of_jobs(self):
        for number, name in enumerate(fixture.file_name + ".sys" for fixture in list(matrix.read())[:24]):
            self.put(name, "in", f"{number % 5}", name)
        self.write("in/0/empty.sys", "")
        for jobs in ("1", "3", "8"):
            self.run_in("check", "in", "--jobs", jobs, "--report", f"{jobs}.sarif.gz", "--report", f"{jobs}.txt",
                        "--report", f"{jobs}.json", "--report", f"{jobs}.html", expected=3)
        for name in ("sarif.gz", "txt", "json", "html"):
            self.assertEqual(self.bytes(f"1.{name}"), self.bytes(f"3.{name}"))
            self.assertEqual(self.bytes(f"1.{name}"), self.bytes(f"8.{name}"))

    def test_refused_places(self):
        self.put(DEFECTS, "a.sys")
        self.put(DEFECTS, "b.json")
        self.write("p.json", "[policy]\nmode = audit\n")
        before = self.bytes("b.json")
        self.assertIn("over an image", self.run_in("check", "a.sys", "--report", "b.json", expected=2))
        self.assertEqual(self.bytes("b.json"), before)
        self.assertIn("over the policy file",
                      self.run_in("check", "a.sys", "--policy", "p.json", "--report", "./p.json", expected=2))
        self.assertIn("over another report",
                      self.run_in("check", "a.sys", "--report", "r.txt", "--report", "./r.txt", expected=2))
        self.assertIn("over the report of --output",
                      self.run_in("check", "a.sys", "--output", "r.txt", "--report", "r.txt", expected=2))

    def test_one_that_cannot_be_written(self):
        self.put(DEFECTS, "a.sys")
        output = self.run_in("check", "a.sys", "--report", "no/r.txt", "--report", "r.json", expected=4)
        self.assertRegex(output, r"no[/\\]r.txt : error HVCI9007: The report could not be written")
        self.assertIn("HVCI2003", output, "judging goes on")
        self.assertTrue(self.bytes("r.json"))

    def test_policy(self):
        self.put(DEFECTS, "a.sys")
        self.write("p.ini", "[report]\nfile = r.sarif\nfile = r.txt\nsarif-profile = github\n"
                            "sarif-anchor = src/a.c:7\nsarif-category = a/b\n")
        self.run_in("check", "a.sys", "--policy", "p.ini", expected=1)
        run = json.loads(self.bytes("r.sarif"))["runs"][0]
        self.assertEqual(run["automationDetails"]["id"], "a/b/")
        place = run["results"][0]["locations"][0]["physicalLocation"]
        self.assertEqual((place["artifactLocation"]["uri"], place["region"]), ("src/a.c", {"startLine": 7}))
        self.assertTrue(self.bytes("r.txt"))
        self.assertRegex(self.run_in("rules", "--policy", "p.ini", expected=0), r"report +r\.txt +p\.ini\(3,1\)")
        self.write("q.ini", "[report]\nfile = r.doc\nfil = x.txt\nsarif-anchor = ../a:1\n")
        output = self.run_in("check", "a.sys", "--policy", "q.ini", expected=2)
        self.assertRegex(output, r"q\.ini\(2,8\): error HVCI9040: ")
        self.assertIn('did you mean "file"', output)
        self.assertRegex(output, r"q\.ini\(4,16\): error HVCI9040: ")


class Sarif(Case):
    def test_indices_and_places(self):
        self.put(DEFECTS, "in", "a b.sys")
        self.put("init_rwx_x64.sys", "in", "c.sys")
        self.write("in/bad.sys", "MZ")
        run = self.sarif("check", "in", expected=3)
        rules = run["tool"]["driver"]["rules"]
        for result in run["results"]:
            self.assertEqual(rules[result["ruleIndex"]]["id"], result["ruleId"])
            place = result["locations"][0]["physicalLocation"]
            artifact = run["artifacts"][place["artifactLocation"]["index"]]
            self.assertEqual(artifact["location"]["uri"], place["artifactLocation"]["uri"])
            module = run["addresses"][place["address"]["parentIndex"]]
            name = artifact["location"]["uri"].rsplit("/", 1)[1].replace("%20", " ")
            self.assertEqual(module["fullyQualifiedName"].split("!")[0], name)
            if result["ruleId"] in ("HVCI2003", "HVCI2102"):
                content = self.bytes("in", name)
                offset = place["region"]["byteOffset"]
                flags = int.from_bytes(content[offset:offset + place["region"]["byteLength"]], "little")
                self.assertEqual(flags & 0xA0000000, 0xA0000000, "writable and executable stand there")
        notifications = run["invocations"][0]["toolExecutionNotifications"]
        self.assertEqual([n["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for n in notifications],
                         ["in/bad.sys"])
        self.assertFalse(run["invocations"][0]["executionSuccessful"])

    def test_fix_is_what_fix_writes(self):
        self.put("init_rwx_x64.sys", "a.sys")
        run = self.sarif("fix", "--dry-run", "a.sys", expected=0)
        content = bytearray(self.bytes("a.sys"))
        change = run["results"][0]["fixes"][0]["artifactChanges"][0]
        for replacement in change["replacements"]:
            region = replacement["deletedRegion"]
            content[region["byteOffset"]:region["byteOffset"] + region["byteLength"]] = base64.b64decode(
                replacement["insertedContent"]["binary"])
        self.run_in("fix", "a.sys", "-o", "b.sys", expected=0)
        self.assertEqual(bytes(content), self.bytes("b.sys"))


class Judged(Case):
    @classmethod
    def setUpClass(cls):
        found = subprocess.run([SOURCE / "scripts" / "sarif_multitool.sh"], capture_output=True, text=True, check=False)
        if found.returncode != 0:
            raise unittest.SkipTest("Sarif.Multitool cannot be fetched: " + found.stderr.strip()[-300:])
        cls.program = found.stdout.strip()

    def judge(self, name):
        """{rule: count} of errors and warnings. A log that the judge cannot read gets none at all, so the warning that
        stays must be there."""
        environment = dict(os.environ, DOTNET_SYSTEM_GLOBALIZATION_INVARIANT="1")
        result = subprocess.run([self.program, "validate", self.path(name), "--rule-kind", "Sarif;Ghas"],
                                capture_output=True, text=True, timeout=120, env=environment, check=False)
        found = re.findall(r": (error|warning) (\w+): (.*)", result.stdout)
        self.assertIn("SARIF2005", [rule for _, rule, _ in found], result.stdout[-2000:])
        unknown = [line for line in found if line[0] == "error" or line[1] not in KNOWN_WARNINGS]
        self.assertEqual(unknown, [])
        return collections.Counter(rule for _, rule, _ in found)

    def test_both_profiles(self):
        self.put(DEFECTS, "in", "a b.sys")
        self.put("init_rwx_x64.sys", "in", "ü.sys")
        self.put("all_defects_arm64.sys", "in", "arm.sys")
        self.write("in/bad.sys", "MZ")
        self.write("p.ini", "[rules]\nHVCI2005 = warning\nHVCI2006 = off\n[waiver \"one\"]\nimage = **\n"
                            "code = HVCI2003\nreason = It is old.\nowner = me\nexpires = 2999-01-01\n")
        for number, arguments in enumerate((("check", "in"), ("check", "in", "--policy", "p.ini", "--sarif-passes"),
                                            ("fix", "--dry-run", "in"))):
            for profile in ((), ANCHOR):
                name = f"{number}{len(profile)}.sarif"
                self.sarif(*arguments, *profile, expected=3, name=name)
                self.judge(name)
        # A baseline whose findings are gone, an archive that is rejected as a whole.
        with zipfile.ZipFile(self.path("in", "p.zip"), "w") as archive:
            archive.write(self.path("in", "a b.sys"), "d.sys")
        os.remove(self.path("in", "a b.sys"))
        for number, baseline in enumerate(("00.sarif", f"0{len(ANCHOR)}.sarif")):
            run = self.sarif("enforce", "in", "--mode", "reject", "--on-fail", "keep", "--baseline", baseline, expected=3,
                             name=f"b{number}.sarif")
            states = {(result["ruleId"], result.get("baselineState")) for result in run["results"]}
            self.assertLessEqual({("HVCI9053", "new"), ("HVCI2003", "absent"), ("HVCI2102", "unchanged")}, states)
            self.assertNotIn(None, dict(map(reversed, states)))
            self.judge(f"b{number}.sarif")

    def test_the_judge_sees_mistakes(self):
        self.put(DEFECTS, "a.sys")
        self.sarif("check", "a.sys", *ANCHOR, expected=1)
        text = self.bytes("r.sarif").decode()
        self.write("r.sarif", text.replace('"startLine": 12', '"startColumn": 1'))
        with self.assertRaises(AssertionError):
            self.judge("r.sarif")
        self.write("r.sarif", text.replace('"columnKind"', '"colKind"'))
        with self.assertRaises(AssertionError):
            self.judge("r.sarif")


class Baselines(Case):
    def states(self, *arguments, expected, profile=()):
        run = self.sarif("check", *arguments, *profile, "--baseline", "base.sarif", expected=expected, name="new.sarif")
        return {(result["ruleId"], result["baselineState"]) for result in run["results"]}

    def test_same_fixed_and_new(self):
        for profile in ((), ANCHOR):
            self.put(DEFECTS, "x64", "d.sys")
            before = self.sarif("check", "x64", *profile, expected=1, name="base.sarif")
            rules = {result["ruleId"] for result in before["results"]}
            self.assertEqual(self.states("x64", expected=0, profile=profile), {(rule, "unchanged") for rule in rules})
            output = self.run_in("check", "x64", "--baseline", "base.sarif", expected=0)
            self.assertIn("note HVCI2003: known: Section .text is both", output)
            # another build: places have moved, some findings are gone
            self.put("init_rwx_x64.sys", "x64", "d.sys")
            states = self.states("x64", expected=0)
            self.assertIn(("HVCI2003", "absent"), states)
            self.assertIn(("HVCI2102", "updated"), states)
            # and a finding that was not there
            self.sarif("check", "x64", *profile, expected=0, name="base.sarif")
            self.put(DEFECTS, "x64", "d.sys")
            self.assertIn(("HVCI2003", "new"), self.states("x64", expected=1, profile=profile))

    def test_other_image(self):
        self.put(DEFECTS, "x64", "d.sys")
        self.run_in("check", "x64", "--report", "base.sarif", expected=1)
        self.put("all_defects_x86.sys", "x64", "d.sys")
        self.run_in("check", "x64", "--baseline", "base.sarif", expected=1)
        self.put(DEFECTS, "other", "d.sys")
        self.run_in("check", "other", "--baseline", "base.sarif", expected=0)
        self.put(DEFECTS, "x64", "d.sys")
        self.run_in("check", "x64", "other", "--baseline", "base.sarif", expected=1)  # which of the two is known?

    def test_waived_is_not_known(self):
        self.put(DEFECTS, "d.sys")
        codes = ("HVCI2003", "HVCI2004", "HVCI2005", "HVCI2006")
        self.write("p.ini", "".join(f'[waiver "{code}"]\nimage = **\ncode = {code}\nreason = Old.\nowner = me\n'
                                    "expires = 2999-01-01\n" for code in codes))
        self.run_in("check", "d.sys", "--policy", "p.ini", "--report", "base.sarif.gz", expected=0)
        self.run_in("check", "d.sys", "--policy", "p.ini", "--baseline", "base.sarif.gz", expected=0)
        output = self.run_in("check", "d.sys", "--baseline", "base.sarif.gz", expected=1)
        self.assertIn("error HVCI2003: Section", output)

    def test_enforce(self):
        self.put(DEFECTS, "d.sys")
        self.run_in("check", "d.sys", "--report", "base.sarif", expected=1)
        self.run_in("enforce", "d.sys", "--mode", "reject", "--baseline", "base.sarif", expected=0)
        self.run_in("enforce", "d.sys", "--mode", "reject", "--on-fail", "keep", expected=1)
        with zipfile.ZipFile(self.path("p.zip"), "w") as archive:
            archive.write(self.path("d.sys"), "d.sys")
        self.run_in("check", "p.zip", "--report", "inside.sarif", expected=1)
        self.run_in("enforce", "p.zip", "--mode", "reject", "--baseline", "inside.sarif", expected=0)
        self.run_in("enforce", "p.zip", "--mode", "reject", expected=1)

    def test_bad_baselines(self):
        self.put(DEFECTS, "d.sys")
        self.run_in("check", "d.sys", "--report", "base.sarif", expected=1)
        good = self.bytes("base.sarif").decode()
        bad = {
            "no JSON": "{", "empty": "", "other": '{"version": "2.1.0", "runs": []}', "behind": good + "x",
            "tool": good.replace('"name": "hvcifix"', '"name": "BinSkim"'), "deep": "[" * 100000,
            "prints": good.replace("hvcifixFinding/v1", "primaryLocationLineHash"), "half": good[:len(good) // 2],
            "cut": gzip.compress(good.encode())[:-20], "bomb": gzip.compress(b" " * (1 << 20)) * 130,
            "values": "[" + "0," * 4100000 + "0]",
        }
        for name, text in bad.items():
            with self.subTest(name):
                self.write("bad.sarif", text)
                output = self.run_in("check", "d.sys", "--baseline", "bad.sarif", "--report", "r.txt", expected=2)
                self.assertRegex(output, r"bad\.sarif : error HVCI9045: The baseline cannot be used: .+[^.]\.\s*$")
                self.assertFalse(os.path.exists(self.path("r.txt")))
        self.run_in("check", "d.sys", "--baseline", "none.sarif", expected=2)
        self.write("bad.sarif", good.replace('"level": "error"', '"level": "note"'))  # less grave than it is now
        self.run_in("check", "d.sys", "--baseline", "bad.sarif", expected=1)
        self.write("good.sarif", b"\xef\xbb\xbf" + good.encode())
        self.run_in("check", "d.sys", "--baseline", "good.sarif", expected=0)


if os.environ.get("HVCIFIX_VARIANT", "plain") != "plain":
    del Judged  # once is enough: the bytes are the same


if __name__ == "__main__":
    unittest.main()
