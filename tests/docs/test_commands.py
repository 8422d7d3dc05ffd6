"""The commands that stand indented in the documents, and those of transcripts: all of a document are run here in their
order, or stand on a list with the reason why they cannot be, and who runs what they stand for.
"""

import os
import pathlib
import re
import shutil
import subprocess
import unittest
import zipfile

from pages import DOCUMENTS, FIXTURES, SOURCE, TOOL, Case, shown_commands

VARIANTS = ("plain",)
TREE = "builds the whole tree anew, in which this test runs"
SDK = "needs Windows' SDK or driver kit"
NOT_HERE = {
    "make demo": f"{TREE}; tests/docs/test_pages.py runs scripts/demo.sh, which is all else that it does",
    "hvcifix fix --quiet build/fixtures/all_defects_x64.sys -o build/demo/all_defects_x64.sys":
        "is of `make demo`: tests/docs/test_pages.py",
    "make test": "runs this test",
    'make test TESTS="policy report"': "runs tests; tests/run.py",
    "make fuzz T=package S=60": f"{TREE}, for another compiler; tests/fuzz/test_soak.py and tests/fuzz/test_replay.py",
    "make strict-loader": "is built before the tests; tests/loader/test_strict.py",
    'make relayout FILES="tool.exe folder" SEED=1': f"{TREE}; tests/wine/test_relayout.py runs the program behind it",
    r"msbuild drivers.sln /p:ForceImportAfterCppTargets=C:\HvciFix\build\native\HvciFix.targets /p:HvciFixMode=audit":
        "needs Visual C++; tests/msbuild/test_package.py imports the targets so",
    "signtool sign /fd sha256 /f CERT.pfx /tr http://TIMESTAMP /td sha256 new.sys": SDK,
    "inf2cat /driver:new /os:10_X64": SDK,
    "hvcifix show --calls driver.sys": "the driver is none of ours; tests/calls/test_calls.py",
    "hvcifix check driver.sys": "the same driver; tests/cli/test_call_rules.py",
}
RUN_HERE = ("DOCTOR.md", "HTML-REPORT.md", "PACKAGES.md", "POLICY.md", "REPORTS.md", "SIGNING.md", "TESTING.md", "UNDO.md")

INF = """[Version]
Signature="$WINDOWS NT$"
DriverVer=06/21/2010,1.0.0.0
[SourceDisksFiles]
inside.sys=1
"""
# Stands for signtool, which signs in place.
SIGNTOOL = """#!/bin/sh
[ "$1 $2 $3 $4 $5" = "sign /fd sha256 /f CERT.pfx" ] || exit 1
osslsigncode sign -h sha256 -certs CERT.pem -key KEY.pem -in "$6" -out "$6.signed" && mv "$6.signed" "$6"
"""


def document(name):
    return next(path for path in DOCUMENTS if path.name == name)


class Listed(unittest.TestCase):
    def test_each_command_is_run_or_has_a_reason(self):
        shown = {(path.name, command) for path in DOCUMENTS for command in shown_commands(path)}
        self.assertGreater(len(shown), 40)
        listed = {command for _, command in shown if command in NOT_HERE}
        self.assertEqual(listed, set(NOT_HERE), "a reason for what no document shows")
        rest = {name for name, command in shown if command not in NOT_HERE}
        self.assertEqual(rest, set(RUN_HERE))
        for reason in NOT_HERE.values():
            for path in re.findall(r"(?:tests|scripts)/\S+\.(?:py|sh)", reason):
                self.assertTrue((SOURCE / path).exists(), path)

    def test_each_document_has_a_test(self):
        for name in RUN_HERE:
            self.assertTrue(hasattr(Run, "test_" + name.removesuffix(".md").lower().replace("-", "_")), name)

    def test_verbs_and_options_in_sentences(self):
        """What a sentence calls `fix --nx` or `hvcifix show IMAGE` is there: the help of that verb has the option."""
        verbs = re.findall(r"^  ([a-z]+) ", help_of(), re.M)
        self.assertGreater(len(verbs), 10)
        helps = {verb: help_of(verb) for verb in verbs}
        named = 0
        for path in DOCUMENTS:
            for verb, words in re.findall(r"`hvcifix ([a-z]+)\b([^`]*)`", path.read_text("utf-8")):
                self.assertIn(verb, verbs, path.name)
            for verb, words in re.findall(rf"`(?:hvcifix )?({'|'.join(verbs)}) ([^`]*)`", path.read_text("utf-8")):
                for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", re.split(r' -- |"', words)[0]):
                    self.assertRegex(helps[verb], rf"(?m)(?:^|\s){option}\b(?!-)", f"{path.name}: {verb} {words}")
                    named += 1
        self.assertGreater(named, 50)

    def test_targets_of_make(self):
        rules = "\n".join(path.read_text("utf-8") for path in (SOURCE / "Makefile", *(SOURCE / "scripts").glob("*.mk")))
        targets = {target for line in re.findall(r"^([a-z][a-z -]*):(?!=)", rules, re.M) for target in line.split()}
        named = {target for path in DOCUMENTS
                 for target in re.findall(r"(?:`|^ {4})make ([a-z][a-z-]*)", path.read_text("utf-8"), re.M)}
        self.assertGreater(len(named), 8)
        self.assertLessEqual(named - {"enforce"}, targets)  # LINKING.md: of the makefile that it shows


def help_of(*verb):
    return subprocess.run([TOOL, "help", *verb], capture_output=True, text=True, check=True).stdout


class Run(Case):
    def put(self, path, fixture):
        path = self.folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FIXTURES / f"{fixture}.sys", path)
        path.chmod(0o644)
        return path

    def put_package(self, name):
        self.put(f"{name}/inside.sys", "wx_text_x64")
        (self.folder / name / "inside.inf").write_text(INF)

    def put_archives(self):
        """drivers.zip, drivers.cab, and setup.exe, which carries the same zip behind its end."""
        self.put_package("of-archives")
        inside = sorted((self.folder / "of-archives").iterdir())
        with zipfile.ZipFile(self.folder / "drivers.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in inside:
                archive.write(path, path.name)
        subprocess.run(["gcab", "-c", "-n", self.folder / "drivers.cab", *inside], check=True, capture_output=True)
        program = (FIXTURES / "clean_x64.sys").read_bytes()
        (self.folder / "setup.exe").write_bytes(program + (self.folder / "drivers.zip").read_bytes())
        shutil.rmtree(self.folder / "of-archives")

    def run_all(self, name, codes=None, instead=None):
        """Runs what the document shows, in its order; returns what each command has printed.

        `codes` are ends other than 0, `instead` words in the place of those that are the reader's to fill in.
        """
        codes, said = dict(codes or {}), {}
        for command in shown_commands(document(name)):
            if command in NOT_HERE:
                continue
            words = command
            for old, new in (instead or {}).items():
                words = words.replace(old, new)
            said[command] = self.run_command(words, codes.pop(command, 0))
        self.assertEqual(codes, {}, "the document shows other commands")
        return said

    def assert_clean(self, *paths):
        for path in paths:
            self.run_command(f"hvcifix check {path}")

    def test_doctor(self):
        self.put("mydriver.sys", "all_defects_x64")
        self.put_package("driver-package")
        self.put_archives()
        said = self.run_all("DOCTOR.md", {command: 1 for command in shown_commands(document("DOCTOR.md"))})
        for page in list(said.values())[:3]:
            self.assertIn("FIRST: WHO MAY SIGN", page)

    def test_html_report(self):
        self.put("build/clean.sys", "clean_x64")
        self.put("driver.sys", "wx_text_x64")
        (self.folder / "policy.ini").write_text("[policy]\npreset = windows-11\n")
        self.run_all("HTML-REPORT.md")
        self.assert_clean("driver.sys")
        self.assertIn("<html", (self.folder / "report.html").read_text("utf-8"))
        self.run_command("gzip -dc report.html.gz | grep -q '<svg '")

    def test_packages(self):
        self.put_archives()
        self.put_package("driver-folder")
        self.run_command("git init -q && git add driver-folder drivers.cab")
        self.run_all("PACKAGES.md", {"hvcifix check drivers.zip setup.exe": 1,
                                     "git ls-files -z '*.sys' '*.cab' | hvcifix check --null -": 1})
        self.assert_clean("repaired.zip", "repaired-folder", "repaired.cab", "images")
        self.assertTrue(list((self.folder / "images").rglob("inside.sys")))

    def test_policy(self):
        self.put("x64/Release/driver.sys", "wx_text_x64")
        self.run_all("POLICY.md")
        self.assert_clean("--policy hvcifix.ini x64/Release/driver.sys")

    def test_reports(self):
        self.put("out/driver.sys", "wx_text_x64")
        self.put("x64/Release/driver.sys", "clean_x64")
        commands = shown_commands(document("REPORTS.md"))
        self.run_all("REPORTS.md", {commands[0]: 1, "hvcifix check out/ --report baseline.sarif": 1})
        for name in ("hvci.txt", "hvci.json.gz", "hvci.sarif", "hvci.html", "baseline.sarif"):
            self.assertGreater((self.folder / name).stat().st_size, 100, name)

    def test_signing(self):
        (self.folder / "bin" / "signtool").write_text(SIGNTOOL)
        (self.folder / "bin" / "signtool").chmod(0o755)
        self.run_command("openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=test -days 2 -addext "
                         "extendedKeyUsage=codeSigning -keyout KEY.pem -out CERT.pem")
        (self.folder / "CERT.pfx").write_bytes(b"stands for a certificate")
        self.put("old.sys", "wx_text_x64")
        self.put("new.sys", "clean_x64")
        self.put_archives()
        self.run_all("SIGNING.md", instead={
            " -ts http://TIMESTAMP": "",  # that service is not asked by tests
            '"..."': '"osslsigncode sign -h sha256 -certs CERT.pem -key KEY.pem -in {} -out {out}"'})
        self.run_command("unzip -q new.zip inside.sys")
        for name in ("signed.sys", "new.sys", "old.sys", "inside.sys"):
            self.assert_clean(name)
            self.assertIn("Message digest", self.run_command(f"osslsigncode verify -CAfile CERT.pem -in {name}"))

    def test_testing(self):
        self.put("OLD", "wx_text_x64")
        self.run_command("hvcifix fix OLD -o NEW")
        (self.folder / "build").mkdir()
        (self.folder / "build" / "tests").symlink_to(pathlib.Path(os.environ["HVCIFIX_BUILD"], "tests").resolve())
        self.run_all("TESTING.md", instead={" [OLD NEW]...": " OLD NEW"})

    def test_undo(self):
        driver = self.put("mydriver.sys", "wx_text_x64")
        original = driver.read_bytes()
        commands = shown_commands(document("UNDO.md"))
        # The last two are two ways of the same: before the second, the image is repaired again.
        self.assertEqual(commands[-2:], ["hvcifix restore mydriver.sys", "hvcifix restore mydriver.sys -o old.sys"])
        self.run_all("UNDO.md", instead={commands[-1]: f"{commands[0]} && {commands[-1]}"})
        self.assertEqual((self.folder / "old.sys").read_bytes(), original)
        self.assertNotEqual(driver.read_bytes(), original)


if __name__ == "__main__":
    unittest.main()
