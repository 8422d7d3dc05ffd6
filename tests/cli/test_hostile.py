"""Hostile input that random changes hardly reach: things that are no files, files that are too large or too small, and
images made to mislead, to loop, or to take for ever. The answer is a report with the right exit code, never a signal, a
hang, or "clean" where something that a rule looks at is damaged.
"""

import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

from support import tool

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "fuzz"))
import hostile_images  # noqa: E402
import seeds  # noqa: E402
from seed_image import CODE, DATA, INIT, RDATA, Image, u32  # noqa: E402

WITHIN_SECONDS = 60
CODE_OF_INPUT = r"\AHVCI90(0[1-689])\Z"
REFUSED_LAYOUT = "HVCI9011"
DIRECTORIES_64 = 0x58 + 0x70  # of the images that seed_image.py makes
COUNT_OF_DIRECTORIES = 16
FIX = ("fix", "--dry-run", "--in-place", "--drop-signature")


class Hostile(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name, data=None):
        path = os.path.join(self.folder, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def judge(self, path, *verb, **keywords):
        """(exit code, the image's report); looks at what all reports must have."""
        code, images = tool.report(*(verb or ("check",)), path, timeout=WITHIN_SECONDS, **keywords)
        self.assertIn(code, (0, 1, 3), path)
        self.assertEqual(any(image["status"] == "error" for image in images), code == 3, path)
        # Resources without end are also said to be: they may hold drivers.
        images = [image for image in images if not image["path"].startswith(path + "!")]
        self.assertEqual(len(images), 1)
        image = images[0]
        if code == 3:
            for finding in image["findings"]:
                if finding["level"] == "error":
                    self.assertTrue(finding["message"], path)
        return code, image

    def assert_cannot_read(self, path):
        for verb in (("check",), ("show",), FIX):
            code, image = self.judge(path, *verb)
            self.assertEqual((code, image["status"]), (3, "error"), (path, verb))
            errors = [finding for finding in image["findings"] if finding["level"] == "error"]
            self.assertEqual(len(errors), 1, (path, verb))
            self.assertRegex(errors[0]["code"], CODE_OF_INPUT)
            self.assertTrue(errors[0]["cure"])
        for pair in ((path, path), (path, self.path("good.sys", seeds.repairable("x64")))):
            self.assertEqual(tool.run("verify", *pair, timeout=WITHIN_SECONDS).returncode, 3, pair)


class NoFiles(Hostile):
    def test_empty_file(self):
        self.assert_cannot_read(self.path("empty.sys", b""))

    def test_sparse_files_of_4_gib(self):
        """An image has less than 4 GiB. Nothing that large may be read into memory."""
        for nbytes in (1 << 32, (1 << 32) + 1, 1 << 40):
            path = self.path("large.sys", seeds.headers_only("x64"))
            os.truncate(path, nbytes)
            self.assert_cannot_read(path)

    def test_large_sparse_file_below_the_limit(self):
        """256 MiB of zeros behind an image are an overlay: read, and judged as without it."""
        path = self.path("overlay.sys", seeds.headers_only("x64"))
        os.truncate(path, 1 << 28)
        self.assertEqual(self.judge(path)[0], 0)

    def test_folders(self):
        os.mkdir(self.path("folder.sys"))
        self.assertEqual(self.judge(self.path("folder.sys"))[0], 3)
        done = tool.run("verify", self.folder, self.folder, timeout=WITHIN_SECONDS)
        self.assertEqual(done.returncode, 3)

    def test_devices(self):
        for path in ("/dev/zero", "/dev/null", "/dev/full", "/dev/tty"):
            if os.path.exists(path):
                self.assert_cannot_read(path)

    def test_pipe_without_a_writer(self):
        """Opening it must not wait for one."""
        os.mkfifo(self.path("pipe.sys"))
        self.assert_cannot_read(self.path("pipe.sys"))

    def test_socket_and_links_to_nowhere(self):
        os.symlink(self.path("loop.sys"), self.path("loop.sys"))
        os.symlink(self.path("gone.sys"), self.path("dangling.sys"))
        for name in ("loop.sys", "dangling.sys", "gone.sys"):
            self.assert_cannot_read(self.path(name))

    def test_impossible_names(self):
        for name in ("a" * 5000, "x" * 255 + ".sys", "\x1b[31m : error HVCI2003: x", "\udcff\udcfe.sys"):
            # Names that one system can have and the other cannot: each has its own reason.
            code, image = self.judge(self.path(name[:4000]), alone=True)
            self.assertEqual((code, image["status"]), (3, "error"))
        done = tool.run("check", self.path("C : error HVCI2003: forged\n.sys"), timeout=WITHIN_SECONDS, alone=True)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(sum(" : error HVCI9006: " in line for line in lines), 1)
        self.assertFalse(any(line.startswith(".sys") for line in lines))

    def test_files_that_vanish_and_change(self):
        """A folder whose images come, go, grow and shrink while it is read."""
        good = seeds.repairable("x64")
        stop = threading.Event()

        def churn():
            turn = 0
            while not stop.is_set():
                path = self.path(f"{turn % 7}.sys")
                if turn % 3 == 0 and os.path.exists(path):
                    os.remove(path)
                else:
                    self.path(f"{turn % 7}.sys", good[: 100 + turn * 37 % len(good)])
                turn += 1

        thread = threading.Thread(target=churn)
        thread.start()
        try:
            for _ in range(30):
                # Two programs would see two moments.
                done = tool.run("check", "--format", "json", self.folder, timeout=WITHIN_SECONDS, alone=True)
                self.assertIn(done.returncode, (0, 1, 3), done.stderr)
                tool.parse(done.stdout)
        finally:
            stop.set()
            thread.join()


if os.environ.get("HVCIFIX_VARIANT", "plain") == "plain":  # the sanitizers need more than any limit

    class Memory(Hostile):
        def test_limit_on_the_address_space(self):
            """An answer, not a crash."""
            path = self.path("overlay.sys", seeds.headers_only("x64"))
            os.truncate(path, 1 << 28)
            limited = ["sh", "-c", 'ulimit -v 100000; exec "$0" check --format json "$1"', tool.TOOL, path]
            done = subprocess.run(limited, capture_output=True, timeout=WITHIN_SECONDS, check=False)
            self.assertEqual(done.returncode, 3)
            self.assertIn(tool.parse(done.stdout)[0]["findings"][0]["code"], ("HVCI9006", "HVCI9008"))


class Images(Hostile):
    def all_verbs(self, name, data):
        """{verb: report}, and the file as it was."""
        path = self.path(name + ".sys", data)
        reports = {}
        for verb in (("check",), ("show",), ("show", "--regions"), FIX):
            reports[verb[0]] = self.judge(path, *verb)[1]
        self.assertEqual(pathlib.Path(path).read_bytes(), data)
        code = tool.run("verify", path, path, timeout=WITHIN_SECONDS).returncode
        self.assertIn(code, (0, 3), name)
        return reports

    def test_large_shared_and_cyclic(self):
        for name, data in hostile_images.made().items():
            with self.subTest(image=name):
                reports = self.all_verbs(name, data)
                if name.startswith("sections_"):  # 65,535 of them
                    self.assertIn(REFUSED_LAYOUT, tool.codes(reports["check"]))
                    self.assertEqual(reports["check"]["status"], "error")

    def test_listings_of_the_shared_and_cyclic(self):
        for name in ("resources_cyclic", "chained_unwind", "shared_catches", "counts_of_most"):
            path = self.path(name + ".sys", hostile_images.made()[name])
            done = tool.run("show", "--references", path, timeout=WITHIN_SECONDS)
            self.assertEqual(done.returncode, 0, name)

    def test_counts_of_most_are_damage(self):
        """Import, relocation, load configuration and other tables that cannot be read: never clean."""
        reports = self.all_verbs("counts", hostile_images.counts_of_most())
        for verb in ("check", "fix"):
            self.assertEqual(reports[verb]["status"], "error")
            self.assertIn("HVCI9004", tool.codes(reports[verb]))

    def test_one_damaged_table_is_never_clean(self):
        """Each table that a rule looks at, in an image that is clean but for it."""
        for machine in ("x64", "x86"):
            whole = bytearray(seeds.full(machine))
            directories = 0x58 + (0x70 if machine == "x64" else 0x60)
            header = directories + 8 * COUNT_OF_DIRECTORIES + 40 * 4 + 36  # INIT's characteristics
            whole[header : header + 4] = u32(CODE)
            path = self.path("whole.sys", whole)
            self.assertEqual(self.judge(path)[1]["status"], "clean")
            for number in (1, 5, 6, 10, 13):  # imports, relocations, debug, load configuration, delay imports
                for place in (0x7FFFFFF0, 0x00FFF000):
                    damaged = bytearray(whole)
                    damaged[directories + 8 * number : directories + 8 * number + 4] = u32(place)
                    image = self.judge(self.path(f"{machine}-{number}.sys", damaged))[1]
                    # debug data only tell why, not whether
                    wanted = "clean" if number == 6 else "error"
                    self.assertEqual(image["status"], wanted, (machine, number, hex(place)))

    def test_directories_that_overlap(self):
        """Every directory takes the place of every other; and all take the same."""
        whole = seeds.full("x64")
        count = 0
        batch = []
        for to in range(COUNT_OF_DIRECTORIES):
            for other in range(COUNT_OF_DIRECTORIES):
                data = bytearray(whole)
                source = DIRECTORIES_64 + 8 * other
                data[DIRECTORIES_64 + 8 * to : DIRECTORIES_64 + 8 * to + 8] = whole[source : source + 8]
                batch.append(self.path(f"{to}-{other}.sys", data))
        for other in range(COUNT_OF_DIRECTORIES):
            data = bytearray(whole)
            source = DIRECTORIES_64 + 8 * other
            data[DIRECTORIES_64 : DIRECTORIES_64 + 8 * COUNT_OF_DIRECTORIES] = (
                whole[source : source + 8] * COUNT_OF_DIRECTORIES)
            batch.append(self.path(f"all-{other}.sys", data))
        for verb in (("check",), ("show", "--references"), FIX):
            for first in range(0, len(batch), tool.BATCH):
                part = batch[first : first + tool.BATCH]
                done = tool.run(*verb, "--format", "json", *part, timeout=WITHIN_SECONDS)
                self.assertIn(done.returncode, (0, 1, 3), (verb, done.stderr[-3000:]))
                reports = tool.parse(done.stdout)
                self.assertEqual([image["path"] for image in reports], part)
                count += len(reports)
        self.assertEqual(count, 3 * (16 * 16 + 16))

    def test_tables_that_point_at_each_other(self):
        """The lookup table is the IAT of the next module, names are descriptors, exports are imports."""
        image = Image("x64")
        text, rdata = image.section(".text", CODE), image.section(".rdata", RDATA)
        image.entry = text.put(b"\xC3")
        rva = rdata.rva
        row = lambda i: rva + 20 * (i % 8)
        rows = [u32(row(i + 1), 0, 0, row(i + 3), row(i + 2)) for i in range(8)]
        rdata.put(b"".join(rows) + bytes(20))
        for number in range(COUNT_OF_DIRECTORIES):
            image.directory(number, rva + 4 * number, 100)
        image.directory(4, 0, 0)
        reports = self.all_verbs("mutual", image.file())
        self.assertEqual(reports["check"]["status"], "error")

    def test_sections_that_contradict_each_other(self):
        """Overlap in memory is refused; the same file bytes twice, a wrong order and a hole are read or refused."""
        def image(rvas, foffs, characteristics):
            made = Image("x64")
            for i, flags in enumerate(characteristics):
                made.section(f"s{i}", flags).put(b"\xC3" * 0x200)
            made.entry = 0x1000
            data = bytearray(made.file())
            table = DIRECTORIES_64 + 8 * COUNT_OF_DIRECTORIES
            for i, (rva, foff) in enumerate(zip(rvas, foffs)):
                struct.pack_into("<I", data, table + 40 * i + 12, rva)
                struct.pack_into("<I", data, table + 40 * i + 20, foff)
            return bytes(data)

        self.assertEqual(self.all_verbs("overlap", image([0x1000, 0x1100], [0x200, 0x400], [CODE, DATA]))["check"]
                         ["status"], "error")
        twice = self.all_verbs("twice", image([0x1000, 0x2000], [0x200, 0x200], [CODE, INIT]))
        self.assertNotEqual(twice["fix"]["status"], "clean")
        order = self.all_verbs("order", image([0x3000, 0x1000, 0x2000], [0x200, 0x400, 0x600], [CODE, INIT, DATA]))
        self.assertNotEqual(order["fix"]["status"], "fixed")
        self.all_verbs("hole", image([0x1000, 0x70000000], [0x200, 0x400], [CODE, DATA]))
        self.all_verbs("top", image([0x1000, 0xFFFFF000], [0x200, 0x400], [CODE, DATA]))

    def test_layouts_that_windows_refuses(self):
        """Readable, and never clean: Windows does not load it (exit code 3), or some versions do not (a note)."""
        def changed(machine, *pokes, subsystem=1):
            data = bytearray(seeds.headers_only(machine) if machine == "ia64" else seeds.repairable(machine))
            optional = 0x58
            table = optional + struct.unpack_from("<H", data, 0x54)[0]
            struct.pack_into("<H", data, optional + 0x44, subsystem)
            for place, offset, form, value in pokes:
                struct.pack_into("<" + form, data, {"coff": 0x44, "optional": optional}.get(place, table) + offset, value)
            return bytes(data)

        section = lambda index, offset, value: ("table", 40 * index + offset, "I", value)
        cases = {
            "hole": (True, changed("x64", section(4, 12, 0x7000), ("optional", 0x38, "I", 0x8000))),
            "order": (True, changed("x86", section(1, 12, 0x3000), section(2, 12, 0x2000))),
            "empty": (True, changed("x64", section(4, 8, 0), section(4, 16, 0))),
            "small": (True, changed("x64", ("optional", 0x38, "I", 0x5000))),
            "large": (False, changed("x64", ("optional", 0x38, "I", 0x9000))),
            "file-alignment": (True, changed("x86", ("optional", 0x24, "I", 0x300))),
            "executable": (True, changed("x64", ("coff", 18, "H", 0x20))),
            "no-sections": (False, changed("ia64", ("coff", 2, "H", 0), ("optional", 0x38, "I", 0x1000))),
            "optional-header": (True, self.with_short_header()),
            "table-place": (True, self.with_far_table()),
            "machine": (True, changed("x64", ("coff", 0, "H", 0x1234))),
            "arm64": (True, changed("arm64", ("optional", 0x46, "H", 0))),
            "arm64-stripped": (False, changed("arm64", ("coff", 18, "H", 0x23))),
            "program": (True, changed("x64", section(4, 12, 0x7000), ("optional", 0x38, "I", 0x8000), subsystem=3)),
            "base": (True, changed("x64", ("optional", 0x18, "Q", 0x140001000))),
        }
        for name, (is_refused, data) in cases.items():
            with self.subTest(layout=name):
                reports = self.all_verbs("layout-" + name, data)
                for verb in ("check", "fix", "show"):
                    self.assertNotEqual(reports[verb]["status"], "clean", verb)
                    levels = {f["level"] for f in reports[verb]["findings"] if f["code"] == REFUSED_LAYOUT}
                    self.assertIn("error" if is_refused else "note", levels, verb)
                self.assertEqual(reports["check"]["status"] == "error", is_refused)

    @staticmethod
    def with_short_header():
        """The section table lies where Windows looks for the last data directory."""
        data = bytearray(seeds.repairable("x64"))
        table = DIRECTORIES_64 + 8 * COUNT_OF_DIRECTORIES
        data[table - 8 : table - 8 + 5 * 40] = data[table : table + 5 * 40]
        struct.pack_into("<H", data, 0x54, 0xF0 - 8)
        return bytes(data)

    @staticmethod
    def with_far_table():
        """The optional header is so long that the section table lies behind the first 4 KiB."""
        image = Image("x64")
        image.section(".text", CODE).put(b"\xC3" * 16)
        data = bytearray(image.file())
        table, far = DIRECTORIES_64 + 8 * COUNT_OF_DIRECTORIES, 0xFE0
        header = bytearray(data[table : table + 40])
        struct.pack_into("<III", header, 12, 0x2000, 0x200, 0x1200)  # RVA, size, file offset
        data = data[:table].ljust(far, b"\0") + header
        struct.pack_into("<H", data, 0x54, far - 0x58)
        struct.pack_into("<II", data, 0x90, 0x3000, 0x1200)  # SizeOfImage, SizeOfHeaders
        return bytes(data.ljust(0x1400, b"\0"))

    def test_other_loaders_have_other_rules(self):
        """The same holes in firmware say nothing: Windows' loader does not load it."""
        for subsystem in (10, 11, 12, 16):
            data = bytearray(seeds.headers_only("x64"))
            struct.pack_into("<H", data, 0x58 + 0x44, subsystem)
            struct.pack_into("<I", data, DIRECTORIES_64 + 8 * COUNT_OF_DIRECTORIES + 12, 0x3000)
            report = self.all_verbs(f"firmware-{subsystem}", bytes(data))["check"]
            self.assertEqual(report["status"], "clean", subsystem)

    def test_header_inside_itself(self):
        """e_lfanew into the DOS header: the PE header overlaps it, as the smallest known images have it."""
        whole = bytearray(seeds.headers_only("x64"))
        for lfanew in range(0, 0x40, 4):
            data = bytearray(whole)
            moved = whole[0x40:0x400]
            data[lfanew : lfanew + len(moved)] = moved
            struct.pack_into("<H", data, 0, 0x5A4D)
            struct.pack_into("<I", data, 0x3C, lfanew)
            self.all_verbs(f"lfanew-{lfanew:x}", bytes(data))


if __name__ == "__main__":
    unittest.main()
