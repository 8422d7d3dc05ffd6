"""Compares the instructions that the code reader found with llvm-objdump, on the fixtures.

llvm-objdump disassembles linearly, so it loses its place in data between functions; only its view of functions that
unwind data bounds counts, plus what symbols begin. What is compared: every RIP-relative operand and every call or jump
that llvm-objdump prints inside such a function must be a reference of ours with the same target, and ours that lie in
such functions must be printed there.
"""

import json
import os
import re
import subprocess
import unittest

TOOL = os.environ.get("HVCIFIX", "build/hvcifix")
FIXTURES = os.environ.get("HVCIFIX_FIXTURES", os.path.join(os.environ.get("HVCIFIX_BUILD", "build"), "fixtures"))
VARIANTS = ("plain",)
LINE = re.compile(r"^\s*([0-9a-f]+): ((?:[0-9a-f]{2} )+)\s*(\S+)?(.*)$")


def fixtures():
    return sorted(os.path.join(FIXTURES, name) for name in os.listdir(FIXTURES) if name.endswith("_x64.sys"))


def functions(path):
    """[(begin, end)] as VAs, by llvm-readobj."""
    text = subprocess.run(["llvm-readobj-19", "--unwind", path], capture_output=True, text=True, check=True).stdout
    begins = [int(value, 16) for value in re.findall(r"StartAddress: .*?\(0x([0-9A-F]+)\)", text)]
    ends = [int(value, 16) for value in re.findall(r"EndAddress: .*?\(0x([0-9A-F]+)\)", text)]
    return list(zip(begins, ends))


def image_base(path):
    text = subprocess.run(["llvm-readobj-19", "--file-headers", path], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"ImageBase: 0x([0-9A-F]+)", text).group(1), 16)


def disassembled(path, *options):
    """[(address, bytes, mnemonic, rest with all comments)] by llvm-objdump; a second comment has a line of its own."""
    text = subprocess.run(["llvm-objdump-19", "-d", *options, path], capture_output=True, text=True, check=True).stdout
    instructions = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match and match.group(3):
            instructions.append([int(match.group(1), 16), match.group(2).split(), match.group(3), match.group(4)])
        elif instructions and line.lstrip().startswith("# "):
            instructions[-1][3] += line
    return instructions


class Printed:
    """What llvm-objdump prints of an image: all of it at once, where it meets a function's first byte."""

    def __init__(self, path):
        self.path = path
        self.instructions = disassembled(path)
        self.places = {instruction[0]: place for place, instruction in enumerate(self.instructions)}

    def targets(self, begin, end):
        """{address of the instruction: (target, bytes)} of RIP-relative operands and direct calls in a function."""
        place = self.places.get(begin)
        if place is None:
            found = disassembled(self.path, f"--start-address={begin}", f"--stop-address={end}")
        else:
            found = self.instructions[place : place + end - begin]
        targets = {}
        for address, data, mnemonic, rest in found:
            if address >= end:
                break
            comment = re.search(r"# 0x([0-9a-f]+)", rest)
            direct = re.match(r"\s+0x([0-9a-f]+)", rest) if re.match(r"call|j", mnemonic) else None
            operand = comment or direct
            # short jumps inside a function are no references: they move with it
            if operand and not (direct and not comment and len(data) == 2):
                targets[address] = (int(operand.group(1), 16), len(data))
        return targets


class Code(unittest.TestCase):
    def test_operands_agree_with_llvm_objdump(self):
        compared = 0
        for path in fixtures():
            with self.subTest(path=os.path.basename(path)):
                base = image_base(path)
                shown = subprocess.run([TOOL, "show", "--references", "--format", "json", path], capture_output=True,
                                       check=True).stdout
                ours = {reference["rva"]: reference["target"]
                        for reference in json.loads(shown)["images"][0]["references"]
                        if reference["source"] == "code" and reference["encoding"] == "PC-relative"
                        and reference["width"] == 4}
                printed = Printed(path)
                for begin, end in functions(path):
                    seen = set()
                    for address, (target, nbytes) in printed.targets(begin, end).items():
                        # the field is one of the four-byte fields of that instruction
                        fields = [rva for rva in range(address - base + 1, address - base + nbytes - 3) if rva in ours]
                        if not fields and target == 0:
                            continue
                        self.assertEqual(len(fields), 1, f"{path}: instruction at {address:#x}")
                        self.assertEqual(ours[fields[0]], (target - base) & 0xFFFFFFFF, f"{path}: {address:#x}")
                        seen.add(fields[0])
                        compared += 1
                    inside = {rva for rva in ours if begin - base <= rva < end - base}
                    self.assertEqual(inside - seen, set(), f"{path}: references that llvm-objdump does not print")
        self.assertGreater(compared, 100)


if __name__ == "__main__":
    unittest.main()
