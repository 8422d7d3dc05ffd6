"""`hvcifix link`: real linkers behind it, and what they are given, whatever the way in which it is written.

The linkers are the second source: each writes where it has read that it shall, and there the image must have been
enforced. The drivers have a writable code section, which enforcing cures, so that an image that was missed shows.
"""

import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import unittest

from support import images, tool, windows_case

VARIANTS = ("plain", "checked")
SOURCE = "int write_me = 1; int DriverEntry(void *d, void *p) { (void)d; (void)p; return 0; }\n"
DEFECT = ["/driver", "/subsystem:native", "/entry:DriverEntry", "/nodefaultlib", "/section:.text,erw"]
COMPILER = ["clang-19", "--target=x86_64-w64-windows-gnu", "-O2", "-ffreestanding", "-c"]
WRITE, EXECUTE = 0x80000000, 0x20000000
# What a stand-in does: writes down its words, copies an image, ends as it is told.
STAND_IN = """#!/usr/bin/python3
import json, os, shutil, sys
json.dump({"words": sys.argv[1:], "input": sys.stdin.read()}, open(os.environ["SEEN"], "w"))
print("linker speaks"); print("linker complains", file=sys.stderr)
if os.environ.get("COPY"): shutil.copy(*os.environ["COPY"].split("|"))
sys.exit(int(os.environ.get("END", "0")))
"""


def is_cured(path):
    """Enforced: no section is writable and executable any more."""
    sections = images.Headers(images.read(str(path))).pe.sections
    assert sections
    return not any(section.Characteristics & WRITE and section.Characteristics & EXECUTE for section in sections)


class LinkCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        cls.addClassCleanup(shutil.rmtree, cls.home)
        (cls.home / "d.c").write_text(SOURCE)
        subprocess.run([*COMPILER, cls.home / "d.c", "-o", cls.home / "d.obj"], check=True)
        policy = tool.run("policy", "init").stdout
        (cls.home / "policy.ini").write_bytes(policy)

    def setUp(self):
        self.folder = self.home / self._testMethodName
        self.folder.mkdir()
        shutil.copy(self.home / "d.obj", self.folder)

    def link(self, *words, options=("--quiet",), policy=None, environment=None, folder=None):
        return tool.run("link", "--policy", policy or self.home / "policy.ini", *options, "--", *words,
                        cwd=folder or self.folder, environment=environment, alone=True)

    def made(self):
        return sorted(path.name for path in self.folder.iterdir() if images.read(str(path)).startswith(b"MZ"))

    def assert_links(self, name, *words, environment=None):
        """The linker makes this file and no other, and it is enforced."""
        for path in self.folder.iterdir():
            if path.suffix in (".sys", ".exe", ".dll", ".out", "") and path.is_file():
                path.unlink()
        done = self.link(*words, environment=environment)
        self.assertEqual(done.returncode, 0, (done.stdout, done.stderr))
        self.assertEqual(self.made(), [name])
        self.assertTrue(is_cured(self.folder / name), name)
        self.assertIn(b": cured: ", done.stdout)


class Linkers(LinkCase):
    def test_without_link_the_defect_is_there(self):
        subprocess.run(["lld-link-19", *DEFECT, "d.obj", "/out:x.sys"], cwd=self.folder, check=True)
        self.assertFalse(is_cured(self.folder / "x.sys"))

    def test_lld_link(self):
        lld = ["lld-link-19", *DEFECT, "d.obj"]
        for name, words in (("x.sys", ["/out:x.sys"]), ("x.sys", ["-OUT:x.sys"]), ("y.sys", ["/Out:x.sys", "/OUT:y.sys"]),
                            ("a b.sys", ["/out:a b.sys"]), ("\u017e\u4e2d.sys", ["/out:\u017e\u4e2d.sys"]),
                            ("d.sys", []), ("d.dll", ["/dll"]), ("x", ["/out:x"])):
            with self.subTest(name=name, words=words):
                self.assert_links(name, *lld, *words)

    def test_response_files(self):
        """As lld-link reads them: nested, in three encodings, quoted by the rules of CommandLineToArgvW."""
        line = " ".join(DEFECT) + '\n"/out:a \u017e b.sys"\r\n@in\\side.rsp @"two words.rsp"'
        for encoding in ("utf-8", "utf-8-sig", "utf-16"):
            with self.subTest(encoding=encoding):
                (self.folder / "l.rsp").write_bytes(line.encode(encoding))
                (self.folder / "in\\side.rsp").write_bytes("d.obj".encode(encoding))
                (self.folder / "two words.rsp").write_bytes('/o"ut:a "\u017e" b".sys /nologo'.encode(encoding))
                self.assert_links("a \u017e b.sys", "lld-link-19", "@l.rsp")
        (self.folder / "p.rsp").write_text("/out:a\\ b.sys d.obj")
        self.assert_links("a b.sys", "lld-link-19", "--rsp-quoting=posix", *DEFECT, "@p.rsp")

    def test_variables(self):
        lld = ["lld-link-19", *DEFECT, "d.obj"]
        before, behind = {"LINK": "/out:v.sys"}, {"_LINK_": '"/out:w w.sys"'}
        self.assert_links("v.sys", *lld, environment=before)
        self.assert_links("x.sys", *lld, "/out:x.sys", environment=before)
        self.assert_links("x.sys", *lld, "/out:x.sys", environment=behind)  # lld-link reads it first, too
        self.assert_links("w w.sys", *lld, environment=behind)
        self.assert_links("v.sys", *lld, environment=dict(before, **behind))
        self.assert_links("d.sys", *lld, "/lldignoreenv", environment=before)

    def test_drivers_of_compilers(self):
        flags = ["-nostdlib", "-shared", "d.obj", "-Wl,-e,DriverEntry", "-Wl,--subsystem,native"]
        # Code that is called: a section of nothing but data would give up the right to execute, not that to write.
        (self.folder / "g.c").write_text('__asm__(".section .wx,\\"wx\\"; run: ret; .text");\nvoid run(void);\n' +
                                         SOURCE.replace("return 0", "run(); return 0"))
        subprocess.run([*COMPILER, "g.c", "-o", "d.obj"], cwd=self.folder, check=True)
        gnu = ["x86_64-w64-mingw32-gcc", *flags]
        for name, words in (("x.sys", ["-o", "x.sys"]), ("x.sys", ["-ox.sys"]), ("a.exe", []), ("x.exe", ["-o", "x"])):
            with self.subTest(words=words):
                self.assert_links(name, *gnu, *words)
        (self.folder / "g.rsp").write_text("-o 'a b'\\ c.sys d.obj --subsystem native -e DriverEntry -shared")
        self.assert_links("a b c.sys", "x86_64-w64-mingw32-ld", "@g.rsp")
        self.assert_links("x.sys", "x86_64-w64-mingw32-ld", "d.obj", "-shared", "--output=x.sys", "--subsystem", "native")
        self.assert_links("a.exe", "x86_64-w64-mingw32-ld", "d.obj", "-shared", "--subsystem", "native")

    def test_clang_cl_and_clang(self):
        cl = ["clang-cl-19", "--target=x86_64-pc-windows-msvc", "-fuse-ld=lld", "/nologo", "d.obj"]
        self.assert_links("x.sys", *cl, "/Fex.sys", "/link", *DEFECT)
        self.assert_links("x.sys", *cl, "/Fe:x.sys", "/link", *DEFECT)
        self.assert_links("x.sys", *cl, "-o", "x.sys", "/link", *DEFECT)
        self.assert_links("y.sys", *cl, "/Fex.sys", "/link", *DEFECT, "/out:y.sys")
        self.assert_links("d.exe", *cl, "/link", *DEFECT)
        clang = ["clang-19", "--target=x86_64-pc-windows-msvc", "-fuse-ld=lld", "-nostdlib", "d.obj"]
        handed_on = [word for option in DEFECT for word in ("-Xlinker", option)]
        self.assert_links("x.sys", *clang, "-o", "x.sys", *handed_on)
        self.assert_links("y.sys", *clang, "-o", "x.sys", *handed_on, "-Wl,/out:y.sys")
        self.assert_links("z.sys", *clang, *handed_on, "-Xlinker", "/out:z.sys")

    def test_behind_a_wrapper(self):
        self.assert_links("x.sys", "env", "lld-link-19", *DEFECT, "d.obj", "/out:x.sys")
        self.assert_links("d.sys", "env", "/usr/bin/lld-link-19", *DEFECT, "d.obj")

    def test_import_library_is_left_alone(self):
        subprocess.run([*COMPILER, "-DDllExport", "-x", "c", "-", "-o", "e.obj"], cwd=self.folder, check=True,
                       input=b"__declspec(dllexport) int f(void) { return 1; }\n")
        words = [*DEFECT, "d.obj", "e.obj", "/dll", "/out:x.sys", "/implib:x.lib"]
        subprocess.run(["lld-link-19", *words], cwd=self.folder, check=True)
        expected = (self.folder / "x.lib").read_bytes()
        (self.folder / "x.lib").unlink()
        self.assert_links("x.sys", "lld-link-19", *words)
        self.assertEqual((self.folder / "x.lib").read_bytes(), expected)

    def test_rejected(self):
        (self.folder / "reject.ini").write_text("[policy]\nmode = reject\n")
        done = self.link("lld-link-19", *DEFECT, "d.obj", "/out:x.sys", policy="reject.ini")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(self.made(), ["x.sys.rejected"])
        done = self.link("lld-link-19", *DEFECT, "d.obj", "/out:x.sys",
                         policy="reject.ini", options=("--on-fail=delete",))
        self.assertEqual((done.returncode, self.made()), (1, []))  # nor is what was rejected before

    def test_linker_that_fails(self):
        done = self.link("lld-link-19", "/driver", "absent.obj", "/out:x.sys")
        self.assertEqual((done.returncode, done.stdout, self.made()), (1, b"", []))
        self.assertTrue(done.stderr.startswith(b"lld-link-19: error: could not open 'absent.obj'"), done.stderr)

    def test_nothing_linked(self):
        for words in (["lld-link-19", "/lib", "/out:x.lib", "d.obj"], ["lld-link-19", "--version"],
                      ["x86_64-w64-mingw32-gcc", "--version"], ["x86_64-w64-mingw32-ld", "--help"]):
            with self.subTest(words=words):
                done = self.link(*words)
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stderr, b"hvcifix: this command links no image; nothing was judged.\n")

    def test_wrong_use(self):
        for words, text in (((), "needs a linker"), (("nolinker", "x.obj"), "Name its output"),
                            (("./nolinker", "/out:x.sys"), "cannot be started: there is no program of this name"),
                            (("./d.obj", "/out:x.sys"), "cannot be started: it may not be run")):
            done = self.link(*words)
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(text.encode(), done.stderr)
            self.assertTrue(done.stderr.startswith(b"hvcifix : error HVCI9010: "))
        done = tool.run("link", "lld-link-19", cwd=self.folder)
        self.assertIn(b"link needs -- in front of the linker", done.stderr)

    def test_endless_response_files(self):
        (self.folder / "l.rsp").write_text("@l.rsp @l.rsp")
        done = self.link("lld-link-19", "/out:x.sys", "@l.rsp")
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"without end", done.stderr)

    def test_what_would_be_judged_wrongly(self):
        """No linker runs when nobody could judge its image; the report is not written over it."""
        (self.folder / "bad.ini").write_text("[policy]\nmodus = fix\n")
        words = ["lld-link-19", *DEFECT, "d.obj", "/out:x.sys"]
        self.assertEqual(self.link(*words, policy="bad.ini").returncode, 2)
        self.assertEqual(self.link(*words, options=("--output", "x.sys")).returncode, 2)
        self.assertEqual(self.made(), [])


class StandIns(LinkCase):
    """A program in the linker's place tells what it was given."""

    def setUp(self):
        super().setUp()
        self.linker = self.folder / "lld-link"
        self.linker.write_text(STAND_IN)
        self.linker.chmod(self.linker.stat().st_mode | stat.S_IXUSR)
        shutil.copy(os.path.join(os.environ["HVCIFIX_FIXTURES"], "init_rwx_x64.sys"), self.folder / "from")
        self.environment = {"SEEN": str(self.folder / "seen.json"), "COPY": f"{self.folder}/from|{self.folder}/x.sys"}

    def seen(self):
        return json.loads((self.folder / "seen.json").read_text())

    def test_words_arrive_as_they_stand(self):
        words = ["", " ", "a b", '"', "\\", "\\\\\"", "'", "$HOME", "*", "@absent.rsp", "--", "-o", "--halp", "\n", "%PATH%",
                 "\u017e\U0001f600", "/out:x.sys"]
        done = self.link(self.linker, *words, environment=self.environment)
        self.assertEqual((done.returncode, self.seen()["words"]), (0, words), done.stderr)
        self.assertTrue(done.stdout.startswith(b"linker speaks\n"))
        self.assertEqual(done.stderr, b"linker complains\n")
        self.assertTrue(is_cured(self.folder / "x.sys"))

    def test_exit_codes(self):
        for code in (1, 2, 3, 42, 255):
            done = self.link(self.linker, "/out:x.sys", environment=dict(self.environment, END=str(code)))
            self.assertEqual((done.returncode, done.stdout), (code, b"linker speaks\n"))
            self.assertFalse(is_cured(self.folder / "x.sys"))

    def test_standard_input(self):
        done = subprocess.run([tool.TOOL, "link", "--policy", self.home / "policy.ini", "--", self.linker, "/out:x.sys"],
                              cwd=self.folder, input=b"said to it", env=dict(os.environ, **self.environment),
                              capture_output=True, check=False)
        self.assertEqual((done.returncode, self.seen()["input"]), (0, "said to it"), done.stderr)

    def test_image_that_is_not_there(self):
        done = self.link(self.linker, "/out:y.sys", environment=self.environment)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"y.sys", done.stdout)
        # A file of the name that the linker would choose is judged only when the linker has just written it.
        shutil.copy(self.folder / "from", self.folder / "d.exe")
        done = self.link(self.linker, "d.obj", environment=self.environment)
        self.assertEqual(done.returncode, 3)
        self.assertIn(b'has not written "d.exe"', done.stderr)

    def test_a_failure_is_seen_where_ends_of_children_are_ignored(self):
        """Some programs have everything that they start ignore SIGCHLD."""
        command = [tool.TOOL, "link", "--policy", self.home / "policy.ini", "--", self.linker, "/out:x.sys"]
        environment = dict(os.environ, **self.environment, END="42")
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        self.assertEqual((done.returncode, is_cured(self.folder / "x.sys")), (42, False), done.stderr)

    def test_a_linker_that_is_killed(self):
        self.linker.write_text("#!/bin/sh\nkill -TERM $$\n")
        done = self.link(self.linker, "/out:x.sys")
        self.assertEqual(done.returncode, -signal.SIGTERM)
        self.assertFalse((self.folder / "x.sys").exists())

    def test_who_asks_us_to_end_ends_the_linker(self):
        self.linker.write_text("#!/bin/sh\ntrap 'echo ended >ended; exit 7' TERM\necho ready >ready\nwhile :; do sleep 0.05; done\n")
        process = subprocess.Popen([tool.TOOL, "link", "--policy", self.home / "policy.ini", "--", self.linker, "/out:x.sys"],
                                   cwd=self.folder)
        while not (self.folder / "ready").exists():
            self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(30), 7)
        self.assertTrue((self.folder / "ended").exists())
        # One that ends well nevertheless has made an image that nobody shall use before it is judged.
        (self.folder / "ready").unlink()
        self.linker.write_text(self.linker.read_text().replace("exit 7", "exit 0"))
        process = subprocess.Popen([tool.TOOL, "link", "--policy", self.home / "policy.ini", "--", self.linker, "/out:x.sys"],
                                   cwd=self.folder)
        while not (self.folder / "ready").exists():
            self.assertIsNone(process.poll())
        process.terminate()
        self.assertEqual(process.wait(30), -signal.SIGTERM)

    def test_signals_that_are_ignored_here_are_not_there(self):
        self.linker.write_text("#!/bin/sh\ngrep SigIgn /proc/self/status >ignored\n")
        self.link(self.linker, "/out:x.sys")
        ignored = int((self.folder / "ignored").read_text().split()[1], 16)
        self.assertFalse(ignored & (1 << (signal.SIGXFSZ - 1)))


if os.environ.get("HVCIFIX_VARIANT", "plain") == "plain":  # it is the same program in each
    @unittest.skipUnless(windows_case.EXE.exists(), "hvcifix.exe has not been built: make windows")
    class WindowsProgram(windows_case.WindowsCase):
        """hvcifix.exe under Wine, with a stand-in that writes down its command line as it got it."""

        # What stands behind "--" after the linker's name. The stand-in must see each of them character for character.
        LINES = ["/out:x.sys", '"/out:x.sys"', '/out:"x.sys"', '/DEFINE:\\"a b\\" /out:x.sys', '"C:\\out dir\\\\" /out:x.sys',
                 '   /out:x.sys    /debug   ', '/pdb:"C:\\a b\\\\"  /out:x.sys /x', '"" /out:x.sys', "/out:\u017e\u4e2d.sys", "@l.rsp",
                 "a'b %PATH% ^& | > /out:x.sys -- -o"]

        def setUp(self):
            super().setUp()
            shutil.copy(windows_case.BUILD / "wine-helpers" / "stand_in_linker.exe", self.folder / "lld-link.exe")
            self.copy("init_rwx_x64", self.folder / "from")
            (self.folder / "policy.ini").write_bytes(self.exe("policy", "init").stdout)
            (self.folder / "l.rsp").write_bytes('"/out:x.sys"\r\n'.encode("utf-16"))

        def test_the_command_line_arrives_as_it_stands(self):
            for program in ("lld-link.exe", '"lld-link.exe"', "lld-link"):
                for line in self.LINES if program == "lld-link.exe" else self.LINES[:2]:
                    with self.subTest(program=program, line=line):
                        name = "\u017e\u4e2d.sys" if "\u4e2d" in line else "x.sys"
                        (self.folder / "name.txt").write_bytes(name.encode("utf-16-le"))
                        (self.folder / name).unlink(missing_ok=True)
                        done = self.launch(f"link --policy policy.ini -q -- {program} {line}")
                        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                        seen = (self.folder / "seen.utf16").read_bytes().decode("utf-16-le")
                        self.assertEqual(seen, f"{program} {line}")
                        self.assertTrue(is_cured(self.folder / name))
                        self.assertIn(b"linker speaks", done.stdout)

        def test_exit_codes(self):
            (self.folder / "name.txt").write_bytes("x.sys".encode("utf-16-le"))
            for code in (1, 42, 1120):
                done = self.launch(f"link --policy policy.ini -q -- lld-link.exe /out:x.sys /end:{code}")
                self.assertEqual(done.returncode & 0xFF, code & 0xFF)
                self.assertFalse(is_cured(self.folder / "x.sys"))
            done = self.launch("link --policy policy.ini -q -- nolinker.exe /out:x.sys")
            self.assertEqual(done.returncode, 2)
            self.assertIn(b"there is no program of this name", done.stderr)

        def test_words_from_a_response_file_of_ours(self):
            (self.folder / "name.txt").write_bytes("x y.sys".encode("utf-16-le"))
            (self.folder / "all.rsp").write_bytes('link -q --policy policy.ini -- lld-link.exe "a \\"b\\\\" "/out:x y.sys"'.encode())
            done = self.launch("@all.rsp")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            seen = (self.folder / "seen.utf16").read_bytes().decode("utf-16-le")
            self.assertEqual(seen, 'lld-link.exe "a \\"b\\\\" "/out:x y.sys"')
            self.assertTrue(is_cured(self.folder / "x y.sys"))


if __name__ == "__main__":
    unittest.main()
