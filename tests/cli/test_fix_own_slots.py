"""`fix` on imports that a Windows may not have: their slots hold a function of the image itself (fixtures/patch.py makes such).

Both files are read by pefile; the strict loader says that both drivers answer the same. (Wine relocates what it has imported
before, so it loads no such driver right.)
"""

import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import pefile

from support import images, matrix, strict_loader, tool

PATCH = pathlib.Path(os.environ["HVCIFIX_SOURCE"], "fixtures", "patch.py")
MACHINES = {"x64": (8, "<Q"), "x86": (4, "<I")}


def checked(data):
    """With the checksum that it should have."""
    data, headers = bytearray(data), images.Headers(bytes(data))
    struct.pack_into("<I", data, headers.checksum_foff, headers.right_checksum())
    return data


def changed_slots(data, width, form):
    """File offsets of import slots that hold something else than their lookup entry."""
    image, found = pefile.PE(data=data), []
    for module in image.DIRECTORY_ENTRY_IMPORT:
        lookup, slots = (image.get_offset_from_rva(rva) for rva in (module.struct.OriginalFirstThunk,
                                                                   module.struct.FirstThunk))
        for at in range(0, width * len(module.imports), width):
            if struct.unpack_from(form, data, lookup + at) != struct.unpack_from(form, data, slots + at):
                found.append(slots + at)
    return found


def relocation_place(data, foff):
    """Where the table has the entry of the field at a file offset."""
    image = pefile.PE(data=data)
    for block in image.DIRECTORY_ENTRY_BASERELOC:
        for entry in block.entries:
            if entry.type and entry.rva == image.get_rva_from_offset(foff):
                return entry.struct.get_file_offset()
    return None


class OwnSlots(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def put(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def cases(self):
        """Paths of both files, their bytes, their slots."""
        for machine, (width, form) in MACHINES.items():
            with self.subTest(machine=machine):
                plain = next(fixture.path for fixture in matrix.read() if fixture.file_name == f"iat_in_text_{machine}")
                paths = [shutil.copy(plain, os.path.join(self.folder, "old.sys")), os.path.join(self.folder, "new.sys")]
                subprocess.run(["/usr/bin/python3", PATCH, paths[0], "own_slots"], check=True)
                done = tool.run("fix", paths[0], "-o", paths[1])
                self.assertEqual(done.returncode, 0, done.stdout)
                files = [images.read(path) for path in paths]
                slots = [changed_slots(data, width, form) for data in files]
                self.assertEqual([len(found) for found in slots], [2, 2])
                yield machine, paths, files, slots

    def test_they_follow_the_function(self):
        for machine, paths, (_, new), (_, slots) in self.cases():
            width, form = MACHINES[machine]
            image = pefile.PE(data=new)
            self.assertEqual(strict_loader.differences(*paths), "")
            for slot in slots:
                self.assertEqual(struct.unpack_from(form, new, slot)[0],
                                 image.OPTIONAL_HEADER.ImageBase + image.OPTIONAL_HEADER.AddressOfEntryPoint)
                self.assertFalse(image.get_section_by_rva(image.get_rva_from_offset(slot)).Characteristics & 0x20000000)
                place, value = relocation_place(new, slot), struct.unpack_from("<I", new, slot)[0]
                self.assertIsNotNone(place)
                changes = [(slot, "<I", value + 4), (slot, "<I", value - 0x1000), (slot, "<I", value & 0xFFFF),
                           (place, "<H", 0), (place, "<H", struct.unpack_from("<H", new, place)[0] ^ width)]
                for foff, form_of_change, other in changes:
                    mutant = bytearray(new)
                    struct.pack_into(form_of_change, mutant, foff, other)
                    self.assertEqual(tool.run("verify", paths[0], self.put("mutant.sys", checked(mutant))).returncode, 1)

    def test_without_a_base_relocation_nothing_is_shown(self):
        """Then what a slot holds is an address at one place of the image only."""
        for _, _, files, slots in self.cases():
            bare = []
            for name, data, found in zip(("bare_old.sys", "bare_new.sys"), files, slots):
                data = bytearray(data)
                struct.pack_into("<H", data, relocation_place(bytes(data), found[0]), 0)
                bare.append(self.put(name, checked(data)))
            for words in (("verify", *bare), ("fix", bare[0], "-o", os.path.join(self.folder, "refused.sys"))):
                done = tool.run(*words)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"no base relocation names it", b" ".join(done.stdout.split()))

    def test_data_are_no_function(self):
        """A slot that leads to what is not executable is damage."""
        for machine, paths, (old, _), (slots, _) in self.cases():
            image, data = pefile.PE(data=old), bytearray(old)
            section = next(section for section in image.sections if section.Name.startswith(b".data"))
            struct.pack_into(MACHINES[machine][1], data, slots[0], image.OPTIONAL_HEADER.ImageBase + section.VirtualAddress)
            done = tool.run("fix", self.put("data.sys", data), "-o", os.path.join(self.folder, "refused.sys"))
            self.assertNotEqual(done.returncode, 0)
            self.assertFalse(os.path.exists(os.path.join(self.folder, "refused.sys")))


if __name__ == "__main__":
    unittest.main()
