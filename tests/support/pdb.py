"""A second reader of PDBs, from the published description of the format (LLVM, docs/PDB), and debug builds of fixtures.

An address of a symbol is section and offset in the layout of the linker; where OMAP tables lead from that layout to
another one, `rva` follows them.
"""

import bisect
import fcntl
import os
import pathlib
import struct
import subprocess
import tempfile

SOURCE = pathlib.Path(os.environ.get("HVCIFIX_SOURCE", "."))
BUILD = pathlib.Path(os.environ.get("HVCIFIX_BUILD", "build"))
MAGIC = b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0"
NO_STREAM = 0xFFFF
TRIES = 2  # of a build: compilers beside other tests may be short of memory
PUBLIC = 0x110E
OMAP_TO_SRC, OMAP_FROM_SRC, SECTIONS, OLD_SECTIONS = 3, 4, 5, 10


class Omap:
    def __init__(self, content):
        self.entries = list(struct.iter_unpack("<II", content))
        self.starts = [start for start, _ in self.entries]

    def __call__(self, rva):
        """None for an address that is nowhere."""
        at = bisect.bisect_right(self.starts, rva) - 1
        if at < 0 or self.entries[at][1] == 0:
            return None
        return self.entries[at][1] + rva - self.entries[at][0]


class Pdb:
    def __init__(self, path):
        data = pathlib.Path(path).read_bytes()
        assert data.startswith(MAGIC), path
        size, _, count, directory_size, _, first = struct.unpack_from("<6I", data, 32)
        assert len(data) == size * count

        def blocks(numbers, length):
            return b"".join(data[number * size : (number + 1) * size] for number in numbers)[:length]

        def amount(length):
            return 0 if length == 0xFFFFFFFF else -(-length // size)

        maps = struct.unpack_from(f"<{amount(4 * amount(directory_size))}I", data, 52)
        assert maps[0] == first
        numbers = struct.unpack(f"<{amount(directory_size)}I", blocks(maps, 4 * amount(directory_size)))
        directory = blocks(numbers, directory_size)
        (stream_count,) = struct.unpack_from("<I", directory)
        lengths = struct.unpack_from(f"<{stream_count}I", directory, 4)
        at, self.streams = 4 + 4 * stream_count, []
        for length in lengths:
            numbers = struct.unpack_from(f"<{amount(length)}I", directory, at)
            at += 4 * amount(length)
            self.streams.append(blocks(numbers, length))
        self.guid, (self.age,) = self.streams[1][12:28], struct.unpack_from("<I", self.streams[3], 8)
        (slots_size,) = struct.unpack_from("<i", self.streams[3], 48)
        slots = self.streams[3][len(self.streams[3]) - slots_size :]
        self.slots = struct.unpack(f"<{slots_size // 2}H", slots)
        self.from_source = Omap(self.debug_stream(OMAP_FROM_SRC)) if self.has(OMAP_FROM_SRC) else lambda rva: rva
        self.to_source = Omap(self.debug_stream(OMAP_TO_SRC)) if self.has(OMAP_TO_SRC) else lambda rva: rva

    def has(self, slot):
        return slot < len(self.slots) and self.slots[slot] != NO_STREAM

    def debug_stream(self, slot):
        return self.streams[self.slots[slot]] if self.has(slot) else b""

    def section_rvas(self):
        """Of the layout that symbols mean."""
        headers = self.debug_stream(OLD_SECTIONS) or self.debug_stream(SECTIONS)
        return [struct.unpack_from("<I", headers, at + 12)[0] for at in range(0, len(headers), 40)]

    def rva(self, section, offset):
        sections = self.section_rvas()
        return self.from_source(sections[section - 1] + offset) if 0 < section <= len(sections) else None

    def publics(self):
        """{name: RVA in the image}."""
        records, at, found = self.streams[struct.unpack_from("<H", self.streams[3], 20)[0]], 0, {}
        while at < len(records):
            length, kind = struct.unpack_from("<HH", records, at)
            if kind == PUBLIC:
                _, offset, section = struct.unpack_from("<IIH", records, at + 4)
                found[records[at + 14 : at + 2 + length].split(b"\0")[0].decode()] = self.rva(section, offset)
            at += 2 + length
        return found


def identity(image):
    """(GUID, age, file name) of an image's CodeView record."""
    content = pathlib.Path(image).read_bytes()
    at = content.index(b"RSDS")
    return content[at + 4 : at + 20], struct.unpack_from("<I", content, at + 20)[0], content[at + 24 :].split(b"\0")[0].decode()


def build(name):
    """The fixture NAME with debug information, and its PDB beside it, made once for all tests. The path of the image.

    One caller at a time: the image and the PDB of two builds do not belong together.
    """
    folder = BUILD / "debug-fixtures" / name
    image = folder / f"{name}.sys"
    sources = max(path.stat().st_mtime for path in (SOURCE / "fixtures").rglob("*") if path.is_file())
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if image.exists() and image.stat().st_mtime >= sources:
            return image
        said = ""
        for _ in range(TRIES):
            with tempfile.TemporaryDirectory(dir=folder) as work:
                made = pathlib.Path(work) / image.name
                built = subprocess.run([SOURCE / "fixtures" / "build.sh", name, made], stdout=subprocess.PIPE,
                                       env=dict(os.environ, FIXTURE_DEBUG="1"), stderr=subprocess.STDOUT, text=True,
                                       check=False)
                if built.returncode == 0:
                    os.replace(made.with_suffix(".pdb"), image.with_suffix(".pdb"))
                    os.replace(made, image)
                    return image
                said += f"build.sh {name}: exit code {built.returncode}\n{built.stdout}"
    raise RuntimeError(said)
