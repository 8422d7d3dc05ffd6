"""Repairs relocations that straddle a page, by a hand that is not hvcifix's: for page-aligned fixtures only.

Writable data gets a start-up stub (llvm-mc assembles its text), x86 code gets copies of instructions (llvm-objdump says
where they begin), a read-only section is shifted. What is built here is what the verifier has to accept.
"""

import bisect
import itertools
import os
import re
import struct
import subprocess
import tempfile

PAGE = 0x1000
EXECUTE, WRITE = 0x20000000, 0x80000000
CODE_FLAGS, DATA_FLAGS, RELOC_FLAGS = 0x68000020, 0xC8000040, 0x42000040
READ_FLAGS = 0x40000040  # of what this repair does not need
GUARD_CF = 0x4000
SHIFTS = (0x800, 0x400, 0x200, 0x100, 0x80, 0x40, 0x20, 0x10)

TEXT_64 = """
begin: mov eax, 1
 xchg dword ptr [rip + flag], eax
 test eax, eax
 jnz done
 lea rax, [rip + begin]
 movabs r10, 0x1122334455667788
 sub rax, r10
 jz done
 lea r10, [rip + table]
next: movsxd r11, dword ptr [r10]
 test r11, r11
 jz done
 add qword ptr [r10 + r11], rax
 add r10, 4
 jmp next
done: jmp function
"""
TEXT_32 = """
begin: mov eax, 1
 xchg dword ptr [flag], eax
 test eax, eax
 jnz done
 mov eax, offset begin
 sub eax, 0x11223344
 jz done
 mov edx, offset table
next: mov ecx, dword ptr [edx]
 test ecx, ecx
 jz done
 add dword ptr [edx + ecx], eax
 add edx, 4
 jmp next
done: jmp function
"""
# Where the fields are: flag, begin, as linked, table, function.
FIELDS_64 = (0x07, 0x12, 0x18, 0x28, 0x3F)
FIELDS_32 = (0x07, 0x10, 0x15, 0x1C, 0x2F)


def assemble(is_64):
    """The bytes of the stub's text; its fields hold nothing of worth."""
    with tempfile.TemporaryDirectory() as folder:
        source, whole, code = (os.path.join(folder, name) for name in ("stub.s", "stub.o", "stub.bin"))
        with open(source, "w", encoding="ascii") as file:
            file.write(".intel_syntax noprefix\n" + (TEXT_64 if is_64 else TEXT_32))
        triple = "x86_64-linux" if is_64 else "i686-linux"
        subprocess.run(["llvm-mc-19", f"-triple={triple}", "-filetype=obj", "-o", whole, source], check=True)
        subprocess.run(["llvm-objcopy-19", "-O", "binary", "--only-section=.text", whole, code], check=True)
        with open(code, "rb") as file:
            return file.read()


class Section:
    """One header of the section table."""

    def __init__(self, data, foff):
        self.foff = foff
        self.name = data[foff : foff + 8].rstrip(b"\0").decode()
        self.virtual_nbytes, self.rva, self.raw_nbytes, self.raw_foff = struct.unpack_from("<4I", data, foff + 8)
        self.flags = struct.unpack_from("<I", data, foff + 36)[0]

    def holds(self, rva):
        return self.rva <= rva < self.rva + max(self.virtual_nbytes, self.raw_nbytes)


class Image:
    """An image under repair."""

    def __init__(self, data):
        self.data = bytearray(data)
        self.coff = self.u32(0x3C) + 4
        self.opt = self.coff + 20
        self.is_64 = self.u16(self.opt) == 0x20B
        self.width, self.pointer = (8, "<Q") if self.is_64 else (4, "<I")
        self.base = self.get("<Q", self.opt + 24) if self.is_64 else self.u32(self.opt + 28)
        self.directories = self.opt + (112 if self.is_64 else 96)
        self.table = self.opt + self.u16(self.coff + 16)

    def get(self, form, foff):
        return struct.unpack_from(form, self.data, foff)[0]

    def put(self, form, foff, *values):
        struct.pack_into(form, self.data, foff, *values)

    def u16(self, foff):
        return self.get("<H", foff)

    def u32(self, foff):
        return self.get("<I", foff)

    def sections(self):
        return [Section(self.data, self.table + 40 * i) for i in range(self.u16(self.coff + 2))]

    def directory(self, index):
        return struct.unpack_from("<II", self.data, self.directories + 8 * index)

    def section(self, rva):
        return next(section for section in self.sections() if section.holds(rva))

    def foff(self, rva):
        section = self.section(rva)
        return section.raw_foff + rva - section.rva

    def relocations(self):
        rva, nbytes = self.directory(5)
        at = self.foff(rva)
        end, found = at + nbytes, []
        while at < end:
            page, block = struct.unpack_from("<II", self.data, at)
            entries = (self.u16(at + i) for i in range(8, block, 2))
            found += [page + (entry & 0xFFF) for entry in entries if entry >> 12]
            at += block
        return found

    def make_room(self, count):
        """For `count` more section headers."""
        headers = self.u32(self.opt + 60)
        if self.table + 40 * (self.u16(self.coff + 2) + count) <= headers:
            return
        self.data[headers:headers] = bytes(0x200)
        self.put("<I", self.opt + 60, headers + 0x200)
        for section in self.sections():
            if section.raw_nbytes:
                self.put("<I", section.foff + 20, section.raw_foff + 0x200)
        rva, nbytes = self.directory(6)
        for at in range(0, nbytes, 28) if rva else ():
            pointer = self.foff(rva) + at + 24
            if self.u32(pointer):
                self.put("<I", pointer, self.u32(pointer) + 0x200)

    def drop_symbols(self):
        """COFF symbols, and what else lies behind the last section."""
        self.put("<II", self.coff + 8, 0, 0)
        del self.data[max(section.raw_foff + section.raw_nbytes for section in self.sections()) :]

    def append(self, name, rva, flags, content):
        header, count = self.table + 40 * self.u16(self.coff + 2), self.u16(self.coff + 2)
        self.data += bytes(-len(self.data) % 0x200)
        raw = bytes(content) + bytes(-len(content) % 0x200)
        self.put("<8s6IHHI", header, name, len(content), rva, len(raw), len(self.data), 0, 0, 0, 0, flags)
        self.data += raw
        self.put("<H", self.coff + 2, count + 1)
        self.put("<I", self.opt + 56, -(-(rva + len(content)) // PAGE) * PAGE)

    def set_checksum(self):
        self.put("<I", self.opt + 64, 0)
        padded = bytes(self.data) + bytes(len(self.data) % 2)
        total = sum(struct.unpack(f"<{len(padded) // 2}H", padded))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        self.put("<I", self.opt + 64, total + len(self.data) & 0xFFFFFFFF)


class Repair:
    """The work on one image; `parts` says where the pieces of the repair are: {what: RVA}."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.image = Image(file.read())
        self.path, self.parts, self.code = path, {}, bytearray()
        image = self.image
        self.sites = image.relocations()
        straddlers = [rva for rva in self.sites if rva % PAGE + image.width > PAGE]
        flags = {rva: image.section(rva).flags for rva in straddlers}
        self.copied = [rva for rva in straddlers if flags[rva] & EXECUTE]
        self.applied = [rva for rva in straddlers if not flags[rva] & EXECUTE and flags[rva] & WRITE]
        shifted = [rva for rva in straddlers if not flags[rva] & (EXECUTE | WRITE)]
        self.moved_sites, self.own_sites, self.stubs = {}, [], []
        end = -(-image.u32(image.opt + 56) // PAGE) * PAGE
        self.code_rva, self.flag_rva = end, end + PAGE
        self.next_rva = end + 2 * PAGE
        self.shifts = {}  # section RVA -> (section, new RVA of its first byte, shift)
        for rva in shifted:
            self.place_shifted(image.section(rva))

    def place_shifted(self, section):
        if section.rva in self.shifts:
            return
        inside = [site - section.rva for site in self.sites if section.holds(site)]
        width = self.image.width
        shift = next(s for s in SHIFTS if all((at + s) % PAGE + width <= PAGE for at in inside))
        self.shifts[section.rva] = (section, self.next_rva + shift, shift)
        self.next_rva += -(-(section.virtual_nbytes + shift) // PAGE) * PAGE

    def mapped(self, rva):
        for section, new_rva, _ in self.shifts.values():
            if section.holds(rva):
                return rva - section.rva + new_rva
        return rva

    def copy_instructions(self):
        if not self.copied:
            return
        listing = subprocess.run(["llvm-objdump-19", "-d", "--no-show-raw-insn", self.path], capture_output=True,
                                 text=True, check=True).stdout
        begins = sorted({int(va, 16) - self.image.base for va in re.findall(r"^\s*([0-9a-f]+):\s", listing, re.M)})
        for site in self.copied:
            index = bisect.bisect_right(begins, site) - 1
            begin, nbytes = begins[index], begins[index + 1] - begins[index]
            foff, copy_rva = self.image.foff(begin), self.code_rva + len(self.code)
            end = begin + nbytes
            self.moved_sites.update({rva: copy_rva + rva - begin for rva in self.sites if begin <= rva < end})
            self.code += self.image.data[foff : foff + nbytes]
            instruction = self.image.data[foff : foff + nbytes]
            if not (instruction[0] == 0xFF and instruction[1] >> 3 & 7 == 4):  # jmp [address]
                self.code += b"\xE9" + struct.pack("<i", begin + nbytes - (copy_rva + nbytes + 5))
            self.code += b"\xCC" * (-len(self.code) % 16)
            self.image.data[foff : foff + nbytes] = (
                b"\xE9" + struct.pack("<i", copy_rva - (begin + 5)) + b"\xCC" * (nbytes - 5))
            self.parts.setdefault("copy", copy_rva)
            self.parts.setdefault("place", begin)

    def follow_references(self):
        """To what was shifted: addresses, and on x64 operands relative to the next instruction (fixtures have no
        others that look like them)."""
        image = self.image
        for site in self.sites:
            value = image.get(image.pointer, image.foff(site)) - image.base if site not in self.moved_sites else 0
            if self.mapped(value) != value:
                image.put(image.pointer, image.foff(site), self.mapped(value) + image.base)
        for section in image.sections() if image.is_64 and self.shifts else ():
            for at in range(section.raw_foff, section.raw_foff + section.raw_nbytes - 5):
                if not section.flags & EXECUTE or image.data[at] & 0xC7 != 5:
                    continue
                distance = image.get("<i", at + 1)
                target = section.rva + at - section.raw_foff + 5 + distance
                image.put("<i", at + 1, distance + self.mapped(target) - target)

    def entry_points(self):
        """[(file offset of the field that leads there, RVA of the function)]"""
        image = self.image
        found = [(image.opt + 16, image.u32(image.opt + 16))]
        rva, _ = image.directory(0)
        if rva:
            count, functions, names, ordinals = struct.unpack_from("<4I", image.data, image.foff(rva) + 24)
            for i in range(count):
                name = image.foff(image.u32(image.foff(names) + 4 * i))
                if image.data[name : name + 14] == b"DllInitialize\0":
                    entry = image.foff(functions) + 4 * image.u16(image.foff(ordinals) + 2 * i)
                    found.append((entry, image.u32(entry)))
        return found

    def add_stubs(self):
        if not self.applied:
            return
        image, text = self.image, assemble(self.image.is_64)
        entries = self.entry_points()
        pitch = -(-len(text) // 16) * 16
        table_rva = self.code_rva + len(self.code) + pitch * len(entries)
        for field, function in entries:
            rva = self.code_rva + len(self.code)
            stub = bytearray(text)
            flag, begin, linked, table, jump = FIELDS_64 if image.is_64 else FIELDS_32
            if image.is_64:
                for at, target in ((flag, self.flag_rva), (begin, rva), (table, table_rva)):
                    struct.pack_into("<i", stub, at, target - (rva + at + 4))
            else:
                for at, target in ((flag, self.flag_rva), (begin, rva), (table, table_rva)):
                    struct.pack_into("<I", stub, at, image.base + target)
                    self.own_sites.append(rva + at)
            struct.pack_into(image.pointer, stub, linked, image.base + rva)
            struct.pack_into("<i", stub, jump, function - (rva + jump + 4))
            self.code += stub + b"\xCC" * (pitch - len(stub))
            image.put("<I", field, rva)
            self.stubs.append(rva)
        for i, site in enumerate(self.applied):
            self.code += struct.pack("<i", self.mapped(site) - (table_rva + 4 * i))
        self.code += bytes(4) + b"\xCC" * (-len(self.code) % 16)
        self.parts.update(stub=self.stubs[0], last_stub=self.stubs[-1], table=table_rva, flag=self.flag_rva)
        self.add_guard_records()

    def add_guard_records(self):
        image = self.image
        table_at, count_at, flags_at = (0x80, 0x88, 0x90) if image.is_64 else (0x50, 0x54, 0x58)
        rva, _ = image.directory(10)
        if not rva or not image.u16(image.opt + 70) & GUARD_CF:
            return
        config = image.foff(rva)
        if not image.get(image.pointer, config + table_at):
            return
        stride = 4 + (image.u32(config + flags_at) >> 28)
        table = image.foff(image.get(image.pointer, config + table_at) - image.base)
        records = [bytes(image.data[table + i * stride : table + (i + 1) * stride])
                   for i in range(image.get(image.pointer, config + count_at))]
        records += [struct.pack("<I", stub) + bytes(stride - 4) for stub in self.stubs]
        records.sort(key=lambda record: struct.unpack_from("<I", record)[0])
        self.parts["guard"] = self.code_rva + len(self.code)
        image.put(image.pointer, config + table_at, image.base + self.parts["guard"])
        image.put(image.pointer, config + count_at, len(records))
        self.code += b"".join(records)

    def write_relocations(self):
        image = self.image
        kind = 10 if image.is_64 else 3
        sites = sorted([self.moved_sites.get(rva, self.mapped(rva)) for rva in self.sites if rva not in self.applied] +
                       self.own_sites)
        blocks = b""
        for page, group in itertools.groupby(sites, lambda rva: rva // PAGE):
            entries = [kind << 12 | rva % PAGE for rva in group]
            entries += [0] * (len(entries) % 2)
            blocks += struct.pack(f"<II{len(entries)}H", page * PAGE, 8 + 2 * len(entries), *entries)
        rva, nbytes = image.directory(5)
        image.data[image.foff(rva) : image.foff(rva) + nbytes] = bytes(nbytes)
        image.append(b".hvreloc", self.next_rva, RELOC_FLAGS, blocks)
        image.put("<II", image.directories + 8 * 5, self.next_rva, len(blocks))

    def done(self):
        """The bytes of the repaired image."""
        image = self.image
        image.drop_symbols()
        image.make_room(3 + len(self.shifts))
        self.copy_instructions()
        self.follow_references()
        self.add_stubs()
        assert len(self.code) <= PAGE
        image.append(b".hvcode", self.code_rva, CODE_FLAGS if self.code else READ_FLAGS,
                     self.code + (b"\xCC" if self.code else b"\0") * (PAGE - len(self.code)))
        image.append(b".hvdata", self.flag_rva, DATA_FLAGS if self.applied else READ_FLAGS, bytes(4))
        for section, new_rva, shift in self.shifts.values():
            held = min(section.virtual_nbytes, section.raw_nbytes)
            foff = image.foff(section.rva)
            content = bytes(shift) + bytes(image.data[foff : foff + held])
            content += bytes(section.virtual_nbytes - held)
            image.data[foff : foff + section.raw_nbytes] = bytes(section.raw_nbytes)
            image.append(b".hvidata", new_rva - shift, section.flags, content)
            self.parts.setdefault("shifted", new_rva)
        self.write_relocations()
        image.set_checksum()
        return bytes(image.data)
