"""All fixtures in the loader that is stricter than Wine, before and after repair; and that it sees what it is there for.

Originals get the rights that they ask for, repairs those that memory integrity gives. Both are loaded at two bases that
are not their own, started, asked and stopped; export drivers also by DllInitialize before the entry point and without it.
"""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import fixing, images, strict_loader, tool

VARIANTS = ("plain",)
FEWEST_REPAIRED = 90  # of each machine
STUBBED = ("straddle", "gcc_straddle", "straddle_guard", "straddle_tls_data", "straddle_dll_initialize", "straddle_few_writable",
           "straddle_low_80_all_defects")
COPIED = {"straddle_code": 5, "straddle_forms": 105}  # instructions that straddle (fixtures/matrix.tsv)


def is_loadable(case):
    return case.fixture.machine in ("x64", "x86") and case.fixture.chain != "program"


def loader_options(case):
    return ["--whole-pages"] if case.options else []  # the only options of the table name an older target


class WideSections(unittest.TestCase):
    """Headers and sections that take whole units of more than a page, and every defect that moves something."""

    def test_repaired_drivers_do_what_they_did(self):
        row = "wide\tx64,x86\tclang+lld\tplain\t-\t/merge:.rdata=.text /section:PAGE,erw /section:INIT,erwd /align:{}\t-\t-\t-\n"
        for align in (0x2000, 0x10000):
            with tempfile.TemporaryDirectory(prefix="hvcifix-test-") as folder:
                fixtures = os.path.join(folder, "fixtures")
                shutil.copytree(os.path.join(os.environ["HVCIFIX_SOURCE"], "fixtures"), fixtures)
                with open(os.path.join(fixtures, "matrix.tsv"), "a", encoding="utf-8") as file:
                    file.write(row.format(hex(align)))
                for machine in ("x64", "x86"):
                    with self.subTest(machine, align=hex(align)):
                        old, new = (os.path.join(folder, f"{name}_{machine}.sys") for name in ("wide", "new"))
                        subprocess.run([os.path.join(fixtures, "build.sh"), f"wide_{machine}", old], check=True)
                        done = tool.run("fix", old, "-o", new)
                        self.assertEqual(done.returncode, 0, done.stdout.decode())
                        self.assertEqual(strict_loader.differences(old, new), "")


class EveryFixture(unittest.TestCase):
    """Pairs of a driver and what `fix` makes of it."""

    @classmethod
    def setUpClass(cls):
        cls.fixed = fixing.Fixed()
        cls.addClassCleanup(cls.fixed.close)
        cls.cases = [case for case in cls.fixed.cases if is_loadable(case)]

    def named(self, name, machine):
        return next(case for case in reversed(self.cases) if case.fixture.name == name and case.fixture.machine == machine)

    def test_repaired_drivers_do_what_they_did(self):
        count = {"x64": 0, "x86": 0}
        for case in self.cases:
            if not case.is_fixed:
                continue
            count[case.fixture.machine] += 1
            with self.subTest(str(case)):
                self.assertEqual(strict_loader.differences(case.old, case.path, *loader_options(case)), "")
        self.assertGreater(min(count.values()), FEWEST_REPAIRED, count)

    def test_what_needs_no_repair_keeps_all_rules(self):
        for case in self.cases:
            if case.verdict == "copies" and not case.options:
                with self.subTest(str(case)):
                    self.assertEqual(strict_loader.differences(case.old, case.path), "")

    def test_originals_that_are_not_repaired_run(self):
        for case in self.cases:
            if not case.is_fixed and case.verdict != "copies" and not case.options:
                with self.subTest(str(case)):
                    code, said = strict_loader.run("--as-asked", "--steps", "0", case.old)
                    self.assertEqual(code, 0, said[:1000])
                    self.assertIn("start 0x0\n", said)

    def test_stubs_are_followed(self):
        """A fault at each instruction of a stub would find its caller: the loader was there and looked."""
        for machine in ("x64", "x86"):
            for name in STUBBED:
                with self.subTest(name, machine=machine):
                    case = self.named(name, machine)
                    code, said = strict_loader.run("--show-steps", case.old, case.path)
                    self.assertEqual(code, 0, said)
                    self.assertGreater(int(re.search(r"in stubs (\d+)", said)[1]), 10)

    def test_copies_of_instructions_are_followed(self):
        for name, copies in COPIED.items():
            with self.subTest(name):
                case = self.named(name, "x86")
                code, said = strict_loader.run("--show-steps", "--steps", "20000", case.old, case.path)
                self.assertEqual(code, 0, said)
                self.assertGreaterEqual(int(re.search(r"in stubs (\d+)", said)[1]), 2 * copies)  # each with its jump back


class Damaged:
    """A copy of a fixture in which something is wrong."""

    def __init__(self, path):
        self.data = bytearray(images.read(path))
        self.headers = images.Headers(bytes(self.data))
        self.pe = self.headers.pe
        self.is_64 = self.pe.OPTIONAL_HEADER.Magic == 0x20B

    def section(self, name):
        return next(s for s in self.pe.sections if s.Name.rstrip(b"\0") == name.encode())

    def put(self, foff, value, nbytes=4):
        self.data[foff : foff + nbytes] = value.to_bytes(nbytes, "little")

    def change_flags(self, name, add=0, remove=0):
        section = self.section(name)
        self.put(section.get_field_absolute_offset("Characteristics"), (section.Characteristics | add) & ~remove)

    def set_directory(self, number, rva, nbytes):
        directory = self.headers.optional.DATA_DIRECTORY[number]
        self.put(directory.get_field_absolute_offset("VirtualAddress"), rva)
        self.put(directory.get_field_absolute_offset("Size"), nbytes)

    def store_at_start(self, rva):
        """New code at the entry point, in the room behind the code of INIT: it finds out where it is and stores to `rva`."""
        section = self.section("INIT")
        at = section.Misc_VirtualSize
        foff, room = section.PointerToRawData + at, section.SizeOfRawData - at
        here = section.VirtualAddress + at + 5
        code = b"\xe8\0\0\0\0\x59\xc7\x81" + ((rva - here) % (1 << 32)).to_bytes(4, "little") + b"\x01\0\0\0\xc3"
        if room < len(code) or not set(self.data[foff : foff + len(code)]) <= {0, 0xCC}:
            raise ValueError("no room behind INIT")
        self.data[foff : foff + len(code)] = code
        self.put(self.headers.optional.get_field_absolute_offset("AddressOfEntryPoint"), here - 5)

    def config_field(self, offset_32, offset_64):
        """(file offset, size) of a field of the load configuration."""
        rva = self.headers.optional.DATA_DIRECTORY[10].VirtualAddress
        return self.pe.get_offset_from_rva(rva) + (offset_64 if self.is_64 else offset_32), 8 if self.is_64 else 4


class RulesAreSeen(unittest.TestCase):
    """Each rule of the loader, broken: it says so, with the place."""

    machine = "x64"

    def path(self, name):
        return os.path.join(os.environ["HVCIFIX_FIXTURES"], f"{name}_{self.machine}.sys")

    def damaged(self, name):
        return Damaged(self.path(name))

    def assert_refused(self, image, expected, *options, old=None):
        """Alone, or beside an original."""
        with tempfile.NamedTemporaryFile(suffix=".sys") as file:
            file.write(image.data)
            file.flush()
            words = [*options, *([self.path(old)] if old else []), file.name]
            code, said = strict_loader.run(*words)
        self.assertEqual(code, strict_loader.DIFFERENT, said)
        self.assertRegex(said, expected)

    def test_what_is_whole_is_not_refused(self):
        for name in ("clean", "guard", "handlers", "exports", "gcc_clean"):
            code, said = strict_loader.run(self.path(name))
            self.assertEqual(code, 0, said)
            self.assertEqual(said.count("start 0x0\n"), 2)

    def test_a_store_into_read_only_memory(self):
        image = self.damaged("clean")
        image.change_flags(".data", remove=0x80000000)
        self.assert_refused(image, r"writes to what is not writable: RVA 0x[0-9a-f]+ \(\.data\), by code at RVA 0x[0-9a-f]+ ")

    def test_a_store_into_the_import_address_table(self):
        image = self.damaged("clean")
        image.store_at_start(image.headers.optional.DATA_DIRECTORY[12].VirtualAddress)
        self.assert_refused(image, r"writes to what is not writable: RVA 0x[0-9a-f]+ \(\.rdata\), by code at .*\(INIT\)")

    def test_a_store_into_the_headers(self):
        image = self.damaged("clean")
        image.store_at_start(0x40)
        self.assert_refused(image, r"writes to what is not writable: RVA 0x40 \(headers\)")

    def test_a_call_into_what_was_discarded(self):
        image = self.damaged("clean")
        image.change_flags("PAGE", add=0x02000000)
        self.assert_refused(image, r"executes what is not executable: RVA 0x[0-9a-f]+ \(PAGE\)")

    def test_code_in_a_section_that_is_not_executable(self):
        image = self.damaged("clean")
        image.change_flags("PAGE", remove=0x20000000)
        self.assert_refused(image, r"executes what is not executable: RVA 0x[0-9a-f]+ \(PAGE\)")

    def test_a_section_that_is_writable_and_executable(self):
        image = self.damaged("clean")
        image.change_flags(".text", add=0x80000000)
        self.assert_refused(image, "section .text is writable and executable")

    def test_defective_fixtures(self):
        for name, expected in (("low_align", "sections are not aligned to pages"),
                               ("iat_in_text", r"an import slot is in an executable or discarded section: .*\(\.text\)"),
                               ("guard_in_text", r"the slot of the guard check is in an executable .*\(\.text\)"),
                               ("init_rwx", "section INIT is writable and executable")):
            with self.subTest(name):
                self.assert_refused(self.damaged(name), expected)

    def test_a_straddling_relocation(self):
        self.assert_refused(self.damaged("straddle"), r"straddles a page boundary at RVA 0x[0-9a-f]+ff[9a-f] ", "--whole-pages")

    def test_a_relocation_that_is_missing(self):
        """All of the first block: pointers keep the addresses of the image's own base."""
        image = self.damaged("clean")
        directory = image.headers.optional.DATA_DIRECTORY[5]
        foff = image.pe.get_offset_from_rva(directory.VirtualAddress)
        for at in range(foff + 8, foff + int.from_bytes(image.data[foff + 4 : foff + 8], "little"), 2):
            image.put(at, 0, 2)
        self.assert_refused(image, "(finds no handler|goes to where no code is|, but )", old="clean")

    def test_a_target_that_the_guard_table_does_not_list(self):
        image = self.damaged("guard")
        foff, nbytes = image.config_field(0x54, 0x88)
        image.put(foff, 0, nbytes)
        expected = r"the guard refuses a call to RVA 0x[0-9a-f]+, which its table does not list; it would return to RVA"
        self.assert_refused(image, expected)
        self.assert_refused(image, r"but the guard refuses an indirect call\n +the guard refuses a call to RVA", old="guard")

    def test_another_answer_and_another_call(self):
        self.assert_refused(self.damaged("natural"), "far base: .*question 3 ", old="clean")
        self.assert_refused(self.damaged("one_more_call"), "RtlUpcaseUnicodeChar", old="clean")

    def test_registers_that_a_stub_must_keep(self):
        """The stub of straddling relocations begins with mov eax, 1: here it is mov ebx, 1."""
        image = self.repaired("straddle")
        foff = image.pe.get_offset_from_rva(image.headers.optional.AddressOfEntryPoint)
        self.assertEqual(image.data[foff : foff + 5], b"\xb8\x01\0\0\0")
        image.data[foff] = 0xBB
        self.assert_refused(image, r"call 1, RVA 0x[0-9a-f]+: (a fault would not find its caller|the function returns with)",
                            old="straddle")

    def repaired(self, name):
        case = fixing.tool.run("fix", "--target", "1607", self.path(name), "-o", self.new_path())
        self.assertEqual(case.returncode, 0, case.stdout)
        return Damaged(self.new)

    def new_path(self):
        folder = tempfile.TemporaryDirectory(prefix="hvcifix-test-")
        self.addCleanup(folder.cleanup)
        self.new = os.path.join(folder.name, "new.sys")
        return self.new

    def test_foreign_drivers(self):
        """A driver that calls what this kernel does not have ends the load; as a foreign one it goes on, and differences show."""
        image = self.damaged("clean")
        at = image.data.index(b"IoCreateSymbolicLink\0")
        image.data[at : at + 3] = b"Zzz"
        self.assert_refused(image, "the driver calls ZzzreateSymbolicLink, which this kernel does not have")
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as sizes:
            sizes.write("Other 4\nZzzreateSymbolicLink 8\n")
            sizes.flush()
            self.assert_refused(image, "but call unknown ZzzreateSymbolicLink", "--foreign", sizes.name, old="clean")
            with tempfile.NamedTemporaryFile(suffix=".sys") as file:
                file.write(image.data)
                file.flush()
                code, said = strict_loader.run("--foreign", sizes.name, file.name)
        self.assertEqual(code, 0, said)
        self.assertIn("start 0x0\n", said)
        self.assertIn("14 request 0xc0000010\n", said)

    def test_no_image(self):
        with tempfile.NamedTemporaryFile(suffix=".sys") as file:
            file.write(b"MZ" + bytes(100))
            file.flush()
            self.assertEqual(strict_loader.run(file.name, machine=self.machine)[0], strict_loader.DIFFERENT)
        self.assertEqual(strict_loader.run("--no-such-option", machine=self.machine)[0], strict_loader.WRONG_USE)
        self.assertEqual(strict_loader.run("/nonexistent", self.path("clean"), machine=self.machine)[0],
                         strict_loader.ORIGINAL_FAILS)

    def test_what_unwinding_needs(self):
        """x64: no unwind data, so that neither faults nor looking finds the callers."""
        image = self.damaged("gcc_clean")
        image.set_directory(3, 0, 0)
        self.assert_refused(image, r"but call \d+: \d+ times without callers.*\n +call \d+, RVA 0x", old="gcc_clean")
        image = self.damaged("handlers")
        image.set_directory(3, 0, 0)
        self.assert_refused(image, "exception 0xc0000005 at RVA .* finds no handler")


class RulesAreSeenOnX86(RulesAreSeen):
    machine = "x86"

    def test_what_unwinding_needs(self):
        """x86: a handler that is not registered."""
        image = self.damaged("handlers")
        foff, nbytes = image.config_field(0x44, None)
        pointer = int.from_bytes(image.data[foff : foff + nbytes], "little")
        self.assertEqual(pointer, 1)  # the count
        image.put(foff, 0)
        self.assert_refused(image, r"a handler is not in the table of handlers: RVA 0x[0-9a-f]+ \(\.text\)")


if __name__ == "__main__":
    unittest.main()
