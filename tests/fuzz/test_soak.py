"""`make fuzz` with a slip in T or S says so in one sentence, before anything is built."""

import os
import pathlib
import subprocess
import tempfile
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent


class Soak(unittest.TestCase):
    def test_wrong_words(self):
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
        for word, said in (("T=nonsense", 'T="nonsense" names no fuzz target'), ("T=image code bogus", "no fuzz target"),
                           ("T=", "no fuzz target"), ("S=abc", 'S="abc" is no number'), ("S=", "no number"),
                           ("S=1", "no number"), ("S=-5", "no number"), ("S=1.5", "no number"), ("S=5 6", "no number")):
            with self.subTest(word=word), tempfile.TemporaryDirectory() as build:
                done = subprocess.run(["make", "-C", SOURCE, "--no-print-directory", "fuzz", word, f"BUILD={build}/b"],
                                      env=clean, capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 2)
                self.assertIn(said, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1)
                self.assertEqual(os.listdir(build), [])


if __name__ == "__main__":
    unittest.main()
