"""Data that code finds by the name of its section: `fix` takes the right to execute, and `verify` alone has to see why it
may not where anything could lead into the section, or what lies there could be code.
"""

import os
import shutil
import tempfile
import unittest

from support import matrix, readobj, straddle_repair, tool

PAIRS = ("found_by_name", "found_by_name_iat_in_text")
KEEP_BOTH = ("code_found_by_name_refuse", "made_found_by_name_refuse", "zeros_found_by_name_refuse")
SECTION = ".config"
CODE_FLAG = 0x20


def read(path):
    with open(path, "rb") as file:
        return straddle_repair.Image(file.read())


def section(image, name):
    return next(found for found in image.sections() if found.name == name)


def padding(image, name):
    """(file offset, RVA) in the fill behind what the section holds."""
    found = section(image, name)
    at = found.virtual_nbytes + 1
    assert len(set(image.data[found.raw_foff + at : found.raw_foff + found.raw_nbytes])) == 1, name
    return found.raw_foff + at, found.rva + at


def put_bytes(image, foff, data):
    image.data[foff : foff + len(data)] = data


def mark_as_code(image):
    found = section(image, SECTION)
    image.put("<I", found.foff + 36, found.flags | CODE_FLAG)


def enter(image):
    image.put("<I", image.opt + 16, section(image, SECTION).rva)


def name_in_directory(image):
    image.put("<II", image.directories + 8 * 7, section(image, SECTION).rva + 4, 4)


def number(image):
    image.put("<I", padding(image, ".data")[0], section(image, SECTION).rva + 8)


def address(image):
    image.put(image.pointer, padding(image, ".data")[0], image.base + section(image, SECTION).rva + 12)


def distance(opcode):
    def branch(image):
        foff, rva = padding(image, ".text")
        put_bytes(image, foff, opcode)
        image.put("<i", foff + len(opcode), section(image, SECTION).rva + 4 - (rva + len(opcode) + 4))
    return branch


def content(data):
    def put(image):
        found = section(image, SECTION)
        put_bytes(image, found.raw_foff, data)
    return put


def more_room(image):
    image.put("<I", section(image, SECTION).foff + 8, 0x300)


# What is done to the old and the new image alike, so that the new one differs in the right alone.
WRONG = {
    "marked as code": mark_as_code,
    "entry point": enter,
    "directory": name_in_directory,
    "RVA": number,
    "address": address,
    "call": distance(b"\xE8"),
    "jump": distance(b"\xE9"),
    "branch": distance(b"\x0F\x84"),
    "transaction": distance(b"\xC7\xF8"),
    "return at the begin": content(b"\xC3"),
    "routine": content(b"\x0B\0\0\0\x31\xC0\xC3"),
    "jump behind an instruction": content(b"\x0B\0\0\0\x90\xE9"),
    "room in the file": content(bytes(16)),
    "room in memory": more_room,
}
WRONG_64 = {"operand": distance(b"\x48\x8D\x05"), "loaded": distance(b"\x8B\x0D")}


class ExecuteRight(unittest.TestCase):
    """Repaired drivers, and wrong ones made of them."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.old, self.new = (os.path.join(self.folder, name) for name in ("old.sys", "new.sys"))

    def named(self, names):
        found = [fixture for fixture in matrix.read() if fixture.name in names]
        self.assertEqual({fixture.name for fixture in found}, set(names))
        return found

    def write(self, path, image):
        image.set_checksum()
        with open(path, "wb") as file:
            file.write(image.data)

    def flags(self, path):
        return {found.name: found.flags for found in read(path).sections()}

    def test_the_right_to_execute_goes_alone(self):
        for fixture in self.named(PAIRS):
            with self.subTest(fixture.file_name):
                done = tool.run("fix", fixture.path, "-o", self.new)
                self.assertEqual(done.returncode, 0, done.stdout.decode())
                old, new = self.flags(fixture.path), self.flags(self.new)
                self.assertEqual(old[SECTION] ^ new[SECTION], readobj.EXECUTE)
                self.assertEqual({name: new.get(name) for name in old if name != SECTION},
                                 {name: flags for name, flags in old.items() if name != SECTION})

    def test_whoever_finds_it_may_write(self):
        """The other right, as if the rewriter had taken that."""
        for fixture in self.named(PAIRS):
            with self.subTest(fixture.file_name):
                tool.run("fix", fixture.path, "-o", self.new)
                image = read(self.new)
                found = section(image, SECTION)
                image.put("<I", found.foff + 36, found.flags ^ readobj.EXECUTE ^ readobj.WRITE)
                self.write(self.new, image)
                done = tool.run("verify", fixture.path, self.new)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"loses MEM_WRITE", done.stdout)

    def judge(self, fixture, change):
        """What `verify` says when both images are changed alike, and `fix` of the old one."""
        old = read(fixture.path)
        change(old)
        self.write(self.old, old)
        found = section(old, SECTION)
        old.put("<I", found.foff + 36, found.flags ^ readobj.EXECUTE)
        self.write(self.new, old)
        return tool.run("verify", self.old, self.new), tool.run("fix", self.old, "-o", os.path.join(self.folder, "fixed.sys"))

    def test_what_may_execute_keeps_its_right(self):
        for fixture in self.named(PAIRS[:1]):
            verified, _ = self.judge(fixture, lambda image: None)
            self.assertEqual(verified.returncode, 0, verified.stdout.decode())
            wrong = {**WRONG, **(WRONG_64 if fixture.machine == "x64" else {})}
            for name, change in wrong.items():
                with self.subTest(fixture.file_name, change=name):
                    verified, fixed = self.judge(fixture, change)
                    self.assertEqual(verified.returncode, 1, verified.stdout.decode())
                    self.assertIn(b"loses MEM_EXECUTE", verified.stdout)
                    self.assertNotIn(fixed.returncode, (0, 6), fixed.stdout.decode())

    def test_code_that_is_found_by_name_keeps_both(self):
        for fixture in self.named(KEEP_BOTH):
            for flag, words in ((readobj.EXECUTE, b"loses MEM_EXECUTE"), (readobj.WRITE, b"loses MEM_WRITE")):
                with self.subTest(fixture.file_name, flag=hex(flag)):
                    image = read(fixture.path)
                    found = section(image, SECTION)
                    image.put("<I", found.foff + 36, found.flags ^ flag)
                    self.write(self.new, image)
                    done = tool.run("verify", fixture.path, self.new)
                    self.assertEqual(done.returncode, 1)
                    self.assertIn(words, done.stdout)


if __name__ == "__main__":
    unittest.main()
