"""`hvcifix enforce`: what happens to images by a policy, and to nothing else.

That an image is right again is llvm-readobj's word (support/readobj.py), that it is untouched the file system's.
"""

import json
import os
import shutil
import stat
import tempfile
import unittest

from support import images, matrix, msbuild, readobj, schema, tool

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
        schema.validate({"images": report})
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
        code, results, report = self.enforce(self.policy("[policy]\nmode = reject\n"), path)
        self.assertEqual((code, results, self.names()), (1, {path: "rejected"}, [REPAIRED + ".sys.rejected"]))
        self.assertIn("mode is reject", report[0]["remark"])
        self.assertEqual(images.read(path + ".rejected"), before)

    def test_audit_changes_nothing_and_stops_nothing(self):
        paths = [self.image(name) for name in (REPAIRED, CLEAN, REFUSED)]
        before = {path: images.read(path) for path in paths}
        policy = self.policy("[policy]\nmode = audit\n" + WAIVER.replace("9999", "2020"))
        code, results, _ = self.enforce(policy, *paths)
        self.assertEqual((code, results), (0, dict(zip(paths, ("would-repair", "would-pass", "would-reject")))))
        text = tool.run("enforce", "--policy", policy, *paths)
        self.assertEqual(text.returncode, 0)
        found = msbuild.diagnostics(text.stdout.decode("utf-8"))
        self.assertEqual({category for _, category, _, _ in found}, {"warning"})
        found = msbuild.diagnostics(text.stderr.decode("utf-8"))
        self.assertEqual([words[1:3] for words in found], [("warning", "HVCI9042")])
        self.assertIn(b"would be rejected", text.stdout)
        self.assertEqual({path: images.read(path) for path in paths}, before)
        self.assertEqual(len(self.names()), 3)
        os.mkdir(os.path.join(self.folder, "empty"))
        for nothing in ("empty", "gone.sys"):
            path = os.path.join(self.folder, nothing)
            self.assertEqual(self.enforce(policy, path)[:2], (0, {path: "would-reject"}))

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


class CommandLine(Enforce):
    """What the command line says in place of a policy, and beside it."""

    def run_enforce(self, *words):
        done = tool.run("enforce", "--format", "json", *words)
        return done.returncode, [image["enforced"]["result"] for image in tool.parse(done.stdout)]

    def test_mode(self):
        path = self.image(REPAIRED)
        before = images.read(path)
        self.assertEqual(self.run_enforce("--mode", "audit", path), (0, ["would-repair"]))
        policy = self.policy("[policy]\nmode = reject\n")
        self.assertEqual(self.run_enforce("--mode", "audit", "--policy", policy, path), (0, ["would-repair"]))
        self.assertEqual(self.run_enforce("--mode", "reject", "--on-fail=keep", path), (1, ["rejected"]))
        self.assertEqual(images.read(path), before)
        self.assertEqual(self.run_enforce("--mode=fix", "--policy", policy, path), (0, ["repaired"]))
        for word in ("Fix", "", "repair"):
            self.assertEqual(tool.run("enforce", "--mode", word, path).returncode, 2)

    def test_presets_as_policies(self):
        path = self.image(REPAIRED)
        self.assertEqual(self.run_enforce("--policy", "preset:audit", path), (0, ["would-repair"]))
        self.assertEqual(self.run_enforce("--policy", "preset:whcp", "--on-fail=keep", path), (1, ["rejected"]))
        done = tool.run("enforce", "--policy", "preset:none", path)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b'error HVCI9040: There is no preset "none".', done.stderr)

    def test_the_target_where_the_policy_sets_none(self):
        def target(*words):
            done = tool.run("enforce", "--mode", "audit", "--format", "json", *words, path)
            return tool.parse(done.stdout)[0]["target"]
        path = self.image(CLEAN)
        with_target = self.policy("[policy]\ntarget = 11\n")
        self.assertEqual(target(), "1703")
        self.assertEqual(target("--default-target", "1507"), "1507")
        self.assertEqual(target("--default-target", "1507", "--policy", with_target), "11")
        self.assertEqual(target("--default-target", "1507", "--policy", "preset:windows-11"), "11")
        self.assertEqual(target("--default-target", "1507", "--policy", with_target, "--target", "7"), "7")

    def test_warnings_as_errors(self):
        path = self.image("wx_page_x64")
        policy = self.policy("[rules]\nHVCI2003 = warning\n[fix]\nHVCI2003 = never\n")
        self.assertEqual(self.run_enforce("--policy", policy, path), (0, ["passed"]))
        strict = ("--warnings-as-errors", "--on-fail=keep")
        self.assertEqual(self.run_enforce("--policy", policy, *strict, path), (1, ["rejected"]))
        waived = self.policy("[rules]\nHVCI2003 = warning\n" + WAIVER)
        self.assertEqual(self.run_enforce("--policy", waived, *strict, path), (0, ["passed"]))

    def test_the_names_of_the_policy_files(self):
        os.mkdir(os.path.join(self.folder, "organisation"))
        base = os.path.join(self.folder, "organisation", "base.ini")
        with open(base, "w", encoding="utf-8") as file:
            file.write("[policy]\npreset = whcp\n")
        policy = self.policy("[policy]\ninclude = organisation/base.ini\n")
        names = os.path.join(self.folder, "names.txt")
        path = self.image(CLEAN)
        self.assertEqual(tool.run("enforce", "--policy", policy, "--policy-files", names, path).returncode, 0)
        with open(names, encoding="utf-8") as file:
            found = file.read().splitlines()
        self.assertEqual([os.path.samefile(*pair) for pair in zip(found, (policy, base))], [True, True])
        self.assertEqual(tool.run("enforce", "--mode=fix", "--policy-files", names, path).returncode, 0)
        self.assertEqual(images.read(names), b"")
        nowhere = os.path.join(self.folder, "no", "names.txt")
        done = tool.run("enforce", "--mode=fix", "--policy-files", nowhere, self.image(REFUSED), alone=True)
        self.assertEqual((done.returncode, done.stdout), (4, b""))
        self.assertIn(b"HVCI9007", done.stderr)


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
        code, results, report = self.enforce(self.policy("[fix]\nHVCI2006 = never\n"), "--on-fail=keep", path)
        self.assertEqual((code, results, images.read(path)), (1, {path: "rejected"}, before))
        self.assertIn("does not leave HVCI2006 to enforce", report[0]["remark"])

    def test_what_is_waived_or_off_is_neither_repaired_nor_rejected(self):
        for text in (WAIVER, "[rules]\nHVCI2003 = off\n", "[rules]\nHVCI2003 = warning\n"):
            path = self.image("wx_page_x64")
            before = images.read(path)
            with self.subTest(text=text):
                code, results, _ = self.enforce(self.policy(text), path)
                self.assertEqual((code, results, images.read(path)), (0, {path: "passed"}, before))

    def test_a_note_that_cannot_be_repaired_rejects_nothing(self):
        path = self.image("init_written_refuse_x64")  # somebody writes to its INIT section
        before = images.read(path)
        code, results, report = self.enforce(self.policy(), path)
        self.assertEqual((code, results, images.read(path)), (0, {path: "passed"}, before))
        self.assertEqual({(finding["code"], finding["level"]) for finding in report[0]["findings"]},
                         {("HVCI9021", "note"), ("HVCI2102", "note")})
        code, results, _ = self.enforce(self.policy("[rules]\nHVCI2102 = error\n"), "--on-fail=keep", path)
        self.assertEqual((code, results, images.read(path)), (1, {path: "rejected"}, before))

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


class Surroundings(Enforce):
    def test_names(self):
        """With blanks, quotes, other scripts, and a path of more than 300 characters: repaired, and rejected."""
        deep = os.path.join(self.folder, "out", "d" * 150)
        os.mkdir(deep)
        names = ["a b.sys", "it's.sys", "-x.sys", "\u0434\u0440\u0430\u0439\u0432\u0435\u0440 \u4e2d.sys",
                 os.path.join("d" * 150, "n" * 150 + ".sys")]
        names += [] if tool.IS_WINDOWS else ['say "hi".sys', "back\\slash.sys", "line\nend.sys"]
        for name, result, suffix in ((REPAIRED, "repaired", ""), (REFUSED, "rejected", ".rejected")):
            paths = [self.image(name, as_name) for as_name in names]
            code, results, _ = self.enforce(self.policy(), "--", *paths)
            self.assertEqual(code, 0 if not suffix else 1)
            self.assertEqual(list(results.values()), [result] * len(paths))
            for path in paths:
                os.remove(path + suffix)
            self.assertEqual((self.names(), os.listdir(deep)), (["d" * 150], []))

    def test_a_name_that_leaves_no_room_for_rejected(self):
        path = self.image(REFUSED, "x" * 247 + ".sys")
        code, results, report = self.enforce(self.policy(), path, alone=True)  # the systems' own words
        self.assertEqual((code, results), (4, {path: "rejected"}))
        self.assertIn("HVCI9007", {finding["code"] for finding in report[0]["findings"]})
        self.assertEqual(self.names(), ["x" * 247 + ".sys"])

    def test_read_only(self):
        """What is read-only is not repaired, so it is rejected; what is as it should be passes."""
        path, good = self.image(REPAIRED), self.image(CLEAN)
        before = images.read(path)
        for name in (path, good):
            os.chmod(name, stat.S_IRUSR)
        code, results, report = self.enforce(self.policy(), path, good, alone=True)  # the comparison loses the mode
        self.assertEqual((code, results), (4, {path: "rejected", good: "passed"}))
        self.assertEqual(self.names(), [REPAIRED + ".sys.rejected", CLEAN + ".sys"])
        self.assertIn("is read-only", json.dumps(report))
        self.assertEqual(images.read(path + ".rejected"), before)

    def test_a_folder_that_is_not_there(self):
        path = os.path.join(self.folder, "none", "x.sys")
        code, results, _ = self.enforce(self.policy(), path)
        self.assertEqual((code, results, self.names()), (3, {path: "rejected"}, []))
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    @tool.not_on_windows("a link there is a matter of rights")
    def test_repaired_through_links(self):
        """A symbolic link stays one. A hard link gets a file of its own: its other names keep what they have."""
        path = self.image(REPAIRED, "real.bin")
        before = images.read(path)
        link, hard = os.path.join(self.folder, "out", "l.sys"), os.path.join(self.folder, "out", "h.sys")
        os.link(path, hard)
        code, results, _ = self.enforce(self.policy(), hard)
        self.assertEqual((code, results, images.read(path)), (0, {hard: "repaired"}, before))
        os.symlink("real.bin", link)
        code, results, _ = self.enforce(self.policy(), link)
        self.assertEqual((code, results, os.readlink(link)), (0, {link: "repaired"}, "real.bin"))
        self.assertEqual(images.read(path), images.read(hard))
        self.assertEqual(self.names(), ["h.sys", "l.sys", "real.bin"])


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
