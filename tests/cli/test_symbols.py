"""--symbols: functions named by a PDB, a linker's map or a folder of these.

names.cpp is built with clang and lld-link for x64 and x86, with /debug and /map. The names and their places are compared
with llvm-symbolizer and with the second reader of PDBs (support/pdb.py).
"""

import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import tempfile
import unittest

from support import pdb, schema, tool

SOURCE = pathlib.Path(__file__).resolve().parents[1] / "calls" / "names.cpp"
MACHINES = {"x64": ("x86_64", "DriverEntry", []), "x86": ("i686", "DriverEntry@8", ["/safeseh:no"])}
# By the pool tags of the source.
PLAIN = {"2000": "plain", "3000": "fast", "5000": "DriverEntry", "1000": "hidden"}
MEMBER = {"x64": "?member@driver@@YAX_K@Z", "x86": "?member@driver@@YAXK@Z"}
HIDDEN = {"x64": "?hidden@@YAX_K@Z", "x86": "?hidden@@YAXK@Z"}


def build(machine, folder, *flags, name="names"):
    target, entry, more = MACHINES[machine]
    path = pathlib.Path(folder) / f"{name}_{machine}"
    subprocess.run(["clang-19", f"--target={target}-pc-windows-msvc", "-O1", "-g", "-gcodeview", "-ffreestanding",
                    "-fno-rtti", "-fno-exceptions", "-fno-zero-initialized-in-bss", "-Wno-multichar",
                    "-Wno-four-char-constants", "-c", SOURCE, "-o", f"{path}.o"], check=True)
    subprocess.run(["lld-link-19", "/driver", "/debug", f"/map:{path}.map", "/subsystem:native", f"/entry:{entry}", *more,
                    "/nodefaultlib", f"/out:{path}.sys", f"/pdb:{path}.pdb", "/pdbaltpath:%_PDB%", *flags, f"{path}.o",
                    f"/usr/{target}-w64-mingw32/lib/libntoskrnl.a"], check=True)
    return path.with_suffix(".sys")


class Symbols(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="hvcifix-test-"))
        self.addCleanup(shutil.rmtree, self.folder)

    def report(self, verb, image, *options):
        done = tool.run(verb, "--format", "json", *options, image)
        found = json.loads(done.stdout)
        schema.validate(found)
        return done.returncode, found["images"][0]

    def names(self, image, symbols=None, verb="check", code=1):
        """{pool tag: name+offset}, and the notes of the image's names."""
        options = ["--calls"] if verb == "show" else []
        options += ["--symbols", symbols] if symbols else []
        done, report = self.report(verb, image, *options)
        self.assertEqual(done, code)
        notes = [(finding["code"], finding["level"], finding["message"]) for finding in report["findings"]
                 if finding["code"].startswith("HVCI90")]
        if verb == "show":
            return {call["memory"]["tag"]: call["function_name"] for call in report["calls"] if call["memory"]}, notes
        return {finding["call"]["tag"]: finding["call"]["function"] for finding in report["findings"]
                if "call" in finding}, notes

    def without_offsets(self, names):
        return {tag: name and name.partition("+")[0] for tag, name in names.items()}

    def test_pdb_and_map_name_functions(self):
        for machine in MACHINES:
            image = build(machine, self.folder)
            wanted = {**PLAIN, "4000": MEMBER[machine]}
            for symbols, hidden in ((image.with_suffix(".pdb"), "hidden"), (image.with_suffix(".map"), HIDDEN[machine]),
                                    (self.folder, "hidden")):
                with self.subTest(machine=machine, symbols=symbols.name):
                    found, notes = self.names(image, symbols)
                    self.assertEqual(notes, [])
                    self.assertEqual(self.without_offsets(found), {**wanted, "1000": hidden})
                    self.assertEqual(self.names(image, symbols, "show", 0), (found, []))
            self.assertEqual(set(self.names(image)[0].values()), {None})

    def test_other_readers_say_the_same(self):
        for machine in MACHINES:
            image = build(machine, self.folder)
            _, report = self.report("show", image, "--calls", "--symbols", image.with_suffix(".pdb"))
            publics = {rva: name for name, rva in pdb.Pdb(image.with_suffix(".pdb")).publics().items()}
            self.assertEqual(len(report["calls"]), 5)
            for call in report["calls"]:
                name, _, offset = call["function_name"].partition("+")
                done = subprocess.run(["llvm-symbolizer-19", "--no-demangle", f"--obj={image}", "--relative-address",
                                       hex(call["rva"])], check=True, capture_output=True, text=True)
                other = done.stdout.split("\n")[0]
                if not other.startswith("?"):
                    other = re.sub(r"@\d+$", "", other)[1:] if machine == "x86" and other[0] in "_@" else other
                self.assertIn(name, (other, "hidden"))
                begin = call["rva"] - int(offset, 16)
                self.assertEqual(begin, call["function"])
                if name != "hidden":
                    self.assertIn(name, publics[begin])

    def test_text_names_the_function(self):
        image = build("x64", self.folder)
        done = tool.run("check", "--symbols", self.folder, image)
        self.assertRegex(done.stdout.decode(), r"error HVCI2000: ExAllocatePoolWithTag at RVA 0x[0-9A-F]+ \(\.text\+0x[0-9A-F]+\) in "
                                      r"plain\+0x[0-9A-F]+ asks for executable pool")
        self.assertEqual(done.stdout, tool.run("check", "--symbols", self.folder, image).stdout)

    def test_files_beside_the_image_are_not_looked_at(self):
        image = build("x64", self.folder)
        before = tool.run("check", image).stdout
        for suffix in (".pdb", ".map"):
            os.unlink(image.with_suffix(suffix))
        self.assertEqual(tool.run("check", image).stdout, before)

    def test_what_belongs_to_another_image_is_a_note(self):
        image, other = build("x64", self.folder), build("x64", self.folder, "/base:0x150000000", name="other")
        for suffix, reason in ((".pdb", "GUID or age differ"), (".map", "is not that of the image")):
            with self.subTest(suffix):
                found, notes = self.names(image, other.with_suffix(suffix))
                self.assertEqual(set(found.values()), {None})
                self.assertEqual([note[:2] for note in notes], [("HVCI9081", "note")])
                self.assertIn(reason, notes[0][2])
                shown = tool.run("show", "--calls", "--symbols", other.with_suffix(suffix), image)
                self.assertIn("note HVCI9081: No names were taken from", shown.stdout.decode())

    def test_folder_without_names_and_path_without_file(self):
        image = build("x64", self.folder)
        (self.folder / "empty").mkdir()
        self.assertEqual(tool.run("check", "--symbols", self.folder / "empty", image).stdout,
                         tool.run("check", image).stdout)
        done = tool.run("check", "--symbols", self.folder / "nothing", image)
        self.assertEqual((done.returncode, done.stdout), (3, b""))
        self.assertIn("error HVCI9006: There is no such file or folder (--symbols).", done.stderr.decode())
        self.assertEqual(tool.run("show", "--symbols", self.folder, image).returncode, 2)

    def test_map_that_lies(self):
        """Each line of a map is compared with the image; what is no name is passed over."""
        image = build("x64", self.folder)
        text = image.with_suffix(".map").read_text()
        damaged = self.folder / "damaged.map"
        line = next(line for line in text.splitlines() if " plain " in line)
        place, name, address = line.split()[:3]
        for change, code in ((lambda: text.replace(address, address[:-1] + "1"), "HVCI9081"),
                             (lambda: text.replace(place, "0001:7fffffff"), "HVCI9081"),
                             (lambda: text.replace(place, "00ff:00000000"), "HVCI9081"),
                             (lambda: re.sub("Timestamp is [0-9a-f]{8}", "Timestamp is 00000001", text), "HVCI9081"),
                             (lambda: re.sub("address is [0-9a-f]+", "address is 0000000010000000", text), "HVCI9081"),
                             (lambda: re.sub("entry point at .*", "entry point at 0001:00000001", text), "HVCI9081"),
                             (lambda: text.partition("Publics")[0], "HVCI9080"),
                             (lambda: "", "HVCI9080"),
                             (lambda: text.replace("Preferred", "preferred"), "HVCI9080")):
            damaged.write_text(change())
            found, notes = self.names(image, damaged)
            self.assertEqual([note[:2] for note in notes], [(code, "note")], damaged.read_text()[:400])
            self.assertEqual(set(found.values()), {None})
        for change in (text.replace("\n", "\r\n"), re.sub("Timestamp is [0-9a-f]{8}.*", "Timestamp is (repeatable)", text),
                       text.replace(f"{place}       {name} ", f"{place}       {'x' * 600} "), text.rstrip("\n"),
                       text.replace(line, line + "\n 0000:00000010  absolute  0000000000000010\n 0001:zz bad bad\n 0001:\n :")):
            damaged.write_text(change, newline="")
            found, notes = self.names(image, damaged)
            self.assertEqual(notes, [])
            self.assertEqual(found["5000"].partition("+")[0], "DriverEntry")

    def test_damaged_files_change_names_alone(self):
        """Whatever stands in them: the verdicts are the same, and the run ends as without them."""
        image = build("x86", self.folder)
        _, wanted = self.report("check", image)
        messages = [re.sub(r" in .*? (asks|may)", r" \1", finding["message"]) for finding in wanted["findings"]]
        numbers = random.Random(1)
        for suffix in (".pdb", ".map"):
            content = image.with_suffix(suffix).read_bytes()
            damaged = self.folder / f"damaged{suffix}"
            for _ in range(3 if tool.IS_WINDOWS else 20):
                bytes_ = bytearray(content)
                for _ in range(numbers.choice((1, 30, 400))):
                    bytes_[numbers.randrange(len(bytes_))] = numbers.randrange(256)
                damaged.write_bytes(bytes_[: numbers.choice((len(bytes_), numbers.randrange(len(bytes_))))])
                code, report = self.report("check", image, "--symbols", damaged)
                self.assertEqual(code, 1)
                self.assertEqual([re.sub(r" in .*? (asks|may)", r" \1", finding["message"])
                                  for finding in report["findings"] if "call" in finding], messages)

    def test_fingerprints_and_baselines_do_not_depend_on_it(self):
        image = build("x64", self.folder)
        with_names, without = self.folder / "with.sarif", self.folder / "without.sarif"
        tool.run("check", "--symbols", self.folder, "--report", with_names, image)
        tool.run("check", "--report", without, image)
        logs = [json.loads(path.read_text("utf-8"))["runs"][0]["results"] for path in (with_names, without)]
        self.assertEqual(*[[result["partialFingerprints"] for result in results] for results in logs])
        self.assertIn("plain+", json.dumps(logs[0]))
        self.assertNotIn("plain+", json.dumps(logs[1]))
        self.assertEqual(tool.run("check", "--baseline", without, "--symbols", self.folder, image).returncode, 0)
        self.assertEqual(tool.run("check", "--baseline", with_names, image).returncode, 0)

    def test_names_follow_a_repair_that_moves_code(self):
        """enforce names by the old PDB what it leaves; the new PDB says the same of the new image."""
        policy = self.folder / "policy.ini"
        policy.write_text("[policy]\nmode = fix\n[rules]\nHVCI2000 = warning\n")
        for machine in MACHINES:
            image = build(machine, self.folder, "/merge:.rdata=.text", "/align:0x80", "/filealign:0x80")
            old = image.read_bytes()
            code, report = self.report("enforce", image, "--policy", policy, "--symbols", self.folder)
            self.assertEqual((code, report["status"]), (0, "fixed"), report)
            self.assertNotEqual(image.read_bytes(), old)
            left = {finding["call"]["tag"]: finding["call"]["function"] for finding in report["remaining_findings"]}
            self.assertEqual(self.without_offsets(left), {**PLAIN, "4000": MEMBER[machine]})
            self.assertEqual(self.names(image, self.folder), (left, []))

    def test_map_that_fix_writes(self):
        """The map of a repaired image names what the image itself names, and what its PDB does."""
        image = build("x64", self.folder, "/merge:.rdata=.text", "/export:plain")
        new, linker_map = self.folder / "new.sys", self.folder / "new.map"
        self.assertEqual(tool.run("fix", image, "-o", new, "--no-pdb", "--linker-map", linker_map).returncode, 0)
        found, notes = self.names(new, linker_map)
        self.assertEqual(notes, [])
        self.assertEqual(found, self.names(new)[0])
        self.assertEqual(found["2000"].partition("+")[0], "plain")
        self.assertEqual([note[0] for note in self.names(image, linker_map)[1]], ["HVCI9081"])
        self.assertEqual(tool.run("fix", image, "-o", new, "--linker-map", linker_map).returncode, 0)
        found, notes = self.names(new, linker_map)
        self.assertEqual((self.without_offsets(found), notes), ({**PLAIN, "4000": MEMBER["x64"]}, []))


if __name__ == "__main__":
    unittest.main()
