"""Hostile images and mutants of fixtures, as far as `fix` repairs them, in the strict loader (docs/TESTING.md): what could be
mapped before, as it asked, can be mapped afterwards, as memory integrity would have it, at two bases. Nothing in them runs.
"""

import collections
import os
import pathlib
import random
import shutil
import struct
import tempfile
import unittest

import hostile_images
import poke
import seeds
from support import images, matrix, strict_loader, tool

VARIANTS = ("plain",)
SOURCE = pathlib.Path(__file__).resolve().parent
MUTANTS = 3  # of each fixture
HEADERS_NBYTES = 0x400
LARGEST_NBYTES = 1000000
FEWEST_REPAIRED = 100
# Each of these once ended with exit code 6: the plan went ahead, or the verifier took for shown what was not. They are
# fixtures, whose bytes change with their compilers; what is poked here then makes other mutants, of which none may.
FOUND = (
    # A function that unwind data let begin inside its first instructions, so that they were taken for data.
    "counters_wx_page_x64 f48=01 1418=08",
    "counters_wx_page_x64 1014=01 1418=01",
    # Two functions that overlap.
    "zero_tail_iat_in_text_x64 64c=b3 1224=15",
    # A call into the midst of an instruction, whose operand was changed.
    "msvc_switch_all_in_text_x64 703=ff",
    # Code that decodes in another way than it was written: calls into what left as data, a displacement on no base.
    "import_slots_all_in_text_x86 14=ff 683=39",
    "base_relative_all_in_text_x86 667=33",
    "base_relative_all_in_text_x64 214=a0",
    # An address far before the image.
    "base_relative_all_in_text_x64 34c=fe",
    # No descriptor names the slots that data directory 12 covers.
    "unwinding_all_in_text_x86 e88=9c 10de=ff",
    # The address of an import slot in a run of data that leaves with its slots.
    "import_slots_idata_in_text_x86 e3e=94",
    "import_slots_idata_in_text_x86 217=01 f01=c7",
    # A lookup table, and a debug directory, in the headers.
    "rich_all_in_text_x86 f0=01 86cd=01",
    "exports_low_80_x64 28=88 130=0e00",
    # A debug directory that ends behind the data that leave.
    "pointers_all_in_text_x86 124=30",
    # Bound imports where the entry point is.
    "tls_in_text_x86 148=fc1a00001c",
    # Something else lies beside the base relocations, which were cut in two.
    "writes_rdata_low_80_x86 103c=4d",
    "writes_text_low_80_x86 102e=72",
    # A base relocation behind the bytes that its section says to have.
    "wx_page_x86 218=13 140b=74",
    # Unwind data, or code, after which instructions begin elsewhere.
    "debug_rsds_iat_in_text_x64 183c=b0",
    "import_slots_all_in_text_x64 bb3=40 123c=c6",
    "relocless_low_80_x64 a18=f0",
    "rich_iat_in_text_x64 60a1=00 8d2b=00 c95e=ff",
    # Directory 12 holds more than what leaves.
    "rich_iat_in_text_x86 155=63 6412=ff",
    # A section that only code stores into which another reader does not follow.
    "relocless_low_80_x64 1f4=3e",
    # The import directory states more bytes than lie behind it where it goes.
    "debug_data_all_in_text_x86 fd=10",
    # A section whose name is no text.
    "low_align_x64 1a8=d64c240180ff0000",
    # A pointer to the begin of the base relocations.
    "import_slots_low_80_iat_in_text_x64 f88=8012",
    # The verifier guessed wrong where part of the data had gone, and took the guess for certain.
    "tls_in_text_x86 acc=00",
    "classes_all_in_text_x86 f24=452a1204",
)
NOT_JUDGED = "is executable and has pages that the file does not fill"  # in originals that only lose a write right


def tables(data):
    """(file offset, size) of what directories name."""
    pe_foff = struct.unpack_from("<I", data, 0x3C)[0]
    section_count, optional_nbytes = struct.unpack_from("<H12xH", data, pe_foff + 6)
    directories_foff = pe_foff + (136 if data[pe_foff + 25] == 2 else 120)  # PE32+, PE32
    sections_foff = pe_foff + 24 + optional_nbytes
    sections = [struct.unpack_from("<IIII", data, sections_foff + 40 * i + 8) for i in range(section_count)]
    for number in (0, 1, 2, 3, 5, 6, 9, 10, 12):
        rva, nbytes = struct.unpack_from("<II", data, directories_foff + 8 * number)
        for _, section_rva, raw_nbytes, raw_foff in sections:
            if nbytes and section_rva <= rva < section_rva + raw_nbytes:
                yield raw_foff + rva - section_rva, nbytes


def mutant(data, chooser):
    """One to three bytes changed, most often in the headers and the tables that directories name."""
    data = bytearray(data)
    ranges = [(0, HEADERS_NBYTES), (0, len(data)), *tables(data)]
    for _ in range(chooser.randint(1, 3)):
        foff, nbytes = chooser.choice(ranges)
        place = min(foff + chooser.randrange(max(nbytes, 1)), len(data) - 1)
        data[place] = chooser.choice((0, 1, 0xFF, data[place] ^ 1 << chooser.randrange(8), chooser.randrange(256)))
    return bytes(data)


class RepairedLoad(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hvcifix-test-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def repaired(self, originals):
        """[(original, repair)] of those images that `fix` repairs."""
        copies = {}
        for original in originals:
            copy = self.folder / f"{len(copies)}.new.sys"
            shutil.copy(original, copy)
            copies[str(copy)] = str(original)
        paths, pairs = list(copies), []
        for first in range(0, len(paths), tool.BATCH):
            code, reports = tool.report("fix", "--in-place", "--drop-signature", *paths[first : first + tool.BATCH])
            self.assertIn(code, (0, 1, 3), [report for report in reports if "HVCI9030" in str(report["findings"])])
            pairs += [(copies[report["path"]], report["path"]) for report in reports if report["status"] == "fixed"]
        return pairs

    def assert_loaded(self, pairs, fewest):
        words = collections.defaultdict(list)
        for old, new in pairs:
            try:
                words[strict_loader.machine_of(old)] += [old, new]
            except strict_loader.NoLoader:
                pass
        mapped = 0
        for machine, paths in words.items():
            code, said = strict_loader.run("--map-only", *paths, machine=machine)
            wrong = [line for line in said.splitlines()[:-1] if not line.endswith(NOT_JUDGED)]
            self.assertEqual((code, wrong), (0 if len(said.splitlines()) == 1 else 1, []))
            mapped += int(said.split()[-1])
        self.assertGreaterEqual(mapped, fewest)

    def test_hostile_images(self):
        made = {"nothing": b"", **seeds.made()}
        paths = poke.expand(made, self.folder, sorted(SOURCE.glob("corpus/*/*.poke")))
        for name, data in {**made, **hostile_images.made()}.items():
            if len(data) <= LARGEST_NBYTES:
                paths.append(self.folder / f"{name}.sys")
                paths[-1].write_bytes(data)
        self.assert_loaded(self.repaired(paths), 1)

    def test_mutants_of_fixtures(self):
        chooser = random.Random(6)
        paths = []
        for fixture in matrix.read():
            if fixture.machine == "arm64" or fixture.fix != "repairs":
                continue
            for number in range(MUTANTS):
                paths.append(self.folder / f"{fixture.file_name}.{number}.sys")
                paths[-1].write_bytes(mutant(images.read(fixture.path), chooser))
        self.assert_loaded(self.repaired(paths), FEWEST_REPAIRED)

    def test_what_was_found(self):
        fixtures = {fixture.file_name.removesuffix(".sys"): fixture for fixture in matrix.read()}
        paths = []
        for number, line in enumerate(FOUND):
            fixture = fixtures[line.split()[0]]
            paths.append(self.folder / f"found.{number}.sys")
            paths[-1].write_bytes(poke.apply(line, {line.split()[0]: images.read(fixture.path)}))
        self.assert_loaded(self.repaired(paths), 0)

    def test_what_cannot_be_mapped_is_seen(self):
        """An original for its own repair: not page-aligned."""
        path = os.path.join(os.environ["HVCIFIX_FIXTURES"], "low_align_x64.sys")
        code, said = strict_loader.run("--map-only", path, path)
        self.assertEqual((code, said.splitlines()), (1, [f"{path}: sections are not aligned to pages", "mapped 1"]))


if __name__ == "__main__":
    unittest.main()
