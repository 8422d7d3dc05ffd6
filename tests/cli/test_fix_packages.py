"""`fix` of folders, archives and what programs carry: images repaired, everything else as it was.

Second sources: Python's zipfile, unzip and cabextract read what was written; each repaired image is what `fix` makes of it
as a file of its own; digests in catalogs are computed here.
"""

import hashlib
import io
import os
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
import zipfile

from support import images, matrix, tool

CLEAN, DEFECTIVE, NOTED, REFUSED = "clean_x64", "wx_page_x64", "init_rwx_x64", "base_spilled_low_80_refuse_x64"
INF = ('[Version]\r\nSignature="$WINDOWS NT$"\r\nCatalogFile=x.cat\r\nDriverVer = 01/01/2010,1.0.0.0 ; kept\r\n'
       "[Manufacturer]\r\n%M%=D,NTamd64,NTarm64\r\n[SourceDisksFiles]\r\nx.sys=1,amd64\r\nLost.sys=1\r\n"
       '[Strings]\r\nM="Gr\u00fc\u00dfe"\r\n')


def content(file_name):
    return images.read(next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name))


def authenticode(image, algorithm="sha256"):
    entry = int.from_bytes(image[0x3C:0x40], "little") + 24 + 112 + 4 * 8
    checksum = entry - 112 - 4 * 8 + 64
    data = image[:checksum] + image[checksum + 4:entry] + image[entry + 8:]
    return hashlib.new(algorithm, data + bytes(-len(image) % 8)).digest()


def catalog(*digests):
    """Bytes in which these digests stand as DER has them."""
    return b"0\x82\1\0a catalog" + b"".join(b"\4" + bytes([len(digest)]) + digest + b"and" for digest in digests)


def members(path):
    """[(all that the archive's directory says of a file but where it is, and its content)] of a zip."""
    found = []
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for info in archive.infolist():
            found.append((info.filename, info.date_time, info.external_attr, info.create_system, info.extra, info.comment,
                          info.compress_type, archive.read(info)))
        return found, archive.comment


class Repairs(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.sources = {"amd64/x.sys": content(NOTED), "y.sys": content(DEFECTIVE), "c.dll": content(CLEAN),
                        "drv.inf": INF.encode("utf-16"), "readme.txt": b"text\r\n" * 30, "empty.bin": b""}

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def repaired(self, data, *options):
        """What `fix` makes of these bytes in a file of their own."""
        alone = tempfile.mkdtemp(dir=self.folder)
        path, out = os.path.join(alone, "a.sys"), os.path.join(alone, "out.sys")
        with open(path, "wb") as file:
            file.write(data)
        done = tool.run("fix", path, "-o", out, *options)
        assert done.returncode == 0, done.stdout
        result = images.read(out)
        shutil.rmtree(alone)
        return result

    def expected(self, sources=None):
        sources = sources or self.sources
        return {name: self.repaired(data) if data in (content(NOTED), content(DEFECTIVE)) else data
                for name, data in sources.items()}

    def plant(self, sources=None, folder="drv"):
        """A folder of these files, and one that is empty, with times of long ago."""
        for name, data in (sources or self.sources).items():
            path = self.write(f"{folder}/{name}", data)
            os.utime(path, (1e9, 1e9))
        os.makedirs(self.path(folder, "nothing"), exist_ok=True)
        os.utime(self.path(folder, "nothing"), (1e9, 1e9))
        return self.path(folder)

    def zip(self, sources=None, name="drv.zip"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.comment = b"a comment"
            for number, (member, data) in enumerate((sources or self.sources).items()):
                info = zipfile.ZipInfo(member, (2001, 9, 9, 1, 46, 2 * number))
                info.external_attr = 0o640 << 16
                info.comment = b"of a file"
                info.extra = struct.pack("<HHBL", 0x5455, 5, 1, 10 ** 9)
                archive.writestr(info, data, zipfile.ZIP_STORED if number % 2 else zipfile.ZIP_DEFLATED)
        return self.write(name, stream.getvalue())

    def cab(self, sources=None, name="drv.cab", options=("-z",)):
        sources = {member: data for member, data in (sources or self.sources).items() if data}
        folder = self.plant(sources, "to-pack")
        path = self.path(name)
        subprocess.run(["gcab", "-c", *options, path, *sources], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder)
        return path

    def tree(self, folder):
        """{name: content, or None of a folder}"""
        found = {}
        for parent, folders, files in os.walk(folder):
            for name in folders:
                found[os.path.relpath(os.path.join(parent, name), folder)] = None
            for name in files:
                found[os.path.relpath(os.path.join(parent, name), folder)] = images.read(os.path.join(parent, name))
        return found

    def fix(self, path, *options, out="out", exit_code=0):
        done = tool.run("fix", path, "-o", self.path(out), *options)
        self.assertEqual(done.returncode, exit_code, done.stdout.decode() + done.stderr.decode())
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith(".hvcifix")], [])
        return done.stdout.decode()

    def assert_refused(self, path, words, exit_code, *options, out="out"):
        before = self.tree(self.folder)
        said = self.fix(path, *options, out=out, exit_code=exit_code)
        self.assertIn(words, said)
        self.assertEqual(self.tree(self.folder), before)


class Folders(Repairs):
    def test_repaired(self):
        drv = self.plant()
        before = self.tree(drv)
        said = self.fix(drv)
        self.assertIn("2 of 3 images were repaired", said)
        self.assertIn('"Lost.sys"', said)
        self.assertEqual(self.tree(drv), before)
        folders = {"amd64": None, "nothing": None}
        self.assertEqual(self.tree(self.path("out")), self.expected() | folders)
        for name in self.sources | folders:
            was, now = os.stat(os.path.join(drv, name)), os.stat(self.path("out", name))
            self.assertEqual(was.st_mode, now.st_mode, name)
            if name not in ("amd64/x.sys", "y.sys"):
                self.assertEqual(was.st_mtime_ns // 100, now.st_mtime_ns // 100, name)  # the unit of Windows

    def test_check_names_what_is_missing(self):
        code, report = tool.report("check", self.plant())
        self.assertEqual(code, 1)
        self.assertEqual([finding["code"] for finding in report[-1]["findings"]], ["HVCI9055"])
        self.assertIn('Line 9 of', report[-1]["findings"][0]["message"])
        for path, inf in ((self.zip(), "drv.zip!drv.inf"), (self.cab(), "drv.cab!drv.inf")):
            code, report = tool.report("check", path)
            self.assertEqual(code, 1)
            self.assertEqual((report[-1]["path"], [finding["code"] for finding in report[-1]["findings"]]),
                             (path, ["HVCI9055"]))
            self.assertIn(inf + '" says', report[-1]["findings"][0]["message"])
        self.write("drv/deeper/LOST.SYS", content(CLEAN))
        self.sources["deeper/LOST.SYS"] = content(CLEAN)
        for path in (self.path("drv"), self.zip(), self.cab()):
            report = tool.report("check", path)[1]
            self.assertNotIn("HVCI9055", [finding["code"] for image in report for finding in image["findings"]])

    def test_any_number_of_jobs(self):
        sources = {f"{number % 7}/{number}.sys": content((CLEAN, DEFECTIVE, NOTED)[number % 3]) for number in range(40)}
        drv = self.plant(sources)
        said = [self.fix(drv, "-j", str(jobs), out=f"out{jobs}").replace(f"out{jobs}", "out") for jobs in (1, 8)]
        self.assertEqual(said[0], said[1])
        self.assertEqual(self.tree(self.path("out1")), self.tree(self.path("out8")))
        self.assertEqual(self.tree(self.path("out1")),
                         self.expected(sources) | {"nothing": None} | {str(number): None for number in range(7)})

    def test_where_it_goes(self):
        drv = self.plant()
        os.mkdir(self.path("out"))
        self.fix(drv, "-q")
        self.assert_refused(drv, "is not empty", 4)
        self.assert_refused(drv, "lies in the package itself", 4, out="drv/out")
        self.assert_refused(drv, "lies in the package itself", 4, out="drv")
        self.write("file", b"")
        self.assert_refused(drv, "no folder that could be filled", 4, out="file")
        self.assert_refused(drv, "HVCI9007", 4, out="missing/out")

    def test_nothing_to_repair(self):
        drv = self.plant({"c.sys": content(CLEAN), "text": b"x"})
        self.fix(drv)
        self.assertEqual(self.tree(self.path("out")), self.tree(drv))

    def test_all_or_nothing(self):
        drv = self.plant(self.sources | {"r.sys": content(REFUSED)})
        self.assert_refused(drv, "HVCI9057", 1)
        self.assert_refused(drv, "2 can be fixed", 1)
        self.fix(drv, "--partial", exit_code=1)
        self.assertEqual(self.tree(self.path("out")),
                         self.expected() | {"amd64": None, "nothing": None, "r.sys": content(REFUSED)})

    def test_dry_run(self):
        drv = self.plant()
        before = self.tree(self.folder)
        done = tool.run("fix", "--dry-run", drv, "-o", self.path("out"))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn(b"2 of 3 images can be repaired", done.stdout)
        self.assertEqual(self.tree(self.folder), before)

    @tool.not_on_windows("links there take rights that tests have not")
    def test_links_and_pipes(self):
        drv = self.plant()
        os.symlink("y.sys", os.path.join(drv, "link.sys"))
        self.assert_refused(drv, "is a link", 3)
        os.unlink(os.path.join(drv, "link.sys"))
        os.mkfifo(os.path.join(drv, "pipe"))
        done = tool.run("fix", drv, "-o", self.path("out"))
        self.assertEqual((done.returncode, b"neither a file nor a folder" in done.stdout), (3, True))

    def test_what_is_no_image(self):
        """Programs of other systems and texts called like drivers are files like any other."""
        sources = self.sources | {"dos.exe": b"MZ" + bytes(200), "text.sys": b"DEVICE=HIMEM.SYS"}
        self.fix(self.plant(sources))
        self.assertEqual(self.tree(self.path("out")), self.expected(sources) | {"amd64": None, "nothing": None})

    def test_packages_inside(self):
        drv = self.plant(self.sources | {"good.zip": images.read(self.zip({"c.sys": content(CLEAN)}, "good.zip"))})
        self.fix(drv)
        drv = self.plant(self.sources | {"bad.zip": images.read(self.zip(name="bad.zip"))}, "drv2")
        self.assert_refused(drv, "HVCI9054", 1, out="out2")

    def test_no_image_is_no_package(self):
        """As for `check`: whoever names it meant another. An image in a package inside is one."""
        for path in (self.plant({"readme.txt": b"text"}), self.zip({"readme.txt": b"text"})):
            self.assert_refused(path, "HVCI9001", 3)
            self.assert_refused(path, "HVCI9001", 3, "--dry-run")
        inner = images.read(self.zip({"c.sys": content(CLEAN)}, "inner.zip"))
        self.fix(self.plant({"inner.zip": inner}, "drv2"))

    def test_usage(self):
        drv = self.plant()
        for words in (("--extract",), ("--driver-ver", "2024-01-01,1", "-o", "x"), ("--partial=1", "-o", "x")):
            done = tool.run("fix", drv, *words)
            self.assertEqual((done.returncode, b"HVCI9010" in done.stderr), (2, True), done)
        for option in ("--map", "--linker-map", "--pdb"):
            self.assert_refused(drv, f"{option} takes one image", 2, option, self.path("file.beside"))
        self.assert_refused(drv, "--extract takes a program", 2, "--extract")
        lone = os.path.join(drv, "y.sys")
        for options in (("--partial",), ("--driver-ver", "06/21/2024,2.0.0.17")):
            self.assert_refused(lone, f"{options[0]} takes a package", 2, *options)
            done = tool.run("fix", "--in-place", *options, lone)
            self.assertEqual((done.returncode, images.read(lone)), (2, content(DEFECTIVE)))


class Archives(Repairs):
    def test_zip(self):
        path = self.zip()
        self.fix(path, out="out.zip")
        (old, comment), (new, new_comment) = members(path), members(self.path("out.zip"))
        self.assertEqual(comment, new_comment)
        self.assertEqual([member[:-1] for member in old], [member[:-1] for member in new])
        self.assertEqual({member[0]: member[-1] for member in new}, self.expected())
        unpacked = self.path("unpacked")
        subprocess.run(["unzip", "-q", self.path("out.zip"), "-d", unpacked], check=True)
        self.assertEqual(self.tree(unpacked), self.expected() | {"amd64": None})
        self.fix(path, out="again.zip")
        self.assertEqual(images.read(self.path("out.zip")), images.read(self.path("again.zip")))

    def test_untouched_members_are_the_same_bytes(self):
        """What is packed of them is not packed anew: the archive of another program stays its own."""
        path = self.zip()
        self.fix(path, out="out.zip")
        old, new = images.read(path), images.read(self.path("out.zip"))
        with zipfile.ZipFile(path) as before, zipfile.ZipFile(self.path("out.zip")) as after:
            for a, b in zip(before.infolist(), after.infolist()):
                if a.filename in ("amd64/x.sys", "y.sys"):
                    continue
                nbytes = 30 + len(a.filename) + len(a.extra) + a.compress_size
                self.assertEqual(old[a.header_offset:a.header_offset + nbytes], new[b.header_offset:b.header_offset + nbytes])

    def test_nothing_to_repair_is_the_same_archive(self):
        path = self.zip({"c.sys": content(CLEAN), "text": b"x"})
        self.fix(path, out="out.zip")
        self.assertEqual(images.read(path), images.read(self.path("out.zip")))

    def test_not_over_itself(self):
        """By whatever name: nothing leads back from a new package."""
        path = self.zip()
        os.link(path, self.path("again.zip"))
        for name in ("drv.zip", "again.zip"):
            self.assert_refused(path, "is the package itself", 4, out=name)
        self.assert_refused(self.cab(), "is the package itself", 4, out="drv.cab")

    def test_data_descriptors(self):
        """An archive that was written to a pipe."""
        class Pipe(io.RawIOBase):
            def __init__(self):
                super().__init__()
                self.data = b""

            def writable(self):
                return True

            def write(self, data):
                self.data += bytes(data)
                return len(data)

        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self.sources.items():
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
        path = self.write("pipe.zip", pipe.data)
        self.assertTrue(zipfile.ZipFile(path).infolist()[0].flag_bits & 8)
        self.fix(path, out="out.zip")
        self.assertEqual({member[0]: member[-1] for member in members(self.path("out.zip"))[0]}, self.expected())

    def test_hostile_names(self):
        bad = content(DEFECTIVE)
        for name in ("../x.sys", "a/../../x.sys", "/x.sys", "C:\\x.sys", "C:x.sys", "a/con.sys", "nul", "com1.txt", "x.sys.",
                     "x.sys ", "a\\..\\x.sys", "x.sys:stream", "a//b.sys", "what?.sys", "lpt9", "CONIN$", "a\nb"):
            self.assert_refused(self.zip({"y.sys": bad, name: b"x"}, "h.zip"), "no new package is made", 3, out="out.zip")
        for names in (("a.sys", "A.SYS"), ("a.sys", "a.sys"), ("a", "a/b.sys"), ("a/b.sys", "A"), ("d\\x.sys", "D/X.sys")):
            path = self.zip({}, "h.zip")
            with zipfile.ZipFile(path, "w") as archive:
                for name in names:
                    archive.writestr(zipfile.ZipInfo(name), bad)
            self.assert_refused(path, "no new package is made", 3, out="out.zip")

    def test_hostile_cab(self):
        data = images.read(self.cab({"aa/x.sys": content(DEFECTIVE), "y.sys": content(CLEAN)}, options=()))
        self.assertEqual(data.count(b"aa\\x.sys\0") + data.count(b"aa/x.sys\0"), 1)
        data = data.replace(b"aa\\x.sys\0", b"..\\x.sys\0").replace(b"aa/x.sys\0", b"../x.sys\0")
        self.assert_refused(self.write("h.cab", data), "no new package is made", 3)

    def test_damaged(self):
        data = images.read(self.zip())
        cases = {"cut": data[:-30], "head": b"PK\3\4" + data, "behind": data + b"x",
                 "locked": data.replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0", 1)}
        middle = bytearray(data)
        middle[data.index(b"amd64/x.sys") + 200] ^= 0xFF
        cases["crc"] = bytes(middle)
        for name, damaged in cases.items():
            self.assertNotEqual(damaged, data, name)
            path = self.write(name + ".zip", damaged)
            before = self.tree(self.folder)
            done = tool.run("fix", path, "-o", self.path("out.zip"))
            self.assertEqual((done.returncode, self.tree(self.folder)), (3, before), (name, done.stdout))

    def test_all_or_nothing(self):
        path = self.zip(self.sources | {"r.sys": content(REFUSED)})
        self.assert_refused(path, "HVCI9057", 1, out="out.zip")
        self.fix(path, "--partial", out="out.zip", exit_code=1)
        self.assertEqual({member[0]: member[-1] for member in members(self.path("out.zip"))[0]},
                         self.expected() | {"r.sys": content(REFUSED)})

    def test_dry_run_needs_no_name(self):
        path = self.zip()
        done = tool.run("fix", "--dry-run", path)
        self.assertEqual((done.returncode, b"2 of 3 images can be repaired" in done.stdout), (0, True), done.stdout)

    def test_json(self):
        code, report = tool.report("fix", self.zip(), "-o", self.path("out.zip"))
        self.assertEqual(code, 0)
        self.assertEqual([(os.path.basename(image["path"]), image["status"], image["written"]) for image in report],
                         [("x.sys", "fixed", True), ("drv.zip!y.sys", "fixed", True), ("drv.zip!c.dll", "clean", False),
                          ("drv.zip", "fixed", True)])
        self.assertEqual(report[-1]["output"], self.path("out.zip"))


class Catalogs(Repairs):
    def setUp(self):
        super().setUp()
        self.sources["x.cat"] = catalog(authenticode(self.sources["y.sys"]), authenticode(self.sources["c.dll"], "sha1"))
        self.sources["other.cat"] = catalog(authenticode(self.sources["c.dll"]), hashlib.sha256(b"another").digest())

    def test_set_aside(self):
        for path, out in ((self.plant(), "out"), (self.zip(), "out.zip"), (self.cab(), "outcab/")):
            said = self.fix(path, out=out)
            self.assertEqual(said.count("HVCI9056"), 1)
            self.assertIn("10_X64,10_RS3_ARM64", said)
            new = self.tree(self.path(out)) if out != "out.zip" else {member[0]: member[-1] for member in
                                                                      members(self.path(out))[0]}
            self.assertNotIn("x.cat", new)
            self.assertEqual(new["other.cat"], self.sources["other.cat"])
            request = images.read(self.path(out.replace(".zip", "").rstrip("/") + ".x.cat.cdf")).decode()
            stem = out.replace(".zip", "").rstrip("/")
            self.assertTrue(request.startswith(f"[CatalogHeader]\r\nName=x.cat\r\nResultDir={stem}\r\n"), request)
            self.assertIn(f"<HASH>amd64\\x.sys={stem}\\amd64\\x.sys\r\n", request)
            listed = {line.partition("=")[0][6:].replace("\\", "/") for line in request.splitlines() if line.startswith("<HASH>")}
            self.assertEqual(listed, {name for name in new if new[name] is not None and not name.endswith(".cat")})
            self.assertTrue(request.endswith("\r\n"))

    def test_notes_do_not_cost_a_catalog(self):
        """An image that Windows loads as it is keeps its catalog, as a file of its own does."""
        sources = {"x.sys": content(NOTED), "x.cat": catalog(authenticode(content(NOTED)))}
        self.assertIn("left", self.fix(self.plant(sources)))
        self.assertEqual(self.tree(self.path("out")), sources | {"nothing": None})
        self.assertIn("left", self.fix(self.path("drv"), "--drop-signature", out="out1"))
        self.assertEqual(self.tree(self.path("out1")), sources | {"nothing": None})
        self.fix(self.path("drv"), "--drop-signature", "--only", "HVCI2102", out="out2")
        self.assertEqual(self.tree(self.path("out2")), {"x.sys": self.repaired(content(NOTED)), "nothing": None})

    def test_inf_is_listed_too(self):
        self.sources["x.cat"] = catalog(hashlib.sha256(self.sources["drv.inf"]).digest())
        drv = self.plant()
        self.assertNotIn("HVCI9056", self.fix(drv))
        self.assertIn("HVCI9056", self.fix(drv, "--driver-ver", "06/21/2024,2.0.0.0", out="out2"))


class Interrupted(Repairs):
    def test_killed(self):
        """Whenever it is killed: no new package, or a whole one, and the old one as it was."""
        sources = {f"{number}/x.sys": content((CLEAN, DEFECTIVE, NOTED)[number % 3]) for number in range(60)}
        expected = self.expected(sources) | {str(number): None for number in range(60)}
        drv, archive = self.plant(sources), self.zip(sources)
        before = self.tree(drv)
        outcomes = set()
        for step in range(24):
            for path, out in ((drv, "out"), (archive, "out.zip")):
                process = subprocess.Popen(tool.command("fix", path, "-o", self.path(out)), stdout=subprocess.DEVNULL,
                                           stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
                time.sleep(0.02 * step)
                process.kill()
                process.wait()
                if os.path.isdir(self.path(out)):
                    self.assertEqual(self.tree(self.path(out)), expected | {"nothing": None})
                    shutil.rmtree(self.path(out))
                elif os.path.exists(self.path(out)):
                    self.assertEqual({member[0]: member[-1] for member in members(self.path(out))[0]},
                                     {name: data for name, data in expected.items() if data is not None})
                    os.remove(self.path(out))
                for name in os.listdir(self.folder):
                    if name.startswith(".hvcifix-"):
                        shutil.rmtree(self.path(name), ignore_errors=True)
        self.assertEqual(self.tree(drv), before)

    def test_signers(self):
        """A signer that fails, for the second image of a package: nothing is written."""
        signer = self.write("signer.sh", b"grep -q . \"$1\" && exit 7")
        for path, out in ((self.plant(), "out"), (self.zip(), "out.zip")):
            self.assert_refused(path, "HVCI9058", 4, "--sign-with", f'sh "{signer}" {{}}', out=out)


if tool.IS_WINDOWS:
    del Interrupted  # the signer is a program of the other system, and a killed Wine leaves its children


class Signed(Repairs):
    @tool.not_on_windows("osslsigncode is a program of the other system")
    def test_osslsigncode(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("k.pem"), "-out",
                        self.path("c.pem"), "-days", "2", "-subj", "/CN=test", "-addext", "extendedKeyUsage=codeSigning"],
                       check=True, capture_output=True)
        command = (f"osslsigncode sign -h sha256 -certs {self.path('c.pem')} -key {self.path('k.pem')} "
                   "-in {} -out {out}")
        expected = self.expected()
        self.fix(self.zip(), "--sign-with", command, out="out.zip")
        self.fix(self.plant(), "--sign-with", command)
        for name, data, in {member[0]: member[-1] for member in members(self.path("out.zip"))[0]}.items():
            if name in ("amd64/x.sys", "y.sys"):
                done = subprocess.run(["osslsigncode", "verify", "-CAfile", self.path("c.pem"), self.path("out", name)],
                                      capture_output=True, text=True, check=False)
                self.assertIn("Signature verification: ok", done.stdout)
                start = int.from_bytes(data[0x3C:0x40], "little") + 24 + 64
                self.assertEqual(data[:start], expected[name][:start])
            else:
                self.assertEqual(data, expected[name])
                self.assertEqual(images.read(self.path("out", name)), data)


class DriverVer(Repairs):
    def test_encodings(self):
        for number, encoding in enumerate(("utf-16", "utf-8-sig", "cp1252", "utf-16-be")):
            mark = b"\xFE\xFF" if encoding == "utf-16-be" else b""
            self.sources["drv.inf"] = mark + INF.encode(encoding)
            self.fix(self.plant(folder=f"drv{number}"), "--driver-ver", "06/21/2024,2.0.0.17", out=f"out{number}")
            self.assertEqual(images.read(self.path(f"out{number}", "drv.inf")),
                             mark + INF.replace("01/01/2010,1.0.0.0", "06/21/2024,2.0.0.17").encode(encoding))

    def test_dry_run(self):
        self.sources["drv.inf"] = INF.encode()
        for path in (self.plant(), self.zip(), self.cab()):
            before = images.read(path) if os.path.isfile(path) else None
            done = tool.run("fix", "--dry-run", "--driver-ver", "06/21/2024,2.0.0.17", path)
            self.assertEqual(done.returncode, 0, (path, done.stdout, done.stderr))
            self.assertEqual(images.read(path) if before else None, before)

    def test_refused(self):
        self.sources["drv.inf"] = INF.replace("DriverVer", "; DriverVer").encode()
        self.assert_refused(self.plant(), "It has no DriverVer", 1, "--driver-ver", "06/21/2024,2.0.0.17")
        del self.sources["drv.inf"]
        os.unlink(self.path("drv", "drv.inf"))
        self.assert_refused(self.path("drv"), "no INF file", 1, "--driver-ver", "06/21/2024,2.0.0.17")


class Programs(Repairs):
    def setup_exe(self, *names):
        with zipfile.ZipFile(self.zip({name: self.sources[name] for name in names})) as _:
            pass
        return self.write("setup.exe", content(CLEAN) + bytes(64) + images.read(self.path("drv.zip")))

    def test_said(self):
        path = self.setup_exe("amd64/x.sys", "y.sys")
        said = self.fix(path, out="out.exe", exit_code=1)
        self.assertIn("--extract", said)
        self.assertEqual(images.read(self.path("out.exe")), images.read(path))
        self.fix(self.setup_exe("c.dll"), out="out2.exe")

    def test_extract(self):
        path = self.setup_exe("amd64/x.sys", "c.dll", "readme.txt", "y.sys")
        self.fix(path, "--extract")
        expected = self.expected()
        self.assertEqual(self.tree(self.path("out")),
                         {"overlay!": None, "overlay!/amd64": None} |
                         {f"overlay!/{name}": expected[name] for name in ("amd64/x.sys", "c.dll", "y.sys")})
        self.assert_refused(path, "is not empty", 4, "--extract")

    def test_extract_from_what_carries_nothing(self):
        """A driver that was not looked at must not be called clean."""
        self.assert_refused(self.write("y.sys", content(DEFECTIVE)), "HVCI9001", 3, "--extract")


if __name__ == "__main__":
    unittest.main()
