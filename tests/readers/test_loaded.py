"""Original and repaired image, each loaded at a base that is not its own, say the same: a second opinion on every
rewrite that moves something, by a loader of the tests' own (loader.py), pefile and llvm-objdump.

The map that `fix --map` writes is taken as a claim only: every byte that differs behind it must be an address that
leads where the claim says, and everything that tables, relocations and instructions lead to must be where it says.
"""

import json
import os
import shutil
import subprocess
import tempfile
import unittest

import loader
import test_code
from support import images, matrix

TOOL = os.environ.get("HVCIFIX", "build/hvcifix")
NEAR = 0x100  # so far from an edge an address may mean the other side
FEWEST = {"x64": 50, "x86": 50}
FPO = 3  # a type of debug data: addresses of functions


class Claim:
    """Where the pieces went, as the tool says."""

    def __init__(self, pieces):
        self.pieces = sorted((p["old_rva"], p["new_rva"] - p["old_rva"], p["kind"]) for p in pieces)

    def delta(self, rva):
        found = self.pieces[0][1]
        for begin, delta, _ in self.pieces:
            if begin > rva:
                break
            found = delta
        return found

    def new(self, rva):
        return rva + self.delta(rva)

    def may_mean(self, rva):
        """New addresses that an old one may have become: an address near an edge may mean the other side."""
        edges = [begin for begin, _, _ in self.pieces if rva - NEAR <= begin <= rva + NEAR]
        return {rva + self.delta(at) for at in (rva, rva - 1, *edges, *(edge - 1 for edge in edges))}


class Pair:
    """One image before and after; collects what is not the same as text."""

    def __init__(self, old_path, new_path, pieces):
        is_64 = loader.Headers(old_path, fast_load=True).OPTIONAL_HEADER.Magic == 0x20B
        bases = (0x7FF612340000, 0x7FF756780000) if is_64 else (0x12340000, 0x23450000)
        self.paths = (old_path, new_path)
        self.old, self.new = [loader.Loaded(images.read(path), base) for path, base in zip(self.paths, bases)]
        self.claim = Claim(pieces)
        self.wrong, self.checked = [], 0
        tables = [image.pe.OPTIONAL_HEADER.DATA_DIRECTORY[5] for image in (self.old, self.new)]
        begin, room = tables[0].VirtualAddress, max(table.Size for table in tables) + 4
        self.explained = set(range(begin, begin + room)) if begin else set()  # old RVAs of bytes that may differ
        self.guard_count_change = 0  # entries that a guard table got for the start-up stubs
        self.uniform = self.claim.delta(self.old.pe.OPTIONAL_HEADER.AddressOfEntryPoint)  # code stays together

    def expect(self, what, old_rva, new_rva):
        self.checked += 1
        if new_rva not in self.claim.may_mean(old_rva):
            self.wrong.append(f"{what}: {old_rva:#x} became {new_rva:#x}, not {self.claim.new(old_rva):#x}")

    def leads_to_stub(self, old_rva, new_rva):
        """An entry of the driver, or the guard table with them in it, that is in .hvcode now."""
        if self.new.section_at(new_rva) != ".hvcode":
            return False
        if self.new.number(new_rva) == self.claim.new(self.old.number(old_rva)):  # the table, by its first entry
            self.guard_count_change = 2
            return True
        return self.new.memory[new_rva] == 0xB8 and self.new.memory[new_rva + 5] == 0x87  # mov eax, 1; xchg

    def through_jumps(self, new_rva):
        """Where a copied instruction is, when a jump to it stands at new_rva."""
        if self.new.memory[new_rva] == 0xE9:
            target = (new_rva + 5 + self.new.number(new_rva + 1)) % (1 << 32)
            if self.new.section_at(target) == ".hvcode":
                return target
        return new_rva

    def tables(self):
        old, new = self.old.named(), self.new.named()
        if old.keys() != new.keys():
            self.wrong.append(f"tables name other things: {sorted(map(str, old.keys() ^ new.keys()))[:4]}")
        for what in old.keys() & new.keys():
            if (old[what] is None) != (new[what] is None):
                self.wrong.append(f"{what} is a forwarder in one only")
            elif old[what]:
                may_be_stub = what == "entry point" or "DllInitialize" in what
                if not (may_be_stub and self.leads_to_stub(old[what], new[what])):
                    self.expect(what, old[what], new[what])

    def debug_file_offsets(self):
        """The file offset of debug data is that of its address."""
        rva = self.old.pe.OPTIONAL_HEADER.DATA_DIRECTORY[6].VirtualAddress
        for place, entry in enumerate(getattr(self.new.pe, "DIRECTORY_ENTRY_DEBUG", [])):
            if entry.struct.AddressOfRawData:
                self.explained.update(range(rva + 28 * place + 24, rva + 28 * place + 28))
                foff = self.new.pe.get_offset_from_rva(entry.struct.AddressOfRawData)
                if foff != entry.struct.PointerToRawData:
                    self.wrong.append(f"debug data {place} is at {foff:#x}, not {entry.struct.PointerToRawData:#x}")

    def unmapped_debug_data(self):
        """Debug data that no address has: carried over byte by byte, or left out with its size and place."""
        rva = self.old.pe.OPTIONAL_HEADER.DATA_DIRECTORY[6].VirtualAddress
        old, new = [getattr(image.pe, "DIRECTORY_ENTRY_DEBUG", []) for image in (self.old, self.new)]
        for place, (before, after) in enumerate(zip(old, new)):
            if before.struct.AddressOfRawData or not before.struct.SizeOfData:
                continue
            self.explained.update(range(rva + 28 * place + 16, rva + 28 * place + 28))
            data = [image.pe.__data__[entry.struct.PointerToRawData :][: entry.struct.SizeOfData]
                    for image, entry in ((self.old, before), (self.new, after))]
            is_left_out = (after.struct.SizeOfData, after.struct.PointerToRawData) == (0, 0)
            holds_addresses = before.struct.Type == FPO
            if not is_left_out and (len(data[0]) != len(data[1]) or (data[0] != data[1] and not holds_addresses)):
                self.wrong.append(f"debug data {place} is another")

    def bindings(self):
        """Of an image that was bound, each slot holds again what the lookup table does; nothing says that it is bound."""
        if not self.old.pe.OPTIONAL_HEADER.DATA_DIRECTORY[11].VirtualAddress:
            return
        width = 8 if self.old.is_64 else 4
        at = self.old.pe.OPTIONAL_HEADER.DATA_DIRECTORY[1].VirtualAddress
        while self.old.number(at + 12):
            self.explained.update(range(at + 4, at + 12))  # time stamp, forwarder chain
            there = self.claim.new(at)
            if self.new.number(there + 4) or self.new.number(there + 8):
                self.wrong.append(f"the import descriptor at {at:#x} is still bound")
            names, slots = self.new.number(there), self.new.number(there + 16)
            count = 0
            while self.new.number(names + count * width, width):
                if self.new.number(slots + count * width, width) != self.new.number(names + count * width, width):
                    self.wrong.append(f"the slot at {slots + count * width:#x} is no import")
                count += 1
            first = self.old.number(at + 16)
            self.explained.update(range(first, first + count * width))
            at += 20

    def relocated_values(self):
        """Every relocated pointer of the old image leads to the same in the new one; each field is there once."""
        fields = set()
        for rva, width in self.old.relocations.items():
            place = self.claim.new(rva)
            if place not in self.new.relocations:
                place = self.moved_field(rva, width, place)
                if place is None:
                    continue
            fields.add(place)
            self.explained.update(range(rva, rva + width))
            targets = [(image.number(at, width) - image.base) % (1 << 8 * width)
                       for image, at in ((self.old, rva), (self.new, place))]
            if not self.leads_to_stub(*targets) and not self.is_far_fold(rva, *targets):
                self.expect(f"relocated value at {rva:#x}", *targets)
        for rva in self.new.relocations.keys() - fields:
            if self.new.section_at(rva) != ".hvcode":
                self.wrong.append(f"the relocation at {rva:#x} is new")

    def is_far_fold(self, rva, old_target, new_target):
        """An operand with an index may lie far from its array (arr[i - 0x803]): then it moved as some piece did. Whether
        it is the right one shows when the driver runs (wine/test_rewritten.py)."""
        modrm, sib = self.old.memory[rva - 2 : rva]
        has_index = modrm & 0xC7 == 0x04 and sib & 7 == 5 and sib & 0x38 != 0x20  # [disp32 + index * scale]
        has_base = sib & 0xC0 == 0x80 and sib & 7 != 4  # the byte before is the ModRM byte: [register + disp32]
        change = (new_target - old_target) % (1 << 32)
        return not self.old.is_64 and (has_index or has_base) and change in {delta for _, delta, _ in self.claim.pieces}

    def moved_field(self, rva, width, place):
        """A field that is relocated at start, or in a copy of its instruction. None when it is lost."""
        for begin in range(place - 8, place):
            copy = self.through_jumps(begin)
            if copy != begin and copy + (place - begin) in self.new.relocations:
                nbytes = next(n for n in range(5, 16) if self.new.memory[copy + n] in (0xE9, 0xCC))
                self.explained.update(range(rva - (place - begin), rva - (place - begin) + max(nbytes, 15)))
                return copy + (place - begin)
        if rva % loader.PAGE + width > loader.PAGE and any(s.Name.startswith(b".hvcode") for s in self.new.pe.sections):
            self.new.slide_field(place, width)  # as the stub does
            return place
        self.wrong.append(f"the relocation at {rva:#x} is lost")
        return None

    def instructions(self):
        """What llvm-objdump prints of functions that unwind data bounds, in both files."""
        old, new = [test_code.Printed(path) for path in self.paths]
        for begin, end in test_code.functions(self.paths[0]):
            begin, end = begin - self.old.own_base, end - self.old.own_base
            new_begin = self.claim.new(begin)
            found = [printed.targets(base + first, base + first + end - begin)
                     for printed, base, first in ((old, self.old.own_base, begin), (new, self.new.own_base, new_begin))]
            addresses = [{address - base - first for address in targets} for targets, base, first in
                         zip(found, (self.old.own_base, self.new.own_base), (begin, new_begin))]
            if addresses[0] != addresses[1]:
                self.wrong.append(f"the function at {begin:#x} has other operands")
                continue
            for at in addresses[0]:
                targets = [targets[base + first + at][0] - base for targets, base, first in
                           zip(found, (self.old.own_base, self.new.own_base), (begin, new_begin))]
                if targets[0] == 0 and targets[1] == self.uniform:
                    continue  # the image base, which stays where it is seen from code
                if 0 <= targets[0] < len(self.old.memory):
                    self.expect(f"operand at {begin + at:#x}", *targets)

    def bytes(self):
        """Every byte of a piece is the same, or part of an address that moved as what it leads to did."""
        bounds = [begin for begin, _, _ in self.claim.pieces] + [len(self.old.memory)]
        for (begin, delta, kind), end in zip(self.claim.pieces, bounds[1:]):
            if kind in ("headers", "base relocations"):
                continue
            end = min(end, len(self.new.memory) - delta)
            old, new = self.old.memory[begin:end], self.new.memory[begin + delta : end + delta]
            at = 0
            while at < len(old):
                if old[at : at + 64] == new[at : at + 64]:
                    at += 64
                elif old[at] == new[at] or begin + at in self.explained or self.is_padding(begin + at):
                    at += 1
                else:
                    at += self.field_at(begin + at, delta)

    def is_padding(self, rva):
        """Behind the content of a section, or inside it, zeros and CC are exchanged where nothing lies."""
        delta = self.claim.delta(rva)
        return self.old.memory[rva] in (0, 0xCC) and self.new.memory[rva + delta] in (0, 0xCC)

    def field_at(self, rva, delta):
        """Bytes up to the end of a field of four that explains the difference; else says so."""
        for first in range(rva - 3, rva + 1):
            old, new = self.old.number(first), self.new.number(first + delta)
            if old < len(self.old.memory) and new < len(self.new.memory) and self.leads_to_stub(old, new):
                return first + 4 - rva
            if self.guard_count_change and 0 < new - old <= self.guard_count_change:
                return first + 4 - rva
            change = (new - old) % (1 << 32)
            meanings = [old] + [first + 4 + tail + old for tail in (0, 1, 2, 4)]
            for number, target in enumerate(meanings):
                target %= 1 << 32
                own = delta if number else 0
                if any((goal - target - own) % (1 << 32) == change for goal in self.claim.may_mean(target)):
                    return first + 4 - rva
        if self.is_difference(rva, delta):
            return 1
        self.wrong.append(f"the byte at {rva:#x} differs and is in no address")
        return 1

    def is_difference(self, rva, delta):
        """A distance between two pieces, as tables of differences hold: it changed as two pieces moved apart."""
        deltas = {one for _, one, _ in self.claim.pieces}
        changes = {(a - b) % (1 << 32) for a in deltas for b in deltas}
        return any((self.new.number(first + delta) - self.old.number(first)) % (1 << 32) in changes
                   for first in range(rva - 3, rva + 1))

    def compare(self):
        self.tables()
        self.debug_file_offsets()
        self.unmapped_debug_data()
        self.bindings()
        self.relocated_values()
        if self.old.is_64:
            self.instructions()
        self.bytes()
        return self.wrong


class LoadedElsewhere(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.new, self.map = os.path.join(self.folder, "new.sys"), os.path.join(self.folder, "map.json")

    def fix(self, path, *options):
        """The pair, or None when it is not rewritten or nothing moves."""
        done = subprocess.run([TOOL, "fix", path, "-o", self.new, "--map", self.map, *options], capture_output=True,
                              check=False)
        if done.returncode:
            return None
        pieces = json.loads(images.read(self.map))["pieces"]
        return Pair(path, self.new, pieces) if pieces else None

    def test_fixtures(self):
        compared, checked = {"x64": 0, "x86": 0}, 0
        for fixture in matrix.read():
            for options, verdict in fixture.runs:
                pair = self.fix(fixture.path, *options) if verdict in ("repairs", "either") else None
                if pair:
                    with self.subTest(fixture=fixture.file_name, options=options):
                        self.assertEqual(pair.compare()[:5], [])
                    compared[fixture.machine] += 1
                    checked += pair.checked
        for machine, fewest in FEWEST.items():
            self.assertGreaterEqual(compared[machine], fewest)
        self.assertGreater(checked, 100 * sum(compared.values()))

    def test_real_drivers(self):
        paths = images.real_drivers_of("x86")
        if not paths:
            self.skipTest("the package node-interception could not be had")
        compared = 0
        for path in paths:
            pair = self.fix(path, "--drop-signature")
            if pair:
                with self.subTest(path=os.path.basename(path)):
                    self.assertEqual(pair.compare()[:5], [])
                compared += 1
        self.assertEqual(compared, 2)  # those with 128-byte sections

    def test_comparison_sees_mistakes(self):
        """One byte of a repaired image turned over in code, in a pointer, in a table, or a piece that is claimed elsewhere."""
        path = next(f.path for f in matrix.read() if f.file_name == "rich_low_80_x64")
        pair = self.fix(path)
        self.assertEqual(pair.compare(), [])
        data, pieces = images.read(self.new), json.loads(images.read(self.map))["pieces"]
        entry = pair.new.pe.OPTIONAL_HEADER.AddressOfEntryPoint
        pointer = min(pair.new.relocations)
        function = pair.new.pe.OPTIONAL_HEADER.DATA_DIRECTORY[3].VirtualAddress
        for rva in (entry, pointer, function):
            changed = bytearray(data)
            changed[pair.new.pe.get_offset_from_rva(rva)] ^= 0x03
            with open(self.new, "wb") as file:
                file.write(changed)
            self.assertNotEqual(Pair(path, self.new, pieces).compare(), [], hex(rva))
        with open(self.new, "wb") as file:
            file.write(data)
        code = next(piece for piece in pieces if piece["old_section"] == ".text")
        code["new_rva"] += loader.PAGE
        self.assertNotEqual(Pair(path, self.new, pieces).compare(), [])


if __name__ == "__main__":
    unittest.main()
