"""`doctor`: one page that is right for each kind of driver and package, and commands that do what the page says.

The commands for "here" are taken from the page and run, by the shell that they are quoted for.
"""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from support import images, packages, schema, tool
from support.packages import content as fixture

INF = """[Version]
Signature="$WINDOWS NT$"
Class=System
Provider=%P%
CatalogFile=mydrv.cat
DriverVer=06/21/2010,1.0.0.0
[Manufacturer]
%P%=M,NTamd64
[M.NTamd64]
"x"=I,root\\x
[SourceDisksFiles]
mydrv.sys=1
[Strings]
P="Me"
"""


class Doctor(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return name

    def content(self):
        return {str(path): path.read_bytes() for path in pathlib.Path(self.folder).rglob("*") if path.is_file()}

    def doctor(self, name, code=0):
        """(text, JSON) of the page; what the systems must say differently is quoting and memory integrity."""
        before = self.content()
        done = tool.run("doctor", name, cwd=self.folder, alone=True)
        self.assertEqual((done.returncode, done.stderr), (code, b""), done.stdout)
        text = done.stdout.decode()
        done = tool.run("doctor", "--format", "json", name, cwd=self.folder, alone=True)
        self.assertEqual(done.returncode, code)
        page = json.loads(done.stdout)
        schema.validate(page)
        self.assertEqual(self.content(), before, "it has written something")
        page = page["doctor"]
        for line in text.splitlines():
            self.assertTrue(len(line) <= 100 or line.startswith(" " * 8), line)
        commands = [command["command"] for step in page["steps"] for command in step["commands"]]
        for command in commands:
            self.assertIn("\n        " + command + "\n", text)
        return text, page

    def here(self, page, *words):
        return [command["command"] for step in page["steps"] for command in step["commands"]
                if command["where"] == "here" and (not words or command["command"].startswith(words))]

    def sh(self, command, code=0):
        """Runs a line of the page."""
        with tempfile.TemporaryDirectory() as programs:
            os.symlink(os.path.abspath(tool.TOOL), os.path.join(programs, "hvcifix"))
            done = subprocess.run(["sh", "-c", command], cwd=self.folder, capture_output=True, check=False, timeout=120,
                                  stdin=subprocess.DEVNULL, env=dict(os.environ, PATH=f"{programs}:{os.environ['PATH']}"))
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    MEMBERS = {"mydrv.sys": "wx_text_x64", "mydrv.inf": INF.encode(), "mydrv.cat": b"old", "readme.txt": b"text"}

    def members(self):
        return {name: fixture(data) if isinstance(data, str) else data for name, data in self.MEMBERS.items()}

    def package(self, folder):
        for name, data in self.members().items():
            self.put(f"{folder}/{name}", data)

    def zipped(self):
        return os.path.join(self.folder, self.put("p.zip", packages.zipped(self.members())))

    def steps(self, page):
        return [step["title"] for step in page["steps"]]

    def test_lone_driver(self):
        text, page = self.doctor(self.put("my driver.sys", fixture("all_defects_x64")), 1)
        image, = page["images"]
        self.assertEqual((page["kind"], image["state"], image["signed"]), ("driver", "fixable", False))
        codes = {finding["code"] for finding in image["findings"]}
        self.assertTrue({"HVCI2003", "HVCI2004", "HVCI2005"} <= codes)
        self.assertIn("laid out anew", image["changes"][0]["text"])
        # Who may sign stands before what can be done.
        order = ["FIRST: WHO MAY SIGN", "new hash", "Test-signing mode", "block list", "WHAT IS WRONG", "WHAT A REPAIR",
                 "WHAT IT LEAVES ALONE", "NEXT"]
        places = [text.index(words) for words in order]
        self.assertEqual(places, sorted(places))
        self.assertIn('verifier /flags 0x02000000 /driver "my driver.sys"', text)
        self.assertIn("msinfo32", text) if not tool.IS_WINDOWS else self.assertIn("emory integrity", text)
        self.assertIn("Turn memory integrity on, on the test machine", self.steps(page))

    @tool.not_on_windows("its lines are for sh; the quoting of both is compared in test_quoting")
    def test_the_commands_of_a_lone_driver(self):
        old = fixture("all_defects_x64")
        name = self.put("it's a $driver; `x`.sys", old)
        _, page = self.doctor(name, 1)
        ran = []
        for command in self.here(page):
            self.sh(command)
            ran.append(shlex.split(command)[0])
            if command.startswith("hvcifix fix"):
                self.assertNotEqual(images.read(os.path.join(self.folder, name)), old)
            if command.startswith("osslsigncode"):  # the signed file takes the name of the unsigned one
                signed = os.path.join(self.folder, name + ".signed")
                self.assertTrue(os.path.exists(signed))
                shutil.copyfile(signed, os.path.join(self.folder, name))
        self.assertEqual(ran, ["hvcifix", "hvcifix", "openssl", "openssl", "osslsigncode", "hvcifix", "hvcifix"])
        self.assertEqual(images.read(os.path.join(self.folder, name)), old)  # the last goes back

    def test_states(self):
        for name, state, code in (("clean_x64", "clean", 0), ("clean_arm64", "clean", 0),
                                  ("fixed_iat_in_text_refuse_x64", "refused", 1), ("wx_text_x64", "fixable", 1),
                                  ("signed_x64", "left-alone", 0), ("init_rwx_x64", "fixable", 0)):
            with self.subTest(name):
                text, page = self.doctor(self.put(name + ".sys", fixture(name)), code)
                self.assertEqual(page["images"][0]["state"], state)
                self.assertEqual(tool.run("check", "--quiet", os.path.join(self.folder, name + ".sys")).returncode, code)
                self.assertEqual("Memory integrity bears it as it is." in text, name == "init_rwx_x64")
                self.assertEqual("FIRST" in text, state in ("refused", "fixable"))
                self.assertEqual("Repair" in self.steps(page), state == "fixable")
                self.assertEqual(any("memory integrity on" in title for title in self.steps(page)), state != "refused")
                if state == "refused":
                    self.assertEqual(page["steps"], [])
                    self.assertTrue(page["images"][0]["refusals"])

    def test_x86(self):
        """Nobody is told to turn on what 32-bit Windows does not have."""
        for name in ("wx_text_x86", "clean_x86", "all_defects_x86"):
            text, page = self.doctor(self.put(name + ".sys", fixture(name)), 0 if name == "clean_x86" else 1)
            self.assertNotIn("Turn memory integrity on", text)
            self.assertNotIn("reg add", text)
            self.assertIn("does not exist", text)
            self.assertIn("verifier /flags 0x02000000 /driver " + name + ".sys", text)

    def test_signed_with_errors(self):
        if shutil.which("osslsigncode") is None:
            self.fail("osslsigncode is missing")
        self.put("d.sys", fixture("wx_text_x64"))
        for command in ("openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=t -addext extendedKeyUsage=codeSigning "
                        "-keyout t.key -out t.pem", "osslsigncode sign -certs t.pem -key t.key -in d.sys -out s.sys"):
            subprocess.run(shlex.split(command), cwd=self.folder, capture_output=True, check=True)
        _, page = self.doctor("s.sys", 1)
        self.assertEqual((page["images"][0]["state"], page["images"][0]["signed"]), ("fixable", True))
        self.assertIn("hvcifix fix --in-place --drop-signature s.sys", self.here(page))

    def test_folder(self):
        self.package("drv")
        text, page = self.doctor("drv", 1)
        self.assertEqual((page["kind"], page["catalogs"]), ("folder", ["mydrv.cat"]))
        self.assertIn("drv: folder with mydrv.inf", text)
        self.assertIn("inf2cat /driver:drv-repaired /os:10_X64", text)
        self.assertIn("pnputil /add-driver mydrv.inf /install", text)
        self.assertIn("/driver mydrv.sys", text)
        if tool.IS_WINDOWS:
            return
        fix, check = self.here(page, "hvcifix ")[:2]
        self.sh(fix)
        self.sh(check)
        after = os.path.join(self.folder, "drv-repaired")
        self.assertEqual(images.read(os.path.join(after, "readme.txt")), b"text")
        # As if inf2cat had made it: osslsigncode signs a catalog only where there is one.
        sign, = self.here(page, "osslsigncode ")
        self.assertIn("drv-repaired/mydrv.cat", sign)

    def test_zip_and_cab(self):
        self.zipped()
        names = ["p.zip"]
        if shutil.which("gcab"):
            with zipfile.ZipFile(os.path.join(self.folder, "p.zip")) as archive:
                archive.extractall(os.path.join(self.folder, "x"))
            subprocess.run(["gcab", "-c", "../p.cab", "mydrv.sys", "mydrv.inf", "mydrv.cat"],
                           cwd=os.path.join(self.folder, "x"), check=True, capture_output=True)
            shutil.rmtree(os.path.join(self.folder, "x"))
            names.append("p.cab")
        for name in names:
            text, page = self.doctor(name, 1)
            self.assertEqual(page["kind"], "cabinet" if name == "p.cab" else "zip archive")
            self.assertIn(f"{name}: {page['kind']} with mydrv.inf", text)
            self.assertEqual(page["images"][0]["path"], f"{name}!mydrv.sys")
            fix = self.here(page, "hvcifix fix")
            self.assertEqual(fix, [f"hvcifix fix {name} -o {name.replace('.', '-repaired.')}"])
            if not tool.IS_WINDOWS:
                self.sh(fix[0])
                self.sh(self.here(page, "hvcifix check")[0])

    def test_installer(self):
        _, page = self.doctor(self.put("setup.exe", packages.installer(self.members())), 1)
        inside = [image for image in page["images"] if image["path"].endswith("mydrv.sys")]
        self.assertEqual([image["state"] for image in inside], ["fixable"])
        if page["kind"] == "program":
            self.assertIn("hvcifix fix --extract setup.exe -o setup-repaired", self.here(page))

    def test_packed_inside(self):
        """What lies in a file of the package is judged, and nobody is told that all is well, or to repair it there."""
        packed = packages.zipped(self.members())
        self.put("both/p.zip", packed)
        self.put("both/clean.sys", fixture("clean_x64"))
        self.put("setup/setup.exe", packages.installer(self.members()))
        self.put("bad/p.zip", packed[:-30])
        for name, inside in (("both", "both/p.zip!mydrv.sys"), ("setup", "setup/setup.exe!overlay!mydrv.sys")):
            text, page = self.doctor(name, 1)
            states = {image["path"].replace("\\", "/"): image["state"] for image in page["images"]}
            self.assertEqual(states[inside], "packed")
            self.assertEqual((page["steps"], "There is nothing to repair" in text), ([], False))
            self.assertIn("It is packed inside", text)
        _, page = self.doctor("bad", 3)
        self.assertIn("error", [image["state"] for image in page["images"]])
        self.assertEqual(self.steps(page), [])

    def test_package_of_which_some_is_refused(self):
        """The command of the page writes it, and nobody is told to turn memory integrity on for it."""
        self.put("drv/sub/x64/good.sys", fixture("wx_text_x64"))
        self.put("drv/bad.sys", fixture("fixed_iat_in_text_refuse_x64"))
        text, page = self.doctor("drv", 1)
        self.assertNotIn("reg add", text)
        fix, = self.here(page, "hvcifix fix")
        self.assertEqual(fix, "hvcifix fix --partial drv -o drv-repaired")
        self.assertIn("-in drv-repaired/sub/x64/good.sys ", self.here(page, "osslsigncode")[0].replace("\\", "/"))
        if not tool.IS_WINDOWS:
            self.sh(fix, 1)
            self.assertTrue(os.path.exists(os.path.join(self.folder, "drv-repaired/sub/x64/good.sys")))

    def test_a_package_of_which_one_needs_nx(self):
        """The page shows what its one command does to each image: to those, too, that would not need all of it."""
        self.put("drv/runs.sys", fixture("executable_pool_x64"))
        self.put("drv/noted.sys", fixture("signed_x64"))
        self.put("drv/other.sys", fixture("all_defects_x64"))
        key = ("openssl req -x509 -newkey rsa:2048 -nodes -days 9 -subj /CN=t -addext extendedKeyUsage=codeSigning "
               "-keyout t.key -out t.pem")
        for command in (key, "osslsigncode sign -certs t.pem -key t.key -in drv/runs.sys -out signed"):
            subprocess.run(shlex.split(command), cwd=self.folder, capture_output=True, check=True)
        os.replace(os.path.join(self.folder, "signed"), os.path.join(self.folder, "drv", "runs.sys"))
        before = {name: images.read(os.path.join(self.folder, "drv", name)) for name in os.listdir(self.folder + "/drv")}
        text, page = self.doctor("drv", 1)
        self.assertEqual({image["path"][4:]: image["state"] for image in page["images"]},
                         {"runs.sys": "fixable", "noted.sys": "left-alone", "other.sys": "fixable"})
        fix, = self.here(page, "hvcifix fix")
        self.assertEqual(fix, "hvcifix fix --drop-signature --nx drv -o drv-repaired")
        done = tool.run(*shlex.split(fix)[1:], cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        changed = {name for name, data in before.items()
                   if images.read(os.path.join(self.folder, "drv-repaired", name)) != data}
        self.assertEqual(changed, {"runs.sys", "other.sys"})
        self.assertEqual(text.count("With --nx, calls"), 1)  # other.sys asks for nothing

    def test_what_a_driver_carries(self):
        """The driver is repaired, in place; what lies behind its end is judged."""
        with open(self.zipped(), "rb") as file:
            packed = file.read()
        for name, state in (("wx_text_x64", "fixable"), ("clean_x64", "clean")):
            text, page = self.doctor(self.put("carrier.sys", fixture(name) + packed), 1)
            self.assertEqual(page["kind"], "driver")
            self.assertEqual([(image["path"], image["state"]) for image in page["images"]],
                             [("carrier.sys", state), ("carrier.sys!overlay!mydrv.sys", "packed")])
            self.assertIn("fix --extract", text)
            self.assertNotIn("reg add", text)
            self.assertEqual(self.here(page, "hvcifix fix"), ["hvcifix fix --in-place carrier.sys"] * (state == "fixable"))

    def test_bitlocker(self):
        """Whoever turns test-signing mode on is told what asks for the recovery key."""
        text, _ = self.doctor(self.put("x.sys", fixture("wx_text_x64")), 1)
        self.assertLess(text.index("BitLocker"), text.index("bcdedit /set testsigning on\n"))

    def test_only_what_has_no_memory_integrity_is_wrong(self):
        self.put("drv/old.sys", fixture("wx_text_x86"))
        self.put("drv/new.sys", fixture("clean_x64"))
        text, _ = self.doctor("drv", 1)
        self.assertIn("Memory integrity bears the drivers of 64-bit Windows as they are.", text)

    def test_the_test_is_about_the_driver_that_memory_integrity_judges(self):
        self.put("drv/a.sys", fixture("wx_text_x86"))
        self.put("drv/b.sys", fixture("wx_text_x64"))
        text, _ = self.doctor("drv", 1)
        self.assertIn("verifier /flags 0x02000000 /driver b.sys", text)
        self.assertIn("Sign the other repaired drivers in the same way.", text.replace("\n    ", " "))

    def test_inf_of_another_driver(self):
        """A folder of downloads is no package."""
        self.put("x.sys", fixture("wx_text_x64"))
        self.put("other.inf", INF.encode())
        text, _ = self.doctor("x.sys", 1)
        for word in ("other.inf", "mydrv", "inf2cat", "pnputil"):
            self.assertNotIn(word, text)
        self.put("mydrv.sys", fixture("wx_text_x64"))
        self.assertIn("mydrv.sys: driver with other.inf", self.doctor("mydrv.sys", 1)[0])

    def test_nothing(self):
        for name, data in (("x.txt", b"text"), ("empty/readme", b""), ("damaged.sys", b"MZ" + bytes(10))):
            self.put(name, data)
            done = tool.run("doctor", name.split("/")[0], cwd=self.folder)
            self.assertEqual(done.returncode, 3)
            self.assertIn(b" : error HVCI90", done.stdout)
            done = tool.run("doctor", "--format", "json", name.split("/")[0], cwd=self.folder, alone=True)
            page = json.loads(done.stdout)
            schema.validate(page)
            self.assertEqual((done.returncode, page["doctor"]["problem"]["code"][:6]), (3, "HVCI90"))
        self.assertEqual(tool.run("doctor").returncode, 2)
        self.assertEqual(tool.run("doctor", "a", "b").returncode, 2)
        self.assertEqual(tool.run("doctor", "no-such-file", alone=True).returncode, 3)

    def test_quoting(self):
        """What a shell makes of the printed line is the path that was given."""
        for name in tool.nameable(["plain.sys", "a b.sys", "-dash.sys", "ü ß.sys", "x&y^z(1).sys", "q'q.sys", "a$b.sys",
                                   'd"d.sys', "p%PATH%.sys", "b\\c.sys", "n\nn.sys", "e\x1be.sys"]):
            with self.subTest(name=name):
                self.put(name, fixture("wx_text_x64"))
                done = tool.run("doctor", "--format", "json", "--", name, cwd=self.folder, alone=True)
                page = json.loads(done.stdout)["doctor"]
                fix = self.here(page, "hvcifix fix")
                if re.search(r"[\n\x1b]", name) or (tool.IS_WINDOWS and re.search(r'["%$`!]', name)):
                    self.assertEqual(fix, [])
                    continue
                expected = "./" + name if name.startswith("-") else name
                if tool.IS_WINDOWS:
                    self.assertIn(fix[0].split(" ", 3)[3], (expected, f'"{expected}"'))
                else:
                    self.assertEqual(shlex.split(fix[0]), ["hvcifix", "fix", "--in-place", expected])
                windows = [command["command"] for step in page["steps"] for command in step["commands"]
                           if command["command"].startswith("verifier /flags")]
                self.assertEqual(bool(windows), not re.search(r'["%$`!]', name))

    def test_calls(self):
        """Where code asks for executable memory, --nx is tried, and named only where it helps."""
        for name, helps in (("executable_pool_x64", True), ("executable_pool_x86", True), ("wx_text_x64", False)):
            text, page = self.doctor(self.put(name + ".sys", fixture(name)), 1)
            image, = page["images"]
            self.assertEqual((image["nx"], image["state"]), (helps, "fixable"))
            fix, = self.here(page, "hvcifix fix")
            self.assertEqual(fix, f"hvcifix fix --in-place{' --nx' if helps else ''} {name}.sys")
            self.assertEqual("changes what the driver does" in text, helps)
            self.assertEqual("HVCI2000" in {finding["code"] for finding in image["findings"]}, helps)
            if helps and not tool.IS_WINDOWS:
                self.sh(fix)
                self.sh(f"hvcifix check {name}.sys")


if __name__ == "__main__":
    unittest.main()
