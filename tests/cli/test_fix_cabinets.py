"""`fix` of cabinets: a cabinet again, in which only the images differ; or a folder, and why.

Second sources: gcab and a writer of our own (support/cabinets.py) make them, cabextract and that module read them, osslsigncode
signs them.
"""

import os
import shutil
import subprocess
import sys
import unittest
import unittest.mock

from support import cabinets, images, tool
from support.cabinets import File

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
from test_fix_packages import CLEAN, DEFECTIVE, REFUSED, Repairs, authenticode, catalog, content  # noqa: E402

DATE, TIME = 21 << 9 | 9 << 5 | 9, 1 << 11 | 46 << 5 | 20  # 2001-09-09 01:46:40


def words(said):
    return " ".join(said.split())


class Cabinets(Repairs):
    def unpacked(self, name):
        """{name: content} by cabextract."""
        folder = self.path("unpacked", name)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run(["cabextract", "-q", "-d", folder, self.path(name)], check=True, capture_output=True)
        return {member: data for member, data in self.tree(folder).items() if data is not None}

    def folder_of(self, name):
        return {member: data for member, data in self.tree(self.path(name)).items() if data is not None}

    def made(self, folders=None, name="made.cab", **options):
        """A cabinet of our own, by default with all that a file can have."""
        folders = folders or [
            (cabinets.MSZIP, [File(b"amd64\\x.sys", DATE, TIME, cabinets.READ_ONLY | cabinets.HIDDEN, content(DEFECTIVE)),
                              File("gr\u00fc\u00df.txt".encode(), 33, 0, cabinets.ARCHIVE | cabinets.UTF8, b"text\r\n" * 9000)]),
            (cabinets.STORED, [File(b"setup.exe", 127 << 9 | 12 << 5 | 31, 23 << 11 | 59 << 5 | 29, cabinets.RUN, b"run me"),
                               File(b"a.sys", DATE, TIME, cabinets.ARCHIVE, content(CLEAN)),
                               File(b"empty", DATE, TIME, cabinets.ARCHIVE)])]
        return self.write(name, cabinets.make(folders, **options))

    def assert_rewritten(self, old, new, without=(), kind=None):
        """The same directory, but for files left out and the way it is packed; the same contents, but for repairs."""
        (_, before), (kinds, after) = cabinets.read(images.read(self.path(old))), cabinets.read(images.read(self.path(new)))
        self.assertEqual(after, [file for file in before if file.name not in without])
        self.assertEqual(self.unpacked(new), {name: data for name, data in self.expected(self.unpacked(old)).items()
                                              if name.encode() not in without})
        if kind is not None:
            self.assertEqual(kinds, {kind})


class Written(Cabinets):
    def test_of_gcab(self):
        for options, kind in (((), cabinets.STORED), (("-z",), cabinets.MSZIP)):
            path = self.cab(options=options)
            said = self.fix(path, out="out.cab")
            self.assertIn("2 of 3 images were repaired", said)
            self.assertNotIn("folder", said)
            self.assert_rewritten("drv.cab", "out.cab", kind=kind)
            self.fix(path, out="again.cab")
            self.assertEqual(images.read(self.path("out.cab")), images.read(self.path("again.cab")))

    def test_all_that_a_file_can_have(self):
        self.fix(self.made(), out="out.cab")
        self.assert_rewritten("made.cab", "out.cab", kind=cabinets.MSZIP)

    def test_larger_than_a_block(self):
        """Contents that are packed worse than they are, over the ends of blocks."""
        noise = b"".join(number.to_bytes(4, "little") for number in
                         (number * 2654435761 % 2 ** 32 for number in range(50000)))
        files = [File(b"noise", DATE, TIME, 32, noise), File(b"x.sys", DATE, TIME, 32, content(DEFECTIVE)),
                 File(b"zeros", DATE, TIME, 32, bytes(300000))]
        # Where deflate does not help, libgcab and Windows keep a block in different ways.
        done = tool.run("fix", self.made([(cabinets.MSZIP, files)]), "-o", self.path("out.cab"), alone=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assert_rewritten("made.cab", "out.cab", kind=cabinets.MSZIP)

    def test_lzx_becomes_mszip(self):
        files = [File(b"x.sys", DATE, TIME, 32, content(DEFECTIVE)), File(b"b", DATE, TIME, 32, b"odd")]
        said = self.fix(self.made([(cabinets.LZX, files)]), out="out.cab")
        self.assertIn("packed with MSZIP, the old one with LZX", words(said))
        self.assert_rewritten("made.cab", "out.cab", kind=cabinets.MSZIP)

    def test_nothing_to_repair_is_the_same_cabinet(self):
        files = [File(b"c.sys", DATE, TIME, 32, content(CLEAN)), File(b"b", DATE, TIME, 32, b"odd")]
        self.assertNotIn("LZX", self.fix(self.made([(cabinets.LZX, files)]), out="out.cab"))
        self.assertEqual(images.read(self.path("made.cab")), images.read(self.path("out.cab")))

    def test_over_another_file_and_never_over_itself(self):
        path = self.cab()
        self.assert_refused(path, "is the package itself", 4, out="drv.cab")
        self.write("there.cab", b"older")
        self.fix(path, out="there.cab")
        self.assert_rewritten("drv.cab", "there.cab")

    def test_all_or_nothing(self):
        path = self.cab(self.sources | {"r.sys": content(REFUSED)})
        self.assert_refused(path, "HVCI9057", 1, out="out.cab")
        self.fix(path, "--partial", out="out.cab", exit_code=1)
        self.assertEqual(self.unpacked("out.cab")["r.sys"], content(REFUSED))
        self.assertEqual(self.unpacked("out.cab")["y.sys"], self.repaired(content(DEFECTIVE)))

    def test_dry_run(self):
        path = self.cab()
        before = self.tree(self.folder)
        said = tool.run("fix", "--dry-run", path, "-o", self.path("out.cab")).stdout
        self.assertIn(b"2 of 3 images can be repaired", said)
        self.assertEqual(self.tree(self.folder), before)

    def test_catalogs_are_set_aside(self):
        self.sources["x.cat"] = catalog(authenticode(self.sources["y.sys"]))
        said = self.fix(self.cab(), "--driver-ver", "06/21/2024,2.0.0.17", out="out.cab")
        self.assertIn("HVCI9056", said)
        self.assertIn(b"<HASH>amd64\\x.sys=out\\amd64\\x.sys", images.read(self.path("out.x.cat.cdf")))
        (_, before), (_, after) = (cabinets.read(images.read(self.path(name))) for name in ("drv.cab", "out.cab"))
        self.assertEqual(after, [file for file in before if file.name != b"x.cat"])
        self.assertIn("06/21/2024,2.0.0.17".encode("utf-16-le"), self.unpacked("out.cab")["drv.inf"])


class Folders(Cabinets):
    """Where the new package is a folder."""

    def assert_folder(self, path, *reasons, options=(), out="out"):
        said = words(self.fix(path, *options, out=out))
        self.assertIn("The new package is a folder" + (", because" if reasons else "."), said)
        for reason in reasons:
            self.assertIn(reason, said)
        name = os.path.basename(path)
        self.assertEqual(self.folder_of(out), self.expected(self.unpacked(name)))

    def test_asked_for(self):
        path = self.cab()
        self.assert_folder(path, out="out/")
        os.mkdir(self.path("there"))
        self.assert_folder(path, out="there")
        self.assert_refused(path, "is not empty", 4, out="there")
        times = {name: os.stat(self.path("unpacked/drv.cab", name)).st_mtime for name in self.unpacked("drv.cab")}
        for name, time in times.items():
            if name not in ("amd64/x.sys", "y.sys"):
                self.assertEqual(os.stat(self.path("out", name)).st_mtime, time)

    def test_what_only_their_maker_knows(self):
        for number, reserve in enumerate(((b"mine", b"", b""), (b"", b"12", b""), (b"", b"", bytes(4)))):
            self.assert_folder(self.made(reserve=reserve), "reserved areas", out=f"out{number}")
        data = cabinets.make([(cabinets.STORED, [File(b"x.sys", DATE, TIME, 32, content(DEFECTIVE))])])
        self.assert_folder(self.write("more.cab", data + b"more"), "bytes behind the end", out="more")

    def test_signed(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.path("k.pem"), "-out",
                        self.path("c.pem"), "-days", "2", "-subj", "/CN=test", "-addext", "extendedKeyUsage=codeSigning"],
                       check=True, capture_output=True)
        files = [File(b"x.sys", DATE, TIME, 32, content(DEFECTIVE)), File(b"b", DATE, TIME, 32, b"text")]
        subprocess.run(["osslsigncode", "sign", "-h", "sha256", "-certs", self.path("c.pem"), "-key", self.path("k.pem"),
                        "-in", self.made([(cabinets.MSZIP, files)]), "-out", self.path("signed.cab")],
                       check=True, capture_output=True)
        path = self.path("signed.cab")
        self.assertGreater(len(images.read(path)), len(images.read(self.path("made.cab"))) + 500)
        self.assert_folder(path, "Authenticode signature, which a new one would not have")
        self.write("there.cab", b"older")
        self.assert_refused(path, "no folder that could be filled", 4, out="there.cab")
        said = self.fix(path, "--drop-signature", out="out.cab")
        self.assertIn("the old cabinet's Authenticode signature is gone", words(said))
        self.assert_rewritten("made.cab", "out.cab")

    @tool.not_on_windows("there the system packs cabinets")
    def test_without_the_library(self):
        """The loader takes what it finds first for libgcab, and that is none."""
        self.write("libraries/libgcab-1.0.so.0", b"no library")
        path = self.cab()
        with unittest.mock.patch.dict(os.environ, {"LD_LIBRARY_PATH": self.path("libraries")}):
            self.assert_folder(path, "libgcab-1.0.so.0, which packs cabinets, cannot be loaded")
            self.write("there.cab", b"older")
            said = self.fix(path, out="there.cab", exit_code=4)
        self.assertIn("has to be a folder, because libgcab-1.0.so.0", words(said))

    @tool.not_on_windows("Windows packs these as they are")
    def test_what_libgcab_would_change(self):
        defective = File(b"x.sys", DATE, TIME, 32, content(DEFECTIVE))
        for number, (file, reason) in enumerate((
                (File(b"a/b", DATE, TIME, 32, b"text"), 'file 2 of the old cabinet has "/" in its name'),
                (File("\u00fc".encode(), DATE, TIME, 32, b"text"), "a name in the code page of one system"),
                (File(b"b", 2 << 5 | 30, 0, 32, b"text"), "a time that is none"))):
            path = self.made([(cabinets.STORED, [defective, file])])
            self.assertIn(reason, words(self.fix(path, out=f"out{number}")))
            self.assertEqual(images.read(self.path(f"out{number}", "x.sys")), self.repaired(content(DEFECTIVE)))


class Refused(Cabinets):
    def test_one_of_many(self):
        for flags in (1, 2):
            path = self.made(flags=flags)
            before = self.tree(self.folder)
            done = tool.run("fix", path, "-o", self.path("out.cab"))
            self.assertEqual((done.returncode, b"HVCI9050" in done.stdout), (3, True), done.stdout)
            self.assertEqual(self.tree(self.folder), before)

    def test_damaged(self):
        """Whatever is wrong with it: a new package in which only the images differ, or none."""
        data = images.read(self.made([(cabinets.MSZIP, [File(b"x.sys", DATE, TIME, 32, content(DEFECTIVE))])]))
        self.fix(self.path("made.cab"), out="whole.cab")
        whole = self.unpacked("whole.cab")
        places = range(4, 70) if not tool.IS_WINDOWS else range(4, 70, 9)
        damaged = [data[:at] + bytes([data[at] ^ (0x80 if at % 2 and at < 60 else 1)]) + data[at + 1:] for at in places]
        damaged += [data[:nbytes] for nbytes in (7, 36, 44, 60, 70, 100, len(data) - 1)]
        codes = set()
        for number, case in enumerate(damaged):
            path, out = self.write("bad.cab", case), self.path("out")
            done = tool.run("fix", path, "-o", out)
            self.assertIn(done.returncode, (0, 3), (number, done.stdout, done.stderr))
            codes.add(done.returncode)
            if os.path.isdir(out):
                shutil.rmtree(out)
            elif os.path.exists(out):
                self.assertEqual(done.returncode, 0)
                self.assertEqual(list(self.unpacked("out").values()), list(whole.values()))
                os.remove(out)
        self.assertEqual(codes, {0, 3})


if __name__ == "__main__":
    unittest.main()
