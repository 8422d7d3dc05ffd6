"""`fix` on what linkers and tools wrote before the year 2003: debug data behind the sections, bound imports.

Both files are read by pefile; expected values follow from the old file and from where pefile finds things in the new
one.
"""

import os
import shutil
import struct
import tempfile
import unittest

import pefile

from support import images, matrix, tool

COFF, CODEVIEW, FPO, MISC, FIXUP, POGO = 1, 2, 3, 4, 6, 13
CARRIED, LEFT_OUT = {CODEVIEW, FPO, MISC}, {COFF, FIXUP}


def fixtures(name):
    return [fixture for fixture in matrix.read() if fixture.name == name]


class OldImages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "new.sys")

    def repaired(self, fixture):
        """Old and new bytes."""
        done = tool.run("fix", fixture.path, "-o", self.path)
        self.assertEqual(done.returncode, 0, done.stdout)
        return images.read(fixture.path), images.read(self.path)

    def judged(self, fixture, data):
        """The exit code of `verify` for other new bytes, with the checksum that they should have."""
        path, data = os.path.join(self.folder, "mutant.sys"), bytearray(data)
        headers = images.Headers(bytes(data))
        struct.pack_into("<I", data, headers.checksum_foff, headers.right_checksum())
        with open(path, "wb") as file:
            file.write(data)
        return tool.run("verify", fixture.path, path).returncode


def debug_entries(data):
    """{type: (place of the entry, size, RVA, file offset, content)}."""
    entries = {}
    for entry in pefile.PE(data=data).DIRECTORY_ENTRY_DEBUG:
        fields = entry.struct
        content = data[fields.PointerToRawData : fields.PointerToRawData + fields.SizeOfData]
        entries[fields.Type] = (fields.get_file_offset(), fields.SizeOfData, fields.AddressOfRawData,
                                fields.PointerToRawData, content)
    return entries


def end_of_sections(data):
    return max(section.PointerToRawData + section.SizeOfRawData for section in pefile.PE(data=data).sections)


class DebugDataBehindTheSections(OldImages):
    NAMES = ("debug_behind_low_20", "debug_behind_iat_in_text")

    def cases(self):
        chosen = [fixture for name in self.NAMES for fixture in fixtures(name)]
        self.assertEqual(len(chosen), 4)
        return chosen

    def test_what_is_no_symbol_is_carried_over(self):
        for fixture in self.cases():
            with self.subTest(fixture=fixture.file_name):
                old, new = self.repaired(fixture)
                before, after = debug_entries(old), debug_entries(new)
                self.assertEqual(set(before), set(after))
                for kind in CARRIED & set(before):
                    self.assertEqual(after[kind][1:3], before[kind][1:3])
                    self.assertGreaterEqual(after[kind][3], end_of_sections(new))
                for kind in {CODEVIEW, MISC}:
                    self.assertEqual(after[kind][4], before[kind][4])

    def test_frame_data_follow_their_functions(self):
        for fixture in self.cases():
            if fixture.machine != "x86":
                continue
            with self.subTest(fixture=fixture.file_name):
                old, new = self.repaired(fixture)
                before, after = debug_entries(old)[FPO][4], debug_entries(new)[FPO][4]
                distance = (pefile.PE(data=new).OPTIONAL_HEADER.AddressOfEntryPoint
                            - pefile.PE(data=old).OPTIONAL_HEADER.AddressOfEntryPoint)
                self.assertEqual(len(after), 32)
                for at in (0, 16):
                    begin = struct.unpack_from("<I", before, at)[0]
                    self.assertEqual(struct.unpack_from("<I", after, at)[0], begin + distance)
                    self.assertEqual(after[at + 4 : at + 16], before[at + 4 : at + 16])

    def test_symbols_are_left_out(self):
        for fixture in self.cases():
            with self.subTest(fixture=fixture.file_name):
                old, new = self.repaired(fixture)
                self.assertNotEqual(pefile.PE(data=old).FILE_HEADER.PointerToSymbolTable, 0)
                header = pefile.PE(data=new).FILE_HEADER
                self.assertEqual((header.PointerToSymbolTable, header.NumberOfSymbols), (0, 0))
                for kind in LEFT_OUT:
                    self.assertEqual(debug_entries(new)[kind][1:4], (0, 0, 0))

    def test_every_other_byte_behind_the_sections_is_rejected(self):
        for fixture in self.cases()[:2]:
            with self.subTest(fixture=fixture.file_name):
                _, new = self.repaired(fixture)
                end, step = end_of_sections(new), 13 if tool.IS_SLOW else 3
                self.assertGreater(len(new) - end, 0x110)
                for foff in range(end, len(new), step):
                    mutant = bytearray(new)
                    mutant[foff] ^= 0x40
                    self.assertEqual(self.judged(fixture, mutant), 1, hex(foff))
                self.assertEqual(self.judged(fixture, new), 0)
                self.assertEqual(self.judged(fixture, new + b"more"), 1)
                self.assertEqual(self.judged(fixture, new[:-4]), 1)

    def test_entries_that_lead_elsewhere_are_rejected(self):
        for fixture in self.cases():
            _, new = self.repaired(fixture)
            for kind, (place, nbytes, _, foff, _) in debug_entries(new).items():
                for field, value in ((16, nbytes + 1), (20, 0x1000), (24, foff + 4), (24, 0x400), (12, POGO)):
                    with self.subTest(fixture=fixture.file_name, kind=kind, field=field, value=hex(value)):
                        mutant = bytearray(new)
                        struct.pack_into("<I", mutant, place + field, value)
                        self.assertEqual(self.judged(fixture, mutant), 1)


class BytesOfNoPage(OldImages):
    def test_what_only_the_file_shows_is_refused(self):
        """The last section's raw data go on behind its pages: with zeros nothing is lost, with anything else it would be."""
        for fixture in fixtures("iat_in_text"):
            if fixture.machine == "arm64":
                continue
            for tail, code in ((bytes(0x1200), 0), (bytes(0x11FF) + b"x", 1)):
                with self.subTest(fixture=fixture.file_name, code=code):
                    image = pefile.PE(data=images.read(fixture.path) + tail)
                    last = max(image.sections, key=lambda section: section.PointerToRawData)
                    self.assertEqual(last.PointerToRawData + last.SizeOfRawData + len(tail), len(image.__data__))
                    last.SizeOfRawData += len(tail)
                    path = os.path.join(self.folder, "old.sys")
                    image.write(path)
                    done = tool.run("fix", path, "-o", self.path)
                    self.assertEqual(done.returncode, code, done.stdout)
                    self.assertEqual(b"in none of its pages" in done.stdout, code == 1)


def imports(data):
    """[(place of the descriptor, its fields, [(slot's place, slot, lookup entry)])]."""
    image = pefile.PE(data=data)
    width, form = (8, "<Q") if image.OPTIONAL_HEADER.Magic == 0x20B else (4, "<I")
    found = []
    for entry in image.DIRECTORY_ENTRY_IMPORT:
        lookup = image.get_offset_from_rva(entry.struct.OriginalFirstThunk)
        slots = image.get_offset_from_rva(entry.struct.FirstThunk)
        rows, at = [], 0
        while struct.unpack_from(form, data, lookup + at)[0]:
            rows.append((slots + at, struct.unpack_from(form, data, slots + at)[0],
                         struct.unpack_from(form, data, lookup + at)[0]))
            at += width
        found.append((entry.struct.get_file_offset(), entry.struct, rows))
    return found


class EditedImports(OldImages):
    """Who adds an import to a linked image puts its slots elsewhere, and leaves data directory 12 as it was."""

    def test_the_directory_may_leave_out_slots(self):
        old, width = os.path.join(self.folder, "old.sys"), 4
        fixture = next(fixture for fixture in fixtures("cookie_in_text") if fixture.file_name.endswith("_x86"))
        data = bytearray(images.read(fixture.path))
        before = pefile.PE(data=bytes(data))
        directory = before.OPTIONAL_HEADER.DATA_DIRECTORY[12]
        entry, rva, size = directory.get_file_offset(), directory.VirtualAddress, directory.Size
        for place in ((rva, size - 2 * width), (rva + width, size - width), (rva, width)):
            with self.subTest(place=place):
                struct.pack_into("<II", data, entry, *place)
                with open(old, "wb") as file:
                    file.write(data)
                done = tool.run("fix", old, "-o", self.path)
                self.assertEqual(done.returncode, 0, done.stdout)
                new = images.read(self.path)
                after = pefile.PE(data=new)
                moved = (after.DIRECTORY_ENTRY_IMPORT[0].struct.FirstThunk
                         - before.DIRECTORY_ENTRY_IMPORT[0].struct.FirstThunk)
                directory = after.OPTIONAL_HEADER.DATA_DIRECTORY[12]
                self.assertEqual((directory.VirtualAddress - moved, directory.Size), place)
                self.assertEqual(tool.run("verify", old, self.path).returncode, 0)
                mutant = bytearray(new)
                struct.pack_into("<I", mutant, directory.get_file_offset(), directory.VirtualAddress + width)
                headers = images.Headers(bytes(mutant))
                struct.pack_into("<I", mutant, headers.checksum_foff, headers.right_checksum())
                with open(self.path, "wb") as file:
                    file.write(mutant)
                self.assertEqual(tool.run("verify", old, self.path).returncode, 1)


class BoundImports(OldImages):
    NAMES = ("bound_low_200", "bound_iat_in_text")

    def cases(self):
        chosen = [fixture for name in self.NAMES for fixture in fixtures(name)]
        self.assertEqual(len(chosen), 4)
        return chosen

    def test_a_binding_is_taken_back(self):
        for fixture in self.cases():
            with self.subTest(fixture=fixture.file_name):
                old, new = self.repaired(fixture)
                before, after = imports(old), imports(new)
                self.assertEqual(len(before), len(after))
                self.assertEqual(pefile.PE(data=new).OPTIONAL_HEADER.DATA_DIRECTORY[11].VirtualAddress, 0)
                self.assertEqual(pefile.PE(data=new).OPTIONAL_HEADER.DATA_DIRECTORY[11].Size, 0)
                for (_, was, old_rows), (_, fields, rows) in zip(before, after):
                    self.assertEqual((was.TimeDateStamp, fields.TimeDateStamp, fields.ForwarderChain),
                                     (0xFFFFFFFF, 0, 0))
                    self.assertEqual(len(rows), len(old_rows))
                    self.assertTrue(rows)
                    for _, slot, entry in rows:
                        self.assertEqual(slot, entry)
                    for _, slot, entry in old_rows:
                        self.assertNotEqual(slot, entry)
                names = [[item.name for item in entry.imports] for entry in pefile.PE(data=new).DIRECTORY_ENTRY_IMPORT]
                self.assertEqual(names, [[item.name for item in entry.imports]
                                         for entry in pefile.PE(data=old).DIRECTORY_ENTRY_IMPORT])

    def test_half_a_binding_is_rejected(self):
        for fixture in self.cases():
            old, new = self.repaired(fixture)
            directory = pefile.PE(data=new).OPTIONAL_HEADER.DATA_DIRECTORY[11].get_file_offset()
            place, _, rows = imports(new)[0]
            changes = [(place + 4, 0xFFFFFFFF), (place + 8, 0xFFFFFFFF), (directory, 0x238), (directory + 4, 8)]
            changes += [(slot, was & 0xFFFFFFFF) for (slot, _, _), (_, was, _) in zip(rows, imports(old)[0][2])]
            for foff, value in changes:
                with self.subTest(fixture=fixture.file_name, foff=hex(foff)):
                    mutant = bytearray(new)
                    struct.pack_into("<I", mutant, foff, value)
                    self.assertEqual(self.judged(fixture, mutant), 1)

    def test_an_index_on_an_address_in_the_headers_follows_its_array(self):
        """calls.c has table[code - 0x803], which x86 stores as an address 0x200C bytes before the table."""
        fixture = fixtures("bound_iat_in_text")[1]
        self.assertEqual(fixture.machine, "x86")
        old, new = self.repaired(fixture)
        operand = b"\x8b\x04\x95" + struct.pack("<I", 0x400100)  # mov eax, [edx * 4 + 0x400100]
        place = old.find(operand)
        self.assertGreater(place, 0)
        table = struct.unpack_from("<I", old, place + 3)[0] - 0x400000 + 0x200C
        entry = pefile.PE(data=old).get_dword_at_rva(table)
        moved = struct.unpack_from("<I", new, place + 3)[0] - 0x400000 + 0x200C
        self.assertNotEqual(moved, table)
        self.assertEqual(pefile.PE(data=new).get_dword_at_rva(moved) - entry, moved - table)
        mutant = bytearray(new)
        mutant[place : place + len(operand)] = operand
        self.assertEqual(self.judged(fixture, mutant), 1)


if __name__ == "__main__":
    unittest.main()
