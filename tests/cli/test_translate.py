"""`translate`: addresses of a repaired driver become those of the old one and back, in arguments and in logs.

What an address should become is computed here from the JSON map by its schema, and the bytes of both images (pefile)
say whether the map is true. The logs are in the forms of WinDbg, minidump_stackwalk, Wine, ReactOS, glibc and Linux.
"""

import bisect
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import pefile

from support import both, matrix, readobj, tool

STEP = 12 if tool.IS_SLOW else 1  # every so manieth fixture is taken; the plain build goes through all
JUMP_BACK = 5


def filtered(text, *arguments):
    """What comes out for `text` on standard input: (exit code, output, errors)."""
    environment = both.programs().environment if tool.IS_WINDOWS else None
    done = subprocess.run(tool.command("translate", *arguments), input=text, capture_output=True, timeout=300,
                          env=environment, check=False)
    errors = b"\n".join(line for line in done.stderr.split(b"\n") if b"hvcifix" in line or b"HVCI" in line)
    return done.returncode, done.stdout, errors


class Map:
    """The map, read by its schema."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.json = json.load(file)
        self.pieces = [(p["old_rva"], p["new_rva"], p["size"]) for p in self.json["pieces"] if p["size"]]
        if not self.json["pieces"]:
            self.pieces = [(0, 0, self.json["old"]["image_size"])]

    def old_of(self, rva):
        for old, new, size in self.pieces:
            if new <= rva < new + size:
                return old + rva - new
        for copy in self.json["copied_instructions"]:
            if copy["new_rva"] <= rva < copy["new_rva"] + copy["size"] + JUMP_BACK:
                return copy["old_rva"] + min(rva - copy["new_rva"], copy["size"])
        return None


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.new, self.map_path = os.path.join(self.folder, "new.sys"), os.path.join(self.folder, "map.json")

    def fix(self, fixture, *options):
        done = tool.run("fix", "-q", fixture.path, "-o", self.new, "--map", self.map_path, *options)
        self.assertIn(done.returncode, (0, 1), done.stdout)
        return Map(self.map_path)

    def fixture(self, name):
        return next(f for f in matrix.read() if f.file_name == name)

    def translate(self, rvas, *options):
        """Answers for RVAs: a number each, or None."""
        text = b"".join(b"new+0x%x\n" % rva for rva in rvas)
        code, said, _ = filtered(text, self.map_path, "--module", "new", *options)
        self.assertEqual(code, 0)
        lines = said.splitlines()
        self.assertEqual(len(lines), len(rvas))
        return [None if b"[" in line else int(line[6:], 16) for line in lines]


class RoundTrip(Case):
    def judge(self, fixture, options, stride):
        found = self.fix(fixture, *options)
        olds = [old + i for old, _, size in found.pieces for i in range(0, size, stride)]
        news = [new + i for _, new, size in found.pieces for i in range(0, size, stride)]
        inside = [(old, new) for old, new in zip(olds, news)
                  if old < found.json["old"]["image_size"] and new < found.json["new"]["image_size"]]
        olds, news = map(list, zip(*inside))
        self.assertEqual(self.translate(news), olds)
        self.assertEqual(self.translate(olds, "--to-new"), news)
        before, after = (pefile.PE(path, fast_load=True).get_memory_mapped_image() for path in (fixture.path, self.new))
        told = [(before[old], after[new]) for old, new in zip(olds, news) if old < len(before) and new < len(after)]
        told = [pair for pair in told if pair != (0, 0)]
        self.same += sum(a == b for a, b in told)
        self.seen += len(told)
        if not found.json["pieces"]:
            return
        self.moved += 1
        inside = set(news)
        gaps = [rva for rva in range(0, found.json["new"]["image_size"], 977) if rva not in inside]
        fill = [(rva, answer) for rva, answer in zip(gaps, self.translate(gaps))
                if answer is not None and found.old_of(rva) is None]  # behind a piece: the answer leads back
        self.assertEqual(self.translate([answer for _, answer in fill], "--to-new"), [rva for rva, _ in fill])

    def test_every_mapped_byte(self):
        self.same = self.seen = self.moved = 0
        # pefile fails on sections that follow one which is named PAGE and is not executable.
        fixtures = [f for f in matrix.read() if f.fix == "repairs" and f.machine in ("x64", "x86") and
                    "wx_page" not in f.name][::STEP]
        for number, fixture in enumerate(fixtures):
            with self.subTest(fixture.file_name):
                self.judge(fixture, fixture.runs[0][0], 1 if number % 20 == 0 else 61)
        self.assertGreater(self.moved, 60 // STEP)
        self.assertGreater(self.same / self.seen, 0.9)  # the rest are addresses, which were written anew

    def test_new_code(self):
        seen = set()
        straddlers = [f for f in matrix.read() if f.name.startswith("straddle") and f.rewrite == "repairs"]
        for fixture in straddlers[:: 2 if tool.IS_SLOW else 1]:
            with self.subTest(fixture.file_name):
                found = self.fix(fixture, "--target", "1607")
                for copy in found.json["copied_instructions"]:
                    rvas = range(copy["new_rva"], copy["new_rva"] + copy["size"] + JUMP_BACK)
                    self.assertEqual(self.translate(rvas), [found.old_of(rva) for rva in rvas])
                    seen.add("copy")
                for stub in found.json["start_stubs"]:
                    last = stub["new_rva"] + stub["size"] - 1
                    said = filtered(b"new+0x%X;" % last, self.map_path)[1]
                    self.assertEqual(said, b"new+0x%X[hvcifix: start stub of 0x%X];" % (last, stub["function_old_rva"]))
                    self.assertEqual(filtered(b"new+0x%X;" % last, self.map_path, "-q"), (0, b"new+0x%X;" % last, b""))
                    seen.add("stub")
        self.assertEqual(seen, {"copy", "stub"})


# {name} is an RVA of the new image, which becomes that of the old one; {name_va} the same as a virtual address, whose
# upper and lower half stand in {name_hi} and {name_lo}. Lines behind "=" must not change.
WINDBG = """\
 # Child-SP          RetAddr               Call Site\r
00 fffff888`04d3a5f8 {code_va} nt!KeBugCheckEx\r
01 fffff888`04d3a600 {code_hi}`{code_lo} new+0x{code}\r
02 fffff888`04d3a640 fffff801`0a4a1d2e     NEW+0x{data:08X}\r
= 03 fffff888`04d3a6f0 fffff801`0a4a1d2e     xnew+0x1310\r
= 04 fffff888`04d3a6f0 fffff801`0a4a1d2e     new_filter+0x1310 other!new+0x1310 new.x+0x1310 a-new+0x1310\r
= 05 fffff888`04d3a6f0 fffff801`0a4a1d2e     nt!KiPageFault+0x{code_va} nt - 0x{code_va} 0x{code_va}0\r
"""
ANALYZE = """\
DRIVER_IRQL_NOT_LESS_OR_EQUAL (d1)
Arguments:
Arg1: 0000000000000000, memory referenced
Arg4: {code_va}, address which referenced memory
FAULTING_IP:
new+{code}
{code_hi}`{code_lo} 488b01          mov     rax,qword ptr [rcx]
rax=0000000000000000 rbx=0000000000000000 rcx={data_va}
rip={code_va} rsp=fffff88004d3a5f8 rbp=0x{code_va}
FOLLOWUP_IP: new+{code} ({code_hi}`{code_lo})
SYMBOL_NAME:  new+{code}
Probably caused by : new.sys ( new+{code} )
= MODULE_NAME: new    IMAGE_NAME:  new.sys    DEBUG_FLR_IMAGE_TIMESTAMP:  4a5bc600
= FAILURE_BUCKET_ID:  AV_new+1310    BUCKET_ID: 0xD1_new!unknown_function
"""
OTHERS = """\
Thread 0 (crashed)
 0  new.sys + 0x{code}
    rip = 0x{code_va}   rsp = 0x000000000023f4e0
    Found by: given as instruction pointer in context
0|0|new.sys||||0x{code}
0|1|ntoskrnl.exe|KiPageFault|||0x{code_va}
=>0 0x{code_va} in new (+0x{code}) (0x000000000023f4e0)
  1 0x{code_va} new.sys(+0x{code}) [0x{code_va}]
<new.sys:{code} (driver.c:12 (Read))>
<new.sys:{data}>
[  12.345678] RIP: 0010:new+0x{code}/0x56000 [new]
[  12.345679]  ? new+0x{data}/0x56000 [new]
= <other.sys:1310>  new: 1310  new.sys:1310  new +1310  new + 1310  new+0x  new+0xg new+0x123456789 new+1310x
= 1310 0x1310 {code} 0x{code}
"""


class Logs(Case):
    BASE = 0xFFFFF80112340000

    def setUp(self):
        super().setUp()
        self.found = self.fix(self.fixture("all_defects_x64"))

    def text(self, template, side, addresses):
        values = {}
        for name, pair in addresses.items():
            va = self.BASE + pair[side]
            values.update({name: pair[side], f"{name}_va": f"{va:016x}", f"{name}_hi": f"{va >> 32:08x}",
                           f"{name}_lo": f"{va & 0xffffffff:08x}"})
        lines = []
        for line in template.splitlines(keepends=True):
            kept = line.startswith("= ")
            both_sides = {**values, **self.same} if kept else values
            line = re.sub(r"\{(\w+)\}", lambda m: m[0] if "_" in m[1] else "{" + m[1] + ":x}", line)
            lines.append(line.format(**both_sides))
        return "".join(lines).encode()

    def test_templates(self):
        code = next((o, n, s) for o, n, s in self.found.pieces if s > 0x500 and o)
        data = self.found.pieces[-2]
        rng = random.Random(1)
        for _ in range(3 if tool.IS_SLOW else 25):
            code_at, data_at = (rng.randrange(piece[2]) for piece in (code, data))
            addresses = {"code": (code[0] + code_at, code[1] + code_at), "data": (data[0] + data_at, data[1] + data_at)}
            va = self.BASE + addresses["code"][1]
            self.same = {"code": addresses["code"][1], "code_va": f"{va:016x}"}
            for template in (WINDBG, ANALYZE, OTHERS):
                new, old = (self.text(template, side, addresses) for side in (1, 0))
                self.assertNotEqual(new, old)
                base = ("--base", f"{self.BASE >> 32:x}`{self.BASE & 0xffffffff:08x}")
                self.assertEqual(filtered(new, self.map_path, *base), (0, old, b""))
                text = b"".join(line for line in old.splitlines(keepends=True) if not line.startswith(b"= "))
                back = b"".join(line for line in new.splitlines(keepends=True) if not line.startswith(b"= "))
                self.assertEqual(filtered(text, self.map_path, "--to-new", "--base", hex(self.BASE)), (0, back, b""))

    def test_without_base_virtual_addresses_stay(self):
        text = b"%016x 0x%x new+0x1310\n" % (self.BASE + 0x1310, self.BASE + 0x1310)
        self.assertEqual(filtered(text, self.map_path)[1], text.replace(b"+0x1310", b"+0x310"))

    def test_x86_addresses(self):
        base = 0xF8A40000
        said = filtered(b"ebp=f8a41310 eip=F8A41310 f8a4131 f8a413100 xf8a41310 0xf8a41310", self.map_path, "--base", hex(base))
        self.assertEqual(said[1], b"ebp=f8a40310 eip=F8A40310 f8a4131 f8a413100 xf8a41310 0xf8a40310")

    def test_long_lines_and_any_bytes(self):
        rng = random.Random(2)
        token, other = b"new+0x00001310", b"new+0x00000310"
        noise = rng.randbytes(400000).replace(b"new", b"xxx").replace(b"NEW", b"xxx")
        self.assertEqual(filtered(noise, self.map_path, "-q")[1], noise)
        for at in [*range(65536 - 1100, 65536 + 20, 1 if not tool.IS_WINDOWS else 97)][:: 7 if not tool.IS_WINDOWS else 1]:
            line = b" " * at + token + b"\t\0\xff" + b"y" * 70000 + b" " + token
            self.assertEqual(filtered(line, self.map_path)[1], line.replace(token, other), at)
        for end in (b"", b"\n", b"\r\n", b"\n\n\0"):
            self.assertEqual(filtered(token + end, self.map_path)[1], other + end)
        line = b"new" * 100000 + b"\n" + b"new!" * 50000 + b"\n" + b"new!" + b"a" * 200000 + b"+0x10\n"
        self.assertEqual(filtered(line, self.map_path, "-q")[1], line)
        self.assertEqual(filtered(b"", self.map_path, "-q"), (0, b"", b""))

    def test_what_it_says_besides(self):
        code, said, errors = filtered(b"new+0x3000 new+0xfffff new+0x1310\n", self.map_path)
        self.assertEqual((code, said), (0, b"new+0x3000[hvcifix: no counterpart] new+0xfffff[hvcifix: outside the image] new+0x310\n"))
        self.assertIn(b"note HVCI9047: 2 of 3 addresses of ", errors)
        self.assertIn(b"note HVCI9048: No address of ", filtered(b"nothing\n", self.map_path)[2])
        self.assertEqual(filtered(b"nothing\n", self.map_path, "-q")[2], b"")

    def test_names_of_the_module(self):
        for name in ("new", "NEW.SYS", "all_defects_x64", "all_defects_x64.sys"):
            self.assertEqual(filtered(name.encode() + b"+1310", self.map_path)[1], name.encode() + b"+310")
        said = filtered(b"my_dr_1+1310 my-dr 1.sys+1310 new+1310", self.map_path, "--module", "my-dr 1.sys")[1]
        self.assertEqual(said, b"my_dr_1+310 my-dr 1.sys+310 new+1310")


class Arguments(Case):
    def test_each_form(self):
        self.fix(self.fixture("all_defects_x64"))
        base = "fffff801`12340000"
        done = tool.run("translate", self.map_path, "--base", base, "0x1310", "1310", "new+0x1310", "new.sys+1310",
                        "fffff801`12341310", "0xfffff80112341310")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.decode().splitlines(),
                         ["0x1310 -> 0x310", "1310 -> 310", "new+0x1310 -> new+0x310", "new.sys+1310 -> new.sys+310",
                          "fffff801`12341310 -> fffff801`12340310", "0xfffff80112341310 -> 0xfffff80112340310"])
        done = tool.run("translate", self.map_path, "-q", "0x1310", "0x3000", "0x99999999")
        self.assertEqual((done.returncode, done.stdout), (1, b"0x310\n-\n-\n"))
        done = tool.run("translate", self.map_path, "--to-new", "0x310", "0x0000000310")
        self.assertEqual((done.returncode, done.stdout), (0, b"0x310 -> 0x1310\n0x0000000310 -> 0x0000001310\n"))

    def test_wrong_words(self):
        self.fix(self.fixture("all_defects_x64"))
        for words in (["nonsense"], ["other+0x10"], ["new+0x10z"], ["0x"], ["fffff801`12341310"], [""]):
            done = tool.run("translate", self.map_path, *words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(b"HVCI9010", done.stderr)
        for words in ([], [self.map_path, "--base", "x"], [self.map_path, "--module", ""], [self.map_path, "--base", "1`2"]):
            self.assertEqual(tool.run("translate", *words).returncode, 2, words)

    def exports(self, path):
        table = getattr(pefile.PE(path), "DIRECTORY_ENTRY_EXPORT", None)
        return {export.name.decode(): export.address for export in table.symbols
                if export.name and not export.forwarder} if table else {}

    def test_names(self):
        """Offsets that stay inside what moved with the name keep it; others get the name that is there."""
        checked = set()
        for fixture in [f for f in matrix.read() if f.fix == "repairs" and "low" in f.name][:: 4 * STEP]:
            found = self.fix(fixture)
            exports, after = self.exports(fixture.path), self.exports(self.new)
            named = {n["name"]: (n["old_rva"], n["new_rva"]) for n in found.json["names"] if n["source"] == "export"}
            self.assertEqual({name: pair[0] for name, pair in named.items()}, exports, fixture.file_name)
            self.assertEqual({name: pair[1] for name, pair in named.items()}, after)
            ordered = sorted((pair[0], name) for name, pair in named.items())
            cases = [(name, offset, found.old_of(new + offset)) for name, (_, new) in named.items()
                     for offset in (0, 4, 0x200, 0x900)]
            cases = [case for case in cases if case[2] is not None]
            said = tool.run("translate", self.map_path, "-q", *(f"new!{name}+0x{offset:x}" for name, offset, _ in cases)) \
                if cases else None
            for (name, offset, expected), word in zip(cases, said.stdout.decode().splitlines() if said else []):
                if expected - named[name][0] == offset:
                    self.assertEqual(word, f"new!{name}+0x{offset:x}")
                    checked.add("same")
                else:
                    at = bisect.bisect_right(ordered, (expected, "\x7f")) - 1
                    self.assertEqual(word, f"new!{ordered[at][1]}+0x{expected - ordered[at][0]:x}" if at >= 0
                                     else f"new!0x{expected:x}")
                    checked.add("other")
        self.assertIn("same", checked)


class HostileMaps(Case):
    def assert_unusable(self, text, words=b""):
        with open(self.map_path, "wb") as file:
            file.write(text)
        code, said, errors = filtered(b"new+0x1310\n", self.map_path)
        self.assertEqual((code, said), (3, b""), text[:300])
        self.assertIn(b" : error HVCI9046: The map cannot be used: ", errors)
        self.assertIn(words, errors)

    def test_damage(self):
        found = self.fix(self.fixture("all_defects_x64"))
        with open(self.map_path, "rb") as file:
            whole = file.read()
        for nbytes in range(0, len(whole) - 2, 4800 if tool.IS_WINDOWS else 400):
            self.assert_unusable(whole[:nbytes])
        self.assert_unusable(b"[" * 100000, b"nested")
        self.assert_unusable(b"{}")
        for path, values in ((("pieces", 1, "size"), (-1, 1.5, 2**32, 2**32 - 1, "1", None)), (("pieces", 1, "old_rva"), (10**9,)),
                             (("pieces", 2, "new_rva"), (0, 0x1310)), (("new", "image_size"), (-1, "")),
                             (("names", 0, "name"), (None,)), (("image",), (None,)), (("pieces",), (None, {}, 3))):
            for value in values:
                changed = json.loads(whole)
                at = changed
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] = value
                with self.subTest(path=path, value=value):
                    self.assert_unusable(json.dumps(changed).encode())
        self.assertTrue(found.pieces)

    def test_absent(self):
        code, said, errors = filtered(b"", os.path.join(self.folder, "none.json"))
        self.assertEqual((code, said), (3, b""))
        self.assertIn(b"HVCI9006", errors)


class LinkerMap:
    """A .map file as link.exe writes it, by the description in its documentation (/MAP)."""

    SECTION = re.compile(r" ([0-9a-fA-F]{4}):([0-9a-fA-F]{8}) ([0-9a-fA-F]{8})H (\S+) +(CODE|DATA)$")
    PUBLIC = re.compile(r" ([0-9a-fA-F]{4}):([0-9a-fA-F]{8}) +(\S+) +([0-9a-fA-F]{8,16})(?: f| i|  )* +(\S+)$")

    def __init__(self, text):
        lines = text.splitlines()
        self.module = lines[0].strip()
        self.stamp = int(re.search(r"^ Timestamp is ([0-9a-f]{8}) \(", text, re.M)[1], 16)
        self.base = int(re.search(r"^ Preferred load address is ([0-9a-f]+)$", text, re.M)[1], 16)
        start = next(i for i, line in enumerate(lines) if line.split() == ["Start", "Length", "Name", "Class"])
        head = next(i for i, line in enumerate(lines) if line.split()[:4] == ["Address", "Publics", "by", "Value"])
        self.sections = [self.SECTION.match(line).groups() for line in lines[start + 1 : head] if line]
        entry = re.search(r"^ entry point at +([0-9A-Fa-f]{4}):([0-9A-Fa-f]{8})$", text, re.M)
        self.entry = (int(entry[1], 16), int(entry[2], 16))
        end = lines.index(entry[0])
        self.publics = []
        for line in lines[head + 1 : end]:
            if line:
                number, offset, name, va, source = self.PUBLIC.match(line).groups()
                self.publics.append((int(number, 16), int(offset, 16), name, int(va, 16), source))


class LinkerMaps(Case):
    def judge(self, fixture, options):
        path = os.path.join(self.folder, "new.map")
        found = self.fix(fixture, "--linker-map", path, *options)
        with open(path, encoding="ascii") as file:
            read = LinkerMap(file.read())
        image = pefile.PE(self.new)
        self.assertEqual((read.module, read.stamp, read.base),
                         (fixture.path.rsplit("/")[-1], image.FILE_HEADER.TimeDateStamp, image.OPTIONAL_HEADER.ImageBase))
        self.assertEqual([int(section[0], 16) for section in read.sections], list(range(1, len(image.sections) + 1)))
        starts = [section.VirtualAddress for section in image.sections]
        places = {}
        for number, offset, name, va, _ in read.publics:
            self.assertEqual(va - read.base, offset + (starts[number - 1] if number else 0), name)
            places.setdefault(va - read.base, set()).add(name)
        self.assertEqual(list(places), sorted(places))
        self.assertEqual(read.entry[1] + starts[read.entry[0] - 1], image.OPTIONAL_HEADER.AddressOfEntryPoint)
        for export in image.DIRECTORY_ENTRY_EXPORT.symbols if hasattr(image, "DIRECTORY_ENTRY_EXPORT") else []:
            if export.name and not export.forwarder:
                self.assertIn(export.name.decode(), places[export.address])
        before = [readobj.Section(part) for part in readobj.read("--sections", fixture.path).split("Section {")[1:]]
        old = {section.name: section.rva for section in before}
        for rva, names in places.items():  # what we named by its place leads there
            for name in names:
                lead, _, offset = name.rpartition("+")
                if lead in old and len(old) == len(before):
                    self.assertEqual(found.old_of(rva), old[lead] + int(offset, 16), name)
                    self.named += 1
        for piece in found.json["pieces"]:
            if piece["size"] and piece["old_section"]:
                self.assertIn(piece["new_rva"], places)

    def test_repaired_fixtures(self):
        self.named = 0
        fixtures = [f for f in matrix.read() if f.fix == "repairs" and f.machine in ("x64", "x86")][:: 3 * STEP]
        for fixture in fixtures:
            with self.subTest(fixture.file_name):
                self.judge(fixture, fixture.runs[0][0])
        self.assertGreater(self.named, 200 // STEP)

    @tool.not_on_windows("clang and lld-link run here")
    def test_beside_that_of_a_linker(self):
        """The same reader reads what lld-link writes, and a repair of headers alone keeps all addresses."""
        source, objects = os.path.join(self.folder, "a.c"), os.path.join(self.folder, "a.obj")
        with open(source, "w", encoding="ascii") as file:
            file.write("__declspec(dllexport) int first(int x) { return x + 1; }\n"
                       "__declspec(dllexport) int second(int x) { return x * 3; }\n"
                       "int DriverEntry(void *a, void *b) { return first(2) + second(3) + (a == b); }\n")
        old, path = os.path.join(self.folder, "a.sys"), os.path.join(self.folder, "lld.map")
        subprocess.run(["clang-19", "--target=x86_64-pc-windows-msvc", "-ffreestanding", "-c", source, "-o", objects], check=True)
        subprocess.run(["lld-link-19", "/driver", "/subsystem:native", "/entry:DriverEntry", "/nodefaultlib", objects,
                        f"/out:{old}", f"/map:{path}", "/section:.text,erw"], check=True)
        ours = os.path.join(self.folder, "ours.map")
        self.assertEqual(tool.run("fix", old, "-o", self.new, "--linker-map", ours).returncode, 0)
        theirs, ours = (LinkerMap(open(name, encoding="ascii").read()) for name in (path, ours))
        self.assertEqual((ours.base, ours.stamp, ours.entry), (theirs.base, theirs.stamp, theirs.entry))
        known = {(name, va) for _, _, name, va, _ in ours.publics}
        for _, _, name, va, _ in theirs.publics:
            if name in ("first", "second"):
                self.assertIn((name, va), known)


if __name__ == "__main__":
    unittest.main()
