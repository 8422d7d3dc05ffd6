"""Cabinets by hand, and their directories read by hand ([MS-CAB]): gcab uses the library that the tool uses."""

import collections
import struct
import zlib

STORED, MSZIP, LZX = 0, 1, 0x0F03  # LZX with a window of 32 KiB
BLOCK_NBYTES = 32768
READ_ONLY, HIDDEN, ARCHIVE, RUN, UTF8 = 1, 2, 0x20, 0x40, 0x80

# name: bytes, as they stand there.
File = collections.namedtuple("File", "name date time attributes data", defaults=[b""])


def checksum(data, seed=0):
    for at in range(0, len(data) & ~3, 4):
        seed ^= int.from_bytes(data[at:at + 4], "little")
    return seed ^ int.from_bytes(data[len(data) & ~3:], "big")


def block(data, nbytes, reserve):
    head = struct.pack("<HH", len(data), nbytes) + reserve
    return struct.pack("<L", checksum(head, checksum(data))) + head + data


def lzx(data):
    """One frame, in a block that is not packed: no translation (1 bit), kind 3 (3 bits), size (24 bits), 4 to fill up."""
    assert 0 < len(data) <= BLOCK_NBYTES
    bits = 3 << 28 | len(data) << 4
    return struct.pack("<HH3L", bits >> 16, bits & 0xFFFF, 1, 1, 1) + data + bytes(len(data) % 2)


def pack(kind, data):
    if kind == STORED:
        return data
    if kind == LZX:
        return lzx(data)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"CK" + packer.compress(data) + packer.flush()


def make(folders, flags=0, reserve=None, version=3):
    """folders: [(kind, [File...])]. reserve: (of the header, of each folder, of each block), in bytes."""
    blocks, files, records = [], b"", b""
    for number, (kind, members) in enumerate(folders):
        data = b"".join(member.data for member in members)
        blocks.append([data[at:at + BLOCK_NBYTES] for at in range(0, len(data), BLOCK_NBYTES)])
        offset = 0
        for member in members:
            files += struct.pack("<LLHHHH", len(member.data), offset, number, member.date, member.time, member.attributes)
            files += member.name + b"\0"
            offset += len(member.data)
    reserved = b"" if reserve is None else struct.pack("<HBB", *map(len, reserve)) + reserve[0]
    of_folder, of_block = (b"", b"") if reserve is None else reserve[1:]
    files_at = 36 + len(reserved) + len(folders) * (8 + len(of_folder))
    at, bodies = files_at + len(files), b""
    for (kind, _), parts in zip(folders, blocks):
        records += struct.pack("<LHH", at + len(bodies), len(parts), kind) + of_folder
        for part in parts:
            bodies += block(pack(kind, part), len(part), of_block)
    header = struct.pack("<4sLLLLLBBHHHHH", b"MSCF", 0, at + len(bodies), 0, files_at, 0, version, 1, len(folders),
                         sum(len(members) for _, members in folders), flags | (4 if reserve else 0), 0, 0)
    return header + reserved + records + files + bodies


def read(data):
    """({kinds of the folders}, [File without its data]) of a cabinet without reserved areas."""
    files_at, folder_count, file_count, flags = *struct.unpack_from("<L", data, 16), *struct.unpack_from("<3H", data, 26)
    assert data[:4] == b"MSCF" and flags == 0 and struct.unpack_from("<L", data, 8)[0] == len(data)
    kinds = {struct.unpack_from("<LHH", data, 36 + 8 * number)[2] for number in range(folder_count)}
    files, at = [], files_at
    for _ in range(file_count):
        date, time, attributes = struct.unpack_from("<3H", data, at + 10)
        end = data.index(b"\0", at + 16)
        files.append(File(data[at + 16:end], date, time, attributes))
        at = end + 1
    return kinds, files
