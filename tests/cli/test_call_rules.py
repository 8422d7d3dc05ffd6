"""HVCI2000 to HVCI2002: what `check` makes of the verdicts on calls (tests/calls/sites.c states the right ones)."""

import json
import os
import pathlib
import re
import shutil
import struct
import sys
import tempfile
import unittest

import pefile

from support import images, matrix, msbuild, schema, tool

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "calls"))
import test_calls as sites  # noqa: E402  (the compiling of sites.c, and the truths in it)

RULES = ("HVCI2000", "HVCI2001", "HVCI2002")
CHPE_METADATA_64 = 0xC8  # CHPEMetadataPointer, in the load configuration of PE32+
LEVELS = {"executable": "error", "depends": "warning", "unknown": "note"}
VERDICTS = ("executable", "no_execute", "depends", "unknown")


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


def about_calls(image):
    return [finding for finding in image["findings"] if finding["code"] in RULES]


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="hvcifix-test-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        cls.drivers = {machine: sites.compile_clang(machine, "-O1", cls.shared) for machine in sites.MACHINES}

    def policy(self, text):
        path = os.path.join(self.shared, "policy.ini")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def judge(self, *words, machine="x64"):
        """(exit code, the one image of the JSON report)"""
        code, reported = tool.report("check", self.drivers[machine], *words)
        return code, reported[0]

    def levels(self, *words):
        return {(f["call"]["verdict"], f["level"]) for f in about_calls(self.judge(*words)[1])}


class Verdicts(Case):
    def test_findings_are_those_of_the_source(self):
        """Each tag that the source gives to one call has a finding exactly where the call is not harmless."""
        for machine in sites.MACHINES:
            code, image = self.judge(machine=machine)
            self.assertEqual(code, 1)
            by_tag = {}
            for finding in about_calls(image):
                call = finding["call"]
                self.assertEqual(finding["level"], LEVELS[call["verdict"]])
                self.assertEqual((finding["section"] is None, finding["rva"] > 0), (False, True))
                if call["tag"]:
                    by_tag.setdefault(f"'{call['tag']}'", set()).add(call["verdict"])
            decided = 0
            for key, truth in sites.truths().items():
                if not key.startswith("'"):
                    continue
                with self.subTest(machine=machine, key=key):
                    found = by_tag.get(key, {"no-execute"})
                    decided += found <= truth
                    if "unknown" not in found | truth:
                        self.assertLessEqual(found & {"executable", "no-execute"}, truth)
            self.assertGreater(decided, 20)

    def test_counts(self):
        """The counts of check are those of show --calls, in JSON and in the text."""
        for machine, path in self.drivers.items():
            listed = tool.report("show", "--calls", path)[1][0]["calls"]
            verdicts = [call["memory"]["verdict"].replace("-", "_") for call in listed if call["memory"]]
            image = self.judge(machine=machine)[1]
            counts = {verdict: verdicts.count(verdict) for verdict in VERDICTS}
            self.assertEqual(image["calls"], {"judged": True, "reason": None, **counts})
            self.assertEqual(len(about_calls(image)), len(verdicts) - counts["no_execute"])
            words = ", ".join(f"{counts[verdict]} {verdict.replace('_', '-')}" for verdict in VERDICTS)
            said = tool.run("check", path).stdout.decode()
            self.assertIn(f"\n    calls     {words}\n", said.replace("\r", ""))
            self.assertIn(f"\ncalls that may ask for executable memory: {words}\n", said.replace("\r", ""))

    def test_schema(self):
        done = tool.run("check", "--format", "json", *self.drivers.values(), fixture("clean_arm64"))
        schema.validate(json.loads(done.stdout))

    def test_what_is_said_of_a_call(self):
        image = self.judge()[1]
        finding = next(f for f in about_calls(image) if f["call"]["tag"] == "0001")
        self.assertRegex(finding["message"], r"^ExAllocatePoolWithTag at RVA 0x[0-9A-F]+ \(\.text\+0x[0-9A-F]+\) in .* "
                                             r"asks for executable pool: PoolType is NonPagedPool, tag '0001'\.$")
        self.assertIn("DRIVER_VERIFIER_DETECTED_VIOLATION (C4), 0x2000", " ".join(finding["evidence"]))
        self.assertIn("NonPagedPoolNx", finding["cure"])
        self.assertNotIn("does not exist on x86", finding["windows"])
        on_x86 = about_calls(self.judge(machine="x86")[1])[0]
        self.assertIn("memory integrity does not exist on x86", on_x86["windows"])

    def test_lines_for_msbuild(self):
        """Each error and warning is one line; notes of one reason are gathered, and JSON has each of them."""
        image = self.judge()[1]
        said = tool.run("check", self.drivers["x64"]).stdout.decode()
        expected = [(f["level"], f["code"], f["message"]) for f in image["findings"] if f["level"] != "note"]
        found = [(category, code, text) for _, category, code, text in msbuild.diagnostics(said)]
        self.assertEqual(found, expected)
        notes = [line for line in said.splitlines() if " : note HVCI200" in line]
        self.assertGreaterEqual(len([f for f in about_calls(image) if f["level"] == "note"]), len(notes))

    def test_explain(self):
        for code in RULES:
            said = tool.run("explain", code).stdout.decode()
            self.assertRegex(said, r"before: [\s\S]*after: ")
            self.assertIn("Driver Verifier", said)


class NotJudged(Case):
    def assert_not_judged(self, path, reason, *words):
        code, reported = tool.report("check", path, *words)
        image = reported[0]
        self.assertEqual(about_calls(image), [])
        self.assertEqual(image["calls"]["judged"], False)
        self.assertRegex(image["calls"]["reason"], reason)
        for rule in image["rules"][:3]:
            self.assertIn(rule["code"], RULES)
            self.assertEqual(rule["verdict"], "not_applicable")
        return code, tool.run("check", path, *words).stdout.decode().replace("\r", "")

    def test_arm64(self):
        code, said = self.assert_not_judged(fixture("clean_arm64"), "no decoder here for ARM64 code")
        self.assertEqual(code, 0)
        self.assertIn("    calls     not judged: there is no decoder here for ARM64 code\n", said)
        self.assertIn("calls that may ask for executable memory: not judged in 1 image\n", said)

    def test_hybrid(self):
        """ARM64EC: the header says x64, but the load configuration names metadata of hybrid code."""
        data = bytearray(images.read(fixture("executable_pool_guard_x64")))
        pe = pefile.PE(data=bytes(data), fast_load=True)
        config_foff = pe.get_offset_from_rva(pe.OPTIONAL_HEADER.DATA_DIRECTORY[10].VirtualAddress)
        self.assertGreater(pe.get_dword_from_offset(config_foff), CHPE_METADATA_64)
        struct.pack_into("<Q", data, config_foff + CHPE_METADATA_64, pe.OPTIONAL_HEADER.ImageBase + 0x1000)
        path = os.path.join(self.shared, "hybrid.sys")
        with open(path, "wb") as file:
            file.write(data)
        _, said = self.assert_not_judged(path, "the image is hybrid")
        self.assertIn("calls that may ask for executable memory: not judged in 1 image\n", said)

    def test_no_code(self):
        code, said = self.assert_not_judged(self.drivers["x64"], "--no-code was given", "--no-code")
        self.assertEqual(code, 0)
        self.assertIn("    calls     not judged: --no-code was given\n", said)

    def test_user_mode(self):
        self.assert_not_judged(fixture("user_wx_text_x64"), "no kernel image")

    def test_nothing_to_ask(self):
        image = tool.report("check", fixture("clean_x64"))[1][0]
        self.assertEqual(image["calls"], {"judged": True, "reason": None, **dict.fromkeys(VERDICTS, 0)})
        self.assertEqual([rule["verdict"] for rule in image["rules"][:3]], ["pass"] * 3)

    def test_fix(self):
        """It repairs the layout, says that it has not judged, and ends as it would without the calls."""
        done = tool.run("fix", "--dry-run", self.drivers["x64"])
        self.assertEqual(done.returncode, 0)
        self.assertIn('not judged: "hvcifix check" judges what the code asks for', done.stdout.decode())
        self.assertNotIn("calls", tool.run("fix", "--dry-run", fixture("clean_x64")).stdout.decode())
        code, reported = tool.report("fix", "--dry-run", "--only", "HVCI2000", self.drivers["x64"])
        self.assertEqual((code, reported[0]["status"]), (1, "refused"))


class Policies(Case):
    def test_levels(self):
        """The level of the rule is that of proved calls; others weigh no more than by default, or as they are told."""
        for text, levels in (
                ("HVCI2000 = error", {("executable", "error"), ("depends", "warning"), ("unknown", "note")}),
                ("HVCI2000 = warning", {("executable", "warning"), ("depends", "warning"), ("unknown", "note")}),
                ("HVCI2000 = note", {("executable", "note"), ("depends", "note"), ("unknown", "note")}),
                ("HVCI2000 = off", set()),
                ("HVCI2000 = off\nHVCI2000.unknown = warning", {("unknown", "warning")}),
                ("HVCI2000.depends = error\nhvci2000.Unknown = error",
                 {("executable", "error"), ("depends", "error"), ("unknown", "error")})):
            with self.subTest(policy=text):
                path = self.policy("[rules]\nHVCI2001 = off\nHVCI2002 = off\n" + text + "\n")
                self.assertEqual(self.levels("--policy", path), levels)

    def test_what_is_no_key(self):
        for key in ("HVCI2000.proved", "HVCI2003.depends", "HVCI2000."):
            path = self.policy(f"[rules]\n{key} = note\n")
            self.assertEqual(tool.run("check", "--policy", path, self.drivers["x64"]).returncode, 2, key)
        twice = self.policy("[rules]\nHVCI2000.depends = note\n2000.depends = error\n")
        self.assertEqual(tool.run("check", "--policy", twice, self.drivers["x64"]).returncode, 2)

    def test_waivers(self):
        waiver = '[waiver "{0}"]\nimage = **\ncode = {0}\nreason = r\nowner = o\nexpires = 2099-01-01\n{1}'
        path = self.policy("".join(waiver.format(code, "section = .text\n") for code in RULES))
        code, image = self.judge("--policy", path)
        self.assertEqual(code, 0)
        self.assertEqual({f["level"] for f in about_calls(image)}, {"note"})
        self.assertTrue(all("waiver" in f for f in about_calls(image)))
        path = self.policy(waiver.format("HVCI2000", "section = PAGE\n"))
        self.assertEqual(self.judge("--policy", path)[0], 1)

    def test_enforce(self):
        """It judges them, and does not repair an image of which an error would be left."""
        copy = os.path.join(self.shared, "enforced.sys")
        shutil.copy(self.drivers["x64"], copy)
        done = tool.run("enforce", "--policy", self.policy("[policy]\nmode = audit\n"), "--format", "json", copy)
        image = json.loads(done.stdout)["images"][0]
        self.assertEqual(image["enforced"]["result"], "would-reject")
        self.assertIn("does not leave HVCI2000 to enforce", image["remark"])
        path = self.policy("[policy]\nmode = audit\n[rules]\n" + "".join(f"{code} = warning\n" for code in RULES))
        done = tool.run("enforce", "--policy", path, "--format", "json", copy)
        self.assertEqual(json.loads(done.stdout)["images"][0]["enforced"]["result"], "would-pass")

    def test_baseline(self):
        """What is known does not fail; another call does."""
        baseline = os.path.join(self.shared, "baseline.sarif")
        for path in self.drivers.values():
            tool.run("check", path, "--report", baseline, alone=True)
            done = tool.run("check", path, "--baseline", baseline, "--format", "json")
            self.assertEqual(done.returncode, 0)
            known = about_calls(json.loads(done.stdout)["images"][0])
            self.assertTrue(known and all(f["known"] for f in known))


class Table(unittest.TestCase):
    """docs/RULES.md has a row for each function of Microsoft's list."""

    LISTED = """ExAllocatePool ExAllocatePoolWithQuota ExAllocatePoolWithQuotaTag ExAllocatePoolWithTag
        ExAllocatePoolWithTagPriority ExInitializeNPagedLookasideList ExInitializeLookasideListEx MmAllocateContiguousMemory
        MmAllocateContiguousMemorySpecifyCache MmAllocateContiguousMemorySpecifyCacheNode MmAllocateContiguousNodeMemory
        MmCopyMemory MmMapIoSpace MmMapLockedPages MmMapLockedPagesSpecifyCache MmProtectMdlSystemAddress
        ZwAllocateVirtualMemory ZwCreateSection ZwMapViewOfSection NtCreateSection NtMapViewOfSection
        StorPortGetDataInBufferSystemAddress StorPortGetSystemAddress DxgkCbMapMemory IMiniportDMus::NewStream
        FltAllocatePoolAlignedWithTag FltAllocateContext ChangerClassAllocatePool IMiniportMidi::NewStream
        IMiniportWaveCyclic::NewStream IPortWavePci::NewMasterDmaChannel IMiniportWavePci::NewStream PcNewDmaChannel
        PcNewResourceList PcNewResourceSublist VideoPortAllocatePool ClfsCreateMarshallingArea WdfLookasideListCreate
        WdfMemoryCreate WdfDeviceAllocAndQueryProperty WdfDeviceAllocAndQueryPropertyEx WdfFdoInitAllocAndQueryProperty
        WdfFdoInitAllocAndQueryPropertyEx WdfIoTargetAllocAndQueryTargetProperty WdfRegistryQueryMemory NdisAllocateMemory
        NdisAllocateMemoryWithTagPriority FsRtlAllocatePool FsRtlAllocatePoolWithQuota FsRtlAllocatePoolWithQuotaTag
        FsRtlAllocatePoolWithTag ExAllocatePool2 ExAllocatePool3 MmMapIoSpaceEx MmMapMdl MmAllocateMappingAddress
        MmAllocatePagesForMdl""".split()

    def test_rows(self):
        page = (SOURCE / "docs" / "RULES.md").read_text("utf-8")
        table = page[page.index("## Functions that may give executable memory"):]
        named = set(re.findall(r"[A-Za-z0-9:]+", " ".join(re.findall(r"^\| (?:HVCI200\d \| )?([^|]+) \|", table, re.MULTILINE))))
        self.assertEqual(sorted(set(self.LISTED) - named), [])


if __name__ == "__main__":
    unittest.main()
