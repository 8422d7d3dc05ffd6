"""The tables of a PE image, each in its smallest form that still has every kind of field. For seeds.py.

Layouts are those of the PE format specification and of the public Windows SDK headers.
"""

import struct

from seed_image import (BOUND_IMPORT, CLR, DEBUG, DELAY_IMPORT, EXCEPTION, EXPORT, IAT, IMPORT, LOAD_CONFIG,
                        RESOURCE, TLS, u32)


def rip(section, opcode, target, trailing=b""):
    """An instruction that ends with a 32-bit distance to `target`, and an immediate."""
    end = section.end_rva + len(opcode) + 4 + len(trailing)
    return section.put(opcode + u32(target - end) + trailing)


def thunks(image, section, values):
    """A table of thunks with its terminator."""
    return section.put(b"".join(image.word(value) for value in [*values, 0]), align=image.pointer_nbytes)


def imports(image, names, iat, modules):
    """{module: [name or ordinal]}; returns {name: RVA of its IAT slot}."""
    slots, descriptors, iat_begin = {}, b"", iat.put(b"", align=image.pointer_nbytes)
    flag = 1 << (8 * image.pointer_nbytes - 1)
    for module, functions in modules.items():
        values = []
        for function in functions:
            hint = names.put(b"", align=2)
            values.append(flag | function if isinstance(function, int) else hint)
            if not isinstance(function, int):
                names.put(b"\1\0" + function.encode() + b"\0")
        lookup, module_name = thunks(image, names, values), names.text(module)
        first = thunks(image, iat, values)
        descriptors += u32(lookup, 0, 0, module_name, first)
        slots.update({function: first + image.pointer_nbytes * i for i, function in enumerate(functions)})
    rva = names.put(descriptors + bytes(20), align=4)
    image.directory(IMPORT, rva, len(descriptors) + 20)
    image.directory(IAT, iat_begin, iat.end_rva - iat_begin)
    return slots


def delay_imports(image, names, data, code_rva):
    """Two functions of one module, loaded on first use."""
    hints = [names.put(b"\0\0" + word, align=2) for word in (b"Later\0", b"Latest\0")]
    lookup, module = thunks(image, names, hints), names.text("later.dll")
    handle = data.put(image.word(0), align=8)
    slots = image.pointer(data, code_rva, code_rva, 0)
    bound, unload = thunks(image, data, [0, 0]), image.pointer(data, code_rva, code_rva, 0)
    rva = names.put(u32(1, module, handle, slots, lookup, bound, unload, 0) + bytes(32), align=4)
    image.directory(DELAY_IMPORT, rva, 64)


def bound_imports(image, section):
    """Two modules, the first with a forwarder; names are offsets from the table."""
    names = b"ntoskrnl.exe\0hal.dll\0fwd.dll\0"
    rva = section.put(struct.pack("<IHHIHHIHHIHH", 1, 32, 1, 2, 53, 0, 3, 45, 0, 0, 0, 0) + names, align=4)
    image.directory(BOUND_IMPORT, rva, 32 + len(names))


def exports(image, section, functions, forwarder="hal.HalDoIt"):
    """Names in order, an ordinal without a name, an empty slot, and a forwarder."""
    rva = section.put(bytes(40), align=4)
    module = section.text("seed.sys")
    addresses = section.put(u32(*functions, functions[0], 0, 0), align=4)
    forwarded = section.text(forwarder)
    section.set(addresses + 4 * (len(functions) + 2), u32(forwarded))
    names = [section.text(f"Export{i}") for i in range(len(functions))] + [section.text("Forwarded")]
    name_table = section.put(u32(*names), align=4)
    ordinals = section.put(struct.pack(f"<{len(names)}H", *range(len(functions)), len(functions) + 2))
    header = u32(0, 0, 0, module, 1, len(functions) + 3, len(names), addresses, name_table, ordinals)
    section.set(rva, header)
    image.directory(EXPORT, rva, section.end_rva - rva)


def resources(image, section):
    """Type, name, language; one named type, two leaves."""
    rva = section.put(b"", align=4)
    directory = lambda named, ids: u32(0, 0, 0) + struct.pack("<HH", named, ids)
    high = 0x80000000
    section.put(directory(1, 1) + u32(high | 0xB0, high | 0x20, 16, high | 0x40))  # 0x00
    section.put(directory(0, 1) + u32(1, high | 0x60) + bytes(8))  # 0x20
    section.put(directory(0, 1) + u32(2, high | 0x78) + bytes(8))  # 0x40
    section.put(directory(0, 1) + u32(0x409, 0x90))  # 0x60
    section.put(directory(0, 1) + u32(0x409, 0xA0))  # 0x78
    section.put(u32(rva + 0xC0, 8, 0, 0) + u32(rva + 0xC8, 16, 0, 0))  # 0x90, 0xA0
    section.put(struct.pack("<H", 4) + "SEED".encode("utf-16-le") + bytes(6))  # 0xB0
    section.put(b"leaf one" + b"leaf two, longer")  # 0xC0
    image.directory(RESOURCE, rva, section.end_rva - rva)


def unwind_info(section, flags, tail=b"", codes=b"\x04\x42"):
    """Version 1 with its codes padded to whole words."""
    count = len(codes) // 2
    return section.put(bytes([1 | flags << 3, 4, count, 0]) + codes + bytes(-len(codes) % 4) + tail, align=4)


def exception_x64(image, pdata, xdata, functions, handlers):
    """functions: [(begin, end)], at least six. handlers: {kind: RVA of the handler's thunk}."""
    (a, a_end), (b, b_end), (c, c_end), (d, d_end), (e, e_end), (f, f_end) = functions[:6]
    plain = unwind_info(xdata, 0)
    scope = u32(2, a, a_end, 1, a_end - 1, a, a_end, b, 0)
    seh = unwind_info(xdata, 3, u32(handlers["seh"]) + scope)
    chained = unwind_info(xdata, 4, u32(b, b_end, seh), codes=b"")
    # C++, third form: one state, one try with one catch, an IP map.
    catches = xdata.put(u32(0, xdata.rva, 0, d, 0x20), align=4)
    tries = xdata.put(u32(0, 0, 1, 1, catches))
    states, ips = xdata.put(u32(-1, d)), xdata.put(u32(c, -1, c + 1, 0))
    info3 = xdata.put(u32(0x19930522, 1, states, 1, tries, 2, ips, 0x28, 0, 1))
    cxx3 = unwind_info(xdata, 3, u32(handlers["cxx3"], info3))
    # C++, fourth form: the same in compressed integers (a byte n << 1 for n below 128).
    catch4 = xdata.put(b"\x02\x02" + u32(xdata.rva) + u32(d))
    try4 = xdata.put(b"\x02\x00\x00\x02" + u32(catch4))
    states4, ips4 = xdata.put(b"\x02\x0E" + u32(d)), xdata.put(b"\x04\x02\x00\x04\x02")
    info4 = xdata.put(b"\x18" + u32(states4, try4, ips4))
    cxx4 = unwind_info(xdata, 3, u32(handlers["cxx4"], info4))
    gs = unwind_info(xdata, 1, u32(handlers["gs"], 0x20))
    records = [(a, a_end, plain), (b, b_end, seh), (c, c_end, cxx3), (d, d_end, cxx4), (e, e_end, gs),
               (f, f_end, chained)]
    rva = pdata.put(b"".join(u32(*record) for record in sorted(records)), align=4)
    image.directory(EXCEPTION, rva, 12 * len(records))


def exception_arm64(image, pdata, xdata, functions):
    """A packed record, and one with unwind data that has an epilog scope and a handler."""
    (a, a_end), (b, b_end) = functions[:2]
    words = (b_end - b) // 4 | 1 << 20 | 1 << 21 | 1 << 27  # X: handler; E: one epilog; one word of codes
    info = xdata.put(u32(words) + b"\x81\xE4\xE4\xE4" + u32(a, 0), align=4)
    rva = pdata.put(u32(a, (a_end - a) // 4 << 2 | 1, b, info), align=4)
    image.directory(EXCEPTION, rva, 16)


def debug(image, section):
    """CodeView, section contributions, OMAP, FPO, reproducible build; data inside the section."""
    payloads = [(2, b"RSDS" + bytes(16) + u32(1) + b"d:\\seed.pdb\0"),
                (13, b"LTCG" + u32(section.rva, 16) + b".rdata$zz\0\0\0" + u32(section.rva, 8) + b".text$mn\0\0\0\0"),
                (7, u32(0x1000, 0x1000, 0x1010, 0)), (3, u32(0x1000, 16, 0, 0)), (16, u32(4) + b"hash"), (20, u32(1))]
    entries = b""
    for kind, payload in payloads:
        rva = section.put(payload, align=4)
        entries += u32(0, 0, 0, kind, len(payload), rva, 0)
    rva = section.put(entries, align=4)
    image.directory(DEBUG, rva, len(entries))
    return rva, len(payloads)


def debug_offsets(data, image, table):
    """Fills in PointerToRawData, which is known only in the finished file."""
    rva, count = table
    data = bytearray(data)
    foff_of = lambda wanted: next(
        struct.unpack_from("<I", data, header + 20)[0] + wanted - struct.unpack_from("<I", data, header + 12)[0]
        for header in range(0x58 + (240 if image.is_64 else 224), len(data), 40)
        if 0 <= wanted - struct.unpack_from("<I", data, header + 12)[0] < image.spacing)
    for entry in range(foff_of(rva), foff_of(rva) + 28 * count, 28):
        data[entry + 24 : entry + 28] = u32(foff_of(struct.unpack_from("<I", data, entry + 20)[0]))
    return bytes(data)


def tls(image, section, data, callback):
    index, template = data.put(u32(0), align=4), data.put(b"template")
    callbacks = image.pointer(section, callback, 0)
    rva = image.pointer(section, template, template + 8, index, callbacks)
    section.put(u32(0, 0))
    image.directory(TLS, rva, section.end_rva - rva)


# Offsets in the load configuration: (32-bit, 64-bit).
LC = {"cookie": (0x3C, 0x58), "seh": (0x40, 0x60), "check": (0x48, 0x70), "dispatch": (0x4C, 0x78),
      "functions": (0x50, 0x80), "iat": (0x68, 0xA0), "longjmp": (0x70, 0xB0), "dvrt": (0x78, 0xC0),
      "volatile": (0xA0, 0x100), "ehcont": (0xA4, 0x108), "xfg": (0xAC, 0x118), "memcpy": (0xBC, 0x138)}
COUNTED = ("seh", "functions", "iat", "longjmp", "ehcont")
GUARD_FLAGS, LC_NBYTES = (0x58, 0x90), (0xC4, 0x148)


def load_config(image, section, data, functions, iat_slot):
    """All tables with one extra byte a record, a cookie, guard slots, dynamic relocations."""
    wide = 1 if image.is_64 else 0
    table = lambda rvas: section.put(b"".join(u32(rva) + b"\0" for rva in rvas), align=4)
    cookie = data.put(image.word(0x2B992DDFA232), align=8) if image.is_64 else data.put(u32(0xBB40E64E), align=4)
    slots = image.pointer(data, *functions[:4])
    targets = {"cookie": cookie, "check": slots, "dispatch": slots + image.pointer_nbytes,
               "xfg": slots + 2 * image.pointer_nbytes, "memcpy": slots + 3 * image.pointer_nbytes,
               "functions": table(sorted(functions)), "iat": table([iat_slot]), "longjmp": table(functions[:1]),
               "ehcont": table(functions[1:2])}
    if not image.is_64:
        targets["seh"] = section.put(u32(*sorted(functions)), align=4)
        image.dll_characteristics &= ~0x400
    targets["volatile"] = section.put(u32(0x18, 1, section.end_rva + 24, 4, section.end_rva + 28, 8) +
                                      u32(functions[0], functions[0], 8), align=4)
    targets["dvrt"] = dynamic_relocations(image, section, functions[0])
    size = LC_NBYTES[wide]
    rva = section.put(u32(size) + bytes(size - 4), align=8)
    for name, target in targets.items():
        place = rva + LC[name][wide]
        section.set(place, image.va(target))
        image.relocations.append(place)
        if name in COUNTED:
            count = {"functions": len(functions), "seh": len(functions)}.get(name, 1)
            section.set(place + image.pointer_nbytes, image.word(count))
    section.set(rva + GUARD_FLAGS[wide], u32(0x10017500))
    image.directory(LOAD_CONFIG, rva, size)
    image.dll_characteristics |= 0x4000


def dynamic_relocations(image, section, code_rva):
    """Import calls, indirect calls and a function override, one block each."""
    page = code_rva & ~0xFFF
    block4, block2 = u32(page, 16, 0x4, 0x20000008), u32(page, 12) + struct.pack("<HH", 0x10, 0x14)
    override = u32(32, code_rva, 0, 4, 12, code_rva) + block2
    records = b""
    for symbol, fixups in ((3, block4), (4, block2), (5, block2), (8, block4), (7, override)):
        records += image.word(symbol) + u32(len(fixups)) + fixups
    return section.put(u32(1, len(records)) + records, align=4)


def clr(image, section):
    metadata = section.put(b"BSJB" + bytes(28), align=4)
    rva = section.put(u32(72) + struct.pack("<HH", 2, 5) + u32(metadata, 32, 1, 0x6000001) + bytes(48), align=4)
    image.directory(CLR, rva, 72)


def symbols(image, functions):
    """A function with a long name, a static one with an auxiliary record, and one in no section."""
    image.strings = b"a_rather_long_symbol_name\0"
    image.symbols = struct.pack("<IIIhHBB", 0, 4, functions[0] - image.sections[0].rva, 1, 0x20, 2, 0)
    image.symbols += b".text\0\0\0" + struct.pack("<IhHBB", 0, 1, 0, 3, 1) + u32(0x200) + bytes(14)
    image.symbols += b"absolute" + struct.pack("<IhHBB", 1, -1, 0, 2, 0)


def certificate():
    body = b"0\x82" + bytes(30)  # stands for a PKCS #7 message
    return u32(8 + len(body)) + struct.pack("<HH", 0x200, 2) + body
