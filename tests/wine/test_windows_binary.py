"""hvcifix.exe under Wine says and writes what the Linux program does, and takes the names that Windows allows."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import tool, wine

EXE = pathlib.Path(os.environ["HVCIFIX_BUILD"]) / "hvcifix.exe"
FIXTURES = pathlib.Path(os.environ["HVCIFIX_FIXTURES"])
VARIANTS = ("plain",)


@unittest.skipUnless(wine.is_installed(), "Wine is not installed")
class WindowsBinary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.wine = wine.Wine()
        cls.wine.prepare()

    @classmethod
    def tearDownClass(cls):
        cls.wine.stop()

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])).resolve()
        self.addCleanup(shutil.rmtree, self.folder)

    def exe(self, *arguments, cwd=None):
        """(exit code, standard output, standard error) as bytes; files, because Wine keeps pipes open."""
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            done = subprocess.run(["wine", str(EXE), *map(str, arguments)], env=self.wine.environment, cwd=cwd,
                                  stdin=subprocess.DEVNULL, stdout=output, stderr=errors, timeout=300, check=False)
            output.seek(0)
            errors.seek(0)
            return done.returncode, output.read(), errors.read()

    def names(self):
        return sorted(path.name for path in FIXTURES.glob("*.sys"))

    def test_reports_are_the_same_bytes(self):
        names = self.names()
        self.assertGreater(len(names), 50)
        for arguments in (["check"], ["check", "--format", "json"], ["check", "--target", "1607", "--quiet"],
                          ["show"], ["show", "--regions"], ["show", "--references", "--format", "json"],
                          ["fix", "--dry-run"], ["fix", "--dry-run", "--drop-signature", "--format", "json"]):
            with self.subTest(arguments=arguments):
                linux = tool.run(*arguments, *names, cwd=FIXTURES)
                code, output, _ = self.exe(*arguments, *names, cwd=FIXTURES)
                self.assertEqual(code, linux.returncode)
                self.assertEqual(output, linux.stdout)

    def test_texts_are_the_same_bytes(self):
        for arguments in (["--help"], ["check", "--help"], ["--version"], ["rules"], ["explain", "2005"], ["chekc"],
                          ["fix", "x"], ["explain", "1"]):
            linux = tool.run(*arguments)
            self.assertEqual(self.exe(*arguments), (linux.returncode, linux.stdout, linux.stderr), arguments)

    def test_repaired_files_are_the_same_bytes(self):
        for name in ("init_rwx_x64.sys", "init_rwx_x86.sys", "signed_x64.sys"):
            options = ["--drop-signature"] if "signed" in name else []
            done = tool.run("fix", *options, FIXTURES / name, "-o", self.folder / "linux.sys")
            self.assertEqual(done.returncode, 0)
            shutil.copy(FIXTURES / name, self.folder / "in place.sys")
            code, output, _ = self.exe("fix", *options, "--in-place", "in place.sys", cwd=self.folder)
            self.assertEqual(code, 0, output)
            self.assertEqual((self.folder / "in place.sys").read_bytes(), (self.folder / "linux.sys").read_bytes())
            code, output, _ = self.exe("fix", *options, FIXTURES / name, "-o", "new.sys", cwd=self.folder)
            self.assertEqual(code, 0, output)
            self.assertEqual((self.folder / "new.sys").read_bytes(), (self.folder / "linux.sys").read_bytes())
            self.assertEqual(self.exe("verify", FIXTURES / name, "new.sys", cwd=self.folder)[0], 0)
            (self.folder / "new.sys").unlink()
        self.assertEqual(sorted(path.name for path in self.folder.iterdir()), ["in place.sys", "linux.sys"])

    def test_names_of_any_characters_and_length(self):
        deep = self.folder
        while len(str(deep)) < 300:
            deep = deep / "a folder with a rather long name, \u017e\u00fc\u4e2d\U0001f600"
        deep.mkdir(parents=True)
        shutil.copy(FIXTURES / "init_rwx_x64.sys", deep / "\u043a driver.sys")
        windows_path = "Z:" + str(deep / "\u043a driver.sys").replace("/", "\\")
        code, output, _ = self.exe("check", windows_path)
        self.assertEqual(code, 0, output)
        self.assertIn(windows_path.encode() + b" : note HVCI2102: ", output)
        self.assertNotIn(b"\\\\?\\", output)
        code, output, _ = self.exe("fix", "--in-place", windows_path)
        self.assertEqual(code, 0, output)
        self.assertEqual([path.name for path in deep.iterdir()], ["\u043a driver.sys"])
        code, output, _ = self.exe("check", "Z:" + str(self.folder).replace("/", "\\") + "\\")
        self.assertEqual(code, 0, output)
        self.assertIn("\u043a driver.sys: clean".encode(), output)

    def test_response_files(self):
        shutil.copy(FIXTURES / "clean_x64.sys", self.folder / "\u017e.sys")
        expected = self.exe("check", "\u017e.sys", cwd=self.folder)
        line = 'check "\u017e.sys"\r\n'
        for encoded in (line.encode(), b"\xff\xfe" + line.encode("utf-16-le")):
            (self.folder / "r.rsp").write_bytes(encoded)
            self.assertEqual(self.exe("@r.rsp", cwd=self.folder), expected)

    def test_failures_have_their_exit_codes(self):
        self.assertEqual(self.exe("check", "no such file.sys", cwd=self.folder)[0], 3)
        (self.folder / "x.sys").write_bytes((FIXTURES / "init_rwx_x64.sys").read_bytes())
        self.assertEqual(self.exe("fix", "x.sys", "-o", "no\\such\\folder\\y.sys", cwd=self.folder)[0], 4)
        self.assertEqual(self.exe("check", "NUL", cwd=self.folder)[0], 3)
        os.chmod(self.folder / "x.sys", 0o444)
        code, output, _ = self.exe("fix", "--in-place", "x.sys", cwd=self.folder)
        self.assertEqual(code, 4, output)
        self.assertEqual((self.folder / "x.sys").read_bytes(), (FIXTURES / "init_rwx_x64.sys").read_bytes())


if __name__ == "__main__":
    unittest.main()
