"""`fix` and `verify` on tables and names that reach over the border of two sections: who reads one finds behind its begin
what was there, so a repair that moves the sections apart is refused. pefile reads the images.
"""

import os
import shutil
import struct
import tempfile
import unittest

import pefile

from support import images, matrix, tool

DRIVER = "rich_low_80_x86"
BEFORE_BORDER_NBYTES = 16
LENGTH_NBYTES = 32
DEBUG_ENTRY_NBYTES = 28
IMPORT_NAME, EXPORT_NAME = 12, 12
DEBUG_TYPE_FLAGS, DEBUG_DIRECTORY = 20, 6  # EX_DLLCHARACTERISTICS


def leaf_of(image):
    entry = image.DIRECTORY_ENTRY_RESOURCE.entries[0]
    while hasattr(entry, "directory"):
        entry = entry.directory.entries[0]
    return entry.data.struct


class Torn(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        path = next(fixture.path for fixture in matrix.read() if fixture.file_name == DRIVER)
        self.data = bytearray(images.read(path))
        self.image = pefile.PE(data=bytes(self.data))
        text, rdata = self.image.sections[:2]
        self.border_rva = rdata.VirtualAddress
        self.assertEqual(self.image.get_section_by_rva(self.border_rva - BEFORE_BORDER_NBYTES).Name, text.Name)

    def fix(self):
        """(exit code, why it was refused, the new image or None)"""
        path, fixed = (os.path.join(self.folder, name) for name in ("old.sys", "new.sys"))
        with open(path, "wb") as file:
            file.write(self.data)
        code, reported = tool.report("fix", "-o", fixed, path)
        reasons = [finding["message"] for finding in reported[0]["findings"] if finding["code"] == "HVCI9023"]
        return code, reasons, pefile.PE(fixed) if os.path.exists(fixed) else None

    def put_leaf(self, rva):
        struct.pack_into("<II", self.data, leaf_of(self.image).get_file_offset(), rva, LENGTH_NBYTES)

    def assert_refused(self, what):
        code, reasons, fixed = self.fix()
        self.assertEqual((code, fixed), (1, None))
        self.assertRegex(reasons[0], rf"\({what}\) would be torn apart at RVA 0x{self.border_rva:X}")

    def test_resource(self):
        self.put_leaf(self.border_rva - BEFORE_BORDER_NBYTES)
        self.assert_refused("a resource")

    def test_debug_data(self):
        """The entry lies where the version resource lay."""
        leaf = leaf_of(self.image)
        entry_foff = self.image.get_offset_from_rva(leaf.OffsetToData)
        data_rva = self.border_rva - BEFORE_BORDER_NBYTES
        self.data[entry_foff:entry_foff + DEBUG_ENTRY_NBYTES] = struct.pack(
            "<IIHHIIII", 0, 0, 0, 0, DEBUG_TYPE_FLAGS, LENGTH_NBYTES, data_rva,
            self.image.get_offset_from_rva(data_rva))
        directory = self.image.OPTIONAL_HEADER.DATA_DIRECTORY[DEBUG_DIRECTORY]
        struct.pack_into("<II", self.data, directory.get_file_offset(), leaf.OffsetToData, DEBUG_ENTRY_NBYTES)
        self.assert_refused("debug data")

    def put_name(self, field_foff, name, before_nbytes=4):
        """The name that the RVA at field_foff leads to begins so many bytes before the border."""
        rva = self.border_rva - before_nbytes
        foff = self.image.get_offset_from_rva(rva)
        self.data[foff:foff + len(name)] = name
        struct.pack_into("<I", self.data, field_foff, rva)

    def test_name_of_a_module(self):
        module = self.image.DIRECTORY_ENTRY_IMPORT[0]
        self.put_name(module.struct.get_file_offset() + IMPORT_NAME, module.dll + b"\0")
        self.assert_refused("a name")

    def test_name_of_an_import(self):
        module = self.image.DIRECTORY_ENTRY_IMPORT[0]
        for table in (module.struct.OriginalFirstThunk, module.struct.FirstThunk):
            self.put_name(self.image.get_offset_from_rva(table), bytes(2) + module.imports[0].name + b"\0", 8)
        self.assert_refused("a name")

    def test_name_of_an_export(self):
        exports = self.image.DIRECTORY_ENTRY_EXPORT
        self.put_name(self.image.get_offset_from_rva(exports.struct.AddressOfNames), exports.symbols[0].name + b"\0")
        self.assert_refused("a name")

    def test_name_of_the_exporting_image(self):
        self.put_name(self.image.DIRECTORY_ENTRY_EXPORT.struct.get_file_offset() + EXPORT_NAME, b"a_driver.sys\0")
        self.assert_refused("a name")

    def test_name_whose_end_is_padding(self):
        """The zero behind it lies in no section's size, and the fill of the new image is none."""
        name = b"a.sys\0"
        self.put_name(self.image.DIRECTORY_ENTRY_EXPORT.struct.get_file_offset() + EXPORT_NAME, name, len(name))
        code, reasons, fixed = self.fix()
        self.assertEqual((code, fixed), (1, None))
        self.assertIn(f"The padding at RVA 0x{self.border_rva - 1:X}, which is read, would become something else",
                      reasons[0])

    def test_name_whose_end_is_content(self):
        rsrc = self.image.sections[-2]
        self.data[rsrc.get_file_offset() + 8:rsrc.get_file_offset() + 12] = struct.pack("<I", rsrc.SizeOfRawData)
        name, rva = b"a.sys\0", rsrc.VirtualAddress + rsrc.Misc_VirtualSize
        foff = self.image.get_offset_from_rva(rva - 1) + 1
        self.data[foff:foff + len(name)] = name
        struct.pack_into("<I", self.data, self.image.DIRECTORY_ENTRY_EXPORT.struct.get_file_offset() + EXPORT_NAME, rva)
        code, reasons, fixed = self.fix()
        self.assertEqual((code, reasons), (0, []))
        self.assertEqual(fixed.get_data(fixed.DIRECTORY_ENTRY_EXPORT.struct.Name, len(name)), name)

    def test_resource_up_to_the_border(self):
        """The same length in one section is no reason: both images have the same bytes there."""
        self.put_leaf(self.border_rva)
        code, reasons, fixed = self.fix()
        self.assertEqual((code, reasons), (0, []))
        self.assertEqual(fixed.get_data(leaf_of(fixed).OffsetToData, LENGTH_NBYTES),
                         self.image.get_data(self.border_rva, LENGTH_NBYTES))


class TornByOthers(unittest.TestCase):
    """`verify` on a pair that `fix` does not write: resources whose places, counted from the root, no longer fit."""

    LEVEL_NBYTES, LEAF_NBYTES = 24, 16

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        old = next(fixture.path for fixture in matrix.read() if fixture.file_name == "rich_low_80_x64")
        new = os.path.join(self.folder, "new.sys")
        self.assertEqual(tool.run("fix", "-o", new, old).returncode, 0)
        self.images = [pefile.PE(path) for path in (old, new)]
        self.border_rva = self.images[0].sections[1].VirtualAddress
        self.code_delta, self.data_delta, self.leaf_delta = (
            b - a for a, b in zip(*([image.OPTIONAL_HEADER.AddressOfEntryPoint,
                                     image.OPTIONAL_HEADER.DATA_DIRECTORY[0].VirtualAddress,
                                     leaf_of(image).OffsetToData] for image in self.images)))
        self.assertNotEqual(self.code_delta, self.data_delta)

    def verify(self, root_rva, level_rvas, leaf_rva):
        """Writes such a tree, of one resource, into both images."""
        paths = []
        for image, is_new in zip(self.images, (False, True)):
            data, found = bytearray(image.__data__), leaf_of(image)
            old_leaf = leaf_of(self.images[0])

            def put(rva, content):
                delta = self.data_delta if rva >= self.border_rva else self.code_delta
                foff = image.get_offset_from_rva(rva + delta if is_new else rva)
                data[foff:foff + len(content)] = content

            for at, below, entry in zip((root_rva, *level_rvas), (*level_rvas, leaf_rva), (16, 1, 1033)):
                place = below - root_rva | (0 if below == leaf_rva else 1 << 31)
                put(at, struct.pack("<IIHHHHII", 0, 0, 0, 0, 0, 1, entry, place))
            data[found.get_file_offset():found.get_file_offset() + 4] = struct.pack("<I", old_leaf.OffsetToData)
            put(leaf_rva, struct.pack("<IIII", found.OffsetToData, found.Size, 0, 0))
            struct.pack_into("<II", data, image.OPTIONAL_HEADER.DATA_DIRECTORY[2].get_file_offset(),
                             root_rva + (self.code_delta if root_rva < self.border_rva else self.data_delta) * is_new,
                             leaf_rva + self.LEAF_NBYTES - root_rva)
            headers = images.Headers(bytes(data))
            struct.pack_into("<I", data, headers.checksum_foff, headers.right_checksum())
            paths.append(os.path.join(self.folder, f"pair_{len(paths)}.sys"))
            with open(paths[-1], "wb") as file:
                file.write(data)
        return tool.run("verify", *paths)

    def test_resources(self):
        level, border = self.LEVEL_NBYTES, self.border_rva
        whole = self.verify(border, (border + level, border + 2 * level), border + 3 * level)
        self.assertEqual(whole.returncode, 0, whole.stdout)
        for root, levels, leaf in ((border - level, (border, border + level), border + 2 * level),
                                   (border - 3 * level, (border - 2 * level, border - level), border),
                                   (border - 3 * level - 8, (border - 2 * level - 8, border - level - 8), border - 8)):
            with self.subTest(before=border - root):
                torn = self.verify(root, levels, leaf)
                self.assertEqual(torn.returncode, 1)
                self.assertRegex(b" ".join(torn.stdout.split()), rb"would be torn apart at RVA 0x%X" % border)


if __name__ == "__main__":
    unittest.main()
