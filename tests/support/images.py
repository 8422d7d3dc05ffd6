"""The images that the test run offers, and small facts about them that come from pefile."""

import os

import pefile

PAGE_NBYTES = 4096
REAL_DRIVERS = "install-interception.exe.resources"  # INIT is writable and executable in all of them


def listed():
    """All paths: fixtures, Wine's own, and what the packages brought."""
    with open(os.environ["HVCIFIX_IMAGES"], encoding="utf-8") as paths:
        return paths.read().splitlines()


def real_init_drivers():
    """The drivers of node-interception; empty where the package could not be had."""
    return [path for path in listed() if REAL_DRIVERS in path]


def real_drivers_of(machine):
    """Those of them for "x86", "x64" or "ia64"; their names end so."""
    ending = {"x86": "X86.sys", "x64": "A64.sys", "ia64": "I64.sys"}[machine]
    return [path for path in real_init_drivers() if path.endswith(ending)]


def read(path):
    with open(path, "rb") as file:
        return file.read()


class Headers:
    """Places of header fields, by pefile."""

    def __init__(self, data):
        self.pe = pefile.PE(data=data, fast_load=True)
        self.optional = self.pe.OPTIONAL_HEADER
        self.checksum_foff = self.optional.get_field_absolute_offset("CheckSum")
        self.security = self.optional.DATA_DIRECTORY[4]

    @property
    def is_signed(self):
        return self.security.Size != 0

    @property
    def is_page_aligned(self):
        return self.optional.SectionAlignment % PAGE_NBYTES == 0

    def stored_checksum(self):
        return self.optional.CheckSum

    def right_checksum(self):
        return self.pe.generate_checksum()

    def characteristics_foffs(self, section_name):
        return [section.get_field_absolute_offset("Characteristics") for section in self.pe.sections
                if section.Name.rstrip(b"\0") == section_name]
