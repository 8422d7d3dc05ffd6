"""What llvm-readobj says about an image, put into the words of the layout rules.

Nothing here comes from hvcifix: llvm-readobj reads the headers, the load configuration and the relocations.
"""

import re
import subprocess

EXECUTE, WRITE, DISCARDABLE = 0x20000000, 0x80000000, 0x02000000
PAGE_NBYTES = 4096
SMALLEST_FILE_ALIGNMENT = 512
RELOCATION_NBYTES = {"DIR64": 8, "HIGHLOW": 4}
SLOTS = ("SecurityCookie", "GuardCFCheckFunction", "GuardCFCheckDispatch")
DELAY_TABLES = ("ModuleHandle", "ImportAddressTable")  # written by the code that loads late
ALL = "--file-headers --sections --coff-load-config --coff-imports --coff-basereloc"


def read(options, path):
    """What llvm-readobj prints for one option, or several with blanks between."""
    return subprocess.run(["llvm-readobj-19", *options.split(), path], capture_output=True, text=True, check=True).stdout


def number(text, field):
    """The value of a field; 0 when it is not there."""
    found = re.search(rf"\b{field}: (0x[0-9A-Fa-f]+|\d+)", text)
    return int(found[1], 0) if found else 0


class Section:
    """A section header."""

    def __init__(self, text):
        self.text = text
        self.name = re.search(r"Name: (\S+)", text)[1]
        self.rva = number(text, "VirtualAddress")
        self.nbytes = max(number(text, "VirtualSize"), number(text, "RawDataSize"))
        self.flags = int(re.search(r"Characteristics \[ \((0x[0-9A-F]+)\)", text)[1], 16)

    def holds(self, rva):
        return self.rva <= rva < self.rva + self.nbytes


def findings(path):
    """{code: number of places} of the layout rules that the image breaks."""
    text = read(ALL, path)
    sections = [Section(part) for part in text.split("Section {")[1:]]
    found = {}

    def add(code):
        found[code] = found.get(code, 0) + 1

    def is_executable(rva):
        return any(section.holds(rva) and section.flags & EXECUTE for section in sections)

    for section in sections:
        if section.flags & EXECUTE and section.flags & WRITE:
            add("HVCI2102" if section.name == "INIT" and section.flags & DISCARDABLE else "HVCI2003")
    if number(text, "SectionAlignment") % PAGE_NBYTES:
        add("HVCI2004")
    if number(text, "IATSize") and is_executable(number(text, "IATRVA")):
        add("HVCI2005")
    for slot in SLOTS:
        slot_va = number(text, slot)
        if slot_va and is_executable(slot_va - number(text, "ImageBase")):
            add("HVCI2006")
    for module in text.split("DelayImport {")[1:]:
        for table in DELAY_TABLES:
            if is_executable(number(module, table)):
                add("HVCI2006")
    file_alignment, section_alignment = number(text, "FileAlignment"), number(text, "SectionAlignment")
    if file_alignment != section_alignment and (
            section_alignment < PAGE_NBYTES or file_alignment < SMALLEST_FILE_ALIGNMENT):
        add("HVCI9011")
    if "IMAGE_FILE_RELOCS_STRIPPED" in text and "IMAGE_SUBSYSTEM_NATIVE " in text:
        add("HVCI9011")
    for kind, address in re.findall(r"Type: (\S+)\s+Address: (0x[0-9A-F]+)", text):
        nbytes = RELOCATION_NBYTES.get(kind, 0)
        if nbytes and int(address, 16) % PAGE_NBYTES > PAGE_NBYTES - nbytes:
            add("HVCI2101")
    return found
