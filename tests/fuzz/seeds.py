#!/usr/bin/python3
"""Makes the seeds of the fuzz targets: seeds.py FOLDER [FIXTURES]

Small images with every table, written from the recipes below; and copies of the fixtures that are small. Poke recipes
(poke.py) name seeds by their file names without ".sys". The made ones are the same everywhere and for ever: changing
one changes what all recipes based on it mean, so add a new one instead.
"""

import pathlib
import sys

import seed_tables as tables
from seed_image import CODE, DATA, INIT, RDATA, RELOC, Image, u32

LARGEST_FIXTURE_NBYTES = 16384
HANDLERS = {"seh": "__C_specific_handler", "cxx3": "__CxxFrameHandler3", "cxx4": "__CxxFrameHandler4",
            "gs": "__GSHandlerCheck"}
IMPORTED = {"ntoskrnl.exe": ["DbgPrint", *HANDLERS.values(), 7], "hal.dll": ["HalDoIt"]}


def code_x64(text, data_rva, slot, cases_rva=None):
    """A function with a call through the IAT, a store, a lea, a loop and perhaps a jump table. Returns (begin, end)."""
    begin = text.put(b"\x48\x83\xEC\x28", align=16)  # sub rsp, 28h
    tables.rip(text, b"\xFF\x15", slot)  # call [slot]
    tables.rip(text, b"\x48\x8D\x0D", data_rva)  # lea rcx, [data]
    tables.rip(text, b"\xC7\x05", data_rva, u32(5))  # mov dword [data], 5
    if cases_rva:
        text.put(b"\x83\xF9\x02\x77\x18")  # cmp ecx, 2; ja
        tables.rip(text, b"\x48\x8D\x15", cases_rva)  # lea rdx, [cases]
        text.put(b"\x48\x63\x04\x8A\x48\x01\xD0\xFF\xE0")  # movsxd rax, [rdx+rcx*4]; add rax, rdx; jmp rax
    text.put(b"\xFF\xC9\x75\xFC\x33\xC0\x90\x90\x48\x83\xC4\x28\xC3")  # dec ecx; jne; xor eax, eax; nops; add; ret
    return begin, text.end_rva


def code_x86(text, image, data_rva, slot):
    begin = text.put(b"\x55\x8B\xEC\xFF\x15", align=16)  # push ebp; mov ebp, esp; call [slot]
    image.relocations.append(text.put(image.va(slot)))
    text.put(b"\xC7\x05")  # mov dword [data], 5
    image.relocations.append(text.put(image.va(data_rva)))
    text.put(u32(5) + b"\x33\xC0\x5D\xC3")
    return begin, text.end_rva


def code_arm64(text):
    begin = text.put(u32(0xD503237F, 0xA9BF7BFD, 0x52800000, 0xA8C17BFD, 0xD65F03C0), align=16)
    return begin, text.end_rva


def full(machine, **layout):
    """Every table at once."""
    image = Image(machine, **layout)
    text, rdata, data = image.section(".text", CODE), image.section(".rdata", RDATA), image.section(".data", DATA)
    pdata, init, rsrc = image.section(".pdata", RDATA), image.section("INIT", INIT), image.section(".rsrc", RDATA)
    reloc = image.section(".reloc", RELOC)
    slots = tables.imports(image, rdata, rdata, IMPORTED)
    variable, cases = data.put(u32(1, 2, 3, 4), align=16), rdata.put(bytes(12), align=4)
    data.extra_nbytes = 0x40
    functions, handlers = [], {}
    for i in range(6):
        if machine == "x64":
            functions.append(code_x64(text, variable + 4 * (i % 4), slots["DbgPrint"], cases if i == 0 else None))
        elif machine == "x86":
            functions.append(code_x86(text, image, variable, slots["DbgPrint"]))
        else:
            functions.append(code_arm64(text))
    begins = [begin for begin, _ in functions]
    if machine == "x64":
        rdata.set(cases, u32(*(functions[0][1] - 7 - cases for _ in range(3))))
        for kind, name in HANDLERS.items():
            handlers[kind] = tables.rip(text, b"\xFF\x25", slots[name])  # jmp [slot]
        tables.exception_x64(image, pdata, pdata, functions, handlers)
        code_x64(init, variable, slots["HalDoIt"])
    elif machine == "x86":
        code_x86(init, image, variable, slots["HalDoIt"])
    else:
        tables.exception_arm64(image, pdata, pdata, functions)
        code_arm64(init)
    if machine == "x86":
        pdata.extra_nbytes = 0x10  # x86 has no such table, and Windows refuses an empty section
    image.entry = init.rva
    tables.exports(image, rdata, begins[:3])
    tables.load_config(image, rdata, data, begins, slots["DbgPrint"])
    tables.delay_imports(image, rdata, data, begins[1])
    tables.bound_imports(image, rdata)
    tables.tls(image, rdata, data, begins[2])
    tables.resources(image, rsrc)
    pointers = image.pointer(data, *begins, variable)
    image.pointer(data, pointers)
    debug = tables.debug(image, rsrc)
    image.put_relocations(reloc)
    return tables.debug_offsets(image.file(), image, debug)


def repairable(machine, **extra):
    """INIT is writable and nothing writes it."""
    image = Image(machine)
    text, rdata, data, init = (image.section(*what) for what in ((".text", CODE), (".rdata", RDATA), (".data", DATA),
                                                                 ("INIT", INIT)))
    reloc = image.section(".reloc", RELOC)
    slots = tables.imports(image, rdata, rdata, {"ntoskrnl.exe": ["DbgPrint"]})
    variable = data.put(u32(1, 2, 3, 4))
    for section in (text, init):
        if machine == "x64":
            begin, end = code_x64(section, variable, slots["DbgPrint"])
        elif machine == "x86":
            begin, end = code_x86(section, image, variable, slots["DbgPrint"])
        else:
            begin, end = code_arm64(section)
    image.entry = begin
    image.pointer(data, text.rva)
    image.put_relocations(reloc)
    return image.file(**extra)


def moved(machine, **layout):
    """What the rewriter lays out anew: the IAT lies among code, and `layout` may be a low alignment."""
    image = Image(machine, **layout)
    text, data, reloc = image.section(".text", CODE), image.section(".data", DATA), image.section(".reloc", RELOC)
    slots = tables.imports(image, text, text, {"ntoskrnl.exe": ["DbgPrint", "RtlInitUnicodeString", 7]})
    variable = data.put(u32(1, 2, 3, 4), align=16)
    image.entry, _ = (code_x64(text, variable, slots["DbgPrint"]) if machine == "x64"
                      else code_x86(text, image, variable, slots["DbgPrint"]))
    image.pointer(data, image.entry, variable + 4)
    image.put_relocations(reloc)
    return image.file()


def merged():
    """One section that is everything: code, data, IAT, guard slots, cookie."""
    image = Image("x64", alignment=0x2000, spacing=0x2000)
    text = image.section(".text", 0xE0000060)
    slots = tables.imports(image, text, text, {"ntoskrnl.exe": ["DbgPrint"]})
    variable = text.put(u32(1, 2, 3, 4))
    functions = [code_x64(text, variable, slots["DbgPrint"]) for _ in range(4)]
    image.entry = functions[0][0]
    tables.load_config(image, text, text, [begin for begin, _ in functions], slots["DbgPrint"])
    return image.file()


def managed():
    image = Image("x86")
    text, reloc = image.section(".text", CODE), image.section(".reloc", RELOC)
    slots = tables.imports(image, text, text, {"mscoree.dll": ["_CorExeMain"]})
    tables.clr(image, text)
    image.entry = text.put(b"\xFF\x25", align=4)
    image.relocations.append(text.put(image.va(slots["_CorExeMain"])))
    image.subsystem = 3
    image.put_relocations(reloc)
    return image.file()


def with_symbols():
    image = Image("x64")
    text = image.section(".text", CODE)
    begin = text.put(b"\x33\xC0\xC3")
    image.entry = begin
    image.section("/4", RDATA).put(b"debug information")
    tables.symbols(image, [begin])
    return image.file(tail=b"overlay")


def straddling():
    """Pointers after an odd number of bytes, across the border of two pages."""
    image = Image("x64", alignment=0x2000, spacing=0x2000)
    text, data, reloc = image.section(".text", CODE), image.section(".data", DATA), image.section(".reloc", RELOC)
    image.entry = text.put(b"\x33\xC0\xC3")
    data.put(bytes(0xFA0))
    for _ in range(16):
        image.relocations.append(data.put(b"\1\0" + image.va(text.rva)) + 2)
    image.put_relocations(reloc)
    return image.file()


def headers_only(machine):
    image = Image(machine)
    image.section(".text", CODE).put(bytes(16))
    return image.file()


def made():
    """{name: bytes} of all seeds made here."""
    flat = {"alignment": 0x80, "file_alignment": 0x80, "spacing": 0x800}
    return {
        "x64_full": full("x64"), "x86_full": full("x86"), "arm64_full": full("arm64"),
        "x64_flat": full("x64", **flat), "x86_flat": full("x86", **flat), "arm64_flat": full("arm64", **flat),
        "x64_init": repairable("x64"), "x86_init": repairable("x86"), "arm64_init": repairable("arm64"),
        "x64_signed": repairable("x64", certificate=tables.certificate()),
        "x64_merged": merged(), "x86_managed": managed(), "x64_symbols": with_symbols(), "x64_straddling": straddling(),
        "x64_moved": moved("x64"), "x86_moved": moved("x86"),
        "x64_moved_low": moved("x64", **flat), "x86_moved_low": moved("x86", **flat),
        "ia64_headers": headers_only("ia64"), "arm_headers": headers_only("arm"), "x64_headers": headers_only("x64"),
    }


def main(folder, fixtures=None):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {f"{name}.sys": data for name, data in made().items()}
    for path in sorted(pathlib.Path(fixtures).glob("*.sys")) if fixtures else []:
        if path.stat().st_size <= LARGEST_FIXTURE_NBYTES:
            wanted[path.name] = path.read_bytes()
    for old in folder.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, data in wanted.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != data:
            path.write_bytes(data)


if __name__ == "__main__":
    main(*sys.argv[1:])
