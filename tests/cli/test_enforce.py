"""`hvcifix enforce`: what happens to images by a policy, and to nothing else.

That an image is right again is llvm-readobj's word (support/readobj.py), that it is untouched the file system's.
"""

import json
import os
import pathlib
import shutil
import stat
import tempfile
import unittest

import jsonschema

from support import images, matrix, msbuild, readobj, tool

SCHEMA = json.loads((pathlib.Path(__file__).resolve().parents[2] / "docs" / "report.schema.json").read_text("utf-8"))
REPAIRED, CLEAN, REFUSED, USER = "all_defects_x64", "clean_x64", "counters_wx_page_refuse_x86", "user_wx_text_x64"
WAIVER = """[waiver "w"]
image = wx_page*.sys
code = HVCI2003
section = PAGE
reason = It is known.
owner = me
expires = 9999-12-31
"""


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


class Enforce(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.mkdir(os.path.join(self.folder, "out"))

    def image(self, file_name, name=None):
        path = os.path.join(self.folder, "out", name or file_name + ".sys")
        shutil.copy(fixture(file_name), path)
        os.utime(path, ns=(10**18, 10**18))
        return path

    def policy(self, text=""):
        path = os.path.join(self.folder, "policy.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def enforce(self, policy, *words, alone=False):
        """(exit code, {path: what became of it}, standard error)"""
        done = tool.run("enforce", "--policy", policy, "--format", "json", *words, alone=alone)
        report = tool.parse(done.stdout)
        jsonschema.Draft202012Validator(SCHEMA).validate({"images": report})
        return done.returncode, {image["path"]: image["enforced"]["result"] for image in report}, report

    def names(self):
        return sorted(os.listdir(os.path.join(self.folder, "out")))

    def facts(self, path):
        status = os.stat(path)
        return images.read(path), status.st_ino, status.st_mtime_ns, status.st_ctime_ns, status.st_mode


class Modes(Enforce):
    def test_fix(self):
        repaired, clean, refused, user = (self.image(name) for name in (REPAIRED, CLEAN, REFUSED, USER))
        before = {path: images.read(path) for path in (repaired, clean, refused, user)}
        code, results, _ = self.enforce(self.policy(), repaired, clean, refused, user)
        self.assertEqual(code, 1)
        self.assertEqual(results, {repaired: "repaired", clean: "passed", refused: "rejected", user: "passed"})
        self.assertEqual(self.names(), [REPAIRED + ".sys", CLEAN + ".sys", REFUSED + ".sys.rejected", USER + ".sys"])
        self.assertEqual(images.read(refused + ".rejected"), before[refused])
        self.assertEqual((images.read(clean), images.read(user)), (before[clean], before[user]))
        self.assertNotEqual(images.read(repaired), before[repaired])
        self.assertEqual(set(readobj.findings(repaired)) - {"HVCI2101", "HVCI9011"}, set())
        code, results, _ = self.enforce(self.policy(), repaired)
        self.assertEqual((code, results), (0, {repaired: "passed"}))

    def test_what_passes_is_not_opened_for_writing(self):
        paths = [self.image(CLEAN), self.image(USER)]
        for path in paths:
            os.chmod(path, stat.S_IRUSR)
        before = {path: self.facts(path) for path in paths}
        code, results, _ = self.enforce(self.policy(), *paths)
        self.assertEqual((code, set(results.values())), (0, {"passed"}))
        self.assertEqual({path: self.facts(path) for path in paths}, before)
        self.assertEqual(self.names(), [CLEAN + ".sys", USER + ".sys"])

    def test_reject(self):
        path = self.image(REPAIRED)
        before = images.read(path)
        code, results, _ = self.enforce(self.policy("[policy]\nmode = reject\n"), path)
        self.assertEqual((code, results, self.names()), (1, {path: "rejected"}, [REPAIRED + ".sys.rejected"]))
        self.assertEqual(images.read(path + ".rejected"), before)

    def test_audit_changes_nothing_and_stops_nothing(self):
        paths = [self.image(name) for name in (REPAIRED, CLEAN, REFUSED)]
        before = {path: images.read(path) for path in paths}
        policy = self.policy("[policy]\nmode = audit\n")
        code, results, _ = self.enforce(policy, *paths)
        self.assertEqual((code, results), (0, dict(zip(paths, ("would-repair", "would-pass", "would-reject")))))
        text = tool.run("enforce", "--policy", policy, *paths)
        self.assertEqual(text.returncode, 0)
        found = msbuild.diagnostics(text.stdout.decode("utf-8"))
        self.assertEqual({category for _, category, _, _ in found}, {"warning"})
        self.assertIn(b"would be rejected", text.stdout)
        self.assertEqual({path: images.read(path) for path in paths}, before)
        self.assertEqual(len(self.names()), 3)

    def test_no_verdict_but_from_the_bytes(self):
        """Another image under the name, with size and times of the one that passed."""
        good, bad = images.read(fixture(CLEAN)), images.read(fixture("wx_page_x64"))
        size = max(len(good), len(bad))
        path = self.image(CLEAN, "x.sys")
        policy = self.policy("[policy]\nmode = reject\n")
        for content, result in ((good, "passed"), (bad, "rejected")):
            with open(path, "r+b") as file:
                file.write(content.ljust(size, b"\0"))
            os.utime(path, ns=(10**18, 10**18))
            self.assertEqual(self.enforce(policy, path)[1], {path: result})


class Policies(Enforce):
    def test_who_may_repair(self):
        path = self.image("wx_page_x64")
        before = images.read(path)
        for word in ("fix", "never"):
            policy = self.policy(f"[fix]\nHVCI2003 = {word}\n")
            with self.subTest(word=word):
                code, results, _ = self.enforce(policy, "--on-fail", "keep", path)
                self.assertEqual((code, results, images.read(path)), (1, {path: "rejected"}, before))
        code, results, _ = self.enforce(self.policy("[fix]\nHVCI2004 = never\n"), path)
        self.assertEqual((code, results), (0, {path: "repaired"}))

    def test_an_error_that_stays_keeps_the_image_as_it_is(self):
        path = self.image(REPAIRED)
        before = images.read(path)
        code, results, _ = self.enforce(self.policy("[fix]\nHVCI2006 = never\n"), "--on-fail=keep", path)
        self.assertEqual((code, results, images.read(path)), (1, {path: "rejected"}, before))

    def test_what_is_waived_or_off_is_neither_repaired_nor_rejected(self):
        for text in (WAIVER, "[rules]\nHVCI2003 = off\n", "[rules]\nHVCI2003 = warning\n"):
            path = self.image("wx_page_x64")
            before = images.read(path)
            with self.subTest(text=text):
                code, results, _ = self.enforce(self.policy(text), path)
                self.assertEqual((code, results, images.read(path)), (0, {path: "passed"}, before))

    def test_a_broken_policy_touches_nothing(self):
        path = self.image(REPAIRED)
        before = images.read(path)
        done = tool.run("enforce", "--policy", self.policy("[policy]\nmood = fix\n"), path)
        self.assertEqual((done.returncode, done.stdout, images.read(path)), (2, b"", before))
        self.assertEqual(tool.run("enforce", path).returncode, 2)
        self.assertEqual(images.read(path), before)

    def test_a_signature_is_dropped_only_when_the_policy_says_so(self):
        path = self.image("signed_x64")  # its INIT section is a note
        before = images.read(path)
        code, results, _ = self.enforce(self.policy(), path)
        self.assertEqual((code, results, images.read(path)), (0, {path: "passed"}, before))
        code, results, _ = self.enforce(self.policy("[rules]\nHVCI2102 = error\n"), "--on-fail=keep", path)
        self.assertEqual((code, results, images.read(path)), (1, {path: "rejected"}, before))
        code, results, _ = self.enforce(self.policy("[policy]\ndrop-signature = yes\n"), path)
        self.assertEqual((code, results), (0, {path: "repaired"}))


class Rejecting(Enforce):
    REJECT = "[policy]\nmode = reject\n"

    def test_on_fail(self):
        for word, left in (("rename", [REPAIRED + ".sys.rejected"]), ("delete", []), ("keep", [REPAIRED + ".sys"])):
            with self.subTest(word=word):
                path = self.image(REPAIRED)
                code, results, report = self.enforce(self.policy(self.REJECT), "--on-fail", word, path)
                self.assertEqual((code, results, self.names()), (1, {path: "rejected"}, left))
                self.assertEqual(report[0]["enforced"]["deleted"], word == "delete")
                for name in self.names():
                    os.remove(os.path.join(self.folder, "out", name))
        self.assertEqual(tool.run("enforce", "--policy", "x", "--on-fail", "burn", "y").returncode, 2)

    def test_an_older_rejected_image_is_replaced(self):
        path = self.image(REPAIRED)
        self.image(CLEAN, REPAIRED + ".sys.rejected")
        before = images.read(path)
        self.enforce(self.policy(self.REJECT), path)
        self.assertEqual(self.names(), [REPAIRED + ".sys.rejected"])
        self.assertEqual(images.read(path + ".rejected"), before)

    def test_what_is_no_image_is_rejected_and_what_is_not_there_is_said(self):
        path = os.path.join(self.folder, "out", "text.sys")
        with open(path, "wb") as file:
            file.write(b"this is no image")
        code, results, _ = self.enforce(self.policy(), path)
        self.assertEqual((code, results, self.names()), (3, {path: "rejected"}, ["text.sys.rejected"]))
        code, results, _ = self.enforce(self.policy(), path)
        self.assertEqual((code, results, self.names()), (3, {path: "rejected"}, ["text.sys.rejected"]))

    def test_a_rejection_that_fails_is_said(self):
        path = self.image(REPAIRED)
        os.makedirs(os.path.join(path + ".rejected", "full"))
        code, results, report = self.enforce(self.policy(self.REJECT), path, alone=True)  # the systems' own words
        self.assertEqual((code, results), (4, {path: "rejected"}))
        self.assertIn("HVCI9007", {finding["code"] for finding in report[0]["findings"]})
        self.assertIsNone(report[0]["enforced"]["rejected_to"])
        self.assertEqual(images.read(path), images.read(fixture(REPAIRED)))

    def test_odd_names(self):
        name = "a driver's \u00e4\u0416\u4e2d " + "x" * 200 + ".sys"
        path = self.image(REFUSED, name)
        code, results, _ = self.enforce(self.policy(), path)
        self.assertEqual((code, results, self.names()), (1, {path: "rejected"}, [name + ".rejected"]))

    def test_folders(self):
        self.image(REPAIRED), self.image(CLEAN), self.image(REFUSED)
        with open(os.path.join(self.folder, "out", "notes.txt"), "w", encoding="utf-8") as file:
            file.write("no image, and nobody said so")
        folder = os.path.join(self.folder, "out")
        left = [REPAIRED + ".sys", CLEAN + ".sys", REFUSED + ".sys.rejected", "notes.txt"]
        for expected in (1, 0):  # what was rejected by the first run is not judged by the second
            code, results, _ = self.enforce(self.policy(), folder, alone=True)
            self.assertEqual((code, self.names()), (expected, left), results)

    @tool.not_on_windows("a link there is a matter of rights")
    def test_links(self):
        path = self.image(REFUSED, "real.bin")
        link, hard = os.path.join(self.folder, "out", "l.sys"), os.path.join(self.folder, "out", "h.sys")
        os.symlink("real.bin", link)
        os.link(path, hard)
        before = images.read(path)
        self.enforce(self.policy(), link)
        self.assertEqual(self.names(), ["h.sys", "l.sys.rejected", "real.bin"])  # the name that was given is gone
        self.enforce(self.policy(), hard)
        self.assertEqual(self.names(), ["h.sys.rejected", "l.sys.rejected", "real.bin"])
        self.assertEqual(images.read(path), before)


class AtOnce(Enforce):
    def test_two_enforcers(self):
        """Whoever comes second judges what the first has made of the image."""
        policy = self.policy()
        for name, names in ((REPAIRED, [REPAIRED + ".sys"]), (REFUSED, [REFUSED + ".sys.rejected"])):
            for _ in range(2 if tool.IS_WINDOWS else 8):
                path = self.image(name)
                said = tool.together([("enforce", "--policy", policy, path)] * 3)
                # On a busy machine Wine itself may end before the program begins, without a word.
                codes = {code for code, output in said if output}
                with self.subTest(name=name, codes=codes):
                    self.assertEqual(self.names(), names, said)
                    if name == REPAIRED:
                        self.assertEqual(codes, {0}, said)
                        self.assertEqual(set(readobj.findings(path)) - {"HVCI2101", "HVCI9011"}, set())
                    else:
                        self.assertLessEqual(codes, {1, 3}, said)  # 3: it was gone already
                        self.assertIn(1, codes)
                for left in self.names():
                    os.remove(os.path.join(self.folder, "out", left))
