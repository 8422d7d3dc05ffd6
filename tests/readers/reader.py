#!/usr/bin/python3
"""Judges the layout rules HVCI2003 to HVCI2102 on PE images, apart from hvcifix.

Takes: paths of images.  Gives: JSON, {path: {code: [places...]}}, only for rules that fail.
Must not: share code, tables or results with tool/; it is written from the PE format and from the rules'
borders, and reads headers with pefile. The two are compared by test_findings.py, so a mistake has to be made
twice to go unseen.

A place is, by rule:
  2003, 2102  file offset of the section's header
  2004        file offset of a section's header, or "SectionAlignment" when no section is out of place
  2005        file offset of the header of an executable section that holds part of the table
  2006        RVA of the slot or table
  2101        RVA of the relocated field
"""

import json
import struct
import sys

import pefile

PAGE = 0x1000
EXECUTE, WRITE, DISCARDABLE = 0x20000000, 0x80000000, 0x02000000
IMPORT, EXCEPTION, BASERELOC, LOAD_CONFIG, IAT, DELAY_IMPORT, CLR = 1, 3, 5, 10, 12, 13, 14
HIGHLOW, DIR64 = 3, 10

# Load configuration: fields that name something written at load or by start-up code, as
# (offset in PE32, offset in PE32+). Order: CFG check and dispatch, RF failure, RF verify, three of XFG, CastGuard,
# memcpy, UMA. The security cookie comes first and counts unless GuardFlags say that it is not used.
SECURITY_COOKIE = (0x3C, 0x58)
WRITTEN_FIELDS = [
    SECURITY_COOKIE, (0x48, 0x70), (0x4C, 0x78), (0x84, 0xD8), (0x90, 0xE8),
    (0xAC, 0x118), (0xB0, 0x120), (0xB4, 0x128), (0xB8, 0x130), (0xBC, 0x138), (0xC0, 0x140),
]
GUARD_FLAGS, COOKIE_UNUSED = (0x58, 0x90), 0x800

KERNEL_MODULES = {'ntoskrnl.exe', 'ntkrnlpa.exe', 'hal.dll', 'bootvid.dll', 'kdcom.dll', 'ci.dll', 'pshed.dll'}
USER_MODULES = {'kernel32.dll', 'ntdll.dll', 'kernelbase.dll', 'user32.dll', 'msvcrt.dll', 'ucrtbase.dll',
                'mscoree.dll', 'advapi32.dll', 'gdi32.dll'}


class Headers(pefile.PE):
    """pefile's reading of the headers. It asks is_driver() only for a remark about a writable and executable
    section PAGE, and falls over its own half-read sections then."""

    def is_driver(self):
        return False


class Image:
    """One image: headers from pefile, tables read here."""

    def __init__(self, path):
        self.pe = Headers(path, fast_load=True)
        self.optional = self.pe.OPTIONAL_HEADER
        self.wide = self.optional.Magic == 0x20B
        self.pointer = 8 if self.wide else 4
        self.data = self.pe.__data__
        self.sections = self.pe.sections

    def directory(self, number):
        """(RVA, size) of a data directory, (0, 0) when it is absent or empty."""
        entries = self.optional.DATA_DIRECTORY
        if number >= len(entries):
            return 0, 0
        entry = entries[number]
        if entry.VirtualAddress == 0 or entry.Size == 0:
            return 0, 0
        return entry.VirtualAddress, entry.Size

    def is_loaded_by_some_windows(self):
        """File alignment below a sector is for low-aligned images that have the same in memory."""
        return self.optional.FileAlignment in (self.optional.SectionAlignment, *(512 << n for n in range(8)))

    def memory_size(self, section):
        size = section.Misc_VirtualSize or section.SizeOfRawData
        align = self.optional.SectionAlignment or 1
        return (size + align - 1) // align * align

    def section_at(self, rva):
        for section in self.sections:
            if section.VirtualAddress <= rva < section.VirtualAddress + self.memory_size(section):
                return section
        return None

    def offset(self, rva):
        """File offset of an RVA, or None. Raw pointers of page-aligned images count from 512-byte sectors."""
        section = self.section_at(rva)
        if section is None:
            return rva if rva < self.optional.SizeOfHeaders else None
        delta = rva - section.VirtualAddress
        if delta >= section.SizeOfRawData:
            return None
        raw = section.PointerToRawData
        if self.optional.SectionAlignment >= PAGE:
            raw &= ~0x1FF
        return raw + delta

    def unpack(self, code, rva):
        """Little-endian fields at an RVA, or None when the file does not hold them all."""
        offset = self.offset(rva)
        size = struct.calcsize('<' + code)
        if offset is None or offset + size > len(self.data):
            return None
        return struct.unpack_from('<' + code, self.data, offset)

    def text(self, rva, limit=256):
        offset = self.offset(rva)
        if offset is None:
            return ''
        return bytes(self.data[offset:offset + limit]).split(b'\0')[0].decode('latin-1')

    def pointer_at(self, rva):
        value = self.unpack('Q' if self.wide else 'I', rva)
        return value[0] if value else None

    def imports(self):
        """[(module, FirstThunk RVA, [names or ordinals])] up to the first empty descriptor."""
        rva, size = self.directory(IMPORT)
        found = []
        while rva and size:
            fields = self.unpack('5I', rva)
            if not fields or fields[3] == 0 or fields[4] == 0:
                break
            lookup, _, _, name, thunks = fields
            symbols = []
            at = lookup or thunks
            while True:
                value = self.pointer_at(at)
                if not value:
                    break
                by_ordinal = value >> (self.pointer * 8 - 1)
                symbols.append(value & 0xFFFF if by_ordinal else self.text((value & 0x7FFFFFFF) + 2))
                at += self.pointer
            found.append((self.text(name).lower(), thunks, symbols))
            rva += 20
        return found

    def delay_tables(self):
        """RVAs of the delay-load import address tables."""
        rva, size = self.directory(DELAY_IMPORT)
        found = []
        while rva and size:
            fields = self.unpack('8I', rva)
            if not fields or fields[1] == 0:
                break
            table = fields[3] if fields[0] & 1 else fields[3] - self.optional.ImageBase
            if fields[3]:
                found.append(table)
            rva += 32
        return found

    def written_slots(self):
        """RVAs that the load configuration names as written at load."""
        rva, size = self.directory(LOAD_CONFIG)
        head = self.unpack('I', rva) if rva and size else None
        found = []
        flags_at = GUARD_FLAGS[self.wide]
        flags = self.unpack('I', rva + flags_at)[0] if head and head[0] >= flags_at + 4 else 0
        for field in WRITTEN_FIELDS if head else []:
            offset = field[self.wide]
            if offset + self.pointer > head[0] or (field == SECURITY_COOKIE and flags & COOKIE_UNUSED):
                continue
            value = self.pointer_at(rva + offset)
            if value:
                found.append(value - self.optional.ImageBase)
        return found

    def relocations(self):
        """(RVA, type) of each entry, to the end of the directory or the first impossible block."""
        rva, size = self.directory(BASERELOC)
        end = rva + size
        while rva + 8 <= end:
            block = self.unpack('II', rva)
            if not block or block[1] < 8 or rva + block[1] > end:
                return
            entries = self.unpack('%dH' % ((block[1] - 8) // 2), rva + 8)
            if entries is None:
                return
            for entry in entries:
                yield block[0] + (entry & 0xFFF), entry >> 12
            rva += block[1]

    def has_clr_stub(self):
        """A managed image whose only import is the CLR's own entry."""
        if self.directory(CLR) == (0, 0):
            return False
        imports = self.imports()
        return len(imports) == 1 and imports[0][0] == 'mscoree.dll' and imports[0][2] in (
            ['_CorExeMain'], ['_CorDllMain'])

    def role(self):
        """'kernel', 'user' or 'firmware'."""
        if 10 <= self.optional.Subsystem <= 13 or self.optional.Subsystem == 16:
            return 'firmware'
        modules = [module for module, _, _ in self.imports()]
        if any(m in KERNEL_MODULES or m.endswith('.sys') for m in modules):
            return 'kernel'
        is_user = any(m in USER_MODULES or m.startswith('api-ms-win-') for m in modules)
        return 'kernel' if self.optional.Subsystem == 1 and not is_user else 'user'


def executable(section):
    return section is not None and bool(section.Characteristics & EXECUTE)


def rights(image):
    """2003 and 2102: sections with both rights, told apart by name and the discardable flag."""
    others, inits = [], []
    for section in image.sections:
        flags = section.Characteristics
        if flags & EXECUTE and flags & WRITE:
            is_init = section.Name.split(b'\0')[0] == b'INIT' and flags & DISCARDABLE
            (inits if is_init else others).append(section.get_file_offset())
    return others, inits


def alignment(image):
    """2004."""
    places = [s.get_file_offset() for s in image.sections if s.VirtualAddress % PAGE]
    align = image.optional.SectionAlignment
    if not places and (align == 0 or align % PAGE):
        return ['SectionAlignment']
    return places


def import_table(image):
    """2005."""
    if image.has_clr_stub():
        return []
    rva, size = image.directory(IAT)
    places = set()
    if size:
        for section in image.sections:
            begin, end = section.VirtualAddress, section.VirtualAddress + image.memory_size(section)
            if executable(section) and rva < end and begin < rva + size:
                places.add(section.get_file_offset())
    else:
        for _, thunks, _ in image.imports():
            section = image.section_at(thunks)
            if executable(section):
                places.add(section.get_file_offset())
    return sorted(places)


def loader_data(image):
    """2006."""
    places = image.written_slots() + image.delay_tables()
    rva, size = image.directory(IAT)
    if size and not image.has_clr_stub():
        for _, thunks, symbols in image.imports():
            end = thunks + max(len(symbols), 1) * image.pointer
            if thunks < rva or end > rva + size:
                places.append(thunks)
    return sorted(p for p in places if executable(image.section_at(p)))


def straddling(image):
    """2101."""
    last = {HIGHLOW: PAGE - 4, DIR64: PAGE - 8}
    return sorted({rva for rva, kind in image.relocations() if kind in last and rva % PAGE > last[kind]})


def judge(path):
    """{code: [places]} of the rules that fail."""
    image = Image(path)
    others, inits = rights(image)
    answers = {'HVCI2003': others, 'HVCI2004': alignment(image), 'HVCI2005': import_table(image),
               'HVCI2006': loader_data(image), 'HVCI2101': straddling(image), 'HVCI2102': inits}
    return {code: places for code, places in answers.items() if places}


def expected_level(image, code, target_is_before_1703):
    """The level that hvcifix should give a finding."""
    if image.role() != 'kernel' or code == 'HVCI2102':
        return 'note'
    if code == 'HVCI2101' and not target_is_before_1703:
        return 'note'
    return 'error'


def main():
    report = {}
    for path in sys.argv[1:]:
        try:
            report[path] = judge(path)
        except pefile.PEFormatError as reason:
            report[path] = {'unreadable': [str(reason)]}
    json.dump(report, sys.stdout, indent=1)
    print()


if __name__ == '__main__':
    main()
