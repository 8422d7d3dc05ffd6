"""Build policy (HVCI22xx) on drivers that are linked here, each with another switch, by lld-link and by GNU ld.

What must be found was written down from the switches. Flags, sections and checksum are compared with pefile, the
load configuration and the debug directory with llvm-readobj, signatures with osslsigncode.
"""

import hashlib
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

import pefile

from support import schema, tool

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = """
__declspec(dllimport) unsigned long DbgPrint(const char *, ...);
static int counter;
int (*hook)(int);
__attribute__((noinline)) int add(int x) { return x + ++counter; }
int (*table[2])(int) = {add, add};
__attribute__((section("INIT"))) long DriverEntry(void *driver, void *path)
{ (void)driver; (void)path; hook = table[counter & 1]; DbgPrint("x"); return hook(1); }
"""
DEFINITION = "LIBRARY ntoskrnl.exe\nEXPORTS\n DbgPrint\n"
ALL = {f"HVCI{code}" for code in range(2201, 2215)}
# What lld-link's driver with no switch does not have; HVCI2208 does not apply where nothing says what it must be.
BARE = {"HVCI2204", "HVCI2205", "HVCI2206", "HVCI2207"}
# name: (switches of lld-link, codes that fail beside or instead of BARE)
LINKED = {
    "bare": ("", set()),
    "no_nx": ("/nxcompat:no", {"HVCI2201"}),
    "no_base": ("/dynamicbase:no", {"HVCI2202"}),
    "stripped": ("/dynamicbase:no /fixed", {"HVCI2202"}),
    "no_entropy": ("/highentropyva:no", {"HVCI2203"}),
    "no_flags": ("/nxcompat:no /dynamicbase:no /highentropyva:no", {"HVCI2201", "HVCI2202", "HVCI2203"}),
    "cet": ("/cetcompat", {"-HVCI2205"}),
    "integrity": ("/integritycheck", {"-HVCI2206"}),
    "release": ("/release", {"-HVCI2207"}),
    "resident": ("/section:INIT,er", {"HVCI2210"}),
    "shared": ("/section:.data,rws", {"HVCI2211"}),
    "merged": ("/merge:.rdata=.data /section:.data,rw", {"HVCI2212"}),
    "version": ("/subsystem:native,10.1", {"HVCI2213"}),
}


def words(text):
    return text.split()


class Drivers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.file("driver.c", SOURCE)
        cls.file("nt.def", DEFINITION)
        cls.call("llvm-dlltool-19 -m i386:x86-64 -k -d nt.def -l nt.lib")
        clang = "clang-19 --target=x86_64-pc-windows-gnu -O2 -ffreestanding -fms-extensions -fasynchronous-unwind-tables"
        cls.call(clang + " -c driver.c -o driver.obj")
        cls.call(clang + " -Xclang -cfguard -c driver.c -o guard.obj")
        shutil.copyfile(ROOT / "fixtures" / "src" / "load_config.c", cls.path("load_config.c"))
        cls.call(clang + " -Xclang -cfguard -c load_config.c -o load_config.obj")
        cls.paths = {name: cls.link(name, switches) for name, (switches, _) in LINKED.items()}
        cls.paths["guard"] = cls.link("guard", "/guard:cf", "guard.obj load_config.obj")
        cls.paths["gnu"] = cls.path("gnu.sys")
        gnu = "x86_64-w64-mingw32-gcc-win32 -O2 -ffreestanding -nostdlib -s -Wl,--subsystem,native -Wl,--entry,DriverEntry"
        cls.call(gnu + " driver.c nt.lib -o gnu.sys")

    @classmethod
    def call(cls, line):
        subprocess.run(words(line), cwd=cls.folder, check=True, capture_output=True)

    @classmethod
    def link(cls, name, switches, objects="driver.obj"):
        subsystem = "" if "/subsystem" in switches else "/subsystem:native,6.01"
        init = "" if "INIT" in switches else "/section:INIT,erd"
        cls.call(f"lld-link-19 /nologo /machine:x64 /driver /timestamp:1 /entry:DriverEntry /nodefaultlib {subsystem} {init} "
                 f"{switches} /out:{name}.sys {objects} nt.lib")
        return cls.path(name + ".sys")

    @classmethod
    def path(cls, name):
        return os.path.join(cls.folder, name)

    @classmethod
    def file(cls, name, content):
        with open(cls.path(name), "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return cls.path(name)

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    def answers(self, image):
        return {rule["code"]: rule["verdict"] for rule in image["rules"] if rule["code"] in ALL}


class Found(Drivers):
    def test_every_rule_answers_and_agrees_with_other_readers(self):
        code, images = tool.report("check", "--all-rules", *self.paths.values())
        self.assertEqual(code, 0)  # notes
        schema.validate({"images": images})
        by_name = {os.path.basename(re.split(r"[/\\]", image["path"])[-1])[:-4]: image for image in images}
        for name, (_, changes) in LINKED.items():
            failing = BARE | {code for code in changes if code[0] != "-"}
            failing -= {code[1:] for code in changes if code[0] == "-"}
            answers = self.answers(by_name[name])
            with self.subTest(name):
                self.assertEqual(set(answers), ALL)
                self.assertEqual({code for code in answers if answers[code] == "fail"}, failing)
                self.assertEqual({f["code"] for f in by_name[name]["findings"] if f["code"] in ALL}, failing)
                self.assertEqual({code for code in answers if answers[code] == "not_applicable"},
                                 {"HVCI2208", "HVCI2209"})
        self.assertEqual(self.answers(by_name["guard"])["HVCI2204"], "pass")
        self.assertEqual(self.answers(by_name["gnu"])["HVCI2212"], "fail")
        self.assertEqual(self.answers(by_name["gnu"])["HVCI2214"], "not_applicable")
        self.agree_with_pefile(by_name)
        config = subprocess.run(["llvm-readobj-19", "--coff-load-config", self.paths["guard"]], capture_output=True,
                                check=True).stdout.decode()
        self.assertRegex(config, r"CF_INSTRUMENTED")
        self.assertRegex(config, r"CF_FUNCTION_TABLE_PRESENT")

    def agree_with_pefile(self, by_name):
        for name, path in self.paths.items():
            image = pefile.PE(path)
            flags = image.OPTIONAL_HEADER.DllCharacteristics
            extended = [struct.unpack("<I", image.get_data(entry.struct.AddressOfRawData, 4))[0]
                        for entry in getattr(image, "DIRECTORY_ENTRY_DEBUG", []) if entry.struct.Type == 20]
            imports = image.OPTIONAL_HEADER.DATA_DIRECTORY[1].VirtualAddress
            expected = {
                "HVCI2201": flags & 0x100,
                "HVCI2202": flags & 0x40 and not image.FILE_HEADER.Characteristics & 1,
                "HVCI2203": flags & 0x20,
                "HVCI2205": any(value & 1 for value in extended),
                "HVCI2206": flags & 0x80,
                "HVCI2207": image.generate_checksum() == image.OPTIONAL_HEADER.CheckSum,
                "HVCI2210": all(section.Characteristics & 0x02000000 for section in image.sections
                                if section.Name.rstrip(b"\0") == b"INIT"),
                "HVCI2211": not any(section.Characteristics & 0x90000000 == 0x90000000 for section in image.sections),
                "HVCI2212": not image.get_section_by_rva(imports).Characteristics & 0x80000000,
                "HVCI2213": image.OPTIONAL_HEADER.MinorSubsystemVersion == 0
                            or image.OPTIONAL_HEADER.MajorSubsystemVersion < 10,
            }
            answers = self.answers(by_name[name])
            for code, passes in expected.items():
                self.assertEqual(answers[code], "pass" if passes else "fail", (name, code))

    def test_without_a_policy_nothing_is_asked(self):
        code, (image,) = tool.report("check", self.paths["no_flags"])
        self.assertEqual((code, image["status"], image["findings"], self.answers(image)), (0, "clean", [], {}))


class Repaired(Drivers):
    def test_flags_are_set_by_name_and_proved(self):
        for name, code, flag in (("no_nx", "2201", 0x100), ("no_base", "2202", 0x40), ("no_entropy", "2203", 0x20)):
            out = self.path("out.sys")
            done = tool.run("fix", "--only", code, self.paths[name], "-o", out)
            self.assertEqual(done.returncode, 0, done.stdout)
            old, new = pefile.PE(self.paths[name]), pefile.PE(out)
            self.assertEqual(new.OPTIONAL_HEADER.DllCharacteristics, old.OPTIONAL_HEADER.DllCharacteristics | flag)
            self.assertEqual(new.generate_checksum(), new.OPTIONAL_HEADER.CheckSum)
            # What lld-link writes when it is asked: the same file but for the checksum.
            bare = pefile.PE(self.paths["bare"])
            bare.OPTIONAL_HEADER.CheckSum = new.OPTIONAL_HEADER.CheckSum
            self.assertEqual(bytes(bare.write()), self.read(out))
            self.assertEqual(tool.run("verify", self.paths[name], out).returncode, 0)

    def test_several_at_once(self):
        out = self.path("out.sys")
        done = tool.run("fix", "--only", "2201", "--only", "HVCI2202", "--only", "2203", "--only", "2207",
                        self.paths["no_flags"], "-o", out)
        self.assertEqual(done.returncode, 0, done.stdout)
        _, (image,) = tool.report("check", "--all-rules", out)
        self.assertEqual({code for code, verdict in self.answers(image).items() if verdict == "fail"},
                         BARE - {"HVCI2207"})

    @tool.not_on_windows("nothing of the system takes part; a start under Wine is long")
    def test_what_would_be_untrue_is_refused(self):
        refused = [("stripped", "2202", b"no base relocations"), ("no_base", "2205", b"HVCI2205"),
                   ("no_flags", "2203", b"only with DYNAMIC_BASE"), ("bare", "2204", b"HVCI2204"),
                   ("bare", "2206", b"HVCI2206"), ("resident", "2210", b"HVCI2210"), ("shared", "2211", b"HVCI2211")]
        for name, code, words_of_it in refused:
            out = self.path("refused.sys")
            done = tool.run("fix", "--only", code, self.paths[name], "-o", out)
            self.assertEqual(done.returncode, 1, (name, code, done.stdout))
            self.assertIn(words_of_it, done.stdout)
            self.assertFalse(os.path.exists(out))

    @tool.not_on_windows("nothing of the system takes part; a start under Wine is long")
    def test_bits_that_should_not_be_are_not_verified(self):
        image = self.read(self.paths["no_flags"])
        at = struct.unpack_from("<I", image, 0x3C)[0] + 24 + 0x46
        flags = struct.unpack_from("<H", image, at)[0]
        for bit, verdict in ((0x100, 0), (0x20, 1), (0x80, 1), (0x1000, 1), (0x4000, 1), (0x2000, 1)):
            changed = bytearray(image)
            struct.pack_into("<H", changed, at, flags | bit)
            written = pefile.PE(data=bytes(changed))
            written.OPTIONAL_HEADER.CheckSum = written.generate_checksum()
            new = self.file("changed.sys", bytes(written.write()))
            done = tool.run("verify", self.paths["no_flags"], new)
            self.assertEqual(done.returncode, verdict, (hex(bit), done.stdout))


class Demanded(Drivers):
    def enforce(self, policy, name, *options):
        path = self.path("enforced.sys")
        shutil.copyfile(self.paths[name], path)
        done = tool.run("enforce", "--policy", self.file("policy.ini", policy), "--on-fail=keep", path, *options)
        return done.returncode, self.read(path), done.stdout

    @tool.not_on_windows("nothing of the system takes part; a start under Wine is long")
    def test_warnings_of_a_preset_as_errors(self):
        """The three ways out that docs/POLICY.md names: the switch, the repair, and the demand taken back."""
        policy = "[policy]\npreset = windows-10-1507\n"
        for name, more, code in (("bare", "", 1), ("release", "", 0), ("bare", "[fix]\nHVCI2207 = enforce\n", 0),
                                 ("bare", "[require]\nchecksum = any\n", 0)):
            with self.subTest(name=name, more=more):
                self.assertEqual(self.enforce(policy + more, name)[0], 0)
                self.assertEqual(self.enforce(policy + more, name, "--warnings-as-errors")[0], code)

    def test_enforce_sets_what_the_policy_lets_it(self):
        original = self.read(self.paths["no_nx"])
        self.assertEqual(self.enforce("[policy]\nmode = fix\n", "no_nx")[:2], (0, original))
        code, content, output = self.enforce("[require]\nnx-compat = yes\n", "no_nx")
        self.assertEqual((code, content), (1, original), output)
        code, content, output = self.enforce("[require]\nnx-compat = yes\n[fix]\nHVCI2201 = enforce\n", "no_nx")
        self.assertEqual(code, 0, output)
        self.assertTrue(pefile.PE(data=content).OPTIONAL_HEADER.DllCharacteristics & 0x100)
        code, content, output = self.enforce("[require]\nguard-cf = yes\nchecksum = right\n[fix]\nHVCI2207 = enforce\n",
                                             "bare")
        self.assertEqual((code, content), (1, self.read(self.paths["bare"])), output)
        self.assertIn(b"HVCI2204 cannot be cured in a finished image", re.sub(rb"\s+", b" ", output))
        # A level of its own: said, but it stops nothing.
        code, content, output = self.enforce("[rules]\nHVCI2201 = warning\n", "no_nx")
        self.assertEqual((code, content), (0, original), output)
        self.assertIn(b"warning HVCI2201", output)

    @tool.not_on_windows("nothing of the system takes part; a start under Wine is long")
    def test_require_and_rules_do_not_contradict_each_other_silently(self):
        for text, line, words_of_it in (
                ("[require]\nnx-compat = yes\n[rules]\nHVCI2201 = off\n", 4, "nx-compat = any"),
                ("[require]\nnx-compat = any\n[rules]\nHVCI2201 = note\n", 4, "demands nothing"),
                ("[rules]\nHVCI2208 = error\n", 2, "present or absent"),
                ("[require]\nsignatur = absent\n", 2, 'did you mean "signature"'),
                ("[require]\nsignature = perhaps\n", 2, "present, absent or any"),
                ("[requires]\n", 1, 'did you mean [require]'),
                ("[require]\nchecksum = right\nCHECKSUM = any\n", 3, "line 2")):
            path = self.file("wrong.ini", text)
            done = tool.run("policy", "check", path)
            self.assertEqual(done.returncode, 2, text)
            self.assertRegex(done.stdout.decode(), rf"wrong\.ini\({line},\d+\): error HVCI904[01]: .*"
                             + re.escape(words_of_it))
            self.assertEqual(tool.run("check", "--policy", path, self.paths["bare"]).returncode, 2)

    def test_the_file_takes_back_what_a_preset_demands(self):
        for text in ("[require]\nguard-cf = any\n", "[rules]\nHVCI2204 = off\n"):
            path = self.file("back.ini", "[policy]\npreset = windows-11\n" + text)
            done = tool.run("check", "--policy", path, self.paths["bare"])
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertNotIn(b"HVCI2204", done.stdout)
            self.assertIn(b"warning HVCI2207", done.stdout)
        shown = tool.run("rules", "--policy", path).stdout.decode()
        self.assertRegex(shown, r"(?m)^checksum +right +preset windows-11\(\d+,1\)")
        self.assertRegex(shown, r"(?m)^HVCI2204 +off, .*back\.ini\(4,1\)")
        self.assertRegex(shown, r"(?m)^signature +any +built in")


class Signed(Drivers):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.call("openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=hvcifix -keyout key.pem -out cert.pem")
        for algorithm in ("sha1", "sha256", "sha384", "sha512"):
            cls.call(f"osslsigncode sign -certs cert.pem -key key.pem -h {algorithm} -in no_nx.sys -out {algorithm}.sys")

    def stale(self, *paths):
        _, images = tool.report("check", "--policy", self.file("stale.ini", "[require]\nstale-signature = no\n"), *paths)
        return [self.answers(image)["HVCI2209"] for image in images]

    def mismatches(self, path):
        done = subprocess.run(["osslsigncode", "verify", path], capture_output=True, check=False)
        digests = re.findall(rb"(?:Current|Calculated) message digest *: ([0-9A-F]+)", done.stdout)
        self.assertEqual(len(digests), 2, done.stdout)
        return digests[0] != digests[1]

    def test_a_digest_is_compared(self):
        for algorithm in ("sha1", "sha256", "sha384", "sha512"):
            right = self.path(algorithm + ".sys")
            image = bytearray(self.read(right))
            image[0x420] ^= 1
            wrong = self.file("wrong.sys", image)
            self.assertEqual((self.mismatches(right), self.mismatches(wrong)), (False, True))
            self.assertEqual(self.stale(right, wrong), ["pass", "fail"], algorithm)
        table = pefile.PE(wrong).OPTIONAL_HEADER.DATA_DIRECTORY[4].VirtualAddress
        image[table + 8] = 0x31
        self.assertEqual(self.stale(self.file("wrong.sys", image), self.paths["bare"]), ["fail", "not_applicable"])

    def test_the_checksum_is_set_under_a_signature(self):
        signed = bytearray(self.read(self.path("sha256.sys")))
        at = struct.unpack_from("<I", signed, 0x3C)[0] + 24 + 0x40
        struct.pack_into("<I", signed, at, 0x1234)
        path, out = self.file("sum.sys", signed), self.path("sum_out.sys")
        done = tool.run("fix", "--only", "2207", path, "-o", out)
        self.assertEqual(done.returncode, 0, done.stdout)
        image = pefile.PE(out)
        self.assertEqual(image.generate_checksum(), image.OPTIONAL_HEADER.CheckSum)
        self.assertFalse(self.mismatches(out))
        # Any other change would break it.
        done = tool.run("fix", "--only", "2201", path, "-o", self.path("kept.sys"))
        self.assertIn(b"left alone", done.stdout)
        self.assertEqual(self.read(self.path("kept.sys")), bytes(signed))

    def test_present_and_absent(self):
        folder = tempfile.mkdtemp(dir=self.folder)
        plain = os.path.join(folder, "driver.sys")
        shutil.copyfile(self.paths["bare"], plain)
        codes = {}
        for value in ("present", "absent"):
            policy = self.file("signature.ini", f"[require]\nsignature = {value}\n")
            codes[value] = [tool.run("check", "--policy", policy, path).returncode
                            for path in (plain, self.path("sha256.sys"))]
        self.assertEqual(codes, {"present": [1, 0], "absent": [0, 1]})
        # The digest of an image without a table is that of the file without CheckSum and security entry.
        image = self.read(plain)
        optional = struct.unpack_from("<I", image, 0x3C)[0] + 24
        covered = image[:optional + 64] + image[optional + 68:optional + 144] + image[optional + 152:]
        with open(os.path.join(folder, "driver.cat"), "wb") as catalog:
            catalog.write(b"0\x82 any DER " + hashlib.sha256(covered).digest())
        self.assertEqual(tool.run("check", "--policy", policy, plain).returncode, 1)


if __name__ == "__main__":
    unittest.main()
