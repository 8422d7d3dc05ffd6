"""Prints docs/CALLS-DRIVERS.md: the verdicts of `show --calls` on drivers that nobody here built.

Arguments: the program; the list of images that scripts/real_images.sh makes.
"""

import collections
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import textwrap

HEAD = """\
# Verdicts on real drivers

Made by `scripts/calls_drivers.py` from what `hvcifix show --calls --format json` says of the kernel drivers of the packages in
`tests/real_images.tsv`; `tests/docs/test_pages.py` makes it again and compares. `CALLS.md` says what the verdicts mean. Every call of a
function that may give executable memory is listed. Drivers with the same calls at the same places share a table. RVAs are hexadecimal;
functions have a name where the image has one.
"""
WINE_HEAD = """\
## Wine's own drivers

Those with the subsystem of drivers (some are libraries to Windows). Built by GNU tools, with symbols; every call leads through a jump
thunk. They change with Wine: this part is compared where the files are these.
"""
VERDICTS = ("executable", "no-execute", "depends", "unknown")
DECIDED = ("executable", "no-execute")


class Driver:
    def __init__(self, path, image):
        self.name = path.name
        self.machine = image["machine"]
        self.not_read = image["not_read"]
        self.calls = [call for call in image["calls"] if call["memory"]]
        self.digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    def count(self, verdicts, codes=("HVCI2000", "HVCI2001", "HVCI2002")):
        return sum(call["memory"]["verdict"] in verdicts and call["memory"]["code"] in codes for call in self.calls)


def read(tool, paths):
    """The drivers among the images, each file once, whatever folders it lies in."""
    found = {}
    for path in paths:
        said = subprocess.run([tool, "show", "--calls", "--format", "json", path], capture_output=True, text=True, check=True)
        image = json.loads(said.stdout)["images"][0]
        if image["role"] == "kernel":
            driver = Driver(path, image)
            found.setdefault((driver.name, driver.digest), driver)
    return list(found.values())


def table(heads, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in [heads, ["---"] * len(heads), *rows]) + "\n"


def cell(text):
    return text.replace("|", "\\|")


def shared(drivers):
    """Drivers with equal calls, together; those with calls only, in their order."""
    groups = collections.OrderedDict()
    for driver in drivers:
        if driver.calls:
            groups.setdefault(json.dumps(driver.calls), []).append(driver)
    return list(groups.values())


def summary(drivers):
    rows = []
    for driver in drivers:
        if driver.not_read is None:
            rows.append([driver.name, driver.machine, f"`{driver.digest}`", str(len(driver.calls)),
                         *[str(driver.count([verdict])) for verdict in VERDICTS]])
    total = [str(sum(driver.count([verdict]) for driver in drivers)) for verdict in VERDICTS]
    rows.append(["all", "", "", str(sum(len(driver.calls) for driver in drivers)), *total])
    text = table(["driver", "machine", "SHA-256 begins", "calls", *VERDICTS], rows)
    pool = sum(driver.count(VERDICTS, ["HVCI2000"]) for driver in drivers)
    decided = sum(driver.count(DECIDED, ["HVCI2000"]) for driver in drivers)
    share = f" ({100 * decided // pool} %)" if pool else ""
    return text + f"\nOf {pool} calls that ask for pool {decided} are decided{share}.\n"


def undecided(drivers):
    reasons = collections.Counter()
    for driver in drivers:
        for call in driver.calls:
            memory = call["memory"]
            if memory["verdict"] not in DECIDED:
                reason = re.sub(r" at RVA 0x[0-9A-F]+", "", memory["reason"])
                reasons[memory["code"], call["name"], memory["verdict"], reason] += 1
    if not reasons:
        return "\nNone is left undecided.\n"
    rows = [[*map(cell, key), str(count)] for key, count in sorted(reasons.items())]
    return "\nNot decided, by reason:\n\n" + table(["rule", "function", "verdict", "reason", "calls"], rows)


def sites(group):
    rows = []
    for call in group[0].calls:
        memory = call["memory"]
        place = f"{call['function']:X}" if call["function_name"] is None else call["function_name"].rsplit("+", 1)[0]
        rows.append([f"{call['rva']:X}", cell(place), cell(f"{call['name']}({call['arguments']})"), memory["verdict"],
                     cell(f"{memory['argument']}: {memory['values']}" + (f"; {memory['reason']}" if memory["reason"] else ""))])
    return "\n### " + ", ".join(driver.name for driver in group) + "\n\n" + \
        table(["RVA", "function", "call", "verdict", "deciding argument"], rows)


def part(drivers):
    text = summary(drivers) + undecided(drivers)
    silent = {}
    for driver in drivers:
        if driver.not_read:
            silent.setdefault(driver.not_read, []).append(driver.name)
    for reason, names in silent.items():
        text += "\n" + textwrap.fill(f"Not judged, because {reason}: {', '.join(names)}.", 140) + "\n"
    return text + "".join(sites(group) for group in shared(drivers))


def main(tool, listed):
    paths = [pathlib.Path(line) for line in pathlib.Path(listed).read_text("utf-8").splitlines()]
    paths = [path for path in paths if path.suffix.lower() == ".sys"]
    wine = [path for path in paths if "/wine/" in str(path)]
    packages = [path for path in paths if path not in wine]
    print(HEAD + "\n" + part(read(tool, packages)) + "\n" + WINE_HEAD + "\n" + part(read(tool, wine)), end="")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
