"""Images in archives, in programs' resources and behind their ends, and lists of paths on standard input.

Second sources: Python's zipfile and gcab make the archives, pefile takes resources out; an image inside must be judged as
the same bytes are in a file of their own.
"""

import io
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import zipfile

import pefile

from support import images, tool
from support.packages import content, installer, zipped

CLEAN, DEFECTIVE, NOTED = "clean_x64", "wx_page_x64", "init_rwx_x64"
INSTALLER = "install-interception.exe"
WAIVER = '[waiver "w"]\nimage = %s\ncode = HVCI2003\nreason = Known.\nowner = me\nexpires = 9999-12-31\n'
CAB_FLAGS = 30  # offset of the flags of a cabinet's header


def changed(data, *pokes):
    data = bytearray(data)
    for offset, new in pokes:
        data[offset:offset + len(new)] = new
    return bytes(data)


def encrypted(archive):
    """The first member of a zip is said to be encrypted."""
    return changed(archive, (archive.index(b"PK\3\4") + 6, b"\1"), (archive.index(b"PK\1\2") + 8, b"\1"))


def empty_members(count):
    """A zip of many empty files, quickly."""
    local = struct.Struct("<4sHHHHHLLLHH")
    central = struct.Struct("<4sHHHHHHLLLHHHHHLL")
    bodies, directory = [], []
    nbytes = local.size + 8
    for i in range(count):
        name = b"%08d" % i
        bodies.append(local.pack(b"PK\3\4", 20, 0, 0, 0, 33, 0, 0, 0, 8, 0) + name)
        directory.append(central.pack(b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 8, 0, 0, 0, 0, 0, i * nbytes) + name)
    directory = b"".join(directory)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(directory), count * nbytes, 0)
    return b"".join(bodies) + directory + end


def codes(report):
    """[(path, [codes of its findings])]"""
    return [(image["path"], [finding["code"] for finding in image["findings"]]) for image in report]


class Packages(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def cab(self, name, members, *options):
        for member, data in members.items():
            self.file("cab/" + member, data)
        path = os.path.join(self.folder, name)
        subprocess.run(["gcab", "-c", *options, path, *members], cwd=os.path.join(self.folder, "cab"), check=True,
                       stdout=subprocess.DEVNULL)
        return path

    def outside(self, data):
        """What `check` says of these bytes in a file of their own."""
        image = tool.report("check", self.file("outside.sys", data))[1][-1]
        return {key: value for key, value in image.items() if key != "path"}

    def assert_holds(self, path, members, exit_code):
        """`check` of the package judges these {path inside: bytes}, in this order, as files of their own."""
        code, report = tool.report("check", path)
        self.assertEqual((code, [image["path"] for image in report]), (exit_code, [path + name for name in members]))
        for image, data in zip(report, members.values()):
            self.assertEqual({key: value for key, value in image.items() if key != "path"}, self.outside(data))


class Inside(Packages):
    def test_zip(self):
        clean, defective, noted = map(content, (CLEAN, DEFECTIVE, NOTED))
        members = {"amd64/x.sys": defective, "a b/\u043a\u043e\u0442.sys": noted, "readme.txt": b"text" * 10, "tools/": b"",
                   "no_suffix": clean, "other.bin": b"MZ" + bytes(100)}
        judged = {"!" + name: members[name] for name in ("amd64/x.sys", "a b/\u043a\u043e\u0442.sys", "no_suffix")}
        for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            self.assert_holds(self.file("p.zip", zipped(members, method)), judged, 1)

    def test_cab(self):
        members = {"x.sys": content(DEFECTIVE), "y.sys": content(CLEAN), "drv.inf": b"[Version]\r\n"}
        judged = {"!" + name: members[name] for name in ("x.sys", "y.sys")}
        for options in ([], ["-z"]):
            self.assert_holds(self.cab("p.cab", members, *options), judged, 1)

    def test_nested(self):
        clean, defective = content(CLEAN), content(DEFECTIVE)
        cab = images.read(self.cab("inner.cab", {"x.sys": defective, "y.sys": clean}, "-z"))
        setup = installer({"in/z.sys": defective}, clean, gap_nbytes=100)
        path = self.file("p.zip", zipped({"a.cab": cab, "setup.exe": setup, "last.sys": clean}))
        self.assert_holds(path, {"!a.cab!x.sys": defective, "!a.cab!y.sys": clean,
                                 "!setup.exe!overlay!in/z.sys": defective, "!setup.exe": setup, "!last.sys": clean}, 1)

    def test_installer(self):
        """20 drivers as resources, taken out by pefile; then an archive in the place of one of them."""
        found = [path for path in images.listed() if path.endswith(INSTALLER)]
        if not found:
            self.skipTest("the package node-interception could not be had")
        data = images.read(found[0])
        pe = pefile.PE(data=data)
        leaves = {}
        for kind in pe.DIRECTORY_ENTRY_RESOURCE.entries:
            for name in kind.directory.entries:
                entry = name.directory.entries[0].data.struct
                bytes_of = pe.get_data(entry.OffsetToData, entry.Size)
                if bytes_of[:2] == b"MZ":
                    leaves[f"!rsrc/{kind.name}/{name.name}"] = (bytes_of, entry)
        self.assertEqual(len(leaves), 20)
        path = self.file("setup.exe", data)
        members = {name: leaf for name, (leaf, _) in leaves.items()}
        self.assert_holds(path, {**members, "": data}, 1)
        name, (leaf, entry) = next(iter(leaves.items()))
        archive = zipped({"z.sys": content(NOTED)})
        self.assertLess(len(archive), len(leaf))
        data = changed(data, (entry.get_field_absolute_offset("Size"), struct.pack("<L", len(archive))),
                       (pe.get_offset_from_rva(entry.OffsetToData), archive))
        del members[name]
        self.assert_holds(self.file("setup.exe", data), {name + "!z.sys": content(NOTED), **members, "": data}, 1)

    def test_folder(self):
        """Archives that are found are looked into; those without images are passed over."""
        self.file("f/p.zip", zipped({"x.sys": content(CLEAN)}))
        self.file("f/empty.zip", zipped({"a.txt": b"text"}))
        folder = os.path.join(self.folder, "f")
        code, report = tool.report("check", folder)
        self.assertEqual((code, codes(report)), (0, [(tool.listed(folder, "p.zip") + "!x.sys", [])]))
        code, report = tool.report("check", os.path.join(folder, "empty.zip"))
        self.assertEqual((code, codes(report)), (3, [(os.path.join(folder, "empty.zip"), ["HVCI9001"])]))

    def test_jobs(self):
        names = [f"{i:03}.sys" for i in range(150)]
        data = [content(name) for name in (CLEAN, DEFECTIVE, NOTED)]
        path = self.file("p.zip", zipped({name: data[i % 3] for i, name in enumerate(names)}))
        other = self.file("q.zip", zipped({"n.zip": zipped({"x.sys": data[1]}), "x.sys": data[2]}))
        for format_name in ("text", "json"):
            outputs = {tool.run("check", "--format", format_name, "--jobs", jobs, path, other, path).stdout
                       for jobs in (1, 2, 5)}
            self.assertEqual(len(outputs), 1)
        report = tool.parse(outputs.pop())
        self.assertEqual([image["path"] for image in report],
                         [f"{path}!{name}" for name in names] + [other + "!n.zip!x.sys", other + "!x.sys"]
                         + [f"{path}!{name}" for name in names])


class Hostile(Packages):
    def assert_found(self, name, data, expected, exit_code=3, also_as_text=True):
        """The paths inside and the codes of what is wrong there, in order."""
        path = data if isinstance(data, str) else self.file(name, data)
        done = tool.run("check", "--format", "json", path, alone=True)  # libarchive's words differ with its version
        report = [(image[len(path):], [code for code in found if code >= "HVCI9"])
                  for image, found in codes(tool.parse(done.stdout))]
        self.assertEqual((done.returncode, report), (exit_code, expected), name)
        if not also_as_text:
            return
        text = tool.run("check", path, alone=True)
        self.assertEqual((text.returncode, b"\x1b" in text.stdout), (exit_code, False))

    def test_damaged(self):
        x = content(NOTED)
        deflated, stored = (zipped({"a.sys": x, "b.sys": x}, method) for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED))
        good, damaged = [], ["HVCI9050"]
        second = deflated.index(b"PK\3\4", 4)
        self.assert_found("half.zip", deflated[:second + 200], [("!a.sys", good), ("!b.sys", damaged)])
        self.assert_found("directory.zip", deflated[:-30], [("!a.sys", good), ("!b.sys", good), ("", damaged)])
        self.assert_found("begin.zip", deflated[:20], [("", damaged)])
        self.assert_found("crc.zip", changed(stored, (1000, b"?")), [("!a.sys", damaged), ("!b.sys", good)])
        self.assert_found("method.zip", changed(deflated, (8, b"\x63"), (deflated.index(b"PK\1\2") + 10, b"\x63")),
                          [("!a.sys", damaged), ("!b.sys", good)])
        self.assert_found("locked.zip", encrypted(deflated), [("!a.sys", ["HVCI9051"]), ("!b.sys", good)])
        cab = images.read(self.cab("p.cab", {"a.sys": x, "b.sys": content(DEFECTIVE)}))
        self.assert_found("half.cab", cab[:len(cab) // 2], [("!a.sys", damaged)])
        self.assert_found("spanning.cab", changed(cab, (CAB_FLAGS, b"\x02")), [("", damaged)])

    def test_names(self):
        x = content(CLEAN)
        names = ["/abs.sys", "../up.sys", "a/../../up.sys", "a!b.sys", "tab\t\x1b[31m.sys"]
        path = self.file("names.zip", zipped({name: x for name in names}))
        code, report = tool.report("check", path)
        self.assertEqual((code, [image["path"] for image in report]), (0, [f"{path}!{name}" for name in names]))
        self.assertEqual([bool(image["remark"]) for image in report], [True, True, True, False, False])
        self.assertNotIn(b"\x1b", tool.run("check", path).stdout)
        code, report = tool.report("check", self.file("bytes.zip", zipped({"qqqq.sys": x}).replace(b"qqqq", b"\xe9\xff\xe8\xfe")),
                                   alone=True)  # Windows reads them by its code page
        self.assertEqual((code, len(report), report[0]["path"].endswith(".sys")), (0, 1, True))

    def test_links(self):
        link = zipfile.ZipInfo("link.sys")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr(link, "/etc/passwd")
            archive.writestr("x.sys", content(CLEAN))
        self.assert_found("link.zip", stream.getvalue(), [("!link.sys", ["HVCI9050"]), ("!x.sys", [])])

    def test_depth(self):
        x = content(CLEAN)
        data = zipped({"x.sys": x})
        for depth in range(10):
            data = zipped({"n.zip": data, "x.sys": x})
        self.assert_found("deep.zip", data, [("!n.zip" * 8, ["HVCI9052"])]
                          + [("!n.zip" * depth + "!x.sys", []) for depth in reversed(range(8))])

    @tool.not_on_windows("It takes long, and nothing of it depends on the system.")
    def test_bomb(self):
        bomb = zipped({"x.sys": content(CLEAN), "big.sys": b"MZ" + bytes(120 << 20), "never.sys": content(CLEAN)})
        self.assert_found("bomb.zip", bomb, [("!x.sys", []), ("!big.sys", ["HVCI9052"])], also_as_text=False)

    @tool.not_on_windows("It takes long, and nothing of it depends on the system.")
    def test_many_members(self):
        data = empty_members(100001)
        self.assert_found("many.zip", data, [("!00100000", ["HVCI9052"])], also_as_text=False)

    def test_no_images(self):
        self.assert_found("none.zip", zipped({"a.txt": b"text"}), [("", ["HVCI9001"])])
        self.assert_found("named.zip", zipped({"a.sys": b"text"}), [("!a.sys", ["HVCI9001"])])
        self.assert_found("empty.zip", zipped({}), [("", ["HVCI9001"])])


class Enforce(Packages):
    def enforce(self, path, text="", *options):
        code, report = tool.report("enforce", "--policy", self.file("policy.ini", text.encode()), *options, path)
        return code, [(image["path"][len(path):], image["enforced"]["result"]) for image in report], report[-1]

    def test_rejected(self):
        path = self.file("p.zip", zipped({"x.sys": content(DEFECTIVE), "y.sys": content(CLEAN)}))
        before = images.read(path)
        results = [("!x.sys", "rejected"), ("!y.sys", "passed"), ("", "rejected")]
        code, found, last = self.enforce(path)
        self.assertEqual((code, found, last["enforced"]["rejected_to"]), (1, results, path + ".rejected"))
        self.assertEqual([finding["code"] for finding in last["findings"]], ["HVCI9053"])
        self.assertEqual((os.path.exists(path), images.read(path + ".rejected")), (False, before))
        for options, is_left in ((["--on-fail", "keep"], True), (["--on-fail", "delete"], False)):
            self.file("p.zip", before)
            self.assertEqual(self.enforce(path, "", *options)[:2], (1, results))
            self.assertEqual(os.path.exists(path), is_left)

    def test_audit(self):
        path = self.file("p.zip", zipped({"x.sys": content(DEFECTIVE), "y.sys": content(CLEAN)}))
        code, found, _ = self.enforce(path, "[policy]\nmode = audit\n")
        self.assertEqual((code, found), (0, [("!x.sys", "would-reject"), ("!y.sys", "would-pass"), ("", "would-reject")]))
        self.assertTrue(os.path.exists(path))

    def test_what_cannot_be_judged_does_not_pass(self):
        path = self.file("p.zip", encrypted(zipped({"x.sys": content(CLEAN), "y.sys": content(CLEAN)})))
        code, found, _ = self.enforce(path)
        self.assertEqual((code, found), (3, [("!x.sys", "rejected"), ("!y.sys", "passed"), ("", "rejected")]))

    def test_passed(self):
        path = self.file("p.zip", zipped({"x.sys": content(CLEAN), "a/y.sys": content(DEFECTIVE)}))
        os.utime(path, ns=(10**18, 10**18))
        for pattern in ("p.zip!a/y.sys", "y.sys", "p.zip!**"):
            code, found, _ = self.enforce(path, WAIVER % pattern)
            self.assertEqual((code, found), (0, [("!x.sys", "passed"), ("!a/y.sys", "passed")]), pattern)
        self.assertEqual((os.stat(path).st_mtime_ns, os.listdir(self.folder).count("p.zip.rejected")), (10**18, 0))
        self.assertEqual(self.enforce(path, WAIVER % "x.sys")[0], 1)

    def test_program(self):
        """What a program carries rejects the program."""
        path = self.file("setup.exe", installer({"x.sys": content(DEFECTIVE)}, content(CLEAN)))
        code, found, _ = self.enforce(path)
        self.assertEqual((code, found), (1, [("!overlay!x.sys", "rejected"), ("", "rejected")]))
        self.assertTrue(os.path.exists(path + ".rejected"))

    def test_fix_and_show_say_where_to_go(self):
        path = self.file("p.zip", zipped({"x.sys": content(DEFECTIVE)}))
        for words in (["fix", "--in-place"], ["show"]):
            done = tool.run(*words, path)
            self.assertEqual((done.returncode, done.stdout.count(b"error HVCI9054"), b"hvcifix check" in done.stdout),
                             (3, 1, True))


class Lists(Packages):
    def check(self, data, *words):
        """(exit code, paths, standard error) of `check` with this on standard input."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            given.write(data)
            given.seek(0)
            done = subprocess.run(tool.command("check", "--format", "json", *words), stdin=given, stdout=output, stderr=errors,
                                  cwd=self.folder, timeout=120, check=False,
                                  env=tool.both.programs().environment if tool.IS_WINDOWS else None)
            output.seek(0)
            errors.seek(0)
            paths = [image["path"] for image in tool.parse(output.read())] if done.returncode != 2 else []
            return done.returncode, paths, errors.read()

    def test_lists(self):
        names = ["a.sys", "b c.sys", "\u00fc.sys"]
        for name in names:
            self.file(name, content(CLEAN))
        text = "\n".join(names)
        for data, words in ((text.encode(), ["-"]), (text.replace("\n", "\r\n\r\n").encode() + b"\r\n", ["-"]),
                            (b"\xef\xbb\xbf" + text.encode(), ["-"]), (text.encode("utf-16"), ["-"]),
                            (text.replace("\n", "\0").encode() + b"\0", ["-", "--null"]),
                            (text.replace("\n", "\0").encode(), ["-0", "-"])):
            self.assertEqual(self.check(data, *words), (0, names, b""), data)
        self.assertEqual(self.check(b"a.sys\n", "b c.sys", "-", "a.sys")[:2], (0, ["b c.sys", "a.sys", "a.sys"]))

    def test_mistakes(self):
        for data, words, message in ((b"", ["-"], b"names no file"), (b"\n\r\n", ["-"], b"names no file"),
                                     (b"a\0b", ["-"], b"--null"), (b"a", ["-", "-"], b"only once"),
                                     (b"a", ["x.sys", "--null"], b"no - here")):
            code, _, errors = self.check(data, *words)
            self.assertEqual((code, b"HVCI9010" in errors, message in errors), (2, True, True), errors)
        self.assertEqual(self.check(b"", "--", "-")[:2], (3, ["./-"]))


if __name__ == "__main__":
    unittest.main()
