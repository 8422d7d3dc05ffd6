"""The command line itself: verbs, options, response files, help, exit codes.

Expectations come from docs/DESIGN.md, sections 7 and 8 (verbs, exit codes), and from how CommandLineToArgvW quotes.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

from support import tool

FIXTURES = os.environ.get("HVCIFIX_FIXTURES", os.path.join(os.environ.get("HVCIFIX_BUILD", "build"), "fixtures"))
VERBS = ["check", "fix", "verify", "show", "explain", "rules", "policy", "enforce", "help"]


def fixture(name):
    return os.path.join(FIXTURES, name + ".sys")


class Usage(unittest.TestCase):
    def assert_usage_error(self, result, words):
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertEqual(result.stdout, b"")
        text = result.stderr.decode()
        self.assertIn(" : error HVCI9010: ", text.splitlines()[0])
        self.assertIn(words, text)

    def test_help_and_version(self):
        result = tool.run("--help")
        self.assertEqual(result.returncode, 0)
        for verb in VERBS:
            self.assertIn("\n  " + verb, result.stdout.decode())
            help_text = tool.run(verb, "--help")
            self.assertEqual(help_text.returncode, 0)
            self.assertTrue(help_text.stdout.decode().startswith("Usage: hvcifix " + verb))
            self.assertIn("\nExample:\n  hvcifix " + verb, help_text.stdout.decode())
        self.assertRegex(tool.run("--version").stdout.decode(), r"\Ahvcifix \d+\.\d+\.\d+\n")

    def test_wrong_command_lines(self):
        self.assert_usage_error(tool.run(), "verb")
        self.assert_usage_error(tool.run("chekc"), '"chekc" is no verb')
        self.assert_usage_error(tool.run("check"), "at least one image")
        self.assert_usage_error(tool.run("check", "--nope", "x"), '"--nope" is no option')
        self.assert_usage_error(tool.run("check", "-o", "y", "x"), "--out is no option of check")
        self.assert_usage_error(tool.run("check", "--target"), "--target needs a value")
        self.assert_usage_error(tool.run("check", "--quiet=1", "x"), "--quiet takes no value")
        self.assert_usage_error(tool.run("check", "--target", "95", "x"), '"95" is no Windows release')
        self.assert_usage_error(tool.run("check", "--format", "xml", "x"), '"xml" is no format')
        self.assert_usage_error(tool.run("fix", "x"), "-o OUT, --in-place, or --dry-run")
        self.assert_usage_error(tool.run("fix", "-o", "y", "--in-place", "x"), "not both")
        self.assert_usage_error(tool.run("fix", "-o", "y", "a", "b"), "one image with -o OUT")
        self.assert_usage_error(tool.run("fix", "--only", "HVCI1", "--dry-run", "x"), '"HVCI1" is no rule')
        self.assert_usage_error(tool.run("verify", "x"), "two images")
        self.assert_usage_error(tool.run("explain"), "one code")
        self.assert_usage_error(tool.run("--quiet"), "")

    def test_what_excludes_each_other(self):
        """Nothing that was asked for is forgotten in silence; words, unlike files, may be said anew."""
        for words, said in ((["check", "--policy", "a", "--policy=b", "x"], "--policy stands twice"),
                            (["check", "--baseline", "a", "--baseline", "a", "x"], "--baseline stands twice"),
                            (["fix", "-o", "a", "--out", "b", "x"], "--out stands twice"),
                            (["fix", "--map", "-", "-o", "a", "x"], "--map takes the name of a file"),
                            (["show", "--calls", "--regions", "x"], "exclude each other"),
                            (["translate", "--to-new", "--to-old", "x"], "exclude each other"),
                            (["translate", "--to-old", "--to-new", "x"], "exclude each other")):
            result = tool.run(*words)
            self.assert_usage_error(result, said)
            self.assertIn(f"hvcifix {words[0]} --help lists its options", result.stderr.decode())
        self.assertIn("hvcifix --help lists the verbs.", tool.run("chekc").stderr.decode())
        result = tool.run("check", "--format", "json", "--format", "text", "--quiet", "--quiet", fixture("clean_x64"))
        self.assertEqual((result.returncode, result.stdout), (0, b""))

    def test_empty_names(self):
        """A variable of a script that nobody has set; no line of a build log names a file that is none."""
        for words in (["check", ""], ["check", "--policy", "", "x"], ["check", "--baseline=", "x"], ["enforce", "--mode", "fix", ""],
                      ["fix", "x", "-o", ""], ["fix", "", "--dry-run"], ["verify", "x", ""], ["restore", ""], ["doctor", ""],
                      ["check", "--output", "", "x"], ["check", "--report", "", "x"], ["policy", "check", ""], ["translate", ""]):
            self.assert_usage_error(tool.run(*words), "is empty")

    def test_the_task_of_policy_behind_options(self):
        self.assertEqual(tool.run("policy", "--preset", "whcp", "init").stdout,
                         tool.run("policy", "init", "--preset", "whcp").stdout)
        self.assert_usage_error(tool.run("policy", "--preset", "whcp"), "what to do: init or check.")
        self.assert_usage_error(tool.run("policy", "--preset", "whcp", "list"), 'not "list"')

    def test_unknown_code(self):
        result = tool.run("explain", "HVCI1234")
        self.assertEqual(result.returncode, 2)
        self.assertIn("HVCI9010", result.stderr.decode())

    def test_explain_and_rules_agree(self):
        listed = [word for word in tool.run("rules").stdout.decode().split() if word.startswith("HVCI")]
        self.assertGreaterEqual(len(listed), 6)
        for number, code in enumerate(listed):
            spellings = (code, code.lower(), code[4:])
            # In the two variants that start slowly, one of them each.
            for spelling in [spellings[number % 3]] if tool.IS_SLOW else spellings:
                result = tool.run("explain", spelling)
                self.assertEqual(result.returncode, 0)
                self.assertIn(code, result.stdout.decode())

    def test_several_images_and_one_bad(self):
        good, bad = fixture("clean_x64"), os.path.join(FIXTURES, "no-such-file.sys")
        result = tool.run("check", "--format", "json", bad, good, __file__, good)
        self.assertEqual(result.returncode, 3)
        images = json.loads(result.stdout)["images"]
        self.assertEqual([image["status"] for image in images], ["error", "clean", "error", "clean"])
        self.assertEqual(images[0]["findings"][0]["code"], "HVCI9006")
        self.assertEqual(images[2]["findings"][0]["code"], "HVCI9001")

    def test_folder_passes_over_what_is_no_image(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(os.path.join(folder, "a/b"))
            with open(os.path.join(folder, "readme.txt"), "w") as file:
                file.write("no image")
            code, empty = tool.report("check", "--target", "1607", folder)
            self.assertEqual((code, empty[0]["target"]), (3, "1607"))
            shutil.copy(fixture("clean_x64"), os.path.join(folder, "a/b/x.sys"))
            images = json.loads(tool.run("check", "--format", "json", folder).stdout)["images"]
            self.assertEqual([image["path"] for image in images], [tool.listed(folder, "a", "b", "x.sys")])

    def test_exit_code_of_the_most_serious(self):
        self.assertEqual(tool.run("check", fixture("clean_x64")).returncode, 0)
        self.assertEqual(tool.run("check", fixture("clean_x64"), fixture("wx_text_x64")).returncode, 1)
        self.assertEqual(tool.run("check", fixture("wx_text_x64"), "no-such-file").returncode, 3)

    def test_output_file(self):
        with tempfile.TemporaryDirectory() as folder:
            report = os.path.join(folder, "report.json")
            result = tool.run("check", "--format=json", "--output", report, fixture("wx_text_x64"))
            self.assertEqual((result.returncode, result.stdout), (1, b""))
            with open(report, "rb") as file:
                self.assertEqual(file.read(), tool.run("check", "--format=json", fixture("wx_text_x64")).stdout)
            result = tool.run("check", "--output", os.path.join(folder, "no/such/folder"), fixture("clean_x64"))
            self.assertEqual(result.returncode, 4)

    def test_report_never_goes_over_an_image(self):
        with tempfile.TemporaryDirectory() as folder:
            image, link = os.path.join(folder, "a.sys"), os.path.join(folder, "link")
            shutil.copy(fixture("init_rwx_x64"), image)
            os.symlink("a.sys", link)
            with open(image, "rb") as file:
                before = file.read()
            out = os.path.join(folder, "out.sys")
            for arguments in (["check", "--output", image, image], ["check", "--output", link, image],
                              ["check", "--output", image, folder],
                              ["fix", "--in-place", image, "--output", image], ["verify", image, image, "--output", image],
                              ["fix", image, "-o", out, "--output", out]):
                self.assert_usage_error(tool.run(*arguments), "--output names an image")
            with open(image, "rb") as file:
                self.assertEqual(file.read(), before)
            self.assertFalse(os.path.exists(out))

    def test_report_and_image_are_two_new_files(self):
        """However the one new file is spelled, it is not both."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(fixture("init_rwx_x64"), os.path.join(folder, "a.sys"))
            names = [("out.sys", "./out.sys"), ("./out.sys", "out.sys")]
            if not tool.IS_WINDOWS:  # Wine shows no link to a file that is not there
                os.symlink("out.sys", os.path.join(folder, "link"))
                names += [("link", "out.sys"), ("out.sys", "link")]
            before = sorted(os.listdir(folder))
            for out, report in names:
                self.assert_usage_error(tool.run("fix", "a.sys", "-o", out, "--output", report, cwd=folder),
                                        "--output names an image")
                self.assertEqual(sorted(os.listdir(folder)), before)

    def test_complaints_quote_safely(self):
        """Words of the command line start no line of their own and do not control the terminal."""
        words = "\x1b[2J\nx.c(1) : error C1: forged"
        for arguments in ([words], ["explain", words], ["check", "--target", words, "x"],
                          ["check", "--output", words + "/none/x", fixture("clean_x64")]):
            done = tool.run(*arguments)
            self.assertIn(done.returncode, (2, 4))
            self.assertNotIn(b"\x1b", done.stderr)
            self.assertIn(b"\\x1B[2J\\x0Ax.c(1)", done.stderr)
            self.assertFalse([line for line in done.stderr.splitlines() if line.startswith(b"x.c")])

    def test_only_named_many_times(self):
        """Each rule is kept once: the memory is not that of the square of the names."""
        with tempfile.TemporaryDirectory() as folder:
            response = os.path.join(folder, "r.rsp")
            with open(response, "w") as file:
                file.write("fix --dry-run " + "--only HVCI2102 " * 200_000)
            done = tool.run("@" + response, fixture("init_rwx_x64"), timeout=20)
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_temporary_files_are_passed_over(self):
        """What another run is writing, or a kill has left, is no image of the folder; named, it is judged."""
        with tempfile.TemporaryDirectory() as folder:
            with open(fixture("clean_x64"), "rb") as file:
                data = file.read()
            kept = [".hvcifix-1-.tmp", ".hvcifix-1-2.tmp.sys", "x.hvcifix-1-2.tmp", "x.sys"]
            left = os.path.join(folder, ".hvcifix-123-0.tmp")
            for name in kept:
                shutil.copy(fixture("clean_x64"), os.path.join(folder, name))
            with open(left, "wb") as file:
                file.write(data[: len(data) // 2])
            code, images = tool.report("check", folder)
            self.assertEqual((code, [image["path"] for image in images]),
                             (0, [tool.listed(folder, name) for name in kept]))
            self.assertEqual(tool.run("check", left).returncode, 3)

    def test_folder_speaks_of_files_named_like_images(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(fixture("clean_x64"), os.path.join(folder, "good.sys"))
            for name in ("empty.sys", "TEXT.DLL"):
                with open(os.path.join(folder, name), "w") as file:
                    file.write("" if name == "empty.sys" else "text")
            result = tool.run("check", "--format", "json", folder)
            self.assertEqual(result.returncode, 3)
            self.assertEqual([image["status"] for image in json.loads(result.stdout)["images"]],
                             ["error", "error", "clean"])

    @tool.not_on_windows("Windows has no device that is always full")
    def test_full_output_device_is_no_success(self):
        with open("/dev/full", "wb") as full:
            result = subprocess.run(tool.command("check", fixture("clean_x64")), stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 4)

    def test_response_files(self):
        expected = tool.run("check", "--format", "json", fixture("clean_x64")).stdout
        line = 'check --format json "%s"\r\n' % fixture("clean_x64")
        encodings = [line.encode(), b"\xef\xbb\xbf" + line.encode(), b"\xff\xfe" + line.encode("utf-16-le"),
                     b"\xfe\xff" + line.encode("utf-16-be")]
        with tempfile.TemporaryDirectory() as folder:
            response = os.path.join(folder, "a b.rsp")
            for encoded in encodings:
                with open(response, "wb") as file:
                    file.write(encoded)
                result = tool.run("@" + response)
                self.assertEqual((result.returncode, result.stdout), (0, expected), encoded)
        self.assert_usage_error(tool.run("@no-such-file"), "response file")

    def test_response_file_quoting(self):
        # What CommandLineToArgvW makes of each line, by its documentation.
        cases = [('a"b c"d', ["ab cd"]), (r'"a\\" b', ["a\\", "b"]), (r'a\"b', ['a"b']), (r'a\\\"b', ['a\\"b']),
                 (r'a\\b', [r"a\\b"]), ('"a b""c"', ['a b"c']), ("a\tb\nc", ["a", "b", "c"]),
                 ("-- @x", ["@x"]), ("@", ["@"]), ("\u017e\u00fc\U0001f600", ["\u017e\u00fc\U0001f600"])]
        with tempfile.TemporaryDirectory() as folder:
            response = os.path.join(folder, "r")
            for text, arguments in cases:
                for encoded in (text.encode(), b"\xff\xfe" + text.encode("utf-16-le")):
                    with open(response, "wb") as file:
                        file.write(encoded)
                    # Windows has no names with quotes, and its own reason why it finds none.
                    result = tool.run("check", "--format", "json", "@" + response,
                                      alone=arguments != tool.nameable(arguments))
                    self.assertEqual([image["path"] for image in json.loads(result.stdout)["images"]], arguments, text)
            with open(response, "wb") as file:
                file.write(b'a "" b')
            self.assert_usage_error(tool.run("check", "@" + response), "is empty")

    def test_damaged_response_files(self):
        """A quotation that nothing closes, and another response file in one: both are guesses, so neither is made."""
        with tempfile.TemporaryDirectory() as folder:
            response = os.path.join(folder, "r.rsp")
            for text, words in (('check "a b.sys', "nothing closes"), ('check "', "nothing closes"),
                                ('check "a b.sys\\" x', "nothing closes"), ("check a.sys @b.rsp", "names another one"),
                                ('check "@b.rsp"', "names another one")):
                for encoded in (text.encode(), b"\xff\xfe" + text.encode("utf-16-le")):
                    with open(response, "wb") as file:
                        file.write(encoded)
                    if '\\"' in text and tool.IS_WINDOWS:
                        continue  # a folder in quotes there: wine/test_windows_arguments.py
                    self.assert_usage_error(tool.run("@" + response), words)
                    self.assert_usage_error(tool.run("check", "x.sys", "@" + response), words)

    def test_response_files_end_where_options_do(self):
        """Behind -- an argument that begins with @ is a path, whoever wrote the --."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(fixture("clean_x64"), os.path.join(folder, "@x.sys"))
            with open(os.path.join(folder, "r.rsp"), "w") as file:
                file.write("--quiet --")
            for arguments in (["--", "@x.sys"], ["@r.rsp", "@x.sys"]):
                result = tool.run("check", "--format", "json", *arguments, cwd=folder)
                self.assertEqual((result.returncode, [image["path"] for image in tool.parse(result.stdout)]),
                                 (0, ["@x.sys"]))
            self.assert_usage_error(tool.run("check", "@x.sys", cwd=folder), "response file cannot be read")

    def test_no_file_is_called_minus(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(fixture("init_rwx_x64"), os.path.join(folder, "a.sys"))
            for arguments in (["fix", "a.sys", "-o", "-"], ["fix", "a.sys", "--out=-"],
                              ["check", "a.sys", "--output", "-"]):
                self.assert_usage_error(tool.run(*arguments, cwd=folder), "- is none")
            self.assertEqual(os.listdir(folder), ["a.sys"])
            self.assertEqual(tool.run("fix", "a.sys", "-o", "./-", cwd=folder).returncode, 0)
            self.assertEqual(sorted(os.listdir(folder)), ["-", "a.sys"])


if __name__ == "__main__":
    unittest.main()
