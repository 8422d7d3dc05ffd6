"""Two other readers on the layout of images whose header fields are at their extremes: a loader (Wine) and llvm-readobj.

Wine is asked to map each image as Windows would (map_images_windows.c). What it maps must be readable for hvcifix, what it
refuses must not be called clean, and what hvcifix calls well formed llvm-readobj must read without complaint. Where they
differ, a table says why; an entry that no image needs any more fails the test.
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

from support import images, tool, wine

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fuzz"))
from seed_image import CODE, DATA, Image  # noqa: E402

VARIANTS = ("plain",)
MAP_IMAGES = pathlib.Path(os.environ["HVCIFIX_BUILD"], "wine-helpers", "map_images.exe")
NATIVE, CONSOLE = 1, 3
MOST_CUT_OFF = 20  # times that Wine's loader may fault or hang
CODE_OF_LAYOUT = re.compile(r"HVCI90(0[123]|11)\Z")

# Wine maps these, and Windows does not: models of Windows (RetDec, LIEF), ReactOS and Wine's own tests on Windows say
# so, as tool/image/loader_rules.h tells. Wine's loader does not look at these fields, or mends them.
WINDOWS_IS_STRICTER = {
    "not marked as an executable image": "Wine does not look at EXECUTABLE_IMAGE",
    "sections must lie in memory without a gap": "Wine maps each section where it says",
    "but the file ends at 0x": "Wine maps what is there",
    "runs past the 4 GiB": "Wine maps a file below page alignment without a look at VirtualSize",
    "overlaps section": "Wine maps the later section over the earlier one",
    "data directories": "Wine reads directories from behind the optional header",
    "SizeOfOptionalHeader is 0x": "Wine reads the section table from there",
    "FileAlignment is 0x": "Wine uses it for images below page alignment only",
    "SectionAlignment is 0x": "Wine takes it for a mask of bits",
    "ImageBase is 0x": "Wine puts the image elsewhere",
    "SizeOfImage is 0x": "Wine has no upper limit",
    "SizeOfHeaders is 0x?": "Wine maps the headers up to the first section, or to the end of the file",
    "inside the headers": "Wine computes no hash",
    "in the file, and below page alignment": "Wine maps the file and looks at file offsets only",
    "multiple of 4": "Wine reads the PE header from anywhere",
}
# Wine refuses these, and Windows does not.
WINE_IS_STRICTER = {
    "file.Machine 0x200": "IA64: Windows Server to 2008 R2 runs it, no Wine does",
}
# llvm-readobj complains, and no loader looks.
READOBJ_IS_STRICTER = {
    "invalid section name": "a name that begins with a slash and is no number",
    "The end of the file was unexpectedly encountered": "more directories than there can be; loaders stop at 16",
}


def make_image(machine, subsystem, alignment=0x1000):
    """A library of two sections, the second with a zero-filled tail where that is possible."""
    image = Image(machine, alignment=alignment, file_alignment=min(alignment, 0x200), spacing=0x2000)
    is_flat = alignment < 0x1000
    text, data = image.section(".text", CODE), image.section(".data", DATA)
    text.rva, data.rva = (0x400, 0x2400) if is_flat else (0x1000, 0x3000)
    text.put(b"\xC3" * 0x1800)
    data.put(b"data" * 0xC0)
    data.extra_nbytes = 0 if is_flat else 0x1800
    image.entry, image.subsystem = text.rva, subsystem
    image.characteristics |= 0x2000  # a library
    return image.file()


def header_fields(data):
    """(name, file offset, width) of the fields that say how an image lies in memory; not the data directories, which
    lead into tables."""
    headers = images.Headers(data)
    pe = headers.pe
    yield "dos.e_lfanew", 0x3C, 4
    structures = [("file", pe.FILE_HEADER), ("optional", pe.OPTIONAL_HEADER)]
    structures += [(f"section{i}", section) for i, section in enumerate(pe.sections)]
    for prefix, structure in structures:
        offsets = {key: structure.get_field_absolute_offset(key) for keys in structure.__keys__ for key in keys[:1]}
        places = sorted(set(offsets.values())) + [structure.get_file_offset() + structure.sizeof()]
        names = {offset: key for key, offset in offsets.items()}
        for foff, end in zip(places, places[1:]):
            if end - foff in (1, 2, 4, 8):
                yield f"{prefix}.{names[foff]}", foff, end - foff


def extremes(value, width, file_nbytes):
    top = 1 << 8 * width
    values = {0, 1, 3, top - 1, top // 2, top // 2 - 1, top - 0x1000, 96, 97, 192, 193, 0x40, 0x80, 0x200, 0x400, 0x1000,
              0x2000, 0x3000, 0x10000, 0x77000000, 0x77000001, file_nbytes, file_nbytes + 1}
    values |= {value + step for step in (-0x1000, -0x200, -8, -4, -1, 1, 4, 8, 0x200, 0x1000)} | {value ^ 2, value * 2}
    return sorted({v % top for v in values} - {value})


def variants():
    """(seed's name, field and value, bytes) of every image."""
    for machine in ("x64", "x86"):
        for subsystem, alignment in ((NATIVE, 0x1000), (CONSOLE, 0x1000), (CONSOLE, 0x80)):
            name = f"{machine} subsystem {subsystem} alignment {alignment:#x}"
            whole = make_image(machine, subsystem, alignment)
            yield name, "nothing", whole
            for field, foff, width in header_fields(whole):
                value = int.from_bytes(whole[foff : foff + width], "little")
                for extreme in extremes(value, width, len(whole)):
                    data = bytearray(whole)
                    data[foff : foff + width] = extreme.to_bytes(width, "little")
                    if field == "dos.e_lfanew" and 0 < extreme < len(whole) - 0x200:  # the header goes there too
                        data[extreme : extreme + 0x180] = whole[0x40:0x1C0]
                        data[0x3C:0x40] = extreme.to_bytes(4, "little")
                    yield name, f"{field} {extreme:#x}", bytes(data)


class Answer:
    """What Wine said of one image."""

    def __init__(self, words):
        self.made, self.mapped = (int(word, 16) for word in words[:2])
        self.load_error = words[2] if len(words) > 2 else "cut off"

    @property
    def maps(self):
        return self.made == 0 and self.mapped < 0x80000000

    def __str__(self):
        return f"section {self.made:08x}, view {self.mapped:08x}, load {self.load_error}"


@unittest.skipUnless(wine.is_installed(), "Wine is not installed")
class LoaderAgrees(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        cls.addClassCleanup(cls.scratch.cleanup)
        cls.folder = pathlib.Path(cls.scratch.name).resolve()
        cls.images = []  # (path, seed, field and value)
        for number, (seed, what, data) in enumerate(variants()):
            path = cls.folder / f"{number}.dll"
            path.write_bytes(data)
            cls.images.append((str(path), seed, what))
        cls.answers = cls.ask_wine()
        cls.reports = tool.check([path for path, _, _ in cls.images])

    @classmethod
    def ask_wine(cls):
        """{path: Answer}"""
        names = cls.folder / "images.txt"
        lines = "".join("Z:" + path.replace("/", "\\") + "\n" for path, _, _ in cls.images)
        names.write_bytes(lines.encode("utf-16-le"))
        programs, answers = wine.Programs(), {}
        programs.begin()
        for _ in range(MOST_CUT_OFF):
            first = len(answers)
            done = programs.run(programs.command(MAP_IMAGES, "Z:" + str(names).replace("/", "\\"), first),
                                {"WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe="}, timeout=300)
            for line in done.stdout.decode().splitlines():
                number, *words = line.split()
                answers[cls.images[int(number)][0]] = Answer(words)
            if len(answers) == len(cls.images):
                return answers
            if len(answers) == first:
                raise RuntimeError(f"Wine says nothing: {done}")
        raise RuntimeError(f"Wine's loader was cut off {MOST_CUT_OFF} times")

    def explain(self, table, unexplained, needed):
        """Fails for images that the table does not explain, and for entries that explain none."""
        self.assertEqual(unexplained, [], f"{len(unexplained)} images")
        self.assertEqual(set(table) - set(needed), set(), "entries that no image needs")

    def test_there_are_enough_of_each_kind(self):
        kinds = collections.Counter((self.answers[path].maps, self.reports[path]["status"] == "error")
                                    for path, _, _ in self.images)
        self.assertGreater(len(self.images), 2000)
        self.assertGreater(kinds[True, False], 500)
        self.assertGreater(kinds[False, True], 500)

    def test_seeds_are_mapped_and_well_formed(self):
        for path, seed, what in self.images:
            if what == "nothing":
                self.assertTrue(self.answers[path].maps, seed)
                self.assertNotEqual(self.reports[path]["status"], "error", seed)

    def test_what_wine_maps_is_readable(self):
        unexplained, needed = [], set()
        for path, seed, what in self.images:
            if not self.answers[path].maps:
                continue
            for finding in self.reports[path]["findings"]:
                if finding["level"] != "error" or not CODE_OF_LAYOUT.match(finding["code"]):
                    continue
                said = [entry for entry in WINDOWS_IS_STRICTER if re.search(entry, finding["message"])]
                needed.update(said)
                if not said:
                    unexplained.append((seed, what, str(self.answers[path]), finding["message"]))
        self.explain(WINDOWS_IS_STRICTER, unexplained, needed)

    def test_what_wine_refuses_is_not_clean(self):
        unexplained, needed = [], set()
        for path, seed, what in self.images:
            if not self.answers[path].maps and self.reports[path]["status"] == "clean":
                if what in WINE_IS_STRICTER:
                    needed.add(what)
                else:
                    unexplained.append((seed, what, str(self.answers[path])))
        self.explain(WINE_IS_STRICTER, unexplained, needed)

    def test_llvm_readobj_reads_what_is_well_formed(self):
        well_formed = [path for path, _, _ in self.images if self.reports[path]["status"] != "error"]
        self.assertGreater(len(well_formed), 500)
        named = {path: (seed, what) for path, seed, what in self.images}
        unexplained, needed = [], set()
        while well_formed:  # it ends at the first file that it does not like
            part = well_formed[: tool.BATCH]
            done = subprocess.run(["llvm-readobj-19", "--file-headers", "--sections", *part], capture_output=True, text=True,
                                  errors="replace", check=False)
            if done.returncode == 0 and not done.stderr:
                well_formed = well_formed[tool.BATCH :]
                continue
            disliked = [path for path in part if f"'{path}'" in done.stderr]
            self.assertEqual(len(disliked), 1, done.stderr)
            well_formed = well_formed[well_formed.index(disliked[0]) + 1 :]
            said = [entry for entry in READOBJ_IS_STRICTER if entry in done.stderr]
            needed.update(said)
            if not said:
                unexplained.append((*named[disliked[0]], done.stderr))
        self.explain(READOBJ_IS_STRICTER, unexplained, needed)


if __name__ == "__main__":
    unittest.main()
