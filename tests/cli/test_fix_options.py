"""The options of `fix`, and what it writes beside the image: -o and --in-place, --dry-run, --map, --only,
--drop-signature; `show --after`; and the drivers of a 2009 WDK.

Independent witnesses: llvm-readobj for sections, osslsigncode for signatures, the map's schema.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import images, matrix, readobj, schema, tool

STEP = 7 if tool.IS_SLOW else 1  # every so manieth fixture is taken
PIECE = re.compile(r"^    (\S.*?) +([0-9A-F]{8})-([0-9A-F]{8})  ([0-9A-F]{8})-([0-9A-F]{8})$")
NEW_SECTION = re.compile(r"^    (\S+) +([0-9A-F]{8})-([0-9A-F]{8})  ([R-][W-][X-])(d?)")
RIGHTS = (("R", 0x40000000), ("W", readobj.WRITE), ("X", readobj.EXECUTE))


class Options(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.path("out.sys")

    def path(self, name):
        return os.path.join(self.folder, name)

    def fix(self, path, *options, out=None):
        """(exit code, the image's report); the output of a call before is removed."""
        out = out or self.out
        if os.path.exists(out):
            os.remove(out)
        code, reports = tool.report("fix", path, "-o", out, *options)
        self.assertEqual(os.path.exists(out), code == 0)
        return code, reports[0]

    def judge_repaired(self, *names):
        """Calls judge(fixture, options) for those that come out repaired, while the result is self.out."""
        found = 0
        for fixture in [f for f in matrix.read() if not names or f.name in names][:: 1 if names else STEP]:
            for options, verdict in fixture.runs:
                if verdict in ("repairs", "either") and self.fix(fixture.path, *options)[0] == 0:
                    found += 1
                    with self.subTest(fixture=fixture.file_name, options=options):
                        self.judge(fixture, options)
        self.assertGreater(found, 0)


class Writing(Options):
    def judge(self, fixture, options):
        target = self.path("target.sys")
        shutil.copy(fixture.path, target)
        os.chmod(target, 0o640)
        self.assertEqual(tool.run("fix", "--in-place", "--dry-run", target, *options).returncode, 0)
        self.assertEqual(images.read(target), images.read(fixture.path))
        self.assertEqual(tool.run("fix", "--in-place", target, *options).returncode, 0)
        self.assertEqual(images.read(target), images.read(self.out))
        # Windows keeps lists of rights, which Wine takes from the mode and gives back with others of its own.
        compared = 0o007 if tool.IS_WINDOWS else 0o7777
        self.assertEqual(os.stat(target).st_mode & compared, 0o640 & compared)
        changed = images.read(self.out) != images.read(fixture.path)
        undo_files = ["target.sys.hvcifix-undo"] if changed else []
        self.assertEqual(sorted(os.listdir(self.folder)), ["out.sys", "target.sys", *undo_files])
        os.remove(target)
        for name in undo_files:
            os.remove(self.path(name))

    def test_in_place_and_dry_run(self):
        self.judge_repaired()

    def test_refusals_leave_files_alone(self):
        for fixture in [f for f in matrix.read() if f.fix == "refuses"][::STEP]:
            with self.subTest(fixture=fixture.file_name):
                self.assertEqual(self.fix(fixture.path)[0], 1)
                target = self.path("target.sys")
                shutil.copy(fixture.path, target)
                before = os.stat(target)
                self.assertEqual(tool.run("fix", "--in-place", target).returncode, 1)
                self.assertEqual(images.read(target), images.read(fixture.path))
                self.assertEqual((os.stat(target).st_ino, os.stat(target).st_mtime_ns), (before.st_ino, before.st_mtime_ns))
                self.assertEqual(os.listdir(self.folder), ["target.sys"])
                os.remove(target)

    def test_what_memory_integrity_does_not_judge_is_left(self):
        """The drivers that cannot be repaired with proof, as if firmware loaded them: their findings are notes, and a
        note is no reason to fail."""
        names = ("counters_wx_page_refuse_x86", "from_end_wx_page_refuse_x64", "init_written_refuse_x64")
        chosen = [fixture for fixture in matrix.read() if fixture.file_name in names]
        self.assertEqual(len(chosen), len(names))
        for fixture in chosen:
            with self.subTest(fixture=fixture.file_name):
                data = bytearray(images.read(fixture.path))
                subsystem = int.from_bytes(data[0x3C:0x40], "little") + 0x18 + 0x44
                data[subsystem] = 11  # a driver of boot services
                path = self.path("firmware.efi")
                with open(path, "wb") as file:
                    file.write(data)
                code, report = self.fix(path)
                self.assertEqual((code, report["status"]), (0, "findings"), report)
                self.assertEqual({finding["level"] for finding in report["findings"]}, {"note"})
                self.assertTrue({"HVCI9021", "HVCI9023"} & {finding["code"] for finding in report["findings"]})
                self.assertIn("does not judge this image", report["remark"])
                self.assertEqual(images.read(self.out), data)
                self.assertEqual(self.fix(path, "--only", report["findings"][-1]["code"])[0], 1)
                plan = tool.run("fix", "--dry-run", "--in-place", path)
                self.assertEqual((plan.returncode, b"no plan" in plan.stdout), (0, False))

    def test_no_map_is_said(self):
        """A map of an earlier run must not pass for one of this."""
        for option in ("--map", "--linker-map"):
            _, report = self.fix(os.path.join(os.environ["HVCIFIX_FIXTURES"], "clean_x64.sys"), option, self.path("m"))
            self.assertIn("No map was written", report["remark"])
            self.assertFalse(os.path.exists(self.path("m")))

    def test_nothing_to_repair_gives_a_copy(self):
        for fixture in [f for f in matrix.read() if f.fix == "copies"][::STEP]:
            with self.subTest(fixture=fixture.file_name):
                self.assertEqual(self.fix(fixture.path)[0], 0)
                self.assertEqual(images.read(fixture.path), images.read(self.out))


class MapsLieOverNothing(Options):
    def test_refused(self):
        """A map over the image, its undo file or its PDB would be the end of what leads back."""
        fixture = next(f for f in matrix.read() if f.file_name == "wx_text_x64")
        old = images.read(fixture.path)
        image, undo, symbols = self.path("x.sys"), self.path("x.sys.hvcifix-undo"), self.path("x.pdb")
        for path, data in ((image, old), (self.path("other.bin"), old), (self.path("y.pdb"), b"Microsoft C/C++ MSF 7.00")):
            with open(path, "wb") as file:
                file.write(data)
        for option in ("--map", "--linker-map"):
            for path, words in ((image, "an image"), (self.path("other.bin"), "an image"), (undo, "an undo file"),
                                (symbols, "a PDB"), (self.path("y.pdb"), "a PDB")):
                done = tool.run("fix", "--in-place", image, option, path)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(f"would be written over {words}", done.stderr.decode())
            self.assertEqual(tool.run("fix", image, "-o", self.path("z.sys"), option, self.path("z.sys")).returncode, 2)
        done = tool.run("fix", image, "-o", self.path("z.sys"), "--map", self.path("m"), "--linker-map",
                        os.path.join(os.path.dirname(self.path("m")), ".", "m"))
        self.assertIn(b"over the other map", done.stderr)
        self.assertEqual((images.read(image), images.read(self.path("other.bin"))), (old, old))
        self.assertFalse(any(os.path.exists(path) for path in (undo, symbols, self.path("z.sys"), self.path("m"))))

    def test_over_itself_leaves_an_undo_file(self):
        fixture = next(f for f in matrix.read() if f.file_name == "wx_text_x64")
        old = images.read(fixture.path)
        with open(self.path("x.sys"), "wb") as file:
            file.write(old)
        self.assertEqual(tool.run("fix", self.path("x.sys"), "-o", self.path("x.sys")).returncode, 0)
        self.assertEqual(tool.run("restore", self.path("x.sys")).returncode, 0)
        self.assertEqual(images.read(self.path("x.sys")), old)


class Plans(Options):
    """The plan of --dry-run, the map of --map, and the sections of the file say the same."""

    def judge(self, fixture, options):
        with_map, path = self.path("with.sys"), self.path("map.json")
        self.assertEqual(tool.run("fix", fixture.path, "-o", with_map, "--map", path, *options).returncode, 0)
        self.assertEqual(images.read(with_map), images.read(self.out))  # the map is something beside it
        written = json.loads(images.read(path))
        schema.validate_map(written)
        plan = tool.run("fix", "--dry-run", fixture.path, *options).stdout.decode().splitlines()
        rows = [tuple(int(number, 16) for number in row.groups()[1:]) for row in map(PIECE.match, plan) if row]
        pieces = [(p["old_rva"], p["old_rva"] + max(p["size"], 1) - 1, p["new_rva"],
                   p["new_rva"] + max(p["size"], 1) - 1) for p in written["pieces"]]
        rows = rows[: len(pieces)]  # behind them: copies of instructions and start-up stubs
        self.assertEqual([(row[0], row[2]) for row in rows], [(piece[0], piece[2]) for piece in pieces])
        if not pieces:
            return  # only flags change
        self.moved += 1
        ends = [piece[1] for piece in pieces]
        self.assertTrue(all(end < piece[0] for end, piece in zip(ends, pieces[1:])), pieces)
        sections = [readobj.Section(part) for part in readobj.read("--sections", self.out).split("Section {")[1:]]
        shown = [(row[1], int(row[2], 16), row[4], bool(row[5])) for row in map(NEW_SECTION.match, plan) if row]
        self.assertEqual(shown, [(s.name, s.rva, "".join(letter if s.flags & flag else "-" for letter, flag in RIGHTS),
                                  bool(s.flags & readobj.DISCARDABLE)) for s in sections])
        for piece in written["pieces"]:
            if piece["new_section"] is not None:
                holding = [s.name for s in sections if s.rva <= piece["new_rva"] < s.rva + max(s.nbytes, 1)]
                self.assertEqual(holding, [piece["new_section"]], piece)

    def test_plan_map_and_file_agree(self):
        self.moved = 0
        self.judge_repaired()
        self.assertGreater(self.moved, 100 // STEP)


class ShowAfter(Options):
    def judge(self, fixture, options):
        text = tool.run("show", fixture.path, "--after", self.out).stdout.decode()
        before, after = [tool.run("show", path).stdout.decode() for path in (fixture.path, self.out)]
        self.assertRegex(text, rf"(?m)^{re.escape(self.out)}: |^after: {re.escape(self.out)}$")
        shown = [line.split() for line in text.splitlines()]
        for part in (before, after):  # each run of pages with its rights, in one picture or two
            rows = [line.split() for line in part.splitlines() if re.match(r"  [0-9A-F]{8}-[0-9A-F]{8} ", line)]
            self.assertTrue(rows)
            for pages, _, rights, *_ in rows:
                self.assertTrue([words for words in shown if pages in words[:2] and rights in words], (pages, rights))

    def test_both_pictures(self):
        self.judge_repaired("rich_low_80", "rich_iat_in_text", "iat_in_text", "init_rwx", "straddle")


class Only(Options):
    """--only repairs one rule: its findings go, others stay as they are, or it says why not."""

    def test_only(self):
        codes, cured = set(), set()
        for fixture in [f for f in matrix.read() if f.fix == "repairs"][::STEP]:
            for code in set(fixture.findings) - {"HVCI9011"} - matrix.OF_CALLS:
                with self.subTest(fixture=fixture.file_name, code=code):
                    codes.add(code)
                    if os.path.exists(self.out):
                        os.remove(self.out)
                    exit_code, reports = tool.report("fix", fixture.path, "-o", self.out, "--only", code)
                    remaining = {f["code"] for f in reports[0].get("remaining_findings", []) if f["level"] == "error"}
                    self.assertEqual(reports[0]["written"], os.path.exists(self.out))
                    if not os.path.exists(self.out):
                        self.assertEqual((exit_code, reports[0]["status"]), (1, "refused"))
                        self.assertTrue([f for f in reports[0]["findings"] if f["code"] > "HVCI9"])
                        continue
                    self.assertEqual(exit_code, 1 if remaining else 0)
                    left = set(readobj.findings(self.out))
                    self.assertNotIn(code, left)
                    self.assertLessEqual(left, set(fixture.findings))
                    self.assertLessEqual(remaining, left)
                    self.assertEqual(tool.run("verify", fixture.path, self.out).returncode, 0)
                    cured.add(code)
        self.assertTrue(cured)
        if STEP == 1:
            self.assertEqual(cured, codes)
            self.assertGreaterEqual(codes, {"HVCI2003", "HVCI2004", "HVCI2005", "HVCI2102"})

    def test_other_rules_stay(self):
        """INIT loses W, which is a flag; alignment stays. Then the rest, and no --only left."""
        fixture = next(f for f in matrix.read() if f.file_name == "rich_low_80_init_rwx_x64")
        self.assertEqual(tool.run("fix", fixture.path, "-o", self.out, "--only", "HVCI2102").returncode, 1)
        self.assertEqual(set(readobj.findings(self.out)), {"HVCI2004"})
        again = self.path("again.sys")
        self.assertEqual(self.fix(self.out, out=again)[0], 0)
        self.assertEqual(readobj.findings(again), {})


class Signed(Options):
    def test_dropped_signature_is_gone(self):
        for fixture in [f for f in matrix.read() if f.fix == "leaves"]:
            with self.subTest(fixture=fixture.file_name):
                signed = subprocess.run(["osslsigncode", "verify", fixture.path], capture_output=True, check=False)
                self.assertNotIn(b"No signature found", signed.stdout)
                self.assertEqual(self.fix(fixture.path, "--drop-signature")[0], 0)
                unsigned = subprocess.run(["osslsigncode", "verify", self.out], capture_output=True, check=False)
                self.assertIn(b"No signature found", unsigned.stdout + unsigned.stderr)
                # What is left is the repair of the driver that was signed.
                origin = fixture.path.replace(fixture.name + "_", fixture.sources + "_")
                self.assertEqual(self.fix(origin, out=self.path("origin.sys"))[0], 0)
                self.assertEqual(images.read(self.path("origin.sys")), images.read(self.out))


class RealDrivers(Options):
    """Signed, INIT writable and executable, two for x86 with sections aligned to 128 bytes."""

    def test_real_drivers(self):
        paths = images.real_init_drivers()
        if not paths:
            self.skipTest("the package node-interception could not be had")
        self.assertEqual(len(paths), 20)
        low_aligned = 0
        for path in paths:
            with self.subTest(path=os.path.basename(path)):
                headers = images.Headers(images.read(path))
                low_aligned += not headers.is_page_aligned
                self.assertTrue(headers.characteristics_foffs(b"INIT"))
                if headers.is_signed and headers.is_page_aligned:
                    self.assertEqual(self.fix(path)[0], 0)  # only notes: left alone
                    self.assertEqual(images.read(path), images.read(self.out))
                self.assertEqual(self.fix(path, "--drop-signature")[0], 0)
                self.assertEqual(tool.run("verify", path, self.out).returncode, 0)
                self.assertEqual(set(readobj.findings(self.out)) - {"HVCI2101"}, set())
                new = images.Headers(images.read(self.out))
                self.assertTrue(new.is_page_aligned and not new.is_signed)
                self.assertEqual(new.stored_checksum(), new.right_checksum())
                again = self.path("again.sys")
                self.assertEqual(self.fix(self.out, out=again)[0], 0)
                self.assertEqual(images.read(again), images.read(self.out))
        self.assertEqual(low_aligned, 2)

    def test_straddling_ones_by_microsoft(self):
        """genxbf.dll: x64 and ARM64, user mode, 1 to 4 straddling relocations. Repaired, or refused with a reason."""
        paths = [path for path in images.listed() if os.path.basename(path).lower() == "genxbf.dll"]
        if not paths:
            self.skipTest("the package Microsoft.Windows.SDK.CPP could not be had")
        straddling = [path for path in paths if "HVCI2101" in readobj.findings(path)]
        self.assertGreaterEqual(len(straddling), 6)
        for path in straddling[::STEP]:
            with self.subTest(path=path):
                code, report = self.fix(path, "--only", "HVCI2101", "--drop-signature")
                if code == 0:
                    self.assertNotIn("HVCI2101", readobj.findings(self.out))
                    self.assertEqual(tool.run("verify", path, self.out).returncode, 0)
                else:
                    self.assertEqual((code, report["status"]), (1, "refused"))
                    refusals = [f for f in report["findings"] if f["code"] > "HVCI9"]
                    self.assertTrue(refusals and all(f["message"] and f["cure"] for f in refusals), refusals)


if __name__ == "__main__":
    unittest.main()
