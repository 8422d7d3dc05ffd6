"""Names and paths as Windows has them: each form leads to the file that it names, and is shown as it was written.

The expected forms are those of Microsoft's "File path formats on Windows systems" and "Naming files, paths, and
namespaces". Everything here runs under Wine, on its drives C and Z.
"""

import os
import pathlib
import sys
import unittest

from support import tool, windows_case

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "cli"))
from test_signatures import authenticode_digest  # noqa: E402

PREFIX = "\\\\?\\"


class Paths(windows_case.WindowsCase):
    def reference(self, image):
        """What a report says beside the path."""
        return {key: value for key, value in image.items() if key != "path"}


class OneFile(Paths):
    """One driver on drive C, named in every way."""

    def setUp(self):
        super().setUp()
        self.root = self.folder_on_c()
        self.home = self.root / "dir"
        self.home.mkdir()
        self.copy("wx_text_x64", self.home / "x.sys")
        self.place = "\\" + self.root.name + "\\dir"  # on drive C
        # As written: as shown. "/..." is left out: Wine takes it for a path of Linux, not for one on the current drive.
        self.forms = {
            "x.sys": None, ".\\x.sys": None, "./x.sys": None, "..\\dir\\x.sys": None, "..//dir/./x.sys": None,
            "nowhere\\..\\x.sys": None, "C:x.sys": None, "c:x.sys": None, "C:.\\x.sys": None,
            f"C:{self.place}\\x.sys": None, f"c:{self.place}\\X.SYS": None, f"C:{self.place}/../dir\\\\x.sys": None,
            f"{self.place}\\x.sys": None,
            f"\\\\.\\C:{self.place}\\x.sys": None,
            f"{PREFIX}C:{self.place}\\x.sys": f"C:{self.place}\\x.sys",
            f"//?/C:{self.place}\\x.sys": f"C:{self.place}\\x.sys",
            "x.sys.": "x.sys", "x.sys ": "x.sys", "x.sys. .. ": "x.sys",
            f"C:{self.place}\\x.sys.": f"C:{self.place}\\x.sys",
            windows_case.windows_path(self.home / "x.sys"): None,
        }

    def test_each_form_names_it(self):
        linux = tool.report("check", "x.sys", cwd=self.home)[1][0]
        found = self.images("check", *self.forms, cwd=self.home, expect=1)
        self.assertEqual(len(found), len(self.forms))
        for image, (written, shown) in zip(found, self.forms.items()):
            with self.subTest(written=written):
                self.assertEqual(image["path"], shown or written)
                self.assertEqual(self.reference(image), self.reference(linux))

    def test_text_names_it_in_the_same_way(self):
        output = self.exe("check", "--quiet", *self.forms, cwd=self.home).stdout.decode()
        shown = [(shown or written) for written, shown in self.forms.items()]
        self.assertEqual([line.split(" : error HVCI2003: ")[0] for line in output.splitlines()],
                         [path[:2] + path[2:].replace(":", "\\x3A") for path in shown])

    def test_each_form_is_written_to(self):
        self.copy("init_rwx_x64", self.home / "old.sys")
        expected = self.home / "linux.sys"
        self.assertEqual(tool.run("fix", self.home / "old.sys", "-o", expected).returncode, 0)
        target = self.home / "x.sys"
        for written in self.forms:
            if "X.SYS" in written:
                continue  # would be the name of a new file
            with self.subTest(written=written):
                target.unlink()
                done = self.exe("fix", "old.sys", "-o", written, cwd=self.home)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertEqual(target.read_bytes(), expected.read_bytes())
                self.assertNotIn(PREFIX.encode(), done.stdout)
                self.assert_only("linux.sys", "old.sys", "x.sys", folder=self.home)

    def test_reports_are_written_to_each_form(self):
        expected = tool.run("check", "x.sys", cwd=self.home).stdout
        for written in self.forms:
            with self.subTest(written=written):
                target = written.replace("x.sys", "report.txt").replace("X.SYS", "report.txt")
                self.assertEqual(self.exe("check", "x.sys", "--output", target, cwd=self.home).returncode, 1)
                self.assertEqual((self.home / "report.txt").read_bytes(), expected)
                (self.home / "report.txt").unlink()
                done = self.exe("check", "x.sys", "--output", written, cwd=self.home)
                self.assertEqual(done.returncode, 2)
                self.assertIn(b"--output names an image", done.stderr)

    def test_each_form_of_a_folder(self):
        (self.home / "deeper").mkdir()
        self.copy("clean_x64", self.home / "deeper" / "y.sys")
        forms = {".": None, ".\\": None, "./": None, "..\\dir": None, "..\\dir\\": None, "../dir/": None, "C:": None,
                 "C:.": None, f"C:{self.place}": None, f"C:{self.place}\\": None, f"{self.place}\\\\": None,
                 f"{PREFIX}C:{self.place}\\": f"C:{self.place}\\", f"\\\\.\\C:{self.place}": None,
                 "..\\dir.": "..\\dir", "..\\dir. ": "..\\dir", windows_case.windows_path(self.home) + "\\": None}
        for written, shown in forms.items():
            with self.subTest(written=written):
                shown = shown or written
                start = shown if shown.endswith(("\\", "/", ":")) else shown + "\\"
                found = self.images("check", written, cwd=self.home, expect=1)
                self.assertEqual([image["path"] for image in found], [start + "deeper\\y.sys", start + "x.sys"])
                self.assertEqual([image["status"] for image in found], ["clean", "findings"])

    def test_names_that_only_the_prefix_reaches(self):
        """Names that end with a dot or a blank, or are a device's: judged, and shown so that they can be found."""
        (self.home / "x.sys").unlink()
        folder = self.home / "ends."
        folder.mkdir()
        for name in ("x.sys.", "x.sys ", "nul.sys", "con"):
            self.copy("wx_text_x64", folder / name)
        self.copy("clean_x64", folder / "x.sys")
        start = f"{PREFIX}C:{self.place}\\ends.\\"
        found = {image["path"]: image["status"] for image in self.images("check", ".", cwd=self.home, expect=1)}
        self.assertEqual(found, {start + "x.sys.": "findings", start + "x.sys ": "findings", start + "x.sys": "clean",
                                 start + "nul.sys": "findings", start + "con": "findings"})
        for path, status in found.items():
            image, = self.images("check", path, cwd=self.home)
            self.assertEqual((image["path"], image["status"]), (path, status))

    def test_what_lies_beside(self):
        """A catalog in the same folder counts, however the image is named."""
        data = self.copy("init_rwx_x64", self.home / "x.sys").read_bytes()
        (self.home / "a.CAT").write_bytes(b"DER " + authenticode_digest(data, "sha256"))
        found = self.images("fix", "--in-place", *[form for form in self.forms], cwd=self.home, expect=0)
        for image, written in zip(found, self.forms):
            with self.subTest(written=written):
                self.assertIn("a.CAT", image["remark"])
        self.assertEqual((self.home / "x.sys").read_bytes(), data)


class Names(Paths):
    NAMES = ["\u043a driver.sys", "\u017e\u00fc\u4e2d\U0001f600.sys", "a  b;c,d=e+f[g]{h}!@#$%^&().sys", "'`~-_.sys",
             "e\u0301.sys", "\u202emoc.sys", "-.sys", "@at.sys", "x" * 236 + ".sys"]

    def test_any_characters(self):
        for name in self.NAMES:
            self.copy("wx_text_x64", self.folder / name)
        by_name = sorted(self.NAMES, key=lambda name: name.encode())
        linux = tool.run("check", ".", cwd=self.folder)
        windows = self.exe("check", ".", cwd=self.folder)
        self.assertEqual(windows.stdout.replace(b".\\", b"./"), linux.stdout)
        self.assertEqual([image["path"] for image in self.images("check", ".")], [".\\" + name for name in by_name])
        found = self.images("check", "--", *by_name, expect=1)
        self.assertEqual([image["path"] for image in found], by_name)

    def test_links_to_folders_are_not_followed(self):
        """Wine shows a link of Linux to a folder as one of Windows."""
        (self.folder / "sub").mkdir()
        self.copy("clean_x64", self.folder / "a.sys")
        self.copy("wx_text_x64", self.folder / "sub" / "b.sys")
        (self.folder / "here").symlink_to(".")
        (self.folder / "sub" / "up").symlink_to("..")
        found = self.images("check", ".", expect=1)
        self.assertEqual([image["path"] for image in found], [".\\a.sys", ".\\sub\\b.sys"])

    def test_repaired_under_any_name(self):
        for name in self.NAMES:
            self.copy("init_rwx_x64", self.folder / name)
        self.images("fix", "--in-place", ".", expect=0)
        for image in self.images("check", "."):
            self.assertEqual((image["status"], image["findings"]), ("clean", []))
        self.assert_only(*self.NAMES)

    def test_long_paths(self):
        deep = self.folder
        while len(str(deep)) < 1000:
            deep = deep / "a folder with a rather long name, \u017e\u00fc\u4e2d\U0001f600"
        deep.mkdir(parents=True)
        driver = self.copy("init_rwx_x64", deep / "\u043a driver.sys")
        path, start = windows_case.windows_path(driver), windows_case.windows_path(deep)
        image, = self.images("check", path, expect=0)
        self.assertEqual((image["path"], [finding["code"] for finding in image["findings"]]), (path, ["HVCI2102"]))
        self.assertEqual(tool.run("fix", driver, "-o", self.folder / "linux.sys").returncode, 0)
        done = self.exe("fix", path, "-o", start + "\\new.sys", "--output", start + "\\report.txt")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((deep / "new.sys").read_bytes(), (self.folder / "linux.sys").read_bytes())
        self.assertNotIn(PREFIX.encode(), (deep / "report.txt").read_bytes())
        self.assertEqual(self.exe("fix", "--in-place", path).returncode, 0)
        self.assertEqual(driver.read_bytes(), (self.folder / "linux.sys").read_bytes())
        self.assertEqual(self.exe("verify", path, start + "\\new.sys").returncode, 0)
        self.assert_only("new.sys", "report.txt", driver.name, folder=deep)
        (deep / "r.rsp").write_text(f'check "{path}"\r\n')
        self.assertEqual(self.exe("@" + start + "\\r.rsp").returncode, 0)
        found = self.images("check", windows_case.windows_path(self.folder) + "\\", expect=0)
        self.assertEqual([image["path"] for image in found],
                         [start + "\\new.sys", path, windows_case.windows_path(self.folder / "linux.sys")])

    def test_the_prefix_is_never_shown(self):
        """Neither in failures, whatever was being done."""
        missing = f"{PREFIX}{windows_case.windows_path(self.folder)}\\no such folder\\x.sys"
        self.copy("init_rwx_x64", self.folder / "x.sys")
        for arguments, expect in ((["check", missing], 3), (["verify", "x.sys", missing], 3), (["show", missing], 3),
                                  (["fix", "x.sys", "-o", missing], 4), (["check", "@" + missing], 2),
                                  (["check", "x.sys", "--output", missing], 4),
                                  (["show", "x.sys", "--after", missing], 3)):
            for form in ([], ["--format", "json"]):
                if form and "--after" in arguments:
                    continue
                done = self.exe(*arguments, *form)
                self.assertEqual(done.returncode, expect, arguments)
                output = done.stdout + done.stderr
                self.assertIn(b"no such folder", output)
                if "@" not in arguments[1]:
                    self.assertNotIn(b"?", output.replace(b"\\\\", b"\\"), arguments)


class Devices(Paths):
    DEVICES = ["NUL", "nul", "NUL.", "C:NUL", "CON", "CONIN$", "CONOUT$", "AUX", "PRN", "COM1", "LPT9", "\\\\.\\NUL",
               f"{PREFIX}NUL", "\\\\.\\C:", "\\\\.\\PhysicalDrive0", "\\\\.\\pipe\\hvcifix-test-none", "//./NUL"]

    def test_devices_are_no_images(self):
        found = self.images("check", *self.DEVICES, expect=3)
        for image, written in zip(found, self.DEVICES):
            with self.subTest(written=written):
                self.assertEqual(image["findings"][0]["code"], "HVCI9006")
                self.assertIn("is a device, not a file", image["findings"][0]["message"])

    def test_devices_are_not_written_to(self):
        self.copy("init_rwx_x64", self.folder / "x.sys")
        for written in self.DEVICES:
            with self.subTest(written=written):
                done = self.exe("fix", "x.sys", "-o", written)
                self.assertEqual(done.returncode, 4)
                self.assertIn(b"is a device, not a file", done.stdout)
        self.assert_only("x.sys")

    def test_nobody_is_called(self):
        """A pipe is not even opened: that would be a message to who waits at it."""
        name = f"\\\\.\\pipe\\hvcifix-test-{os.getpid()}"
        waiting = self.beside("3000", "pipe", name)
        self.assertEqual(self.exe("check", name).returncode, 3)
        self.assertEqual(waiting.stdout.readline().rstrip(), b"nobody came")

    def test_a_report_may_go_to_nul(self):
        self.copy("wx_text_x64", self.folder / "x.sys")
        done = self.exe("check", "x.sys", "--output", "NUL")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, b"", b""))
        self.assert_only("x.sys")


class Mapping(Paths):
    """wide_file_path() and its kin, for what Wine has no file system for."""

    CASES = [  # written, for the system's functions, as shown, device or file
        ("\\\\server\\share\\dir\\x.sys", PREFIX + "UNC\\server\\share\\dir\\x.sys", None, "file"),
        ("//server/share/dir/../x.sys", PREFIX + "UNC\\server\\share\\x.sys", None, "file"),
        ("\\\\server\\share\\x.sys.", PREFIX + "UNC\\server\\share\\x.sys", "\\\\server\\share\\x.sys", "file"),
        (PREFIX + "UNC\\server\\share\\x.sys", PREFIX + "UNC\\server\\share\\x.sys", "\\\\server\\share\\x.sys",
         "file"),
        (PREFIX + "unc\\server\\share\\x.sys", PREFIX + "unc\\server\\share\\x.sys", None, "file"),
        ("\\\\localhost\\c$\\x.sys", PREFIX + "UNC\\localhost\\c$\\x.sys", None, "file"),
        (PREFIX + "C:\\a\\x.sys", PREFIX + "C:\\a\\x.sys", "C:\\a\\x.sys", "file"),
        (PREFIX + "C:\\a\\x.sys.", PREFIX + "C:\\a\\x.sys.", None, "file"),
        (PREFIX + "C:\\a/x.sys", PREFIX + "C:\\a/x.sys", None, "file"),
        (PREFIX + "C:\\a\\..\\x.sys", PREFIX + "C:\\a\\..\\x.sys", None, "file"),
        (PREFIX + "C:\\nul", PREFIX + "C:\\nul", None, "file"),
        (PREFIX + "Volume{0}\\x.sys", PREFIX + "Volume{0}\\x.sys", None, "file"),
        (PREFIX + "GLOBALROOT\\Device\\x.sys", PREFIX + "GLOBALROOT\\Device\\x.sys", None, "file"),
        (PREFIX + "pipe\\x", PREFIX + "pipe\\x", None, "device"),
        ("\\\\.\\pipe\\x", "\\\\.\\pipe\\x", None, "device"),
        ("\\\\.\\MAILSLOT\\x", "\\\\.\\MAILSLOT\\x", None, "device"),
        ("\\\\.\\C:\\x.sys", "\\\\.\\C:\\x.sys", None, "file"), ("\\\\.\\C:", "\\\\.\\C:", None, "device"),
        ("\\\\.\\COM56", "\\\\.\\COM56", None, "device"), ("NUL", "\\\\.\\NUL", None, "device"),
        ("C:\\x.sys:stream", PREFIX + "C:\\x.sys:stream", None, "file"),
        ("C:\\" + "d\\" * 3000 + "x.sys", PREFIX + "C:\\" + "d\\" * 3000 + "x.sys", None, "file"),
        ("C:\\a\\..\\..\\..\\x.sys", PREFIX + "C:\\x.sys", None, "file"), ("C:\\", PREFIX + "C:\\", None, "file"),
        ("C:\\...", PREFIX + "C:\\", "C:\\", "file"), ("Q:\\x.sys", PREFIX + "Q:\\x.sys", None, "file"),
        ("C:\\\u017e\U0001f600.sys", PREFIX + "C:\\\u017e\U0001f600.sys", None, "file"),
    ]

    def test_mapping(self):
        done = self.helper("paths", *[case[0] for case in self.CASES])
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), 3 * len(self.CASES), done)
        for number, (written, for_system, shown, kind) in enumerate(self.CASES):
            with self.subTest(written=written[:100]):
                self.assertEqual(lines[3 * number : 3 * number + 3], [for_system, shown or written, kind])

    def test_no_path(self):
        self.assertEqual(self.helper("paths", "").stdout.decode().splitlines()[0], "- 3")  # ERROR_PATH_NOT_FOUND
        done = self.exe("check", "")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"The name of a file is empty", done.stderr)

    def test_file_names_that_cannot_be(self):
        names = ["a?b.sys", "a*b.sys", "a<b.sys", 'a"b.sys', "a|b.sys", "a\x01b.sys"]
        for image in self.images("check", *names, expect=3):
            self.assertEqual(image["findings"][0]["code"], "HVCI9006")


if __name__ == "__main__":
    unittest.main()
