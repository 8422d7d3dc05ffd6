"""`fix --nx` together with all else: other repairs, what images bring along, and the rest of the tool.

What the stubs do to calls is compared in tests/wine/test_nx.py; here it is what comes out, as pefile and the files' own bytes
show it, and what the verifier says of pairs that no test made by `fix` alone.
"""

import hashlib
import json
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import pefile

from support import matrix, pdb, tool

SOURCE = pathlib.Path(os.environ["HVCIFIX_SOURCE"])
SECURITY, BASERELOC, LOAD_CONFIG = 4, 5, 10
RELOCS_STRIPPED = 1
# Offsets in the load configuration of x64: the place of dynamic relocations, and the section (from 1) that they are in.
DVRT_OFFSET, DVRT_SECTION = 0xE0, 0xE4
IMPORT_CALLS = 3  # the kind of dynamic relocation that lists calls through import slots


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.new = self.folder / "new.sys"

    def take(self, file_name):
        """A copy of the fixture."""
        return pathlib.Path(shutil.copy(fixture(file_name), self.folder / f"{file_name}.sys"))

    def fix(self, old, *options, code=0, new=None):
        done, images = tool.report("fix", "--nx", *options, "-o", new or self.new, old)
        self.assertEqual(done, code, images)
        return images[0]

    def verify(self, *words, code=0):
        done = tool.run("verify", *words)
        self.assertEqual(done.returncode, code, done.stdout)
        return " ".join(done.stdout.decode().split())

    def sections(self, path):
        with pefile.PE(path, fast_load=True) as image:
            return [section.Name.rstrip(b"\0").decode() for section in image.sections]

    def notes(self, image, code="HVCI9024"):
        return [finding["message"] for finding in image["findings"] if finding["code"] == code]


class Steps(Case):
    """More than one run."""

    def test_one_rule_after_the_other(self):
        """Two steps are two rows of stubs; they are proved against the first image too, and each of them has to be right."""
        first = self.folder / "first.sys"
        for machine in ("x64", "x86"):
            with self.subTest(machine=machine):
                old = fixture(f"executable_maps_{machine}")
                self.fix(old, "--only", "HVCI2000", code=0, new=first)
                self.fix(first)
                self.assertEqual(self.sections(self.new).count(".hvnx"), 2)
                said = self.verify(old, self.new)
                for words in ("adds POOL_NX_ALLOCATION to Flags", "adds MdlMappingNoExecute"):
                    self.assertIn(words, said)
                with pefile.PE(self.new, fast_load=True) as image:
                    stub = next(section for section in image.sections if section.Name.startswith(b".hvnx"))
                    at = stub.PointerToRawData + (3 if machine == "x64" else 4)  # the constant of `or`
                    image.set_bytes_at_offset(at, b"\1")
                    image.OPTIONAL_HEADER.CheckSum = image.generate_checksum()
                    image.write(str(self.folder / "broken.sys"))
                self.assertIn("flag", self.verify(old, self.folder / "broken.sys", code=1))


class Images(Case):
    """What images bring along."""

    def test_loads_under_guard(self):
        """The load is named; with the others, calls of another function are led through a stub."""
        for machine, loads in (("x64", (b"\x48\x8b", b"\x4c\x8b")), ("x86", (b"\x8b", b"\xa1"))):
            old = fixture(f"executable_pool_guard_{machine}")
            left = [finding for finding in self.fix(old, code=1)["findings"] if finding["code"] == "HVCI9024"]
            with pefile.PE(old, fast_load=True) as image:
                self.assertTrue(image.get_data(left[0]["rva"], 2).startswith(loads))
            self.assertIn(".hvnx", self.sections(self.new))

    def test_a_load_configuration_from_before_guard(self):
        """What lies behind its own size are no flags of control flow guard, whatever the bytes are."""
        for machine, nbytes in (("x64", 0x70), ("x86", 0x48)):
            old = self.take(f"executable_pool_guard_{machine}")
            with pefile.PE(data=old.read_bytes(), fast_load=True) as image:
                place = image.get_offset_from_rva(image.OPTIONAL_HEADER.DATA_DIRECTORY[LOAD_CONFIG].VirtualAddress)
            data = bytearray(old.read_bytes())
            struct.pack_into("<I", data, place, nbytes)
            old.write_bytes(data)
            self.assertEqual(self.notes(self.fix(old)), [])
            self.verify(old, self.new)

    def test_bound_in_the_way(self):
        for machine in ("x64", "x86"):
            old = self.take(f"executable_pool_{machine}")
            subprocess.run(["/usr/bin/python3", SOURCE / "fixtures" / "patch.py", old, "bound"], check=True)
            self.assertIn("bound imports", self.notes(self.fix(old, code=1), "HVCI9022")[0])
            self.assertFalse(self.new.exists())

    def strip(self, file_name):
        old = self.take(file_name)
        with pefile.PE(data=old.read_bytes(), fast_load=True) as image:
            image.FILE_HEADER.Characteristics |= RELOCS_STRIPPED
            image.OPTIONAL_HEADER.DATA_DIRECTORY[BASERELOC].VirtualAddress = 0
            image.OPTIONAL_HEADER.DATA_DIRECTORY[BASERELOC].Size = 0
            image.write(str(old))
        return old

    def test_without_relocations(self):
        """On x64 unwind data name the functions; on x86 nothing names those that tables lead to, and that is said."""
        old = self.strip("gcc_executable_pool_x64")
        self.fix(old)
        self.assertEqual([finding["code"] for finding in tool.report("check", self.new)[1][0]["findings"]], ["HVCI9011"])
        self.verify(old, self.new)
        left = self.fix(self.strip("gcc_executable_pool_x86"))
        self.assertEqual(left["changes"], [])
        self.assertEqual(len(self.notes(left)), 5)
        self.assertIn("was not decoded", self.notes(left)[0])

    def test_signatures(self):
        old = self.take("executable_pool_x64")
        key, certificate = self.folder / "k.pem", self.folder / "c.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test",
                        "-keyout", key, "-out", certificate], check=True, capture_output=True)
        signed = self.folder / "signed.sys"
        subprocess.run(["osslsigncode", "sign", "-h", "sha256", "-certs", certificate, "-key", key, "-in", old, "-out",
                        signed], check=True, capture_output=True)
        done, _ = tool.report("fix", "--nx", "-o", self.new, signed)
        self.assertNotEqual(done, 0)
        self.assertFalse(self.new.exists())
        self.fix(signed, "--drop-signature")
        self.verify(signed, self.new)
        unsigned = self.folder / "unsigned.sys"
        self.fix(old, new=unsigned)
        self.assertEqual(digest(unsigned), digest(self.new))

    def test_a_signed_length_in_the_last_fill(self):
        """The length of the old file means nothing in another layout, wherever it happens to lie there."""
        for machine in ("x64", "x86"):
            old = self.take(f"executable_all_low_80_{machine}")
            unsigned = self.folder / f"unsigned_{machine}.sys"
            self.fix(old, new=unsigned)
            with pefile.PE(unsigned, fast_load=True) as image:
                at = [section.Name.rstrip(b"\0") for section in image.sections].index(b".hvnx")
                last, stubs = image.sections[at - 1], image.sections[at]
                self.assertLess(last.PointerToRawData + last.Misc_VirtualSize, stubs.PointerToRawData - 8)
                length = stubs.PointerToRawData - 8
            data = bytearray(old.read_bytes())
            size = length - len(data)
            self.assertTrue(size > 8 and len(data) % 8 == 0, size)
            with pefile.PE(data=bytes(data), fast_load=True) as image:
                entry = image.OPTIONAL_HEADER.DATA_DIRECTORY[SECURITY].get_file_offset()
            struct.pack_into("<II", data, entry, len(data), size)
            old.write_bytes(data + struct.pack("<IHH", size, 0x200, 2) + bytes(size - 8))
            self.fix(old, "--drop-signature")
            self.assertEqual(digest(unsigned), digest(self.new))
            self.verify(old, self.new)

    def test_symbols_behind_the_sections(self):
        """GNU ld puts them there; they stay where the header says."""
        for machine in ("x64", "x86"):
            old = fixture(f"gnu_executable_pool_{machine}")
            self.fix(old)
            before, after = (subprocess.run(["llvm-readobj-19", "--symbols", path], check=True, capture_output=True,
                                            text=True).stdout.split("\n", 5)[5] for path in (old, self.new))
            self.assertIn("allocate_often", before)
            self.assertEqual(before, after)

    def with_dynamic_relocations(self, path):
        """Lists one call of the image as the kernel's to rewrite, behind the base relocations."""
        with pefile.PE(data=path.read_bytes(), fast_load=True) as image:
            text = next(section for section in image.sections if section.Name.startswith(b".text"))
            call_at = text.get_data().index(b"\xff\x15")
            number, home = next((number, section) for number, section in enumerate(image.sections, 1)
                                if section.Name.startswith(b".reloc"))
            block = struct.pack("<III", text.VirtualAddress & ~0xFFF, 12, call_at & 0xFFF)
            table = struct.pack("<IIQI", 1, 12 + len(block), IMPORT_CALLS, len(block)) + block
            at = home.Misc_VirtualSize + 3 & ~3
            assert at + len(table) <= home.SizeOfRawData
            image.set_bytes_at_offset(home.PointerToRawData + at, table)
            home.Misc_VirtualSize = at + len(table)
            config = image.OPTIONAL_HEADER.DATA_DIRECTORY[LOAD_CONFIG].VirtualAddress
            image.set_dword_at_rva(config + DVRT_OFFSET, at)
            image.set_word_at_rva(config + DVRT_SECTION, number)
            image.OPTIONAL_HEADER.CheckSum = image.generate_checksum()
            image.write(str(path))

    def test_dynamic_relocations(self):
        """Refused; and where somebody else leads the calls through stubs, it is not shown."""
        old = self.take("executable_pool_guard_x64")
        self.fix(old, code=1)
        for path in (old, self.new):
            self.with_dynamic_relocations(path)
        other = self.folder / "other.sys"
        refused = self.fix(old, code=1, new=other)
        self.assertIn("dynamic relocations", self.notes(refused, "HVCI9022")[0])
        self.assertFalse(other.exists())
        self.assertIn("dynamic relocations", self.verify(old, self.new, code=1))


class Tool(Case):
    """The other options and verbs."""

    def test_in_place_and_back(self):
        for machine in ("x64", "x86"):
            image = self.take(f"executable_maps_{machine}")
            before = digest(image)
            self.assertEqual(tool.run("fix", "--nx", "--in-place", image).returncode, 0)
            self.assertNotEqual(digest(image), before)
            self.assertEqual(tool.run("restore", image).returncode, 0)
            self.assertEqual(digest(image), before)

    def test_map(self):
        """Each use in the map lies where the old image has an instruction with that slot."""
        old, path = fixture("executable_all_low_80_x64"), self.folder / "map.json"
        self.fix(old, "--map", path)
        stubs = json.loads(path.read_text("utf-8"))["no_execute_stubs"]
        slots = {}
        with pefile.PE(old) as image, pefile.PE(self.new) as new:
            for module in new.DIRECTORY_ENTRY_IMPORT:
                slots.update({entry.name.decode(): entry.address - new.OPTIONAL_HEADER.ImageBase
                              for entry in module.imports})
            for stub in stubs:
                self.assertEqual(stub["slot_rva"], slots[stub["function"]])
                places = [f"0x{use:X}" for use in stub["uses"]]
                said = tool.run("translate", path, "--to-old", *places).stdout.decode().splitlines()
                for use, line in zip(stub["uses"], said, strict=True):
                    place = int(line.split(" -> ")[1].split()[0], 16)
                    self.assertIn(image.get_data(place, 2), (b"\xff\x15", b"\x48\xff", b"\x48\x8b", b"\x4c\x8b"))
                    lead = new.get_data(use, 7)
                    field = {0x67: 2, 0xE9: 1}.get(lead[0], 3)
                    target = use + field + 4 + struct.unpack_from("<i", lead, field)[0]
                    self.assertEqual(target, stub["stub_rva"])

    def test_pdb(self):
        """With another layout the new PDB has the new section. Stubs alone move nothing: the PDB stays, as does its name."""
        for name, is_moved in (("executable_all_low_80_x64", True), ("executable_pool_x64", False)):
            built = pdb.build(name)
            for suffix in (".sys", ".pdb"):
                shutil.copy(built.with_suffix(suffix), self.folder)
            old, new = self.folder / built.name, self.folder / "out" / built.name
            new.parent.mkdir(exist_ok=True)
            self.fix(old, new=new)
            self.assertEqual(new.with_suffix(".pdb").exists(), is_moved)
            self.assertEqual(pdb.identity(new) == pdb.identity(old), not is_moved)
            if is_moved:
                written = pdb.Pdb(new.with_suffix(".pdb"))
                self.assertEqual((written.guid, written.age), pdb.identity(new)[:2])
                headers = written.debug_stream(pdb.SECTIONS)
                names = [headers[at : at + 8].rstrip(b"\0").decode() for at in range(0, len(headers), 40)]
                self.assertEqual(names, self.sections(new))
            self.verify("--new-pdb-id", old, new)

    def test_folders(self):
        names = ("executable_pool_x64", "executable_maps_x86", "clean_x64")
        package, out = self.folder / "package", self.folder / "out"
        package.mkdir()
        for name in names:
            shutil.copy(fixture(name), package / f"{name}.sys")
        self.assertEqual(tool.run("fix", "--nx", "-o", out, package).returncode, 0)
        for name in names:
            alone = self.folder / "alone.sys"
            self.fix(fixture(name), new=alone)
            self.assertEqual(digest(out / f"{name}.sys"), digest(alone), name)

    def test_enforce_again(self):
        policy = self.folder / "policy.ini"
        policy.write_text("[policy]\nname = test\nmode = fix\n[fix]\nHVCI2000 = enforce\nHVCI2002 = enforce\n", "utf-8")
        for machine in ("x64", "x86"):
            image, results, digests = self.take(f"gnu_executable_pool_{machine}"), [], []
            for _ in range(2):
                done, images = tool.report("enforce", "--policy", policy, image)
                self.assertEqual(done, 0, images)
                results.append(images[0]["enforced"]["result"])
                digests.append(digest(image))
            self.assertEqual((results[0], digests[0]), ("repaired", digests[1]))
            self.assertNotEqual(results[1], "repaired")


if __name__ == "__main__":
    unittest.main()
