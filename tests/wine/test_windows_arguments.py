"""Command lines and response files as build systems write them on Windows, quotes and encodings included."""

import json
import unittest

from support import windows_case


class Arguments(windows_case.WindowsCase):
    def setUp(self):
        super().setUp()
        for name in ("out", "out dir", "new"):
            (self.folder / name).mkdir()
        for name in ("out", "out dir"):
            self.copy("init_rwx_x64", self.folder / name / "x.sys")
        self.here = windows_case.windows_path(self.folder)

    def paths(self, done, expect=0):
        self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
        return [image["path"] for image in json.loads(done.stdout)["images"]]


class Quotes(Arguments):
    # What stands behind "check", and the folders that it names. $ is a folder that ends in a backslash, as OutDir does.
    CASES = [
        (r'"$out\"', ["$out\\"]), (r'"$out\\"', ["$out\\"]), (r'$out\ ', ["$out\\"]), (r'"$out dir\"', ["$out dir\\"]),
        (r'"$out dir\\"', ["$out dir\\"]), (r'"$out\" "$out dir\"', ["$out\\", "$out dir\\"]),
        (r'"$out\" $out\x.sys "$out dir\"', ["$out\\", "$out\\x.sys", "$out dir\\"]),
        (r'"$out\" "$out dir\x.sys"', ["$out\\", "$out dir\\x.sys"]), (r'--target "7" "$out\"', ["$out\\"]),
        (r'"$out\" --target "7" "$out dir\"', ["$out\\", "$out dir\\"]), (r'"--target=7" "$out\"', ["$out\\"]),
        (r'"$out\"    ', ["$out\\"]), ("\"$out\\\"\t\"$out dir\\\\\"", ["$out\\", "$out dir\\"]),
        (r'"$out dir"\ ', ["$out dir\\"]), (r'-- "$out\" "$out dir\"', ["$out\\", "$out dir\\"]),
    ]

    def resolved(self, folders):
        found = []
        for folder in folders:
            path = folder.replace("$", self.here + "\\")
            found.append(path if path.endswith("x.sys") else path + "x.sys")
        return found

    def test_folders_in_quotes(self):
        for line, folders in self.CASES:
            with self.subTest(line=line):
                done = self.launch("check --format json " + line.replace("$", self.here + "\\"))
                self.assertEqual(self.paths(done), self.resolved(folders))

    def test_folders_in_quotes_in_response_files(self):
        for line, folders in self.CASES:
            text = line.replace("$", self.here + "\\").replace(" -", "\r\n-") + "\r\n"
            for encoding in ("utf-8", "utf-8-sig", "utf-16"):
                with self.subTest(line=line, encoding=encoding):
                    (self.folder / "r.rsp").write_bytes(text.encode(encoding))
                    done = self.exe("check", "--format", "json", "@r.rsp")
                    self.assertEqual(self.paths(done), self.resolved(folders))

    def test_other_values_in_quotes(self):
        """The folder that ends in a backslash may be any argument, the others stay what they are."""
        done = self.launch(rf'fix "{self.here}\out dir\x.sys" --out "{self.here}\new\y.sys" '
                           rf'--output "{self.here}\new\r.txt"')
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_only("y.sys", "r.txt", folder=self.folder / "new")
        done = self.launch(rf'check "{self.here}\out\" --output "{self.here}\new\s.txt" --format "text"')
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""))
        self.assertIn(rf"{self.here}\out\x.sys: ".encode(), (self.folder / "new" / "s.txt").read_bytes())
        done = self.launch(rf'fix "{self.here}\out\x.sys" -o "{self.here}\new\"')
        self.assertEqual(done.returncode, 4)
        self.assertIn(rf'"{self.here}\new\" is a folder, not a file.'.encode(), done.stdout)

    def test_what_is_well_formed_is_read_as_ever(self):
        """By CommandLineToArgvW's documentation."""
        cases = [('"a b".sys', ["a b.sys"]), ('a"b c"d', ["ab cd"]), (r"a\\b c\ d", [r"a\\b", "c\\", "d"]),
                 ('"a b\\\\" c', ["a b\\", "c"]),
                 ("\u017e\u4e2d\U0001f600", ["\u017e\u4e2d\U0001f600"])]
        for line, arguments in cases:
            with self.subTest(line=line):
                self.assertEqual(self.paths(self.launch("check --format json " + line), 3), arguments)
        done = self.launch('check "" x')
        self.assertEqual((done.returncode, b"is empty" in done.stderr), (2, True), done)

    def test_a_quote_in_a_name(self):
        """There are no such names: neither reading makes one, and the message shows what was understood."""
        for line, argument in ((r'a\"b', 'a"b'), (r'"a\"b"', 'a"b'), (r'a\" b', 'a"')):
            done = self.launch("check --format json " + line)
            self.assertEqual(self.paths(done, 3)[0], argument)
            self.assertIn("too long or not allowed", done.stdout.decode())


class ResponseFiles(Arguments):
    def test_encodings_and_line_ends(self):
        name = "\u017e\u4e2d\U0001f600 x.sys"
        self.copy("clean_x64", self.folder / name)
        expected = self.exe("check", "--quiet", "--format", "json", name)
        self.assertEqual((expected.returncode, len(self.paths(expected))), (0, 1))
        for end in ("\n", "\r\n", "\r", "", " ", "\r\n\r\n"):
            text = end.join(["check", "--quiet --format" if end else " --quiet --format ", "json",
                             f'"{name}"' if end else f' "{name}"']) + end
            for encoding, mark in (("utf-8", b""), ("utf-8", b"\xef\xbb\xbf"), ("utf-16-le", b"\xff\xfe"),
                                   ("utf-16-be", b"\xfe\xff")):
                with self.subTest(end=end, encoding=encoding, mark=mark):
                    (self.folder / "r.rsp").write_bytes(mark + text.encode(encoding))
                    done = self.exe("@r.rsp")
                    self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected.stdout, b""))

    def test_longer_than_a_command_line(self):
        path = rf"{self.here}\out\x.sys"
        (self.folder / "r.rsp").write_text("\r\n".join([path] * 2000))
        self.assertEqual(self.paths(self.exe("check", "--format", "json", "@r.rsp")), [path] * 2000)

    def test_where_it_lies(self):
        (self.folder / "out dir" / "r.rsp").write_text("x.sys")
        line = rf'check --format json "@{self.here}\out dir\r.rsp"'
        self.assertEqual(self.paths(self.launch(line, cwd=self.folder / "out")), ["x.sys"])
        for missing in ("@no.rsp", "@NUL", "@."):
            done = self.exe("check", missing)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(b"The response file cannot be read.", done.stderr)


if __name__ == "__main__":
    unittest.main()
