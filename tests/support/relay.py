"""The kernel calls that drivers make under Wine, as lists to compare.

With WINEDEBUG=+relay Wine writes a line for each call of one module to another; the prefix is told to do so only for
calls to the kernel's modules. A call belongs to the driver when it returns into its image.
"""

import fcntl
import re
import time
import unittest

from support import wine, wine_i386

CHANNELS = "-all,+relay,+loaddll"
CALLED_MODULES = "ntoskrnl.exe.*;hal.*"
NOT_READY = (*wine.NOT_READY, "start 1359")  # the last on a busy machine
KEY = r"HKCU\Software\Wine\Debug"
LARGEST_NUMBER = 0xFFFF  # what is larger is taken for an address
NUMBERS = {"ExAllocatePoolWithTag": {2}, "ExFreePoolWithTag": {1}}  # arguments that are numbers whatever their size

TRACE = re.compile(r"^[0-9a-f]{4}:")
LOADED = re.compile(r'^[0-9a-f]{4}:trace:loaddll:build_module Loaded L".*\\\\([^\\"]+)" at ([0-9A-Fa-f]+): ')
CALL = re.compile(r"^[0-9a-f]{4}:Call ([\w.]+)\((.*)\) ret=([0-9a-f]+)$")
ENTERED = re.compile(r"^[0-9a-f]{4}:Call driver (\w+) ([0-9A-F]+) ")
ARGUMENT = re.compile(r'([0-9a-f]{8,16})((?: L?"(?:[^"\\]|\\.)*")?)')


class Run:
    """What one driver said and did: texts of its loads as wine.Wine.load gives them, and a list of calls for each."""

    def __init__(self, loads, calls):
        self.loads, self.calls = loads, calls


class TracingX64(wine.Wine):
    """Wine in a prefix of its own. Its server runs only during a run, so that all that it starts writes traces; test
    programs wait for each other."""

    def __init__(self):
        super().__init__()
        self.prefix = self.prefix.parent / "wine-relay"
        self.environment["WINEPREFIX"] = str(self.prefix)

    def locked(self):
        """A lock on the prefix, for a with statement."""
        lock = open(self.prefix.parent / "wine-relay.lock", "w", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return lock

    def prepare(self):
        with self.locked():
            super().prepare()
            trace_kernel_calls(self)

    def drive_all(self, places, times):
        with self.locked():
            try:
                return self.call("wine", str(self.drive), str(times), *map(wine.windows_path, places))[1]
            finally:
                self.stop()


class TracingI386(wine_i386.Wine):
    """The same for x86; a call ends with all that it started."""

    def prepare(self):
        super().prepare()
        trace_kernel_calls(self)

    def drive_all(self, places, times):
        return self.call("wine", self.drive, str(times), *map(wine.windows_path, places))[1]


def trace_kernel_calls(host):
    """Tells the prefix which calls to write, once; then turns traces on."""
    stamp = host.prefix / "traces-calls-to"
    if not stamp.exists() or stamp.read_text() != CALLED_MODULES:
        host.call("sh", "-c", f"wine reg add '{KEY}' /v RelayInclude /d '{CALLED_MODULES}' /f && wineserver -w")
        stamp.write_text(CALLED_MODULES)
    host.environment["WINEDEBUG"] = CHANNELS


def tracing(machine):
    """The Wine for drivers of a machine, prepared. Raises SkipTest with the reason when it cannot be had."""
    if machine == "x64" and not wine.is_installed():
        raise unittest.SkipTest("Wine is not installed")
    host = TracingX64() if machine == "x64" else TracingI386()
    try:
        host.prepare()
    except wine_i386.Missing as missing:
        raise unittest.SkipTest(f"no Wine for i386: {missing}") from missing
    return host


class Image:
    """A driver where it is loaded."""

    def __init__(self, base, nbytes):
        self.base, self.nbytes = base, nbytes

    def holds(self, address):
        return self.base <= address < self.base + self.nbytes

    def normal(self, number, text=""):
        """A number as it is the same in every run: small ones themselves, addresses by what they lead to."""
        if self.holds(number):
            return "image" + text
        return (f"{number:#x}" if number <= LARGEST_NUMBER else "address") + text

    def call(self, line):
        """The normal form of a line that tells of a call by the driver or into it, or None."""
        entered = ENTERED.match(line)
        if entered and self.holds(int(entered[2], 16)):
            return f"driver {entered[1]}"
        call = CALL.match(line)
        if not call or not self.holds(int(call[3], 16)):
            return None
        kept = NUMBERS.get(call[1].rpartition(".")[2], ())
        arguments = [f"{int(number, 16):#x}" if place in kept else self.normal(int(number, 16), text)
                     for place, (number, text) in enumerate(ARGUMENT.findall(call[2]))]
        return f"{call[1]}({', '.join(arguments)})"


def parse(output, names, nbytes):
    """[Run] of one call of drive.exe with drivers of these file names and image sizes."""
    said = [line for line in output.splitlines() if not TRACE.match(line) and not line.startswith("wine: ")]
    texts = re.split(r"^driver \d+\n", "\n".join(said) + "\n", flags=re.MULTILINE)[1:]
    runs = [Run(text.split("load\n")[1:], []) for text in texts]
    runs += [Run([], []) for _ in names[len(runs):]]
    image = calls = None
    for line in output.splitlines():
        loaded = LOADED.match(line)
        if loaded and loaded[1] in names:
            number = names.index(loaded[1])
            image, calls = Image(int(loaded[2], 16), nbytes[number]), []
            runs[number].calls.append(calls)
        elif image:
            call = image.call(line)
            if call:
                calls.append(call)
    return runs


def image_nbytes(path):
    """SizeOfImage. Not by pefile, which cannot read images whose section PAGE is writable."""
    with open(path, "rb") as file:
        data = file.read(0x1000)
    header_foff = int.from_bytes(data[0x3C:0x40], "little")
    return int.from_bytes(data[header_foff + 0x50 : header_foff + 0x54], "little")


def run(host, paths, times=2, tries=5):
    """[Run] of drivers with different file names that are loaded one after the other, so many times each; all over
    again, up to so many tries, when it looks as if Wine was not up."""
    places = host.places(paths)
    names = [place.rpartition("/")[2] for place in places]
    assert len(set(names)) == len(names), names
    sizes = [image_nbytes(path) for path in paths]
    for _ in range(tries):
        output = host.drive_all(places, times)
        runs = parse(output, names, sizes)
        is_ready = not any(line in NOT_READY for line in output.splitlines())
        if is_ready and all(len(one.loads) == times for one in runs):
            break  # else the services were not up, or Wine itself ended early on a busy machine
        time.sleep(1)
    return runs


def difference(old, new):
    """"" when two lists of calls are the same, else the first place where they are not."""
    for number, (old_call, new_call) in enumerate(zip(old, new)):
        if old_call != new_call:
            return f"call {number}: {old_call}, but {new_call}"
    if len(old) != len(new):
        longer = old if len(old) > len(new) else new
        return f"call {min(len(old), len(new))}: {longer[min(len(old), len(new))]} is made by one only"
    return ""
