"""Hostile input: every truncation of small drivers, and every header field at its extremes.

The answer must be a reading, or an error with a code and a cure; never a crash, a hang, or another exit code.
The "checked" variant runs all of it under AddressSanitizer and UBSan.
"""

import os
import shutil
import struct
import tempfile
import unittest

from support import images, matrix, tool

STATUSES = {"clean", "findings", "error"}
WITHIN_SECONDS = 120  # for one call with tool.BATCH images; one that hangs is found by it
DIRECTORY_NBYTES = 64  # of each table, so many bytes are put to extremes word by word
# The Windows program is the same code, and Wine starts it slowly: every fifth size (they meet all alignments), and every
# fifth value of a field.
STEP = 5 if tool.IS_WINDOWS else 1


def fixture_bytes(file_name):
    return images.read(next(f for f in matrix.read() if f.file_name == file_name).path)


class Hostile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def judge(self, cases, *verb):
        """Writes (name, bytes) cases to files, a batch at a time, and looks at what the tool says of each."""
        batch = []
        count = 0
        for name, data in cases:
            path = os.path.join(self.folder, name)
            with open(path, "wb") as file:
                file.write(data)
            batch.append(path)
            count += 1
            if len(batch) == tool.BATCH:
                self.judge_batch(batch, *verb)
                batch = []
        if batch:
            self.judge_batch(batch, *verb)
        return count

    def judge_batch(self, paths, *verb):
        done = tool.run(*verb, "--format", "json", *paths, timeout=WITHIN_SECONDS)
        if done.returncode not in (0, 1, 3):
            self.blame(paths, *verb)
            self.fail(f"exit code {done.returncode} on a batch, not on any image alone")
        self.look_at(paths, done.stdout, done.returncode)
        for path in paths:
            os.remove(path)

    def blame(self, paths, *verb):
        """Finds the image that a bad exit code comes from, and keeps a copy."""
        for path in paths:
            done = tool.run(*verb, "--format", "json", path, timeout=WITHIN_SECONDS)
            if done.returncode not in (0, 1, 3):
                kept = os.path.join(os.environ["HVCIFIX_BUILD"], "failed-" + os.path.basename(path))
                shutil.copy(path, kept)
                self.fail(f"{verb[0]} {kept}: exit code {done.returncode}\n{done.stderr.decode()[-4000:]}")

    def look_at(self, paths, output, exit_code):
        reports = tool.parse(output)
        self.assertEqual([image["path"] for image in reports], paths)
        for image in reports:
            self.assertIn(image["status"], STATUSES, image["path"])
            if image["status"] == "error":
                errors = [f for f in image["findings"] if f["level"] == "error"]
                # Rules that could still be judged may have found something too.
                self.assertTrue(any(error["code"].startswith("HVCI90") for error in errors), image["path"])
                for error in errors:
                    self.assertTrue(error["message"] and error["cure"], image["path"])
        if any(image["status"] == "error" for image in reports):
            self.assertEqual(exit_code, 3)


class Truncation(Hostile):
    def truncations(self, file_name):
        whole = fixture_bytes(file_name)
        for nbytes in range(0, len(whole), STEP):
            yield f"{file_name}-{nbytes}", whole[:nbytes]

    def test_check_at_every_byte(self):
        for file_name in ("low_align_20_x64", "low_align_20_x86", "low_align_20_arm64"):
            with self.subTest(fixture=file_name):
                self.assertGreater(self.judge(self.truncations(file_name), "check"), 3000 // STEP)

    def test_show_at_every_byte(self):
        self.assertGreater(self.judge(self.truncations("low_align_20_x64"), "show", "--references"), 3000 // STEP)

    def test_check_of_larger_drivers(self):
        """Every header byte, then steps that meet all alignments."""
        for file_name in ("all_defects_x64", "signed_x64", "gnu_clean_x86", "guard_arm64"):
            with self.subTest(fixture=file_name):
                whole = fixture_bytes(file_name)
                sizes = sorted(set(range(0, 0x400)) | set(range(0, len(whole), 101)))
                self.judge(((f"{file_name}-{size}", whole[:size]) for size in sizes), "check")

    def test_truncated_is_never_clean_below_its_last_section(self):
        """A driver whose last section is cut off in the file cannot be read correctly."""
        whole = fixture_bytes("clean_x64")
        section = images.Headers(whole).pe.sections[-1]
        paths = []
        for nbytes in range(0, section.PointerToRawData + section.Misc_VirtualSize, 64):
            paths.append(os.path.join(self.folder, str(nbytes)))
            with open(paths[-1], "wb") as file:
                file.write(whole[:nbytes])
        for path, image in tool.check(paths).items():
            self.assertEqual(image["status"], "error", path)

    def test_fix_and_verify(self):
        whole = fixture_bytes("init_rwx_x64")
        path, good = os.path.join(self.folder, "cut.sys"), os.path.join(self.folder, "good.sys")
        out = os.path.join(self.folder, "out.sys")
        with open(good, "wb") as file:
            file.write(whole)
        for nbytes in range(0, len(whole), 211):
            with self.subTest(nbytes=nbytes):
                with open(path, "wb") as file:
                    file.write(whole[:nbytes])
                self.assertIn(tool.run("fix", path, "-o", out).returncode, (1, 3))
                self.assertFalse(os.path.exists(out))
                self.assertEqual(images.read(path), whole[:nbytes])
                for pair in ((good, path), (path, good)):
                    self.assertIn(tool.run("verify", *pair).returncode, (1, 3))


def extremes(value, width, file_nbytes):
    """What a field can be set to: its ends, its signs, its neighbours, and the size of the file."""
    top = 1 << (8 * width)
    values = {0, 1, 2, top - 1, top - 2, top // 2, top // 2 - 1, top - 4096, value - 1, value + 1, value * 2,
              value ^ (top // 2), file_nbytes, file_nbytes - 1, file_nbytes + 1, 0x1000, 0xFFF, 0x10000}
    return sorted({v % top for v in values} - {value})


def header_fields(data):
    """(name, file offset, width) of every field of the headers, directories and section headers."""
    headers = images.Headers(data)
    pe = headers.pe
    structures = [("dos", pe.DOS_HEADER), ("file", pe.FILE_HEADER), ("optional", pe.OPTIONAL_HEADER)]
    structures += [(f"directory{i}", entry) for i, entry in enumerate(headers.optional.DATA_DIRECTORY)]
    structures += [(f"section{i}", section) for i, section in enumerate(pe.sections)]
    for prefix, structure in structures:
        offsets = {key: structure.get_field_absolute_offset(key) for keys in structure.__keys__ for key in keys}
        places = sorted(set(offsets.values())) + [structure.get_file_offset() + structure.sizeof()]
        names = {offset: key for key, offset in offsets.items()}
        for foff, end in zip(places, places[1:]):
            if end - foff in (1, 2, 4, 8):
                yield f"{prefix}.{names[foff]}", foff, end - foff


def table_words(data):
    """(name, file offset, width) of the first 32-bit words of each table that a directory names."""
    headers = images.Headers(data)
    for index, entry in enumerate(headers.optional.DATA_DIRECTORY):
        if not entry.VirtualAddress or not entry.Size:
            continue
        begin = entry.VirtualAddress
        if index != 4:  # the certificate table's address is a file offset already
            begin = headers.pe.get_offset_from_rva(begin)
        for foff in range(begin, min(begin + min(entry.Size, DIRECTORY_NBYTES), len(data) - 4), 4):
            yield f"table{index}+{foff - begin}", foff, 4


class Fields(Hostile):
    def variants(self, file_name, fields):
        whole = fixture_bytes(file_name)
        cases = [(name, foff, width, extreme) for name, foff, width in fields(whole)
                 for extreme in extremes(int.from_bytes(whole[foff : foff + width], "little"), width, len(whole))]
        for name, foff, width, extreme in cases[::STEP]:
            data = bytearray(whole)
            data[foff : foff + width] = extreme.to_bytes(width, "little")
            yield f"{file_name}-{name}-{extreme:x}", bytes(data)

    def test_check_header_fields(self):
        for file_name in ("clean_x64", "low_align_x86", "handlers_arm64"):
            with self.subTest(fixture=file_name):
                self.assertGreater(self.judge(self.variants(file_name, header_fields), "check"), 1000 // STEP)

    def test_show_header_fields(self):
        self.assertGreater(self.judge(self.variants("init_rwx_x64", header_fields), "show", "--references"), 1000 // STEP)

    def test_check_tables(self):
        for file_name in ("signed_x64", "guard_x64", "guard_arm64", "exports_x86", "resources_x64", "handlers_x64"):
            with self.subTest(fixture=file_name):
                self.assertGreater(self.judge(self.variants(file_name, table_words), "check"), 300 // STEP)

    def test_show_tables(self):
        for file_name in ("guard_x64", "resources_x86", "handlers_x64", "handlers_arm64"):
            with self.subTest(fixture=file_name):
                self.assertGreater(self.judge(self.variants(file_name, table_words), "show", "--references"), 300 // STEP)

    def test_dry_run_header_fields(self):
        """`fix` decides on the same images; it may also refuse."""
        statuses = set()
        for name, data in list(self.variants("init_rwx_x64", header_fields))[::7]:
            path = os.path.join(self.folder, name)
            with open(path, "wb") as file:
                file.write(data)
            code, reports = tool.report("fix", "--dry-run", "--in-place", path, timeout=WITHIN_SECONDS)
            self.assertIn(code, (0, 1, 3), name)
            self.assertEqual(images.read(path), data, name)
            statuses.add(reports[0]["status"])
            os.remove(path)
        self.assertTrue({"fixed", "error"} <= statuses, statuses)


class NoImages(Hostile):
    def test_what_is_no_image(self):
        cases = [("empty", b""), ("one", b"M"), ("dos", b"MZ"), ("zeros", bytes(4096)), ("text", b"hello\n" * 100),
                 ("elf", b"\x7fELF" + bytes(60)), ("loop", b"MZ" + bytes(58) + struct.pack("<I", 0) + bytes(4096)),
                 ("far", b"MZ" + bytes(58) + struct.pack("<I", 0xFFFFFFFF) + bytes(4096))]
        self.judge(cases, "check")
        self.judge(cases, "show")


if __name__ == "__main__":
    unittest.main()
