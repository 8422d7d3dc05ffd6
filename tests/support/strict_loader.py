"""The loader that is stricter than Wine (tests/loader, docs/TESTING.md), for tests: does an image still load and answer?

An original is loaded with the rights that it asks for, its repair as memory integrity would have it, both at two bases.
"""

import os
import struct
import subprocess

LIMIT_SECONDS = 100
ALL_WELL, DIFFERENT, WRONG_USE, ORIGINAL_FAILS = range(4)
MACHINES = {0x8664: "x64", 0x14C: "x86"}


class NoLoader(Exception):
    """There is no loader for the machine of this image."""


def machine_of(path):
    """"x64" or "x86"."""
    with open(path, "rb") as file:
        head = file.read(0x1000)
    pe_foff = struct.unpack_from("<I", head, 0x3C)[0]
    machine = struct.unpack_from("<H", head, pe_foff + 4)[0]
    if machine not in MACHINES:
        raise NoLoader(f"{path}: machine {machine:#x}")
    return MACHINES[machine]


def run(*words, machine=None):
    """(exit code, what the loader said); the last word is a path. The file may be damaged: then give the machine."""
    machine = machine or machine_of(words[-1])
    program = os.path.join(os.environ["HVCIFIX_BUILD"], "tests", f"strict-loader-{machine}")
    done = subprocess.run([program, *map(str, words)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT_SECONDS, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def differences(old, new, *options):
    """What the repaired driver does otherwise than the original, or where it breaks a rule; "" when nothing."""
    code, said = run(*options, old, new)
    if code == ALL_WELL:
        return ""
    return said or f"exit code {code}"


def answers(path, *options):
    """What a driver says that is loaded strictly; raises ValueError where it breaks a rule."""
    code, said = run(*options, path)
    if code != ALL_WELL:
        raise ValueError(said or f"exit code {code}")
    return said
