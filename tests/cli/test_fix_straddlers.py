"""`fix` on relocations that straddle a page boundary: what its map says is what pefile finds in the file.

When: for targets before 1703, or when it is asked for by name. The map is judged by docs/map.schema.json (jsonschema).
"""

import json
import os
import shutil
import struct
import tempfile
import unittest

import pefile

from support import matrix, schema, tool

RULE = "HVCI2101"
REFUSED = {
    "straddle_constants_refuse": "is read-only",
    "straddle_exports_refuse": "exports no DllInitialize",
    "straddle_tls_refuse": "TLS callbacks",
}


class Reader:
    """A driver as pefile reads it."""

    def __init__(self, path):
        self.pe = pefile.PE(path)
        self.pointer_nbytes = 8 if self.pe.PE_TYPE == pefile.OPTIONAL_HEADER_MAGIC_PE_PLUS else 4
        self.relocations = {entry.rva for block in self.pe.DIRECTORY_ENTRY_BASERELOC for entry in block.entries if entry.type}

    @property
    def entry(self):
        return self.pe.OPTIONAL_HEADER.AddressOfEntryPoint

    @property
    def straddlers(self):
        return {rva for rva in self.relocations if rva % 4096 + self.pointer_nbytes > 4096}

    def bytes(self, rva, nbytes):
        return self.pe.get_data(rva, nbytes)

    def jump_target(self, rva):
        """Of a jmp rel32."""
        opcode, distance = struct.unpack("<Bi", self.bytes(rva, 5))
        assert opcode == 0xE9, hex(opcode)
        return rva + 5 + distance


class FixStraddlers(unittest.TestCase):
    """Fixtures whose names begin with straddle, or gcc_straddle."""

    @classmethod
    def setUpClass(cls):
        cls.fixtures = [f for f in matrix.read() if "straddle" in f.name and f.machine in ("x64", "x86")]

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.new, self.map = os.path.join(self.folder, "new.sys"), os.path.join(self.folder, "map.json")

    def fix(self, fixture, *options):
        done = tool.run("fix", fixture.path, "-o", self.new, "--map", self.map, *options)
        self.assertEqual(done.returncode, 0, done.stdout.decode())
        with open(self.map, encoding="utf-8") as file:
            moved = json.load(file)
        schema.validate_map(moved)
        return Reader(fixture.path), Reader(self.new), moved

    def page_aligned(self):
        """Those that keep their places, so that addresses of old and new can be compared."""
        found = [f for f in self.fixtures if f.rewrite == "repairs" and "low_" not in f.name and "_all_" not in f.name]
        self.assertGreater(len(found), 12)
        return found

    def test_the_map_is_true(self):
        seen = set()
        for fixture in self.page_aligned():
            with self.subTest(fixture.file_name):
                old, new, moved = self.fix(fixture, "--target", "1607")
                self.assertTrue(old.straddlers)
                self.assertFalse(new.straddlers)
                at_start = {field["old_rva"] for field in moved["relocated_at_start"]}
                copied = {rva for copy in moved["copied_instructions"] for rva in old.straddlers
                          if copy["old_rva"] <= rva < copy["old_rva"] + copy["size"]}
                shifted = {rva for piece in moved["pieces"] if piece["kind"] == "shifted section" for rva in old.straddlers
                           if piece["old_rva"] <= rva < piece["old_rva"] + piece["size"]}
                self.assertEqual(sorted([*at_start, *copied, *shifted]), sorted(old.straddlers))
                self.assertFalse(at_start & new.relocations)
                for name, part in (("stub", at_start), ("copy", copied), ("shift", shifted)):
                    if part:
                        seen.add(name)
        self.assertEqual(seen, {"stub", "copy", "shift"})

    def test_stubs_stand_in_front(self):
        for fixture in self.page_aligned():
            with self.subTest(fixture.file_name):
                old, new, moved = self.fix(fixture, "--target", "1607")
                stubs = moved["start_stubs"]
                self.assertEqual(bool(stubs), new.entry != old.entry)
                if not stubs:
                    continue
                self.assertEqual((stubs[0]["new_rva"], stubs[0]["function_old_rva"]), (new.entry, old.entry))
                for stub in stubs:
                    last = stub["new_rva"] + stub["size"] - 5
                    self.assertEqual(new.jump_target(last), stub["function_new_rva"])
                    self.assertEqual(stub["new_rva"] % 16, 0)
                exported = [{e.name: e.address for e in reader.pe.DIRECTORY_ENTRY_EXPORT.symbols}
                            if hasattr(reader.pe, "DIRECTORY_ENTRY_EXPORT") else {} for reader in (old, new)]
                self.assertEqual(len(stubs), 2 if b"DllInitialize" in exported[0] else 1)
                if len(stubs) == 2:
                    self.assertEqual(exported[1].pop(b"DllInitialize"), stubs[1]["new_rva"])
                    self.assertEqual(exported[0].pop(b"DllInitialize"), stubs[1]["function_old_rva"])
                self.assertEqual(*exported)

    def test_copies_are_reached_and_come_back(self):
        count = 0
        for fixture in self.page_aligned():
            old, new, moved = self.fix(fixture, "--target", "1607")
            for copy in moved["copied_instructions"]:
                with self.subTest(fixture.file_name, rva=hex(copy["old_rva"])):
                    count += 1
                    place, there, nbytes = copy["old_rva"], copy["new_rva"], copy["size"]
                    self.assertEqual(new.bytes(there, nbytes), old.bytes(place, nbytes))
                    self.assertEqual(new.jump_target(place), there)
                    self.assertEqual(new.bytes(place + 5, nbytes - 5), b"\xCC" * (nbytes - 5))
                    self.assertEqual(new.jump_target(there + nbytes), place + nbytes)
                    within = {rva - place for rva in old.relocations if place <= rva < place + nbytes}
                    self.assertEqual({rva - there for rva in new.relocations if there <= rva < there + nbytes}, within)
        self.assertGreaterEqual(count, 5)

    def test_when(self):
        """A note is left alone; named, it is repaired for any target, and nothing else is."""
        fixture = next(f for f in self.fixtures if f.file_name == "straddle_init_rwx_x64")
        old, new, moved = self.fix(fixture)
        self.assertEqual((moved["pieces"], new.straddlers), ([], old.straddlers))
        old, new, moved = self.fix(fixture, "--only", RULE)
        self.assertFalse(new.straddlers)
        rights = [{s.Name: s.Characteristics for s in reader.pe.sections} for reader in (old, new)]
        self.assertEqual(rights[0].items() - rights[1].items(), set())

    def test_refusals_help(self):
        for fixture in self.fixtures:
            if fixture.name not in REFUSED:
                continue
            with self.subTest(fixture.file_name):
                code, (image,) = tool.report("fix", fixture.path, "-o", self.new, "--target", "1607")
                self.assertEqual((code, image["status"]), (1, "refused"))
                refusal = next(f for f in image["findings"] if f["code"].startswith("HVCI90"))
                self.assertIn(REFUSED[fixture.name], refusal["message"])
                self.assertIn("natural packing", refusal["cure"])
                self.assertFalse(os.path.exists(self.new))

    def test_low_aligned_alone(self):
        fixture = next(f for f in self.fixtures if f.file_name == "straddle_low_80_x64")
        code, (image,) = tool.report("fix", fixture.path, "-o", self.new, "--only", RULE)
        self.assertEqual(code, 1)
        self.assertIn("HVCI2004", next(f for f in image["findings"] if f["code"].startswith("HVCI90"))["cure"])

    def test_dry_run_tells(self):
        for name, words in (("straddle_x64", "start-up stub"), ("straddle_code_x86", "copied instruction"),
                            ("straddle_few_x64", "shifted section")):
            fixture = next(f for f in self.fixtures if f.file_name == name)
            done = tool.run("fix", fixture.path, "--dry-run", "--target", "1607")
            self.assertEqual(done.returncode, 0)
            self.assertIn(words, done.stdout.decode())


if __name__ == "__main__":
    unittest.main()
