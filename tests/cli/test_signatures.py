"""Signed images: left alone for notes, refused for more, rewritten on request; catalogs count as signatures.

The Authenticode digest is computed here a second time, from the PE specification, and compared with what
osslsigncode prints for the signed fixture.
"""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import unittest

from support import tool

FIXTURES = os.environ.get("HVCIFIX_FIXTURES", os.path.join(os.environ.get("HVCIFIX_BUILD", "build"), "fixtures"))


def fixture(name):
    return os.path.join(FIXTURES, name + ".sys")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    with open(path, "wb") as file:
        file.write(content)


def authenticode_digest(image, algorithm):
    pe = struct.unpack_from("<I", image, 0x3C)[0]
    optional = pe + 24
    is_64 = struct.unpack_from("<H", image, optional)[0] == 0x20B
    checksum, entry = optional + 64, optional + (112 if is_64 else 96) + 4 * 8
    table = struct.unpack_from("<I", image, entry)[0]
    end = table if table else len(image)
    data = image[:checksum] + image[checksum + 4:entry] + image[entry + 8:end]
    return hashlib.new(algorithm, data + bytes(-end % 8)).digest()


class Signatures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def test_signed_with_notes_only_is_left_alone(self):
        for machine in ("x64", "x86"):
            original = read(fixture("signed_" + machine))
            target = self.path("a.sys")
            write(target, original)
            before = os.stat(target).st_mtime_ns
            result = tool.run("fix", "--in-place", target)
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertIn("left alone", result.stdout.decode())
            self.assertEqual(read(target), original)
            self.assertEqual(os.stat(target).st_mtime_ns, before)

    def test_dropping_the_signature(self):
        out = self.path("out.sys")
        result = tool.run("fix", "--drop-signature", fixture("signed_x64"), "-o", out)
        self.assertEqual(result.returncode, 0, result.stdout)
        verified = subprocess.run(["osslsigncode", "verify", out], capture_output=True)
        self.assertIn(b"No signature found", verified.stdout + verified.stderr)
        self.assertEqual(tool.run("verify", fixture("signed_x64"), out).returncode, 0)
        # what is left is the unsigned linker output, repaired, perhaps padded to 8 bytes for the signature
        unsigned = self.path("unsigned.sys")
        self.assertEqual(tool.run("fix", fixture("init_rwx_x64"), "-o", unsigned).returncode, 0)
        self.assertEqual(read(out)[:len(read(unsigned))], read(unsigned))
        self.assertFalse(read(out)[len(read(unsigned)):].strip(b"\0"))

    def test_our_digest_is_what_signers_compute(self):
        result = subprocess.run(["osslsigncode", "verify", fixture("signed_x64")], capture_output=True)
        printed = re.search(rb"Calculated message digest\s*: ([0-9A-F]+)", result.stdout)
        self.assertIsNotNone(printed, result.stdout)
        algorithm = {40: "sha1", 64: "sha256"}[len(printed.group(1))]
        self.assertEqual(authenticode_digest(read(fixture("signed_x64")), algorithm).hex().upper(),
                         printed.group(1).decode())

    def test_catalog_beside_the_image_counts(self):
        image = read(fixture("init_rwx_x64"))
        target = self.path("driver.sys")
        for algorithm in ("sha1", "sha256"):
            write(target, image)
            write(self.path("driver.CAT"), b"0\x82\x01\x00 any DER " + authenticode_digest(image, algorithm) + b" more")
            result = tool.run("fix", "--in-place", target)
            self.assertEqual(result.returncode, 0)
            self.assertIn("driver.CAT", result.stdout.decode())
            self.assertEqual(read(target), image)
            result = tool.run("fix", "--in-place", "--drop-signature", target)
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertNotEqual(read(target), image)

    def test_catalog_of_another_image_does_not_count(self):
        image = read(fixture("init_rwx_x64"))
        target = self.path("driver.sys")
        write(target, image)
        write(self.path("other.cat"), hashlib.sha256(b"another").digest())
        result = tool.run("fix", "--format", "json", "--in-place", target)
        self.assertEqual(result.returncode, 0)
        self.assertEqual(json.loads(result.stdout)["images"][0]["status"], "fixed")


if __name__ == "__main__":
    unittest.main()
