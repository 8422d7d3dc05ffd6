#!/usr/bin/python3
"""Hostile images as text: what differs from a seed.

A .poke file holds one image a line; "#" begins a comment:

    x64_full b0=10000000 2c4=ff*12 end=1a00

    x64_full        the seed's name (seeds.py); "nothing" is an empty file
    b0=10000000     from file offset 0xB0 on, the bytes 10 00 00 00 stand instead of the seed's
    2c4=ff*12       the same byte 0x12 times
    0=~[Version]%0d%0a    the bytes of a text; %XX is one byte, and stands for blanks, "#" and "%" too
    end=1a00        the image ends at file offset 0x1A00 (beyond the seed's end: zero bytes)

    poke.py expand SEEDS FOLDER FILE.poke...    writes FOLDER/FILE-LINE.sys for every line
    poke.py make SEEDS INPUT...                 prints the line of each input, based on the seed that gives the shortest
    poke.py shrink SEEDS REPLAY INPUT           the same, without the differences that REPLAY fails without
    poke.py collect SEEDS FUZZER TARGET OUT     what FUZZER's corpus (TARGET) reaches beyond the seeds, as OUT

Lines for tests/fuzz/corpus must be based on a made seed (the fixtures change with their compilers), and be short.
"""

import itertools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

import seeds as made_seeds

LONGEST_LINE = 800
MOST_COLLECTED_NBYTES = 24000  # of one target; there are a dozen in the repository
JOIN_NBYTES = 3  # differences with fewer equal bytes between them become one
TEXT_CHARS = "!\"$&'()*+,-./:;<=>?@[\\]^_`{|}~"
SANITIZERS = {"ASAN_OPTIONS": "exitcode=99:symbolize=0", "UBSAN_OPTIONS": "exitcode=99"}


def read_seeds(folder):
    seeds = {path.stem: path.read_bytes() for path in sorted(pathlib.Path(folder).glob("*.sys"))}
    return {"nothing": b"", **seeds}


def bytes_of(text):
    if text.startswith("~"):
        return urllib.parse.unquote_to_bytes(text[1:])
    value, _, count = text.partition("*")
    return bytes.fromhex(value) * (int(count, 16) if count else 1)


def apply(line, seeds):
    """The image that one line describes; ValueError when the line is wrong."""
    name, *pokes = line.split("#")[0].split()
    if name not in seeds:
        raise ValueError(f"there is no seed {name!r}")
    data = bytearray(seeds[name])
    for poke in pokes:
        place, equals, value = poke.partition("=")
        if not equals:
            raise ValueError(f"{poke!r} is no OFFSET=BYTES")
        if place == "end":
            end = int(value, 16)
            data = data[:end].ljust(end, b"\0")
            continue
        offset, replaced = int(place, 16), bytes_of(value)
        if offset + len(replaced) > len(data):
            data = data.ljust(offset + len(replaced), b"\0")
        data[offset : offset + len(replaced)] = replaced
    return bytes(data)


def lines_of(path):
    """[(line number, text)] of a .poke file, without comments and empty lines."""
    lines = enumerate(pathlib.Path(path).read_text().splitlines(), 1)
    return [(number, line) for number, line in lines if line.split("#")[0].strip()]


def differences(seed, data):
    """[(offset, bytes)] that make `data` of the seed, close ones joined."""
    spans = []
    common = min(len(seed), len(data))
    offset = 0
    while offset < common:
        if seed[offset : offset + 256] == data[offset : offset + 256]:
            offset += 256
            continue
        for at in range(offset, min(offset + 256, common)):
            if seed[at] == data[at]:
                continue
            if spans and at - spans[-1][1] <= JOIN_NBYTES:
                spans[-1][1] = at + 1
            else:
                spans.append([at, at + 1])
        offset += 256
    spans = [(begin, data[begin:end]) for begin, end in spans]
    rest = data[common:].rstrip(b"\0")
    return spans + ([(common, rest)] if rest else [])


def word(offset, value):
    """One poke; a row of one byte is written short, and what is mostly text as text."""
    if len(value) > 4 and value == value[:1] * len(value):
        return f"{offset:x}={value[:1].hex()}*{len(value):x}"
    text = "~" + urllib.parse.quote_from_bytes(value, safe=TEXT_CHARS)
    if len(value) > 8 and len(text) < 2 * len(value):
        return f"{offset:x}={text}"
    return f"{offset:x}={value.hex()}"


def line_for(name, seed, data):
    pokes = [word(offset, value) for offset, value in differences(seed, data)]
    line = " ".join([name, *pokes])
    if len(apply(line, {name: seed})) != len(data):
        line += f" end={len(data):x}"
    return line


def make(data, seeds):
    """The shortest line; made seeds are preferred even when they make it twice as long."""
    durable = {"nothing", *made_seeds.made()}
    lines = [line_for(name, seed, data) for name, seed in seeds.items()]
    return min(lines, key=lambda line: len(line) / (2 if line.split()[0] in durable else 1))


def expand(seeds, folder, paths):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for path in map(pathlib.Path, paths):
        for number, line in lines_of(path):
            try:
                data = apply(line, seeds)
            except ValueError as error:
                raise SystemExit(f"{path}:{number}: {error}") from error
            written.append(folder / f"{path.stem}-{number}.sys")
            written[-1].write_bytes(data)
    return written


def fails(replay, data):
    with tempfile.NamedTemporaryFile(suffix=".sys") as file:
        file.write(data)
        file.flush()
        try:
            return subprocess.run([replay, file.name], env=dict(os.environ, **SANITIZERS), capture_output=True,
                                  timeout=60, check=False).returncode != 0
        except subprocess.TimeoutExpired:
            return True


def shrink(seeds, replay, data):
    """A line that still fails, from which nothing more can be left out."""
    if not fails(replay, data):
        raise SystemExit(f"{replay} does not fail on this input")
    name, *pokes = make(data, seeds).split()
    changed = True
    while changed:
        changed = False
        for poke in list(pokes):
            fewer = [other for other in pokes if other is not poke]
            if fails(replay, apply(" ".join([name, *fewer]), seeds)):
                pokes, changed = fewer, True
                continue
            for smaller in halves(poke):
                candidate = [smaller if other is poke else other for other in pokes]
                if fails(replay, apply(" ".join([name, *candidate]), seeds)):
                    pokes, changed = candidate, True
                    break
    return " ".join([name, *pokes])


def halves(poke):
    """The front and the back of one difference."""
    place, _, value = poke.partition("=")
    if place == "end":
        return []
    data, offset = bytes_of(value), int(place, 16)
    middle = len(data) // 2
    return [word(offset, data[:middle]), word(offset + middle, data[middle:])] if middle else []


def collect(seeds, fuzzer, corpus, out):
    """Keeps the few inputs that libFuzzer needs to reach what all reach together, as far as they are short; the
    shortest lines first."""
    with tempfile.TemporaryDirectory() as folder:
        known, merged = pathlib.Path(folder, "known"), pathlib.Path(folder, "merged")
        known.mkdir()
        merged.mkdir()
        durable = made_seeds.made()
        for name, data in durable.items():
            (known / name).write_bytes(data)
        short = pathlib.Path(folder, "short")
        short.mkdir()
        lines = {}
        for path in sorted(pathlib.Path(corpus).iterdir()):
            line = make(path.read_bytes(), {name: seeds[name] for name in durable})
            if len(line) <= LONGEST_LINE:
                lines[path.name] = line
                shutil.copy(path, short / path.name)
        # What the seeds reach goes in first, so that only what is new is kept besides.
        subprocess.run([fuzzer, "-set_cover_merge=1", "-rss_limit_mb=2048", merged, known, short], capture_output=True,
                       check=True)
        new = [path for path in merged.iterdir() if path.read_bytes() not in durable.values()]
        by_content = {(short / name).read_bytes(): line for name, line in lines.items()}
        shortest = sorted((by_content[path.read_bytes()] for path in new), key=len)
        ends = itertools.accumulate(len(line) + 1 for line in shortest)
        kept = [line for line, end in zip(shortest, ends) if end <= MOST_COLLECTED_NBYTES]
    header = f"# What fuzz_{pathlib.Path(out).parent.name} learned beyond the seeds (poke.py collect).\n"
    pathlib.Path(out).write_text(header + "".join(line + "\n" for line in sorted(kept)))
    print(f"{out}: {len(kept)} of {len(new)} inputs, {sum(map(len, kept))} bytes")


def main(verb, seeds_folder, *rest):
    seeds = read_seeds(seeds_folder)
    if verb == "expand":
        expand(seeds, rest[0], [path for path in rest[1:] if "*" not in path])
    elif verb == "make":
        for path in rest:
            print(make(pathlib.Path(path).read_bytes(), seeds))
    elif verb == "shrink":
        print(shrink(seeds, rest[0], pathlib.Path(rest[1]).read_bytes()))
    elif verb == "collect":
        collect(seeds, *rest)
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
