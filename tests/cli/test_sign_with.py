"""`fix --sign-with`: the signer is run on proved bytes, and nothing but a signature is let through.

osslsigncode signs, with a certificate made here, and judges what comes out; it is the second reader of digest and
checksum. Under Wine, where it does not run, cmd copies what it has signed before: to the tool that is a signer.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

from support import images, matrix, tool

NOTED, CLEAN = "init_rwx_x64", "clean_x64"


def fixture(file_name):
    return next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name)


def security_entry(image):
    """Where the header of a PE32+ image has its security directory entry."""
    return int.from_bytes(image[0x3C:0x40], "little") + 24 + 112 + 4 * 8


class Signing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.keys = tempfile.mkdtemp(prefix="hvcifix-test-")
        cls.addClassCleanup(shutil.rmtree, cls.keys)
        cls.certificate, cls.key = (os.path.join(cls.keys, name) for name in ("c.pem", "k.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", cls.key, "-out",
                        cls.certificate, "-days", "2", "-subj", "/CN=test", "-addext", "extendedKeyUsage=codeSigning"],
                       check=True, capture_output=True)
        cls.repaired = os.path.join(cls.keys, "repaired.sys")
        cls.signed = os.path.join(cls.keys, "signed.sys")
        assert tool.run("fix", fixture(NOTED), "-o", cls.repaired).returncode == 0
        cls.sign(cls.repaired, cls.signed)

    @classmethod
    def osslsigncode(cls):
        return f"osslsigncode sign -h sha256 -certs \"{cls.certificate}\" -key \"{cls.key}\""

    @classmethod
    def sign(cls, path, out):
        subprocess.run(["osslsigncode", "sign", "-h", "sha256", "-certs", cls.certificate, "-key", cls.key, "-in", path,
                        "-out", out], check=True, capture_output=True)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="hvcifix test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.image, self.out = self.path("my driver.sys"), self.path("out.sys")
        shutil.copyfile(fixture(NOTED), self.image)

    def path(self, name):
        return os.path.join(self.folder, name)

    def copier(self, path, target):
        """A signer of the system under test that gives the content of `path`; with {out} it leaves {} alone."""
        number = 1 if target == "{}" else 2
        if not tool.IS_WINDOWS:
            script, content = self.script("signer.sh"), f'cp "{path}" "${number}"'
        else:
            script, content = self.script("signer.bat"), '@copy /y "Z:%s" "%%~%u"' % (path.replace("/", "\\"), number)
        with open(script, "w", encoding="ascii", newline="\r\n" if tool.IS_WINDOWS else "\n") as file:
            file.write(content + "\n")
        if not tool.IS_WINDOWS:
            return f"sh '{script}' {{}} {'{out}' * (number == 2)}"
        return "cmd /c 'Z:%s' {} %s" % (script.replace("/", "\\"), "{out}" * (number == 2))

    def script(self, name):
        folder = tempfile.mkdtemp(prefix="hvcifix-test-")
        self.addCleanup(shutil.rmtree, folder)
        return os.path.join(folder, name)

    def fix(self, command, *options):
        # A signer's words are those of its own system.
        return tool.run("fix", self.image, "--sign-with", command, *(options or ("-o", self.out)), alone=True)

    def assert_refused(self, command, words, *options):
        before = {name: images.read(self.path(name)) for name in os.listdir(self.folder)}
        done = self.fix(command, *options)
        self.assertEqual(done.returncode, 4, done.stdout)
        self.assertIn(b"error HVCI9058: ", done.stdout)
        self.assertIn(words, done.stdout.decode())
        self.assertEqual({name: images.read(self.path(name)) for name in os.listdir(self.folder)}, before)

    def assert_signed(self, path):
        done = subprocess.run(["osslsigncode", "verify", "-CAfile", self.certificate, path], capture_output=True, text=True,
                              check=False)
        digests = [line.partition(": ")[2].strip() for line in done.stdout.splitlines() if " message digest " in line]
        self.assertEqual(len(digests), 2, done.stdout)
        self.assertEqual(digests[0], digests[1])
        headers = images.Headers(images.read(path))
        self.assertEqual(headers.stored_checksum(), headers.right_checksum())
        policy = self.path("policy.ini")
        with open(policy, "w", encoding="ascii") as file:
            file.write("[rules]\nHVCI2207 = error\nHVCI2209 = error\n")
        self.assertEqual(tool.run("check", "--policy", policy, path).returncode, 0)

    @tool.not_on_windows("osslsigncode is a program of the other system")
    def test_osslsigncode(self):
        for options in (("-o", self.out), ("--in-place",)):
            done = self.fix(self.osslsigncode() + " -in {} -out {out}", *options)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertIn(b"signed", done.stdout)
            self.assert_signed(self.out if options[0] == "-o" else self.image)
        self.assertEqual(sorted(os.listdir(self.folder)),
                         ["my driver.sys", "my driver.sys.hvcifix-undo", "out.sys", "policy.ini"])

    def test_a_signer_of_its_own(self):
        for target, options in (("{}", ("-o", self.out)), ("{out}", ("--in-place",))):
            done = self.fix(self.copier(self.signed, target), *options)
            self.assertEqual(done.returncode, 0, done.stdout)
            written = self.out if options[0] == "-o" else self.image
            self.assertEqual(images.read(written), images.read(self.signed))
            self.assert_signed(written)

    def test_failures(self):
        other = self.path("other.sys")
        self.sign(fixture(CLEAN), other)
        changed = bytearray(images.read(self.signed))
        changed[0x800] ^= 1
        spoilt, wrong_sum, longer = self.path("spoilt.sys"), self.path("sum.sys"), self.path("longer.sys")
        for path, data in ((spoilt, changed), (longer, images.read(self.signed) + bytes(range(16)))):
            with open(path, "wb") as file:
                file.write(data)
        data = bytearray(images.read(self.signed))
        checksum = int.from_bytes(data[0x3C:0x40], "little") + 24 + 64
        data[checksum] ^= 1
        with open(wrong_sum, "wb") as file:
            file.write(data)
        self.assert_refused(self.copier(other, "{}"), "changed more than a signature needs")
        self.assert_refused(self.copier(spoilt, "{}"), "changed more than a signature needs")
        self.assert_refused(self.copier(longer, "{}"), "more than a certificate table")
        self.assert_refused(self.copier(wrong_sum, "{}"), "wrong CheckSum")
        self.assert_refused(self.copier(self.repaired, "{}"), "no certificate table")
        self.assert_refused(self.copier(self.path("not there"), "{}"), "ended with code")
        self.assert_refused("no-such-signer {}", "cannot be started", "--in-place")
        self.assert_refused(self.copier(other, "{}"), "changed more", "--in-place")

    def test_digest_of_another_file(self):
        """The certificate of another image behind this one."""
        self.sign(fixture(CLEAN), self.path("clean.sys"))
        signed = images.read(self.path("clean.sys"))
        entry = security_entry(signed)
        certificates = signed[int.from_bytes(signed[entry:entry + 4], "little"):]
        data = bytearray(images.read(self.repaired))
        data += bytes(-len(data) % 8)
        entry = security_entry(data)
        data[entry:entry + 8] = len(data).to_bytes(4, "little") + len(certificates).to_bytes(4, "little")
        data += certificates
        headers = images.Headers(bytes(data))
        checksum = entry - 112 - 32 + 64
        data[checksum:checksum + 4] = headers.right_checksum().to_bytes(4, "little")
        with open(self.path("mixed.sys"), "wb") as file:
            file.write(data)
        self.assert_refused(self.copier(self.path("mixed.sys"), "{}"), "digest of another file")

    def test_only_what_is_repaired_is_signed(self):
        shutil.copyfile(fixture(CLEAN), self.image)
        done = self.fix("no-such-signer {}")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(images.read(self.out), images.read(self.image))
        shutil.copyfile(fixture(NOTED), self.image)
        done = self.fix("no-such-signer {}", "--dry-run")
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_usage(self):
        for command in ("signer", "{}", "", '"signer {}'):
            done = self.fix(command)
            self.assertEqual((done.returncode, b"HVCI9010" in done.stderr), (2, True), done)


if __name__ == "__main__":
    unittest.main()
