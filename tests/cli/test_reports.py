"""The reports themselves: JSON against its schema, text against MSBuild's patterns, colours, determinism, pictures.

The patterns are those of MSBuild (support/msbuild.py), the schema is docs/report.schema.json judged by jsonschema,
and what the picture says about sections and
relocations is compared with llvm-readobj and pefile.
"""

import json
import os
import pty
import re
import shutil
import subprocess
import tempfile
import unittest

import pefile

from support import images, matrix, msbuild, readobj, schema, tool

PAGE = 0x1000
MOST_VALIDATED_NBYTES = 100_000  # listings of larger images take the validator minutes
RIGHTS = (("R", 0x40000000), ("W", readobj.WRITE), ("X", readobj.EXECUTE))
SHOWS = [["show"], ["show", "--regions"], ["show", "--references"]]

# Names that data in a file may have: each tries to end a line, to move the cursor, or to pass for a diagnostic.
HOSTILE_NAMES = [b"error X:", b": error:", b"e\nerror:", b"\r\nerror:", b"\x1b[2J\x07", b"warning:", b"\xff\xfe\x80\xc3",
                 b"a:1:2: ", b"%s%n\"\\'<", b"\xe2\x80\xa8err"]
LONG_HOSTILE_NAMES = [b"y.sys : error FORGED1: owned", b"q.c:1:2: error: owned", b"x\ny.sys : warning FORGED2: owned",
                      b"12>C:\\y.sys(1,2): fatal error FORGED3: owned", "\u2028error X: owned".encode(),
                      "warn\u0131ng X: owned".encode(), b"error\xc2\xa0: owned", b"ERROR", b": error : : owned"]
HOSTILE_PATHS = [b"a : error X1: b.sys", b"my error log.sys", b"new\nline : error X2: c.sys", b"\x1b[31mred.sys",
                 b"\xff\xfebytes.sys", b"error X3: d.sys", "\u202esys.exe".encode(), b"C: warning X4: e.sys",
                 b"tab\there.sys"]


def fixture_paths():
    return [fixture.path for fixture in matrix.read_some()]


def fixture_path(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


def with_section_names(data, names):
    """The image with its sections renamed; names longer than eight bytes go to a string table at the end."""
    pe = pefile.PE(data=data, fast_load=True)
    data = bytearray(data)
    strings = b""
    for section, name in zip(pe.sections, names):
        if len(name) > 8:
            short = b"/%d" % (4 + len(strings))
            strings += name + b"\0"
            name = short
        foff = section.get_file_offset()
        data[foff : foff + 8] = name.ljust(8, b"\0")
    if strings:
        symbols = pe.FILE_HEADER.get_field_absolute_offset("PointerToSymbolTable")
        data[symbols : symbols + 8] = len(data).to_bytes(4, "little") + bytes(4)
        data += (4 + len(strings)).to_bytes(4, "little") + strings
    return bytes(data)


def shown_path(path):
    """A path as the text report writes it (its rules are tested in unit/test_report_safe_text.c)."""
    text = re.sub(r"[\0-\x1f\x7f\x80-\x9f\u2028-\u202e\udc80-\udcff]",
                  lambda match: "".join(f"\\x{byte:02X}" for byte in os.fsencode(match[0])), os.fsdecode(path))
    head = 2 if re.match(r"[A-Za-z]:", text) else 0
    return text[:head] + text[head:].replace(":", r"\x3A")


class Reports(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, data):
        path = os.path.join(os.fsencode(self.folder), name)
        with open(path, "wb") as file:
            file.write(data)
        return os.fsdecode(path)

    def hostile_images(self):
        """Drivers with findings, under names that try to forge diagnostics."""
        for index, names in enumerate([HOSTILE_NAMES[:5], HOSTILE_NAMES[5:], LONG_HOSTILE_NAMES[:5],
                                       LONG_HOSTILE_NAMES[5:]]):
            for file_name in ("all_defects_x64", "wx_text_x86", "iat_in_text_arm64"):
                data = images.read(fixture_path(file_name))
                yield self.put(b"%d-%s.sys" % (index, file_name.encode()), with_section_names(data, names))

    def hostile_paths(self):
        for name in tool.nameable(HOSTILE_PATHS):
            yield self.put(name, images.read(fixture_path("wx_text_x64")))

    @staticmethod
    def expected_diagnostics(report):
        """What MSBuild must find: the errors and warnings of the JSON report, and nothing else."""
        for image in report:
            for finding in image["findings"]:
                if finding["level"] != "note":
                    yield shown_path(image["path"]), finding["level"], finding["code"], finding["message"]


class Text(Reports):
    def assert_diagnostics(self, paths, *verb):
        report = tool.parse(tool.run(*verb, "--format", "json", *paths).stdout)
        self.assertEqual(len(report), len(paths))
        for options in ([], ["--quiet"]):
            with self.subTest(verb=verb, options=options):
                output = tool.run(*verb, *options, *paths).stdout.decode()
                self.assertEqual(msbuild.diagnostics(output),
                                 [(path, level, code, message) for path, level, code, message
                                  in self.expected_diagnostics(report)])
        return report

    def test_the_patterns_can_match(self):
        """Lines that were measured with MSBuild itself."""
        parsed = [r"C:\d\x.sys : error T001: m", "x.sys : warning T002: m", "policy.toml(12,3): error T101: m",
                  "TOOL : error T900: m", "hint: warning: foo", "waived: error T001: foo", "use /X to avoid error: no",
                  "result: error: none", "err.cpp:6:3: error: m"]
        not_parsed = [r"\\?\C:\d\x.sys : error T001: m", "x.sys : note T001: m", "2 errors, 1 warning"]
        self.assertEqual([line for line in parsed if not msbuild.parse(line)], [])
        self.assertEqual([line for line in not_parsed if msbuild.parse(line)], [])

    def test_only_findings_are_diagnostics(self):
        report = self.assert_diagnostics(fixture_paths(), "check")
        self.assertGreater(len(list(self.expected_diagnostics(report))), 20)

    def test_real_images(self):
        paths = [path for path in images.listed() if os.path.getsize(path) < 10_000_000][::4]
        for first in range(0, len(paths), tool.BATCH):
            self.assert_diagnostics(paths[first : first + tool.BATCH], "check")

    def test_unreadable_files(self):
        paths = [os.path.join(self.folder, "missing.sys"), self.put(b"text.txt", b"no image"), self.folder]
        done = tool.run("check", *paths)
        self.assertEqual(done.returncode, 3)
        found = msbuild.diagnostics(done.stdout.decode())
        self.assertEqual([(path, category) for path, category, _, _ in found], [(path, "error") for path in paths])
        for _, _, code, _ in found:
            self.assertRegex(code, r"\AHVCI90\d\d\Z")

    def test_section_names_cannot_forge(self):
        paths = list(self.hostile_images())
        report = self.assert_diagnostics(paths, "check")
        self.assertGreater(len(list(self.expected_diagnostics(report))), len(paths))

    def test_paths_cannot_forge(self):
        paths = list(self.hostile_paths())
        report = tool.parse(tool.run("check", "--format", "json", *paths).stdout)
        output = tool.run("check", *paths).stdout.decode()
        found = msbuild.diagnostics(output)
        self.assertEqual(len(found), len(paths))
        for diagnostic, path, image in zip(found, paths, report):
            self.assertEqual(diagnostic[0], shown_path(path))
            self.assertEqual(diagnostic[1:], ("error", "HVCI2003", image["findings"][0]["message"]))

    def test_listings_and_plans_hold_no_diagnostic_of_their_own(self):
        paths = list(self.hostile_images()) + list(self.hostile_paths()) + fixture_paths()
        for verb in SHOWS:
            self.assertEqual(msbuild.diagnostics(tool.run(*verb, *paths).stdout.decode()), [])
        for code in [2003, 2004, 2005, 2006, 2101, 2102, 9001, 9020, 9030]:
            self.assertEqual(msbuild.diagnostics(tool.run("explain", f"HVCI{code}").stdout.decode()), [])
        self.assertEqual(msbuild.diagnostics(tool.run("rules").stdout.decode()), [])

    def test_nothing_controls_the_terminal(self):
        paths = list(self.hostile_images()) + list(self.hostile_paths())
        for verb in [["check"], ["fix", "--dry-run"], *SHOWS]:
            output = tool.run(*verb, "--color=never", *paths).stdout
            self.assertEqual(set(output) & (set(range(32)) - {10} | {127}), set(), verb)
            output.decode("utf-8")  # raises when it is not valid

    def test_success_prints_no_diagnostic(self):
        """MSBuild turns a task that prints an error and exits with 0 into a failure with another message."""
        repaired = 0
        for fixture in matrix.read_some():
            for verb in (["check"], ["fix", "--dry-run"]):
                done = tool.run(*verb, fixture.path)
                if done.returncode == 0:
                    with self.subTest(fixture=fixture.file_name, verb=verb):
                        self.assertEqual(msbuild.diagnostics(done.stdout.decode()), [])
                    repaired += fixture.fix == "repairs" and verb[0] == "fix"
        self.assertGreater(repaired, 0)

    def test_lines_fit_the_screen(self):
        """All but the lines of findings, which tools parse, and names that the user chose."""
        for fixture in matrix.read_some():
            for line in tool.run("check", fixture.path).stdout.decode().splitlines():
                if not line.startswith(fixture.path):
                    self.assertLessEqual(len(line), 100, line)

    def test_summary_counts(self):
        paths = [fixture.path for fixture in matrix.read()]  # with each status
        report = tool.parse(tool.run("check", "--format", "json", *paths).stdout)
        summary = tool.run("check", *paths).stdout.decode().splitlines()[-1]
        statuses = [image["status"] for image in report]
        levels = [finding["level"] for image in report for finding in image["findings"]]
        self.assertEqual(summary, f"{len(paths)} images: {statuses.count('clean')} clean, "
                                  f"{statuses.count('findings')} with findings, {statuses.count('error')} failed; "
                                  f"{levels.count('error')} errors, {levels.count('warning')} warnings, "
                                  f"{levels.count('note')} notes")

    def test_quiet_prints_findings_only(self):
        for fixture in matrix.read_some():
            findings = next(iter(tool.check([fixture.path]).values()))["findings"]
            lines = tool.run("check", "--quiet", fixture.path).stdout.decode().splitlines()
            self.assertEqual(lines, [f"{fixture.path} : {finding['level']} {finding['code']}: {finding['message']}"
                                     for finding in findings])


class Json(Reports):
    @classmethod
    def setUpClass(cls):
        cls.validator = schema.validator("report")

    def assert_valid(self, *arguments):
        output = tool.run(*arguments, "--format", "json").stdout
        report = json.loads(output.decode("utf-8"))
        problems = [f"{list(error.absolute_path)}: {error.message[:500]}" for error in
                    (inner for outer in self.validator.iter_errors(report) for inner in [outer, *outer.context])]
        self.assertEqual(problems[:5], [], arguments[:2])
        return report

    def test_the_schema_is_strict(self):
        """One key more or less, or a wrong type, is refused everywhere."""
        report = self.assert_valid("check", fixture_path("all_defects_x64"))
        image = report["images"][0]
        changed = [dict(image, more=1), {key: value for key, value in image.items() if key != "rules"},
                   dict(image, status="fine"), dict(image, findings=[dict(image["findings"][0], rva="0x1000")]),
                   dict(image, findings=[dict(image["findings"][0], more=1)]),
                   dict(image, rules=[dict(image["rules"][0], verdict="maybe")])]
        for wrong in changed:
            self.assertFalse(self.validator.is_valid({"images": [wrong]}))
        self.assertFalse(self.validator.is_valid({}))
        self.assertFalse(self.validator.is_valid(dict(report, verify={})))

    def test_check(self):
        report = self.assert_valid("check", *fixture_paths(), os.path.join(self.folder, "missing"), __file__)
        self.assertEqual([image["path"] for image in report["images"]][: len(fixture_paths())], fixture_paths())

    def test_check_of_real_images(self):
        paths = images.listed()[::4]
        for first in range(0, len(paths), tool.BATCH):
            self.assert_valid("check", *paths[first : first + tool.BATCH])

    def test_hostile_names(self):
        paths = list(self.hostile_images()) + list(self.hostile_paths())
        report = self.assert_valid("check", *paths)
        self.assertEqual(len(report["images"]), len(paths))
        for path in paths:
            self.assert_valid("show", path)

    def test_fix(self):
        for fixture in matrix.read_some():
            with self.subTest(fixture=fixture.file_name):
                self.assert_valid("fix", "--dry-run", fixture.path)
                out = os.path.join(self.folder, "out.sys")
                image = self.assert_valid("fix", fixture.path, "-o", out)["images"][0]
                self.assertEqual(image["written"], os.path.exists(out))
                if os.path.exists(out):
                    os.remove(out)

    def test_verify(self):
        old = fixture_path("init_rwx_x64")
        new = os.path.join(self.folder, "new.sys")
        self.assertEqual(tool.run("fix", old, "-o", new).returncode, 0)
        results = {}
        for name, pair in {"repair": (old, new), "same": (old, old), "other": (old, fixture_path("clean_x86")),
                           "unreadable": (old, self.put(b"x", b"no image"))}.items():
            report = self.assert_valid("verify", *pair)["verify"]
            self.assertEqual((report["old"], report["new"]), pair)
            self.assertEqual(report["counter_example"] is None, report["result"] in ("proved", "assumed", "identical"))
            results[name] = report["result"]
        self.assertEqual(results, {"repair": "assumed", "same": "identical", "other": "refuted",
                                   "unreadable": "unreadable"})

    def test_show(self):
        for path in (fixture.path for fixture in matrix.read_some()):
            for verb in SHOWS:
                if verb == ["show"] or os.path.getsize(path) < MOST_VALIDATED_NBYTES:
                    self.assert_valid(*verb, path)
        self.assert_valid("show", __file__)

    def test_same_input_same_bytes(self):
        paths = fixture_paths() + list(self.hostile_images())
        for verb in [["check"], ["fix", "--dry-run"], *SHOWS]:
            for form in ("text", "json"):
                with self.subTest(verb=verb, form=form):
                    first = tool.run(*verb, "--format", form, *paths).stdout
                    self.assertGreater(len(first), 1000)
                    self.assertEqual(first, tool.run(*verb, "--format", form, *paths).stdout)


class Show(Reports):
    """The picture against an independent reader."""

    @staticmethod
    def rights_by_page(pages):
        return [run["rights"] for run in pages for _ in range(run["pages"])]

    def test_rights_are_those_of_the_sections(self):
        for fixture in matrix.read_some():
            with self.subTest(fixture=fixture.file_name):
                headers = readobj.read("--file-headers", fixture.path)
                rights = self.rights_by_page(tool.report("show", fixture.path)[1][0]["pages"])
                self.assertEqual(len(rights), -(-readobj.number(headers, "SizeOfImage") // PAGE))
                if readobj.number(headers, "SectionAlignment") < PAGE:
                    self.assertEqual(set(rights), {"RWX"})
                    continue
                self.assertEqual(rights[0], "R--")
                sections = readobj.read("--sections", fixture.path).split("Section {")[1:]
                self.assertTrue(sections)
                for section in sections:
                    flags = readobj.Section(section).flags
                    expected = "".join(letter if flags & flag else "-" for letter, flag in RIGHTS)
                    expected += "d" if flags & readobj.DISCARDABLE else ""
                    rva = readobj.number(section, "VirtualAddress")
                    end = -(-(rva + readobj.number(section, "VirtualSize")) // PAGE)
                    self.assertEqual(set(rights[rva // PAGE : end]), {expected}, section)

    def test_runs_follow_each_other(self):
        for path in (fixture.path for fixture in matrix.read_some()):
            next_rva = 0
            for run in tool.report("show", path)[1][0]["pages"]:
                self.assertEqual(run["rva"], next_rva)
                next_rva += run["pages"] * PAGE

    def test_straddling_relocations_are_marked_on_both_pages(self):
        for file_name in ("straddle_x64", "straddle_x86", "gcc_straddle_x86"):
            with self.subTest(fixture=file_name):
                path = fixture_path(file_name)
                pe = pefile.PE(path)
                expected = set()
                for block in pe.DIRECTORY_ENTRY_BASERELOC:
                    for entry in block.entries:
                        width = {3: 4, 10: 8}.get(entry.type, 0)
                        if width and entry.rva % PAGE + width > PAGE:
                            expected |= {entry.rva // PAGE, entry.rva // PAGE + 1}
                marked, page = set(), 0
                for run in tool.report("show", path)[1][0]["pages"]:
                    if "HVCI2101" in run["rules"]:
                        marked |= set(range(page, page + run["pages"]))
                    page += run["pages"]
                self.assertEqual(marked, expected)
                self.assertTrue(expected)

    def test_regions_tile_the_file(self):
        for path in (fixture.path for fixture in matrix.read_some()):
            next_foff = 0
            for region in tool.report("show", "--regions", path)[1][0]["regions"]:
                self.assertEqual(region["file_offset"], next_foff)
                next_foff += region["bytes"]
            self.assertEqual(next_foff, os.path.getsize(path))


class Colour(Reports):
    RED = b"\x1b[1;31merror\x1b[0m"

    def on_a_terminal(self, *arguments, **environment):
        """The output of the tool when its standard output is a terminal."""
        master, slave = pty.openpty()
        done = subprocess.Popen(tool.command(*arguments), stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                                env=dict({key: value for key, value in os.environ.items() if key != "NO_COLOR"},
                                         TERM="xterm", **environment))
        os.close(slave)
        output = b""
        try:
            while chunk := os.read(master, 65536):
                output += chunk
        except OSError:  # what Linux says at the end of a terminal
            pass
        os.close(master)
        self.assertEqual(done.wait(60), 1)
        return output

    @tool.not_on_windows("a terminal of Linux is none of Windows; wine/test_windows_console.py has one")
    def test_when_there_is_colour(self):
        path = fixture_path("wx_text_x64")
        self.assertIn(self.RED, self.on_a_terminal("check", path))
        self.assertIn(self.RED, self.on_a_terminal("check", path, NO_COLOR=""))
        self.assertNotIn(b"\x1b", self.on_a_terminal("check", path, NO_COLOR="1"))
        self.assertIn(self.RED, self.on_a_terminal("check", "--color=always", path, NO_COLOR="1"))
        self.assertNotIn(b"\x1b", self.on_a_terminal("check", "--color=never", path))
        self.assertNotIn(b"\x1b", tool.run("check", path).stdout)
        self.assertIn(self.RED, tool.run("check", "--color=always", path).stdout)

    def test_colour_changes_nothing_else(self):
        paths = fixture_paths()
        for verb in [["check"], ["fix", "--dry-run"], *SHOWS]:
            plain = tool.run(*verb, *paths).stdout
            coloured = tool.run(*verb, "--color=always", *paths).stdout
            self.assertEqual(re.sub(rb"\x1b\[[0-9;]*m", b"", coloured), plain)

    def test_json_has_none(self):
        path = fixture_path("wx_text_x64")
        self.assertNotIn(b"\x1b", tool.run("check", "--color=always", "--format", "json", path).stdout)


if __name__ == "__main__":
    unittest.main()
