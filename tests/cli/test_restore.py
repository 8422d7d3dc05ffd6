"""`restore`: back to the original, byte for byte, by what `fix --in-place` leaves; and nothing else, whatever lies there.

The format is built and taken apart here by a reader of its own (docs/UNDO.md). What the original was is known without
the tool: the fixture's own bytes.
"""

import hashlib
import json
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

from support import images, matrix, schema, tool

UNDO = ".hvcifix-undo"
HEAD = struct.Struct("<8sHHIII32s32sIIII32s")  # docs/UNDO.md
NO_SOURCE = 0xFFFFFFFF
STEPS = {"plain": 1, "checked": 7, "windows": 40}  # every byte of a side file is damaged, or some in the slower builds


def sha256(data):
    return hashlib.sha256(data).digest()


def records(data):
    """[(original size, repaired size, SHA-256s, description bytes, ranges, differences)] by docs/UNDO.md."""
    found = []
    while data:
        (magic, version, head_size, size, original, repaired, original_sha, repaired_sha, description_size,
         description_packed, range_count, delta_packed, digest) = HEAD.unpack_from(data)
        assert (magic, version, head_size) == (b"HVCIUNDO", 1, HEAD.size), data[:16]
        assert size == HEAD.size + description_packed + delta_packed
        assert digest == sha256(data[: HEAD.size - 32] + data[HEAD.size : size])
        description = zlib.decompress(data[HEAD.size : HEAD.size + description_packed])
        delta = zlib.decompress(data[HEAD.size + description_packed : size])
        assert (len(description), len(delta)) == (description_size, 8 * range_count + original)
        ranges = list(struct.iter_unpack("<II", delta[: 8 * range_count]))
        found.append((original, repaired, original_sha, repaired_sha, description, ranges, delta[8 * range_count :]))
        data = data[size:]
    return found


def apply(record, repaired):
    original, at = bytearray(), 0
    for length, source in record[5]:
        for i in range(length):
            there = repaired[source + i] if source != NO_SOURCE and source + i < len(repaired) else 0
            original.append((record[6][at] + there) & 0xFF)
            at += 1
    return bytes(original)


def build(old, new, ranges=None, delta=None, description=b"", **changed):
    """A record that leads from `new` to `old`, with fields changed, and a right digest."""
    ranges = [(len(old), NO_SOURCE)] if ranges is None else ranges
    delta = old if delta is None else delta
    packed = zlib.compress(b"".join(struct.pack("<II", *r) for r in ranges) + delta)
    packed_description = zlib.compress(description)
    fields = dict(magic=b"HVCIUNDO", version=1, head=HEAD.size, size=None, original=len(old),
                  repaired=len(new), original_sha=sha256(old), repaired_sha=sha256(new),
                  description_size=len(description), description_packed=len(packed_description),
                  range_count=len(ranges), delta_packed=len(packed))
    fields.update(changed)
    body = changed.pop("body", packed_description + packed)
    fields.pop("body", None)
    if fields["size"] is None:
        fields["size"] = HEAD.size + len(body)
    head = HEAD.pack(*fields.values(), bytes(32))[:-32]
    return head + sha256(head + body) + body


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.target = os.path.join(self.folder, "driver.sys")
        self.undo = self.target + UNDO

    def fixture(self, name):
        return images.read(next(f for f in matrix.read() if f.file_name == name).path)

    def put(self, path, data):
        with open(path, "wb") as file:
            file.write(data)

    def fix(self, *options, path=None, code=0):
        done = tool.run("fix", "--in-place", *options, path or self.target)
        self.assertEqual(done.returncode, code, done.stdout)
        return done

    def repaired(self, name="init_rwx_x64"):
        """(original, repaired) with the repaired one at the target."""
        old = self.fixture(name)
        self.put(self.target, old)
        self.fix()
        return old, images.read(self.target)

    def restore(self, *options, code=0, path=None):
        done = tool.run("restore", "--format", "json", *options, path or self.target)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        schema.validate(json.loads(done.stdout))
        return json.loads(done.stdout)["restores"][0]

    def assert_refused(self, code, exit_code, image, undo):
        report = self.restore(code=exit_code)
        self.assertIn(report["result"], ("refused", "error"))
        self.assertEqual([finding["code"] for finding in report["findings"]], [code])
        self.assertTrue(report["findings"][0]["cure"])
        self.assertEqual(images.read(self.target), image)
        if undo is not None:
            self.assertEqual(images.read(self.undo), undo)
        text = tool.run("restore", self.target)
        self.assertEqual(text.returncode, exit_code)
        self.assertIn(f" : error {code}: ".encode(), text.stdout)
        return report


class ThereAndBack(Case):
    def test_fixtures(self):
        """Every tenth image that a repair changes; the side file is read and applied by the reader above as well."""
        seen = 0
        for fixture in matrix.read()[:: 9 if tool.IS_WINDOWS else 3]:
            old = images.read(fixture.path)
            self.put(self.target, old)
            tool.run("fix", "--quiet", "--in-place", self.target)
            new = images.read(self.target)
            self.assertEqual(os.path.exists(self.undo), old != new, fixture.file_name)
            if old == new:
                continue
            seen += 1
            side = images.read(self.undo)
            record, = records(side)
            self.assertEqual(record[:4], (len(old), len(new), sha256(old), sha256(new)))
            self.assertEqual(apply(record, new), old)
            self.assertLess(len(side), 2000 + len(old) // 8, fixture.file_name)
            self.assertEqual(self.restore()["result"], "restored")
            self.assertEqual(images.read(self.target), old)
            self.assertEqual(os.listdir(self.folder), ["driver.sys"])
        self.assertGreater(seen, 10)

    def test_what_it_says(self):
        old, new = self.repaired()
        dry = self.restore("--dry-run")
        self.assertEqual((dry["result"], dry["written"], dry["undo_removed"]), ("can-be-restored", None, False))
        self.assertEqual(dry["original"], {"size": len(old), "sha256": sha256(old).hex()})
        self.assertEqual(images.read(self.target), new)
        shown = tool.run("restore", self.target)
        self.assertIn(b"driver.sys: restored\n", shown.stdout)
        self.assertIn(sha256(old).hex().encode(), shown.stdout)
        self.assertEqual(images.read(self.target), old)

    def test_to_another_file(self):
        old, new = self.repaired()
        out = os.path.join(self.folder, "old.sys")
        self.assertEqual(self.restore("-o", out)["written"], out)
        self.assertEqual((images.read(out), images.read(self.target)), (old, new))
        self.assertTrue(os.path.exists(self.undo))

    def test_by_the_name_of_the_side_file(self):
        old, _ = self.repaired()
        self.assertEqual(self.restore(path=self.undo)["path"], self.target)
        self.assertEqual(images.read(self.target), old)

    def test_several(self):
        olds = {}
        for name in ("init_rwx_x64", "all_defects_x64", "clean_x64"):
            olds[name] = self.fixture(name)
            self.put(os.path.join(self.folder, name), olds[name])
            self.fix(path=os.path.join(self.folder, name))
        done = tool.run("restore", "--format", "json", *[os.path.join(self.folder, name) for name in olds])
        self.assertEqual(done.returncode, 3)  # one of them was never repaired
        results = [(r["result"], [f["code"] for f in r["findings"]]) for r in json.loads(done.stdout)["restores"]]
        self.assertEqual(results, [("restored", [])] * 2 + [("refused", ["HVCI9090"])])
        for name, old in olds.items():
            self.assertEqual(images.read(os.path.join(self.folder, name)), old)

    def test_one_repair_after_another(self):
        """The way back leads to the first original, from every state in between."""
        old = self.fixture("all_defects_x64")
        self.put(self.target, old)
        self.fix("--only", "HVCI2102", code=1)
        middle = images.read(self.target)
        self.fix()
        new = images.read(self.target)
        side = images.read(self.undo)
        self.assertEqual(len({old, middle, new}), 3)
        first, second = records(side)
        self.assertEqual((apply(second, new), apply(first, middle)), (middle, old))
        for image, count in ((new, 2), (middle, 1), (old, 0)):
            self.put(self.target, image)
            self.put(self.undo, side)
            report = self.restore()
            self.assertEqual((report["result"], report["repairs_undone"]),
                             ("restored" if count else "already-original", count))
            self.assertEqual(images.read(self.target), old)
            self.assertFalse(os.path.exists(self.undo))
        # What leads back from a state that is no longer the image's is not kept.
        self.put(self.target, middle)
        self.put(self.undo, side)
        self.fix()
        self.assertEqual(images.read(self.undo), side)
        # An image that was linked anew has nothing to do with what lay beside the one before.
        other = self.fixture("init_rwx_x64")
        self.put(self.target, other)
        self.fix()
        self.assertEqual(len(records(images.read(self.undo))), 1)
        self.restore()
        self.assertEqual(images.read(self.target), other)

    def test_signed_since(self):
        """The sitting is repair, sign, try; the way back leads over the signature."""
        certificate = os.path.join(self.folder, "c.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "30",
                        "-addext", "extendedKeyUsage=codeSigning", "-keyout", certificate + ".key", "-out", certificate],
                       check=True, capture_output=True)
        for name in ("init_rwx_x64", "all_defects_x64", "wx_text_x86"):
            old, _ = self.repaired(name)
            signed = os.path.join(self.folder, "signed.sys")
            if os.path.exists(signed):
                os.remove(signed)
            subprocess.run(["osslsigncode", "sign", "-certs", certificate, "-key", certificate + ".key", "-in", self.target,
                            "-out", signed], check=True, capture_output=True)
            os.replace(signed, self.target)
            data = images.read(self.target)
            self.assertTrue(self.restore()["was_signed"])
            self.assertEqual(images.read(self.target), old)
            # A signed image in which anything else was changed is another one.
            self.fix()
            side = images.read(self.undo)
            changed = bytearray(data)
            changed[0x40] ^= 1
            self.put(self.target, changed)
            self.assert_refused("HVCI9093", 1, bytes(changed), side)

    def test_no_undo(self):
        old = self.fixture("init_rwx_x64")
        self.put(self.target, old)
        self.fix("--no-undo")
        self.assertEqual(os.listdir(self.folder), ["driver.sys"])
        self.assert_refused("HVCI9090", 3, images.read(self.target), None)
        out = os.path.join(self.folder, "out.sys")
        self.put(self.target, old)
        self.assertEqual(tool.run("fix", self.target, "-o", out).returncode, 0)
        self.assertFalse(os.path.exists(out + UNDO))
        self.assertEqual(tool.run("fix", "--no-undo", "-o", out, self.target).returncode, 2)

    def test_enforce_leaves_none(self):
        self.put(self.target, self.fixture("wx_text_x64"))
        self.assertEqual(tool.run("enforce", "--mode", "fix", self.target).returncode, 0)
        self.assertEqual(os.listdir(self.folder), ["driver.sys"])

    @tool.not_on_windows("Wine makes no symbolic links")
    def test_link(self):
        """The side file lies beside the file, whatever leads there."""
        link = os.path.join(self.folder, "link.sys")
        os.symlink("driver.sys", link)
        old = self.fixture("init_rwx_x64")
        for by, back in ((link, self.target), (self.target, link), (link, link)):
            self.put(self.target, old)
            self.fix(path=by)
            self.assertEqual(sorted(os.listdir(self.folder)), ["driver.sys", "driver.sys" + UNDO, "link.sys"])
            self.assertEqual(self.restore(path=back)["result"], "restored")
            self.assertEqual(images.read(self.target), old)
            self.assertTrue(os.path.islink(link))

    def test_long_and_foreign_names(self):
        deep = os.path.join(self.folder, *["a" * 60] * 5, "Übung ふ\U0001f600")
        os.makedirs(deep)
        path = os.path.join(deep, "Gerät ß.sys")
        old = self.fixture("init_rwx_x64")
        self.put(path, old)
        self.fix(path=path)
        self.assertEqual(tool.report("show", path + UNDO)[1][0]["undo"]["records"][0]["image"], "Gerät ß.sys")
        self.restore(path=path)
        self.assertEqual(images.read(path), old)
        self.assertEqual(os.listdir(deep), ["Gerät ß.sys"])

    @tool.not_on_windows("rights are those of Linux; wine/test_windows_files.py looks at attributes")
    def test_rights(self):
        old, _ = self.repaired()
        os.chmod(self.target, 0o751)
        self.restore()
        self.assertEqual(os.stat(self.target).st_mode & 0o777, 0o751)
        os.chmod(self.target, 0o640)
        self.fix()
        self.assertEqual(os.stat(self.undo).st_mode & 0o777, 0o640)
        new, side = images.read(self.target), images.read(self.undo)
        os.chmod(self.target, 0o440)
        self.assert_refused("HVCI9007", 4, new, side)

    def test_read_only(self):
        """A read-only image stays, and nothing lies beside it."""
        self.put(self.target, self.fixture("init_rwx_x64"))
        os.chmod(self.target, 0o444)
        self.fix(code=4)
        self.assertEqual(os.listdir(self.folder), ["driver.sys"])


class Refusals(Case):
    def test_another_image(self):
        _, new = self.repaired()
        side = images.read(self.undo)
        for image in (new[:-1], new + b"x", self.fixture("clean_x64"), b"", b"no image"):
            self.put(self.target, image)
            self.assert_refused("HVCI9093", 1, image, side)

    def test_no_image(self):
        self.repaired()
        os.remove(self.target)
        self.assertEqual(self.restore(code=3)["findings"][0]["code"], "HVCI9006")
        self.assertTrue(os.path.exists(self.undo))

    def test_damaged(self):
        _, new = self.repaired()
        side = images.read(self.undo)
        damaged = [side[:n] for n in (0, 7, 8, 100, HEAD.size, len(side) - 1)] + [side + b"x", side + side, b"text"]
        for at in range(0, len(side), STEPS[os.environ["HVCIFIX_VARIANT"]]):
            if at not in (8, 9):  # the version: below
                damaged.append(side[:at] + bytes([side[at] ^ 0x10]) + side[at + 1 :])
        for number, data in enumerate(damaged):
            self.put(self.undo, data)
            if number % 40 == 0:
                self.assert_refused("HVCI9091", 3, new, data)
            self.assertEqual(self.restore(code=3)["findings"][0]["code"], "HVCI9091", number)
            self.assertEqual(images.read(self.target), new)
            if number % 40 == 0:
                self.assertEqual(tool.run("show", self.undo).returncode, 3)

    def test_newer(self):
        old, new = self.repaired()
        side = build(old, new, version=2)
        self.put(self.undo, side)
        self.assert_refused("HVCI9092", 3, new, side)
        # It is not overwritten either.
        self.put(self.target, old)
        self.assertIn(b"HVCI9094", self.fix(code=4).stdout)
        self.assertEqual((images.read(self.target), images.read(self.undo)), (old, side))
        self.put(self.undo, b"somebody's notes")
        self.assertIn(b"HVCI9094", self.fix(code=4).stdout)
        self.assertEqual((images.read(self.target), images.read(self.undo)), (old, b"somebody's notes"))
        self.assertEqual(self.fix("--no-undo").returncode, 0)

    def test_folder_in_the_way(self):
        old = self.fixture("init_rwx_x64")
        self.put(self.target, old)
        os.mkdir(self.undo)
        self.fix(code=4)
        self.assertEqual(images.read(self.target), old)

    def test_hostile(self):
        """Records with right checksums that lie. What one leads to has the SHA-256 that it names, or nothing happens."""
        old, new = self.repaired()
        good = build(old, new)
        self.put(self.undo, good)
        self.assertEqual(self.restore()["result"], "restored")
        self.assertEqual(images.read(self.target), old)
        self.put(self.target, new)
        bomb = zlib.compress(bytes(64 << 20))
        lies = {
            "other original": build(old, new, original_sha=sha256(b"x")),
            "original too large": build(old, new, original=0xFFFFFFFF),
            "original above the limit": build(old, new, original=2 * len(new) + (16 << 20) + 1),
            "empty original": build(old, new, original=0),
            "ranges too many": build(old, new, range_count=0xFFFFFFFF),
            "ranges too short": build(old, new, ranges=[(len(old) - 1, NO_SOURCE)]),
            "ranges too long": build(old, new, ranges=[(len(old), NO_SOURCE), (1, 0)]),
            "range of 4 GiB": build(old, new, ranges=[(0xFFFFFFFF, 0)]),
            "no ranges": build(old, new, ranges=[]),
            "a bomb": build(old, new, body=zlib.compress(b"") + bomb, delta_packed=len(bomb)),
            "a bomb of words": build(old, new, body=bomb + zlib.compress(b""), description_packed=len(bomb),
                                     delta_packed=8, description_size=0xFFFFFFFF),
            "words cut off": build(old, new, description=b"\1\0\5\0\0\0ab"),
            "words of 4 GiB": build(old, new, description=b"\1\0\xff\xff\xff\xffab"),
            "words with NUL": build(old, new, description=b"\1\0\2\0\0\0a\0"),
            "no stream": build(old, new, body=b"xx" + b"yy", description_packed=2, delta_packed=2),
            "head of another size": build(old, new, head=HEAD.size + 1),
            "version 0": build(old, new, version=0),
            "sizes that overflow": build(old, new, description_packed=0xFFFFFFFF),
            "a gap": build(b"1", b"2") + build(old, new),
            "forty records": build(old, old) * 40,
        }
        for name, side in lies.items():
            with self.subTest(name):
                self.put(self.undo, side)
                report = self.restore(code=3)
                self.assertEqual(report["findings"][0]["code"], "HVCI9091")
                self.assertEqual((images.read(self.target), images.read(self.undo)), (new, side))
                self.assertIn(tool.run("show", self.undo).returncode, (0, 3))
        # A source behind the end stands for zeros, as the format says.
        self.put(self.undo, build(old, new, ranges=[(len(old), 0xFFFFFFF0)]))
        self.assertEqual(self.restore()["result"], "restored")
        self.assertEqual(images.read(self.target), old)

    def test_words_of_a_record_are_harmless(self):
        old, new = self.repaired()
        words = "\x1b[2J\nx.c(1) : error C1: forged".encode()
        text = b"".join(struct.pack("<HI", tag, len(words)) + words for tag in (5, 1, 2, 3, 5, 4, 5, 99))
        self.put(self.undo, build(old, new, description=text))
        shown = tool.run("show", self.undo)
        self.assertEqual(shown.returncode, 0)
        self.assertNotIn(b"\x1b", shown.stdout)
        self.assertFalse([line for line in shown.stdout.splitlines() if line.startswith(b"x.c")])
        record, = tool.report("show", self.undo)[1][0]["undo"]["records"]
        self.assertEqual(record["cured"], [{"what": words.decode(), "why": words.decode()}])
        self.put(self.target, self.fixture("clean_x64"))
        self.assertNotIn(b"\x1b", tool.run("restore", self.target).stdout)


class Show(Case):
    def test_show(self):
        old, new = self.repaired("all_defects_x64")
        side = images.read(self.undo)
        done = tool.run("show", "--format", "json", self.undo)
        schema.validate(json.loads(done.stdout))
        shown = json.loads(done.stdout)["images"][0]
        self.assertEqual((shown["path"], shown["undo"]["size"]), (self.undo, len(side)))
        record, = shown["undo"]["records"]
        self.assertEqual(record["original"], {"size": len(old), "sha256": sha256(old).hex()})
        self.assertEqual(record["repaired"], {"size": len(new), "sha256": sha256(new).hex()})
        self.assertEqual(record["image"], "driver.sys")
        self.assertIn(record["tool_version"], tool.run("--version").stdout.decode())
        cured = {fact["what"][:8] for fact in record["cured"]}
        self.assertTrue({"HVCI2003", "HVCI2004", "HVCI2005"} <= cured, cured)
        self.assertTrue(any("laid out anew" in fact["what"] and fact["why"] for fact in record["changes"]))
        text = tool.run("show", self.undo).stdout.decode()
        for words in (sha256(old).hex(), sha256(new).hex(), "undo file of 1 repair", "HVCI2005: "):
            self.assertIn(words, text)

    def test_codes_are_explained(self):
        for code in range(9090, 9095):
            self.assertEqual(tool.run("explain", str(code)).returncode, 0)


if __name__ == "__main__":
    unittest.main()
