"""The PDB of a repaired image: what fix writes, what it leaves alone, and what the verifier accepts.

Independent witnesses: a second reader of the format (support/pdb.py), llvm-pdbutil, and the images' own bytes.
"""

import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest
import zipfile

from support import pdb, schema, tool

MOVED = ["all_defects_x64", "all_defects_x86", "low_align_x64", "low_align_x86", "iat_in_text_x64", "iat_in_text_x86",
         "rich_low_80_all_defects_x64", "rich_low_80_all_defects_x86"]
HEADERS_ONLY = "init_rwx_x64"
if os.environ.get("HVCIFIX_VARIANT") != "plain":
    MOVED = MOVED[:2]


def sections(image):
    """[(RVA, bytes)] of an image, by its section table."""
    content = pathlib.Path(image).read_bytes()
    at = int.from_bytes(content[0x3C:0x40], "little")
    count, size = int.from_bytes(content[at + 6 : at + 8], "little"), int.from_bytes(content[at + 20 : at + 22], "little")
    table = at + 24 + size
    found = []
    for header in (content[table + 40 * i : table + 40 * i + 40] for i in range(count)):
        rva, raw, place = [int.from_bytes(header[k : k + 4], "little") for k in (12, 16, 20)]
        found.append((rva, content[place : place + raw]))
    return found, content[table : table + 40 * count]


def bytes_at(image, rva, count):
    return next((content[rva - start : rva - start + count] for start, content in sections(image)[0]
                 if start <= rva < start + len(content)), b"")


class Pdbs(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.out = self.folder / "out"
        self.out.mkdir()

    def take(self, name):
        """A copy of the fixture and its PDB in a folder of the test's own."""
        built = pdb.build(name)
        for suffix in (".sys", ".pdb"):
            shutil.copy(built.with_suffix(suffix), self.folder)
        return self.folder / built.name

    def fix(self, image, *options, code=0, out=None):
        """The image's report, and where it went."""
        out = out or self.out / image.name
        done, reports = tool.report("fix", image, "-o", out, *options)
        self.assertEqual(done, code, reports)
        return reports[0], out

    def moved(self, name="all_defects_x64"):
        image = self.take(name)
        report, new = self.fix(image)
        self.assertEqual(report["status"], "fixed")
        return image, new, report

    def codes(self, report):
        return [finding["code"] for finding in report["findings"] if finding["code"].startswith("HVCI9")]


class Written(Pdbs):
    def test_new_pdb_belongs_to_the_new_image_alone(self):
        for name in MOVED:
            with self.subTest(name):
                image, new, report = self.moved(name)
                old_pdb, new_pdb = pdb.Pdb(image.with_suffix(".pdb")), pdb.Pdb(new.with_suffix(".pdb"))
                self.assertEqual((new_pdb.guid, new_pdb.age), pdb.identity(new)[:2])
                self.assertEqual((old_pdb.guid, old_pdb.age), pdb.identity(image)[:2])
                self.assertNotEqual(new_pdb.guid, old_pdb.guid)
                self.assertEqual(new_pdb.guid[7] >> 4, 8)  # RFC 9562: made by a rule of one's own
                self.assertIn("The PDB follows the new layout", report["remark"])

    def test_names_lead_to_the_bytes_that_they_led_to(self):
        for name in MOVED:
            with self.subTest(name):
                image, new, _ = self.moved(name)
                old_names = pdb.Pdb(image.with_suffix(".pdb")).publics()
                new_names = pdb.Pdb(new.with_suffix(".pdb")).publics()
                self.assertGreater(len(old_names), 15)
                self.assertEqual(set(old_names), set(new_names))
                self.assertTrue(any(old_names[each] != new_names[each] for each in old_names))
                text_of = pdb.Pdb(new.with_suffix(".pdb"))
                for each, old_rva in old_names.items():
                    if not old_rva:
                        continue
                    self.assertIsNotNone(new_names[each], each)
                    self.assertEqual(text_of.to_source(new_names[each]), old_rva)
                    if each.startswith(("__imp_", ".refptr", "__guard")) or "construct" in each:
                        continue  # they hold addresses
                    # Eight bytes at least begin alike wherever no field lies among them.
                    self.assertEqual(bytes_at(image, old_rva, 1), bytes_at(new, new_names[each], 1), each)

    def test_other_streams_are_the_same_bytes(self):
        for name in MOVED:
            with self.subTest(name):
                image, new, _ = self.moved(name)
                old_pdb, new_pdb = pdb.Pdb(image.with_suffix(".pdb")), pdb.Pdb(new.with_suffix(".pdb"))
                for number, content in enumerate(old_pdb.streams):
                    if number not in (1, 3):
                        self.assertEqual(new_pdb.streams[number], content, number)
                self.assertEqual(len(new_pdb.streams), len(old_pdb.streams) + 3)
                self.assertEqual(new_pdb.debug_stream(pdb.SECTIONS), sections(new)[1])
                self.assertEqual(new_pdb.debug_stream(pdb.OLD_SECTIONS), old_pdb.debug_stream(pdb.SECTIONS))

    def test_llvm_reads_it(self):
        _, new, _ = self.moved()
        done = subprocess.run(["llvm-pdbutil-19", "dump", "--all", new.with_suffix(".pdb")], capture_output=True, check=True)
        for words in (b"Omap To Source Data", b"Omap From Source Data", b"Section Header Original Data", b"fixture_add"):
            self.assertIn(words, done.stdout)

    def test_the_same_input_gives_the_same_bytes(self):
        image, new, _ = self.moved()
        before = [hashlib.sha256(path.read_bytes()).digest() for path in (new, new.with_suffix(".pdb"))]
        self.fix(image)
        self.assertEqual(before, [hashlib.sha256(path.read_bytes()).digest() for path in (new, new.with_suffix(".pdb"))])

    def test_map_and_omap_say_the_same(self):
        image = self.take("all_defects_x64")
        self.fix(image, "--map", self.folder / "map.json")
        pieces = json.loads((self.folder / "map.json").read_text())["pieces"]
        new_pdb = pdb.Pdb((self.out / image.name).with_suffix(".pdb"))
        for piece in pieces:
            if piece["kind"] in ("headers", "base relocations"):
                continue
            last = piece["size"] - 1
            self.assertEqual(new_pdb.from_source(piece["old_rva"]), piece["new_rva"])
            self.assertEqual(new_pdb.from_source(piece["old_rva"] + last), piece["new_rva"] + last)
            self.assertEqual(new_pdb.to_source(piece["new_rva"] + last), piece["old_rva"] + last)

    def test_maps_have_the_names_of_the_pdb(self):
        """Places old and new are those that a second reader finds in the old PDB and, by its OMAP tables, in the new one."""
        for name in MOVED:
            with self.subTest(name):
                image = self.take(name)
                json_map, linker_map = self.folder / "map.json", self.folder / "new.map"
                _, new = self.fix(image, "--map", json_map, "--linker-map", linker_map)
                content = json.loads(json_map.read_bytes())
                schema.validate_map(content)
                named = {(each["name"], each["old_rva"]): each["new_rva"] for each in content["names"]}
                self.assertEqual(len(named), len(content["names"]), "a name stands there twice")
                new_names = pdb.Pdb(new.with_suffix(".pdb")).publics()
                lines = linker_map.read_text("ascii").split()
                checked = 0
                for each, old_rva in pdb.Pdb(image.with_suffix(".pdb")).publics().items():
                    if old_rva and new_names[each]:
                        self.assertEqual(named[each, old_rva], new_names[each], each)
                        self.assertIn(each, lines)
                        checked += 1
                self.assertGreater(checked, 15)
                # Logs name functions as debuggers do: not decorated.
                self.assertIn("DriverEntry", [each["name"] for each in content["names"] if each["source"] == "pdb"])
                done = tool.run("translate", json_map, "-q", f"{image.stem}!DriverEntry+0x2")
                self.assertEqual((done.returncode, done.stdout.split()), (0, [f"{image.stem}!DriverEntry+0x2".encode()]))
        image = self.take("all_defects_x64")
        self.fix(image, "--map", json_map, "--no-pdb")
        self.assertNotIn("pdb", {each["source"] for each in json.loads(json_map.read_bytes())["names"]})

    def test_copied_instructions_have_the_names_of_the_originals(self):
        image = self.take("straddle_code_x86")
        report, new = self.fix(image, "--target", "7", "--map", self.folder / "map.json")
        self.assertEqual(report["status"], "fixed")
        copies = json.loads((self.folder / "map.json").read_text())["copied_instructions"]
        new_pdb = pdb.Pdb(new.with_suffix(".pdb"))
        self.assertGreater(len(copies), 1)
        for copy in copies:
            self.assertEqual(new_pdb.to_source(copy["new_rva"]), copy["old_rva"])


class LeftAlone(Pdbs):
    def test_headers_alone_leave_the_pdb_valid(self):
        for options in ([], ["--keep-pdb-id"], ["--no-pdb"]):
            with self.subTest(options):
                image = self.take(HEADERS_ONLY)
                report, new = self.fix(image, *options)
                self.assertEqual(report["status"], "fixed")
                self.assertEqual(pdb.identity(image), pdb.identity(new))
                self.assertEqual(os.listdir(self.out), [new.name])
                self.assertIsNone(report.get("remark"))

    def test_headers_alone_read_no_pdb_unless_its_names_are_wanted(self):
        image = self.take(HEADERS_ONLY)
        json_map, linker_map = self.folder / "map.json", self.folder / "new.map"
        for option, path in (("--map", json_map), ("--linker-map", linker_map)):
            self.fix(image, option, path)
            self.assertIn("DriverEntry", path.read_text())
        self.assertIn("pdb", {each["source"] for each in json.loads(json_map.read_bytes())["names"]})
        if tool.IS_WINDOWS:
            return
        for name, code in ((HEADERS_ONLY, 0), ("all_defects_x64", 3)):
            image = self.take(name)
            image.with_suffix(".pdb").unlink()
            os.mkfifo(image.with_suffix(".pdb"))  # whoever reads it finds that it is no file
            report, _ = self.fix(image, code=code)
            self.assertEqual(self.codes(report), ["HVCI9006"] if code else [])
            self.fix(image, "--map", json_map, code=3)

    def test_identity_is_kept_or_nothing_is_repaired(self):
        image = self.take("all_defects_x64")
        report, _ = self.fix(image, "--keep-pdb-id", code=1)
        self.assertEqual(self.codes(report), ["HVCI9082"])
        self.assertEqual(os.listdir(self.out), [])

    def test_without_a_pdb_the_image_keeps_its_identity(self):
        image = self.take("all_defects_x64")
        report, new = self.fix(image, "--no-pdb")
        self.assertEqual((pdb.identity(new), os.listdir(self.out)), (pdb.identity(image), [new.name]))
        self.assertIsNone(report.get("remark"))
        image.with_suffix(".pdb").unlink()
        report, new = self.fix(image)
        self.assertIn("is not beside it", report["remark"])
        self.assertEqual(pdb.identity(new), pdb.identity(image))

    def test_a_pdb_that_cannot_be_used_is_named(self):
        image = self.take("all_defects_x64")
        own = image.with_suffix(".pdb")
        good = own.read_bytes()
        other = pdb.build("low_align_x64").with_suffix(".pdb").read_bytes()
        for content, code, words in ((good[:-1], "HVCI9080", "longer or shorter"), (b"", "HVCI9080", "cannot be read"),
                                     (other, "HVCI9081", "another image")):
            own.write_bytes(content)
            report, new = self.fix(image)
            self.assertIn(words, report["remark"])
            self.assertEqual(pdb.identity(new), pdb.identity(image))
            new.unlink()
            report, _ = self.fix(image, "--pdb", own, code=1)
            self.assertEqual(self.codes(report), [code])
            self.assertEqual((own.read_bytes(), os.listdir(self.out)), (content, []))
        self.assertEqual(self.codes(self.fix(image, "--pdb", self.folder / "none.pdb", code=3)[0]), ["HVCI9006"])

    def test_what_is_no_pdb_is_not_overwritten(self):
        image = self.take("all_defects_x64")
        precious = self.out / "all_defects_x64.pdb"
        precious.write_bytes(b"a letter")
        report, _ = self.fix(image, code=4)
        self.assertEqual((self.codes(report), precious.read_bytes()), (["HVCI9007"], b"a letter"))
        self.assertEqual(os.listdir(self.out), [precious.name])


class Places(Pdbs):
    def test_a_pdb_of_another_folder(self):
        image = self.take("all_defects_x64")
        symbols = self.folder / "symbols"
        symbols.mkdir()
        far = symbols / "far.pdb"
        os.replace(image.with_suffix(".pdb"), far)
        before = far.read_bytes()
        self.fix(image, "--pdb", far)
        self.assertEqual(far.read_bytes(), before)
        self.assertEqual(pdb.Pdb(self.out / "all_defects_x64.pdb").guid, pdb.identity(self.out / image.name)[0])

    def test_beside_the_old_image_the_old_pdb_stays(self):
        image = self.take("all_defects_x64")
        before = image.with_suffix(".pdb").read_bytes()
        _, new = self.fix(image, out=self.folder / "repaired.sys")
        self.assertEqual(image.with_suffix(".pdb").read_bytes(), before)
        self.assertEqual(pdb.Pdb(self.folder / "repaired.pdb").guid, pdb.identity(new)[0])

    def test_in_place_the_old_pdb_is_kept_aside(self):
        image = self.take("all_defects_x64")
        old, own = pdb.build("all_defects_x64"), image.with_suffix(".pdb")
        self.assertEqual(tool.run("fix", "--in-place", image).returncode, 0)
        kept = pathlib.Path(f"{own}.hvcifix-old")
        self.assertEqual(kept.read_bytes(), old.with_suffix(".pdb").read_bytes())
        self.assertEqual(pdb.Pdb(own).guid, pdb.identity(image)[0])
        # A run that was ended behind the PDB and before the image: the next one takes the PDB that was kept.
        done = own.read_bytes()
        shutil.copy(old, image)
        self.assertEqual(tool.run("fix", "--in-place", image).returncode, 0)
        self.assertEqual((own.read_bytes(), pdb.identity(image)[0]), (done, pdb.Pdb(own).guid))

    def test_restore_puts_the_old_pdb_back(self):
        old = pdb.build("all_defects_x64")
        old_pdb = old.with_suffix(".pdb").read_bytes()
        image = self.take("all_defects_x64")
        own, kept = image.with_suffix(".pdb"), pathlib.Path(f"{image.with_suffix('.pdb')}.hvcifix-old")
        # One repair after another; the first changes headers alone, for which the PDB stays.
        self.assertEqual(tool.run("fix", "--in-place", "--only", "HVCI2102", image).returncode, 1)
        self.assertEqual((own.read_bytes(), kept.exists()), (old_pdb, False))
        self.assertEqual(tool.run("fix", "--in-place", image).returncode, 0)
        self.assertEqual(kept.read_bytes(), old_pdb)
        repaired, rewritten, undo = image.read_bytes(), own.read_bytes(), pathlib.Path(f"{image}.hvcifix-undo")
        side = undo.read_bytes()
        self.assertNotEqual(rewritten, old_pdb)
        done = tool.run("restore", image)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"is that of the original again", done.stdout)
        self.assertEqual((image.read_bytes(), own.read_bytes()), (old.read_bytes(), old_pdb))
        self.assertEqual(sorted(os.listdir(self.folder)), ["all_defects_x64.pdb", "all_defects_x64.sys", "out"])
        # Ended behind the image and before the PDB: the next run does it.
        own.write_bytes(rewritten), kept.write_bytes(old_pdb), undo.write_bytes(side)
        self.assertEqual(tool.run("restore", image).returncode, 0)
        self.assertEqual((own.read_bytes(), kept.exists(), undo.exists()), (old_pdb, False, False))
        # Another PDB has that name now: neither is touched.
        other = pdb.build(HEADERS_ONLY).with_suffix(".pdb").read_bytes()
        for there in (other, b"no PDB"):
            image.write_bytes(repaired), own.write_bytes(there), kept.write_bytes(old_pdb), undo.write_bytes(side)
            done = tool.run("restore", image)
            self.assertEqual(done.returncode, 0)
            self.assertIn(b"Rename it", b" ".join(done.stdout.split()))
            self.assertEqual((own.read_bytes(), kept.read_bytes()), (there, old_pdb))
        # What is kept belongs to another image.
        image.write_bytes(repaired), own.write_bytes(rewritten), kept.write_bytes(other), undo.write_bytes(side)
        self.assertEqual(tool.run("restore", image).returncode, 0)
        self.assertEqual((own.read_bytes(), kept.read_bytes()), (rewritten, other))

    def test_enforce_leaves_nothing_behind(self):
        image = self.take("all_defects_x64")
        done = tool.run("enforce", "--mode", "fix", image)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(pdb.Pdb(image.with_suffix(".pdb")).guid, pdb.identity(image)[0])
        self.assertNotEqual(pdb.identity(image), pdb.identity(pdb.build("all_defects_x64")))
        self.assertEqual(sorted(os.listdir(self.folder)), ["all_defects_x64.pdb", "all_defects_x64.sys", "out"])

    def test_dry_run_writes_nothing(self):
        image = self.take("all_defects_x64")
        done = tool.run("fix", "--dry-run", "-o", self.out / image.name, image)
        self.assertEqual((done.returncode, os.listdir(self.out)), (0, []))
        self.assertIn(b"would follow", done.stdout)


class Kept(Pdbs):
    """No PDB is lost under a new one."""

    def test_of_something_else(self):
        image = self.take("all_defects_x64")
        other = pdb.build("low_align_x64").with_suffix(".pdb").read_bytes()
        there = self.out / "all_defects_x64.pdb"
        there.write_bytes(other)
        report, new = self.fix(image)
        self.assertEqual(pathlib.Path(f"{there}.hvcifix-old").read_bytes(), other)
        self.assertIn("what had that name is kept as", report["remark"])
        # One of a repair is made again whenever it is wanted.
        os.remove(f"{there}.hvcifix-old")
        self.fix(image)
        self.assertEqual(sorted(os.listdir(self.out)), [there.name, new.name])

    def test_of_another_link_where_the_own_one_is_kept(self):
        """A repair was ended; then another link's PDB took the name. There is no place for that one."""
        image = self.take("all_defects_x64")
        own = image.with_suffix(".pdb")
        other = pdb.build("low_align_x64").with_suffix(".pdb").read_bytes()
        kept = pathlib.Path(f"{own}.hvcifix-old")
        os.replace(own, kept)
        own.write_bytes(other)
        before = image.read_bytes()
        done = tool.run("fix", "--in-place", image)
        self.assertEqual(done.returncode, 4)
        self.assertIn(b"is the PDB of another link", b" ".join(done.stdout.split()))
        self.assertEqual((image.read_bytes(), own.read_bytes(), kept.exists()), (before, other, True))

    def test_folders_called_like_one(self):
        """A symbol store has them."""
        image = self.take("all_defects_x64")
        image.with_suffix(".pdb").unlink()
        image.with_suffix(".pdb").mkdir()
        self.assertIn("is not beside it", self.fix(image)[0]["remark"])


class Packages(Pdbs):
    """In a package the folder does not matter: what belongs together has the same GUID."""

    LOW, IAT = "low_align_x64", "iat_in_text_x64"

    def members(self):
        low, iat, still = pdb.build(self.LOW), pdb.build(self.IAT), pdb.build(HEADERS_ONLY)
        return {"amd64/low.sys": low.read_bytes(), "amd64/copy.sys": low.read_bytes(),
                "amd64/low.pdb": low.with_suffix(".pdb").read_bytes(),
                "amd64/iat.sys": iat.read_bytes(), "symbols/iat.pdb": iat.with_suffix(".pdb").read_bytes(),
                "still.sys": still.read_bytes(), "still.pdb": still.with_suffix(".pdb").read_bytes(),
                "other.pdb": pdb.build("all_defects_x64").with_suffix(".pdb").read_bytes(), "readme.txt": b"text"}

    def pack(self, members, is_zip):
        path = self.folder / ("drv.zip" if is_zip else "drv")
        if is_zip:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                for name, data in members.items():
                    archive.writestr(name, data)
        for name, data in () if is_zip else members.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return path

    def repack(self, members, *options, is_zip=False, code=0):
        """{name: bytes} of the new package, and {name: remark}."""
        path = self.pack(members, is_zip)
        out = self.out / path.name
        done, reports = tool.report("fix", path, "-o", out, *options)
        self.assertEqual(done, code, reports)
        if is_zip:
            with zipfile.ZipFile(out) as archive:
                new = {name: archive.read(name) for name in archive.namelist()}
        else:
            new = {each.relative_to(out).as_posix(): each.read_bytes() for each in out.rglob("*") if each.is_file()}
        self.assertEqual(set(new), set(members))
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        shutil.rmtree(out) if out.is_dir() else out.unlink()
        return new, {pathlib.PureWindowsPath(each["path"].replace("!", "/")).name: each.get("remark") or "" for each in reports}

    def alone(self, name):
        """What `fix` makes of the pair by itself."""
        image = self.take(name)
        _, new = self.fix(image, out=self.folder / "alone.sys")
        with_it = [image.with_suffix(".pdb"), new.with_suffix(".pdb"), image, new]
        content = new.read_bytes(), new.with_suffix(".pdb").read_bytes()
        for path in with_it:
            path.unlink()
        return content

    def test_they_follow(self):
        members = self.members()
        low, iat = self.alone(self.LOW), self.alone(self.IAT)
        for is_zip in (False, True):
            with self.subTest(is_zip=is_zip):
                new, remarks = self.repack(members, is_zip=is_zip)
                self.assertEqual((new["amd64/low.sys"], new["amd64/low.pdb"]), low)
                self.assertEqual(new["amd64/copy.sys"], low[0])
                self.assertEqual((new["amd64/iat.sys"], new["symbols/iat.pdb"]), iat)
                for name in ("still.pdb", "other.pdb", "readme.txt"):
                    self.assertEqual(new[name], members[name], name)
                self.assertIn("The PDB in the new package follows the new layout", remarks["iat.sys"])
                self.assertIn("4 of 4 images were repaired, and 2 PDBs with their images", remarks["drv.zip" if is_zip else "drv"])

    def test_one_that_cannot(self):
        low = pdb.build(self.LOW)
        image, own = low.read_bytes(), low.with_suffix(".pdb").read_bytes()
        other = pdb.build(self.IAT).with_suffix(".pdb").read_bytes()
        twin = bytearray(image)
        twin[0x50] ^= 1  # in the program for DOS
        for members, words in (({"low.sys": image}, "is not in the package"),
                               ({"low.sys": image, "low.pdb": other}, "belongs to another image"),
                               ({"low.sys": image, "low.pdb": own[:-1]}, "longer or shorter"),
                               ({"low.sys": image, "a/twin.sys": twin, "low.pdb": own}, "not the same bytes")):
            with self.subTest(words):
                new, remarks = self.repack(members)
                self.assertIn(words, remarks["low.sys"])
                self.assertEqual(new.get("low.pdb"), members.get("low.pdb"))
                (self.folder / "new.sys").write_bytes(new["low.sys"])
                self.assertNotEqual(new["low.sys"], image)
                self.assertEqual(pdb.identity(self.folder / "new.sys"), pdb.identity(low))

    def test_two_of_one_image(self):
        """The one beside the image follows."""
        low = pdb.build(self.LOW)
        own = low.with_suffix(".pdb").read_bytes()
        new, remarks = self.repack({"a/far.pdb": own, "b/low.sys": low.read_bytes(), "b/low.pdb": own})
        self.assertEqual(new["a/far.pdb"], own)
        self.assertNotEqual(new["b/low.pdb"], own)
        self.assertIn("it fits the old image alone", remarks["low.sys"])

    def test_when_they_are_not_asked_for(self):
        members = {name: data for name, data in self.members().items() if "low" in name}
        new, remarks = self.repack(members, "--no-pdb")
        self.assertEqual((new["amd64/low.pdb"], remarks["low.sys"]), (members["amd64/low.pdb"], ""))
        path = self.pack(members, False)
        done = tool.run("fix", path, "-o", self.out / "x", "--keep-pdb-id")
        self.assertEqual((done.returncode, os.listdir(self.out)), (1, []))
        self.assertIn(b"HVCI9082", done.stdout)
        done = tool.run("fix", path, "--dry-run")
        self.assertIn(b"would follow", b" ".join(done.stdout.split()))


class Verified(Pdbs):
    def test_the_guid_is_accepted_when_asked_for(self):
        image, new, _ = self.moved()
        done = tool.run("verify", image, new)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"--new-pdb-id", done.stdout)
        done = tool.run("verify", "--new-pdb-id", image, new)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"CodeView record GUID", done.stdout)

    def test_nothing_but_the_guid_is(self):
        image, new, _ = self.moved()
        content = new.read_bytes()
        at = content.index(b"RSDS")
        for place in (at, at + 20, at + 24, at - 1):  # signature, age, name, what lies before
            changed = bytearray(content)
            changed[place] ^= 1
            new.write_bytes(changed)
            self.assertEqual(tool.run("verify", "--new-pdb-id", image, new).returncode, 1, place - at)

    def test_other_pairs_are_judged_as_ever(self):
        image = self.take(HEADERS_ONLY)
        _, new = self.fix(image)
        self.assertEqual(tool.run("verify", "--new-pdb-id", image, new).returncode, 0)
