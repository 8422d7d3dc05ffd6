#!/usr/bin/python3
"""Other readers about the inputs of the fuzz targets: llvm-readobj accepts what hvcifix calls well-formed, and hvcifix
reads what a loader (Wine) maps.

    HVCIFIX_BUILD=build oracles.py HVCIFIX PATH...     PATHs are images, or folders of them; 1: a disagreement

What other readers refuse, or take, although hvcifix is right is listed below, each with the reason; anything else is a
disagreement.
"""

import collections
import concurrent.futures
import json
import pathlib
import re
import struct
import subprocess
import sys
import tempfile

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TESTS), str(TESTS / "wine")]
import test_loader_agrees as loader  # noqa: E402
from support import wine  # noqa: E402

READOBJ = "llvm-readobj-19"
OPTIONS = ("--file-headers", "--sections", "--coff-exports", "--coff-imports", "--coff-basereloc", "--coff-resources",
           "--coff-debug-directory", "--coff-tls-directory", "--coff-load-config", "--unwind", "--symbols")
DAMAGE = {"HVCI9001", "HVCI9002", "HVCI9003", "HVCI9004", "HVCI9006", "HVCI9008", "HVCI9011"}
PACKAGES = (b"PK", b"MSCF")  # archives are opened, not judged themselves
BATCH = 200
WORKERS = 2
WINE_RUNS = ("x64", "x86")  # the machines of the tests' Wine; it refuses all others
MOST_CUT_OFF = 300  # times that Wine's loader may fault

# What Wine maps and Windows does not, besides what tests/wine has met.
WINDOWS_IS_STRICTER = {**loader.WINDOWS_IS_STRICTER, "section .* is empty": "Wine passes over empty sections"}


def files_of(paths):
    """The files themselves, and all files below the folders; equal ones once."""
    found = {}
    for path in map(pathlib.Path, paths):
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and not file.read_bytes().startswith(PACKAGES):
                found.setdefault(file.read_bytes(), str(file))
    return sorted(found.values())


def reports(hvcifix, verb, paths):
    """The images of JSON reports, in calls of BATCH images."""
    for first in range(0, len(paths), BATCH):
        done = subprocess.run([hvcifix, *verb, "--format", "json", *paths[first : first + BATCH]],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False)
        # What a program carries with it, and what cannot be shown of that, is not asked here.
        yield from (image for image in json.loads(done.stdout)["images"] if "!" not in image["path"])


def well_formed(hvcifix, paths):
    """Those that are judged without a word about damage, and of which no table was left unread."""
    judged = [image["path"] for image in reports(hvcifix, ["check"], paths)
              if not DAMAGE & {finding["code"] for finding in image["findings"]}]
    return [image["path"] for image in reports(hvcifix, ["show", "--regions", "--no-code"], judged)
            if not image["unread"]]


def ask_readobj(option, paths):
    """({path: what was said of it}, the exit code)."""
    done = subprocess.run([READOBJ, option, *paths], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", check=False)
    said = {}
    for line in done.stderr.splitlines():
        named = re.match(r".*?(?:error|warning): '(.*?)': (.*)", line)
        if named and named[1] in paths:
            said.setdefault(named[1], []).append(named[2])
    return said, done.returncode


def readobj_refusals(option, paths):
    """[(path, message)]. llvm-readobj ends at the first file that it refuses and is started again behind it; where it
    crashes, which it does not say of which file, the files are asked in halves."""
    refusals = []
    waiting = [paths[first : first + BATCH] for first in range(0, len(paths), BATCH)]
    while waiting:
        batch = waiting.pop()
        said, code = ask_readobj(option, batch)
        if code in (0, 1):
            refusals += [(path, "; ".join(words)) for path, words in said.items()]
        if code == 1 and said:
            waiting.append(batch[batch.index(max(said, key=batch.index)) + 1 :])
        elif code != 0 and len(batch) == 1:
            refusals.append((batch[0], f"exit code {code}"))
        elif code != 0:
            waiting += [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        waiting = [batch for batch in waiting if batch]
    return refusals


def is_mapped_elsewhere(data, found):
    """Is the RVA in the headers, or in a section's memory as loaders round it, but not below its VirtualSize?"""
    rva = int(found["rva"], 16)
    pe = struct.unpack_from("<I", data, 0x3C)[0]
    count, optional_nbytes = struct.unpack_from("<H12xH", data, pe + 6)
    alignment, headers_nbytes = (struct.unpack_from("<I", data, pe + 24 + at)[0] for at in (0x20, 0x3C))
    for header in range(pe + 24 + optional_nbytes, pe + 24 + optional_nbytes + 40 * count, 40):
        virtual_nbytes, begin, raw_nbytes = struct.unpack_from("<3I", data, header + 8)
        memory_nbytes = virtual_nbytes or raw_nbytes
        if begin <= rva < begin + memory_nbytes + -memory_nbytes % alignment:
            return rva >= begin + virtual_nbytes
    return rva < headers_nbytes or alignment < 0x1000


def is_not_x86(data, _):
    return struct.unpack_from("<H", data, struct.unpack_from("<I", data, 0x3C)[0] + 4)[0] != 0x14C


def always(_data, _found):
    return True


# What llvm-readobj says, when that is no fault of the image, and why.
LIMITS = [
    (r"RVA 0x0 for import directory name not found", always,
     "loaders end the descriptors at a name of 0; llvm-readobj wants all five words 0"),
    (r"RVA (?P<rva>0x[0-9a-f]+) for .* not found", is_mapped_elsewhere,
     "the RVA lies in the headers, or behind VirtualSize in its section's last page: llvm-readobj looks at neither"),
    (r"--coff-load-config RVA 0x[0-9a-f]+ not found", is_not_x86, "llvm-readobj shows SafeSEH tables of any machine"),
    (r"--coff-resources address not found in image", always,
     "the data lie in the headers, or behind VirtualSize in a last page; what lies nowhere hvcifix names itself"),
    (r"--coff-resources Stream Error", always,
     "llvm-readobj goes by the section's name .rsrc and its VirtualSize, whatever data directory 2 says"),
    (r"--coff-debug-directory PDB info too small", always, "what debug data say besides addresses is not read"),
    (r"--coff-debug-directory RVA 0x[0-9a-f]+ not found", always,
     "debuggers go by the file offset of debug data, not by its RVA"),
    (r"TLS Directory size", always, "loaders do not read the size of the TLS directory"),
    (r"debug directory has uneven size", always, "what is left behind the last whole entry is not read"),
    (r"--file-headers The end of the file was unexpectedly encountered", always,
     "llvm-readobj asks for as many bytes as a directory's size says, also where loaders never read that size"),
    (r"string table empty|invalid section name", always, "a long section name names something for people only"),
    (r"exit code -\d+", always, "llvm-readobj itself crashed"),
]


def reason_for(path, option, message):
    """Why llvm-readobj may refuse what is well-formed; None when nothing explains it."""
    for pattern, holds, reason in LIMITS:
        found = re.search(pattern, f"{option} {message}")
        if found and holds(pathlib.Path(path).read_bytes(), found):
            return reason
    return None


def readobj(paths):
    """(counts of explained refusals by reason, [unexplained refusals]). What cannot be opened is not asked further."""
    explained, unexplained = collections.Counter(), []

    def note(option, refusals):
        for path, message in refusals:
            reason = reason_for(path, option, message)
            if reason:
                explained[reason] += 1
            else:
                unexplained.append(f"{path}: {option}: {message}")

    unopened = readobj_refusals(OPTIONS[0], paths)
    note(OPTIONS[0], unopened)
    opened = sorted(set(paths) - {path for path, _ in unopened})
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for option, refusals in zip(OPTIONS[1:], pool.map(lambda word: readobj_refusals(word, opened), OPTIONS[1:])):
            note(option, refusals)
    return explained, unexplained


def ask_wine(program, paths, folder):
    """{path: True when Wine's loader maps the image, which it does where Windows would, and in more cases}. The loader
    may fault on an image when it goes on to load it; then it is started again behind that image."""
    names = pathlib.Path(folder, "images.txt")
    lines = "".join("Z:" + str(pathlib.Path(path).resolve()).replace("/", "\\") + "\n" for path in paths)
    names.write_bytes(lines.encode("utf-16-le"))
    programs, maps, first, cut_off_count = wine.Programs(), {}, 0, 0
    programs.begin()
    while first < len(paths) and cut_off_count <= MOST_CUT_OFF:
        done = programs.run(programs.command(program, "Z:" + str(names).replace("/", "\\"), first),
                            {"WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe="}, timeout=300)
        answers = [line.split() for line in done.stdout.decode(errors="replace").splitlines()]
        for number, *words in answers:
            if words[:2] != ["cannot", "open:"]:
                maps[paths[int(number)]] = int(words[0], 16) == 0 and int(words[1], 16) < 0x80000000
        if not answers:
            raise RuntimeError(f"Wine says nothing: {done}")
        first, cut_off_count = int(answers[-1][0]) + 1, cut_off_count + 1
    if len(maps) != len(paths):
        raise RuntimeError(f"Wine answered for {len(maps)} of {len(paths)} images")
    return maps


def wine_disagreements(hvcifix, maps):
    """[what is said of images that Wine maps and hvcifix does not read, or that it refuses and hvcifix calls clean],
    without what WINDOWS_IS_STRICTER explains."""
    found = []
    for image in reports(hvcifix, ["check"], sorted(maps)):
        layout = [finding["message"] for finding in image["findings"]
                  if finding["level"] == "error" and loader.CODE_OF_LAYOUT.match(finding["code"])]
        if maps[image["path"]]:
            found += [f"{image['path']}: Wine maps it; hvcifix: {message}" for message in layout
                      if not any(re.search(entry, message) for entry in WINDOWS_IS_STRICTER)]
        elif image["status"] == "clean" and image["machine"] in WINE_RUNS:
            found.append(f"{image['path']}: Wine refuses it; hvcifix: clean")
    return found


def main(hvcifix, *paths):
    files = files_of(paths)
    accepted = well_formed(hvcifix, files)
    explained, unexplained = readobj(accepted)
    print(f"{len(files)} inputs, {len(accepted)} well-formed; llvm-readobj refuses {sum(explained.values())} "
          f"with a known reason and {len(unexplained)} without")
    for reason, count in explained.most_common():
        print(f"{count:6} {reason}")
    with tempfile.TemporaryDirectory() as folder:
        maps = ask_wine(loader.MAP_IMAGES, files, folder)
    disagreements = wine_disagreements(hvcifix, maps)
    print(f"Wine maps {sum(maps.values())} of them; {len(disagreements)} disagreements")
    for words in unexplained + disagreements:
        print(words)
    return 1 if unexplained or disagreements else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    sys.exit(main(*sys.argv[1:]))
