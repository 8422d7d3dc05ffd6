"""What the tests of hvcifix.exe share: folders on two drives of Wine, the program, and the programs beside it."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from support import wine

BUILD = pathlib.Path(os.environ["HVCIFIX_BUILD"])
EXE = BUILD / "hvcifix.exe"
FIXTURES = pathlib.Path(os.environ["HVCIFIX_FIXTURES"])
windows_path = wine.windows_path


@unittest.skipUnless(wine.is_installed(), "Wine is not installed")
class WindowsCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.wine = wine.Programs()
        cls.wine.begin()

    def setUp(self):
        self.folder = self.make_folder(None)

    def make_folder(self, parent):
        """A folder that is removed after the test, by default in the system's folder for temporary files."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-", dir=parent)).resolve()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def folder_on_c(self):
        """A folder in the root of Wine's drive C. A program whose current folder is there is on that drive."""
        return self.make_folder(self.wine.prefix / "drive_c")

    def copy(self, fixture, path):
        shutil.copy(FIXTURES / (fixture + ".sys"), path)
        return path

    def exe(self, *arguments, cwd=None, environment=None):
        """The finished process of one call of hvcifix.exe."""
        return self.wine.run(self.wine.command(EXE, *arguments), environment, cwd or self.folder)

    def images(self, *arguments, cwd=None, expect=None):
        """The images of its JSON report."""
        done = self.exe(arguments[0], "--format", "json", *arguments[1:], cwd=cwd)
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return json.loads(done.stdout)["images"]

    def helper(self, name, *arguments, cwd=None):
        """The finished process of a program of tests/wine/NAME_windows.c."""
        return self.wine.run(self.wine.command(BUILD / "wine-helpers" / f"{name}.exe", *arguments), None,
                             cwd or self.folder)

    def launch(self, line, *options, cwd=None):
        """hvcifix.exe with the rest of its command line as it stands, without any quoting of ours."""
        path = self.folder / "line.utf16"
        path.write_bytes(f'"{windows_path(EXE)}" {line}'.encode("utf-16-le"))
        return self.helper("launch", windows_path(path), *options, cwd=cwd)

    def beside(self, *arguments):
        """A bystander (tests/wine/bystander_windows.c) that holds something from now on; ended after the test."""
        command = self.wine.command(BUILD / "wine-helpers" / "bystander.exe", *arguments)
        process = subprocess.Popen(command, env=self.wine.environment, cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.addCleanup(process.stdout.close)
        self.assertEqual(process.stdout.readline().rstrip(), b"held")
        return process

    def assert_only(self, *names, folder=None):
        """Nothing else is in the folder, but for what leads back from repairs of these files."""
        found = {path.name for path in (folder or self.folder).iterdir()}
        undo_files = {f"{name}.hvcifix-undo" for name in names} - set(names)
        self.assertEqual(sorted(found - undo_files), sorted(names))
