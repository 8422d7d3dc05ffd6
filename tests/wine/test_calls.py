"""What `show --calls` says of a call, against the arguments that really arrive when Wine runs the driver.

Wine's trace of calls names the address that a call returns to, so each call is found in the listing. An argument that
the listing holds for a number must be that number every time, and a pool type must be what the verdict says.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import images, matrix, relay, tool

SITES = os.path.join(os.path.dirname(__file__), os.pardir, "calls", "sites.c")
NUMBER = re.compile(r"-?\d+|0x[0-9A-F]+")
ONE_BYTE = {("IoCreateDevice", 5)}  # BOOLEAN: what lies above it is left over
LONGEST_CALL = 7  # bytes


def listed(paths):
    """{path: {RVA: call}} as the tool lists them."""
    done = tool.run("show", "--calls", "--format", "json", *paths)
    return {image["path"]: {call["rva"]: call for call in image["calls"]}
            for image in json.loads(done.stdout)["images"]}


def traced(output, sizes):
    """(file name, RVA behind the call, function, arguments) of each call that a driver makes."""
    image, name = None, None
    for line in output.splitlines():
        loaded = relay.LOADED.match(line)
        if loaded:
            name = loaded[1] if loaded[1] in sizes else None
            image = relay.Image(int(loaded[2], 16), sizes[name]) if name else None
        call = relay.CALL.match(line)
        if image and call and image.holds(int(call[3], 16)):
            yield (name, int(call[3], 16) - image.base, call[1].rpartition(".")[2],
                   [int(number, 16) for number, _ in relay.ARGUMENT.findall(call[2])])


def is_executable(pool_type):
    return not pool_type & 0x201


@unittest.skipUnless(shutil.which("clang-19") and shutil.which("lld-link-19"), "clang and lld are not installed")
class Arguments(unittest.TestCase):
    machine = "x64"

    @classmethod
    def setUpClass(cls):
        cls.host = relay.tracing(cls.machine)
        cls.folder = tempfile.mkdtemp(prefix="hvcifix-test-", dir=os.environ["HVCIFIX_BUILD"])
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def sites(self, level):
        """sites.c as a driver; its own code for making mappings is left out, since Wine cannot make them."""
        target = {"x64": "x86_64", "x86": "i686"}[self.machine]
        prefix = f"/usr/{target}-w64-mingw32"
        path = os.path.join(self.folder, f"sites{level}.sys")
        subprocess.run(["clang-19", f"--target={target}-w64-windows-gnu", level, "-ffreestanding", "-w",
                        "-mno-stack-arg-probe", "-DONLY_POOL", f"-I{prefix}/include/ddk", f"-I{prefix}/include", "-c", SITES,
                        "-o", path + ".o"], check=True)
        entry = "DriverEntry" if self.machine == "x64" else "DriverEntry@8"
        subprocess.run(["lld-link-19", "/driver", "/subsystem:native", f"/entry:{entry}", "/nodefaultlib", "/lldmingw",
                        *(["/safeseh:no"] if self.machine == "x86" else []), f"/out:{path}", path + ".o",
                        f"{prefix}/lib/libntoskrnl.a"], check=True)
        return path

    def made(self, places, sizes):
        """The calls that the drivers make. Where Wine was not up they are started again; but a driver that calls what Wine
        has not ends its host, which looks the same: then the same calls of every driver come twice."""
        before = None
        for _ in range(5):
            output = self.host.drive_all(places, 1)
            found = list(traced(output, sizes))
            heard = [call[:3] for call in found]
            is_up = not any(line in relay.NOT_READY for line in output.splitlines())
            if is_up or ({name for name, *_ in heard} == set(sizes) and heard == before):
                break
            before = heard
        return found

    def compare(self, paths):
        """(calls compared, arguments compared, pool sites compared)"""
        places = self.host.places(paths)
        names = {place.rpartition("/")[2]: path for place, path in zip(places, paths)}
        sizes = {name: relay.image_nbytes(path) for name, path in names.items()}
        calls = listed(paths)
        counts = [0, 0, set()]
        for name, behind, function, arguments in self.made(places, sizes):
            found = [calls[names[name]][rva] for rva in range(behind - LONGEST_CALL, behind) if rva in calls[names[name]]]
            found = [call for call in found if call["name"] == function]
            if not found:  # through a pointer that only the kernel knows, or a thunk
                continue
            self.compare_one(found[-1], arguments, counts, f"{name} {behind:X}")
        print(f"{self.machine}: {counts[0]} calls, {counts[1]} numbers, {len(counts[2])} allocations compared")
        return counts

    def compare_one(self, call, arguments, counts, where):
        counts[0] += 1
        texts = call["arguments"].split(", ")
        if '"' not in call["arguments"]:  # a text may hold commas
            for place, (text, number) in enumerate(zip(texts, arguments)):
                if NUMBER.fullmatch(text):
                    wanted = int(text, 0)
                    # What is shorter than a register may have anything above.
                    bits = 0xFF if (call["name"], place) in ONE_BYTE else 2**32 - 1
                    self.assertEqual(wanted & bits, number & bits, f"{where} {call}")
                    counts[1] += 1
        if call["memory"] and call["name"].startswith("ExAllocatePool") and call["memory"]["argument"] == "PoolType":
            verdict = call["memory"]["verdict"]
            if verdict in ("executable", "no-execute"):
                opted_in = "opts in" in (call["memory"]["reason"] or "")
                if not opted_in:
                    self.assertEqual(verdict == "executable", is_executable(arguments[0]), f"{where} {call}")
                counts[2].add(where)

    def test_sites_of_known_truth(self):
        counts = self.compare([self.sites(level) for level in ("-O0", "-O2")])
        self.assertGreater(len(counts[2]), 40)

    def test_fixtures(self):
        names = ("clean", "all_defects", "rich_low_80", "gcc_rich_all_in_text")
        counts = self.compare([f.path for f in matrix.read() if f.name in names and f.machine == self.machine])
        self.assertGreater(counts[0], 10)
        self.assertGreater(counts[1], 10)

    def test_real_drivers(self):
        drivers = images.real_drivers_of(self.machine)
        if not drivers:
            self.skipTest("the package with real drivers could not be had")
        counts = self.compare(drivers)
        self.assertGreater(counts[0], 20)
        self.assertGreater(counts[1], 20)


class ArgumentsOnX86(Arguments):
    machine = "x86"


if __name__ == "__main__":
    unittest.main()
