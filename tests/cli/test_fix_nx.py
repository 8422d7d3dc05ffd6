"""`fix --nx`: what it changes, what it says, what it leaves, and when it refuses."""

import json
import os
import tempfile
import unittest

import pefile

from support import matrix, tool

MACHINES = ("x64", "x86")
WHOLE = ("executable_pool", "executable_pool_o0", "executable_maps", "executable_all_low_80", "gcc_executable_pool",
         "gnu_executable_pool")
FLAGGED = ("executable_pool_guard", "executable_pool_runs")  # of which something is left


def fixture(name, machine):
    return next(f.path for f in matrix.read() if f.name == name and f.machine == machine)


class Nx(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="hvcifix-test-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.new = os.path.join(self.folder, "new.sys")

    def fix(self, old, *options, new=None):
        done = tool.run("fix", "--nx", *options, "--format", "json", "-o", new or self.new, old)
        return done.returncode, json.loads(done.stdout)["images"][0]

    def test_all_calls_get_the_flag(self):
        for name in WHOLE:
            for machine in MACHINES:
                with self.subTest(name=name, machine=machine):
                    old = fixture(name, machine)
                    code, image = self.fix(old)
                    self.assertEqual((code, image["status"]), (0, "fixed"))
                    after = json.loads(tool.run("check", "--format", "json", self.new).stdout)["images"][0]
                    self.assertEqual(after["findings"], [])
                    before = json.loads(tool.run("check", "--format", "json", old).stdout)["images"][0]["calls"]
                    verdicts = ("executable", "no_execute", "depends", "unknown")
                    self.assertEqual(after["calls"]["no_execute"], sum(before[verdict] for verdict in verdicts))

    def test_it_is_said_to_change_behaviour(self):
        for machine in MACHINES:
            old = fixture("executable_maps", machine)
            code, image = self.fix(old)
            self.assertEqual(code, 0)
            changes = [change for change in image["changes"] if change["what"] == "no-execute-calls"]
            self.assertEqual([change["rule"] for change in changes], ["HVCI2000", "HVCI2002"])
            for change in changes:
                self.assertEqual(change["assurance"], "assumed")
                self.assertIn("changes what the driver does", change["proof"])
            done = tool.run("verify", old, self.new)
            self.assertEqual(done.returncode, 0)
            for words in ("change of behaviour", "adds POOL_NX_ALLOCATION to Flags", "adds MdlMappingNoExecute"):
                self.assertIn(words, " ".join(done.stdout.decode().split()))

    def test_twice_is_once(self):
        for name in WHOLE:
            for machine in MACHINES:
                with self.subTest(name=name, machine=machine):
                    again = os.path.join(self.folder, "again.sys")
                    self.fix(fixture(name, machine))
                    code, image = self.fix(self.new, new=again)
                    self.assertEqual((code, image["changes"]), (0, []))
                    with open(self.new, "rb") as first, open(again, "rb") as second:
                        self.assertEqual(first.read(), second.read())

    def test_what_is_left_is_said(self):
        reasons = {"executable_pool_guard": "control flow guard", "executable_pool_runs": "runs the memory"}
        for name in FLAGGED:
            for machine in MACHINES:
                with self.subTest(name=name, machine=machine):
                    code, image = self.fix(fixture(name, machine))
                    self.assertEqual((code, image["status"], image["written"]), (1, "fixed", True))
                    left = [finding for finding in image["findings"] if finding["code"] == "HVCI9024"]
                    self.assertEqual(len(left), 1)
                    self.assertIn(reasons[name], left[0]["message"])
                    apis = {finding["call"]["api"] for finding in image["remaining_findings"] if "call" in finding}
                    self.assertEqual(apis, {"ExAllocatePoolWithTag"})

    def change(self, name, machine, *edits):
        """A copy of the fixture with other bytes: what they replace is in it once."""
        with open(fixture(name, machine), "rb") as file:
            data = file.read()
        for old, new in edits:
            old, new = bytes.fromhex(old), bytes.fromhex(new)
            self.assertEqual((data.count(old), len(new)), (1, len(old)))
            data = data.replace(old, new)
        path = os.path.join(self.folder, "changed.sys")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_what_is_not_shown_is_left(self):
        """One import is used where the verifier is not certain of the instruction, or something may lead into it. The calls
        are what they were, so the code map has them; that import alone is left, the other one gets its flag."""
        lists, maps = "ExInitializeNPagedLookasideList", "MmMapLockedPagesSpecifyCache"
        cases = (
            # In front of the load: a jump over bytes that would begin an instruction with the load's first byte in it.
            ("x64", lists, maps, (("48 C7 44 24 20 40 00 00 00 48 8D 1D", "EB 07 CC CC CC CC CC 48 B8 48 8D 1D"),)),
            # Behind the function that maps: bytes that nothing leads to, and that may be a jump into the middle of its call.
            ("x64", maps, lists, (("90 48 83 C4 38 C3 CC CC CC CC CC CC", "90 48 83 C4 38 C3 E9 F1 FF FF FF CC"),)),
            # In front of the call: a jump over instructions that no driver has.
            ("x86", maps, lists, (("0F BE 44 24 08 FF 74 24 0C 6A 00", "EB 03 EC EC EC FF 74 24 0C 6A 00"),)))
        for machine, left, flagged, edits in cases:
            with self.subTest(machine=machine, left=left):
                old = self.change("executable_maps", machine, *edits)
                _, image = self.fix(old, "--map", os.path.join(self.folder, "map.json"))
                self.assertEqual((image["status"], image["written"]), ("fixed", True))
                notes = [finding["message"] for finding in image["findings"] if finding["code"] == "HVCI9024"]
                self.assertEqual([left in note and "could not be proved" in note for note in notes], [True])
                with open(os.path.join(self.folder, "map.json"), encoding="utf-8") as file:
                    self.assertEqual({stub["function"] for stub in json.load(file)["no_execute_stubs"]}, {flagged})
                self.assertEqual({finding["call"]["api"] for finding in image["remaining_findings"]}, {left})
                self.assertEqual(tool.run("verify", old, self.new).returncode, 0)

    def test_what_is_not_shown_in_any_layout_is_left(self):
        """The second case, in an image whose layout changes: other layouts do not help, so the import is left."""
        left = "MmMapLockedPagesSpecifyCache"
        old = self.change("executable_all_low_80", "x64",
                          ("90 48 83 C4 38 C3 CC CC CC CC CC CC", "90 48 83 C4 38 C3 E9 F1 FF FF FF CC"))
        _, image = self.fix(old)
        self.assertEqual((image["status"], image["written"]), ("fixed", True))
        notes = [finding["message"] for finding in image["findings"] if finding["code"] == "HVCI9024"]
        self.assertEqual([left in note and "could not be proved" in note for note in notes], [True])
        self.assertEqual({finding["call"]["api"] for finding in image["remaining_findings"]}, {left})
        self.assertEqual(tool.run("verify", old, self.new).returncode, 0)

    def test_nothing_is_left_to_do(self):
        """Without the import that cannot be proved there is nothing to change: a copy, no refusal."""
        old = self.change("executable_maps", "x86", ("0F BE 44 24 08 FF 74 24 0C 6A 00", "EB 03 EC EC EC FF 74 24 0C 6A 00"))
        again = os.path.join(self.folder, "again.sys")
        self.fix(old)
        code, image = self.fix(self.new, new=again)
        self.assertEqual((code, image["status"], image["changes"], image["written"]), (0, "findings", [], True))
        self.assertIn("could not be proved", image["findings"][0]["message"])
        with open(self.new, "rb") as first, open(again, "rb") as second:
            self.assertEqual(first.read(), second.read())

    def test_only(self):
        for machine in MACHINES:
            for code, functions in (("HVCI2000", {"ExInitializeNPagedLookasideList"}),
                                    ("HVCI2002", {"MmMapLockedPagesSpecifyCache"}), ("HVCI2005", set())):
                with self.subTest(machine=machine, code=code):
                    stubs = os.path.join(self.folder, "map.json")
                    self.fix(fixture("executable_maps", machine), "--only", code, "--map", stubs)
                    if not functions:
                        continue
                    with open(stubs, encoding="utf-8") as file:
                        self.assertEqual({stub["function"] for stub in json.load(file)["no_execute_stubs"]}, functions)

    def test_room_behind_the_sections_is_refused(self):
        """Another section would begin where the image ends, and Windows wants it where the sections end."""
        for machine in MACHINES:
            with self.subTest(machine=machine):
                image = pefile.PE(fixture("executable_pool", machine))
                image.OPTIONAL_HEADER.SizeOfImage += 0x3000
                path = os.path.join(self.folder, "larger.sys")
                image.write(path)
                image.close()
                code, image = self.fix(path)
                self.assertEqual((code, image["status"], image["written"]), (1, "refused", False))
                refusals = [finding["message"] for finding in image["findings"] if finding["code"] == "HVCI9022"]
                self.assertEqual(["SizeOfImage" in refusal for refusal in refusals], [True])

    def test_old_targets_are_refused(self):
        code, image = self.fix(fixture("executable_pool", "x64"), "--target", "7")
        self.assertEqual((code, image["status"]), (1, "refused"))
        self.assertIn("does not know the no-execute flags", image["findings"][0]["message"])
        self.assertFalse(os.path.exists(self.new))

    def test_without_the_option_nothing_changes(self):
        for machine in MACHINES:
            old = fixture("executable_pool", machine)
            self.assertEqual(tool.run("fix", "-o", self.new, old).returncode, 0)
            with open(old, "rb") as first, open(self.new, "rb") as second:
                self.assertEqual(first.read(), second.read())

    def test_images_without_such_calls_stay(self):
        for machine in MACHINES:
            code, image = self.fix(fixture("clean", machine))
            self.assertEqual((code, image["changes"]), (0, []))

    def test_sections(self):
        """As pefile reads them: one, on x86 two more, not writable; the relocations of x86 are those of the new
        directory."""
        for machine in MACHINES:
            old, _ = fixture("executable_pool", machine), self.fix(fixture("executable_pool", machine))
            before, after = pefile.PE(old), pefile.PE(self.new)
            added = after.sections[len(before.sections):]
            self.assertEqual([section.Name.rstrip(b"\0") for section in added],
                             [b".hvnx"] + [b".hvreloc"] * (machine == "x86"))
            self.assertEqual(added[0].Characteristics, 0x68000020)
            if machine == "x86":
                blocks = after.DIRECTORY_ENTRY_BASERELOC
                relocated = [entry.rva for block in blocks for entry in block.entries if entry.type]
                stubs = [rva for rva in relocated if rva >= added[0].VirtualAddress]
                self.assertEqual(len(stubs), 3)
            before.close()
            after.close()

    def test_enforce_asks_the_policy(self):
        policy = os.path.join(self.folder, "policy.ini")
        for line, result in (("", "rejected"), ("HVCI2000 = enforce\n", "repaired")):
            for machine in MACHINES:
                with self.subTest(line=line, machine=machine):
                    with open(policy, "w", encoding="utf-8") as file:
                        file.write("[policy]\nname = test\nmode = fix\n[fix]\n" + line)
                    with open(fixture("executable_pool", machine), "rb") as old, open(self.new, "wb") as new:
                        new.write(old.read())
                    done = tool.run("enforce", "--policy", policy, "--on-fail", "keep", "--format", "json", self.new)
                    image = json.loads(done.stdout)["images"][0]
                    self.assertEqual(image["enforced"]["result"], result)


if __name__ == "__main__":
    unittest.main()
