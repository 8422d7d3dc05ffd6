"""`fix` on tables whose range reaches over the border of two sections: who reads one finds behind its begin what was there,
so a repair that moves the sections apart is refused. pefile reads the images.
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

    def test_resource_up_to_the_border(self):
        """The same length in one section is no reason: both images have the same bytes there."""
        self.put_leaf(self.border_rva)
        code, reasons, fixed = self.fix()
        self.assertEqual((code, reasons), (0, []))
        self.assertEqual(fixed.get_data(leaf_of(fixed).OffsetToData, LENGTH_NBYTES),
                         self.image.get_data(self.border_rva, LENGTH_NBYTES))


if __name__ == "__main__":
    unittest.main()
