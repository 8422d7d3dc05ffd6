"""Runs hvcifix in tests: the Linux program, or, in the variant "windows", hvcifix.exe under Wine (support/both.py)."""

import contextlib
import json
import os
import subprocess
import tempfile

TOOL = os.environ.get("HVCIFIX", "build/hvcifix")
PEER = os.environ.get("HVCIFIX_PEER")  # the Linux program, where TOOL is the Windows one
IS_WINDOWS = os.environ.get("HVCIFIX_VARIANT") == "windows"
# The same code as the plain program, built otherwise, and slow to start: of what that one tries, some is tried again.
IS_SLOW = IS_WINDOWS or os.environ.get("HVCIFIX_VARIANT") == "checked"
BATCH = 100 if IS_WINDOWS else 200  # images in one call; a command line of Windows has at most 32,767 characters

if IS_WINDOWS:
    from support import both


def run(*arguments, timeout=300, cwd=None, environment=None, alone=False):
    """The finished process of one call. On Windows the answer is compared with the Linux program's, unless `alone`: for
    calls where the systems themselves must differ, with the reason beside them."""
    arguments = list(map(str, arguments))
    if not IS_WINDOWS:
        return subprocess.run([TOOL, *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                              cwd=cwd, env=dict(os.environ, **(environment or {})), check=False)
    if alone:
        return both.programs().run(both.programs().command(TOOL, *arguments), environment, cwd, timeout)
    return both.run(PEER, TOOL, arguments, environment, cwd, timeout)


def command(*arguments):
    """The words that start the tool, for tests that start it themselves."""
    return both.programs().command(TOOL, *arguments) if IS_WINDOWS else [TOOL, *map(str, arguments)]


def together(calls, timeout=300):
    """[(exit code, output)] of calls that run at the same time. Output goes through files, because Wine's background
    processes keep pipes open."""
    environment = both.programs().environment if IS_WINDOWS else None
    with contextlib.ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in calls]
        running = [subprocess.Popen(command(*call), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment)
                   for call, output in zip(calls, outputs)]
        codes = [process.wait(timeout) for process in running]
        for output in outputs:
            output.seek(0)
        return list(zip(codes, [output.read() for output in outputs]))


def not_on_windows(reason):
    """A decorator: this test, or class of tests, is not one of the Windows program's, for a reason of the systems."""
    assert reason
    return lambda test: None if IS_WINDOWS else test


def nameable(paths):
    """Those paths that the system under test allows; on Linux, all."""
    return [path for path in paths if not IS_WINDOWS or both.can_be_named(path)]


def listed(folder, *names):
    """The path of a file that the tool found in a folder, as it is written on this system."""
    return ("\\" if IS_WINDOWS else "/").join([folder, *names])


def parse(output):
    """The images of a JSON report."""
    if not output.startswith(b"{"):
        raise AssertionError(f"no JSON report but {output[:2000]!r}")
    return json.loads(output)["images"]


def report(*arguments, **keywords):
    """(exit code, the JSON report's images) of one call."""
    done = run(*arguments, "--format", "json", **keywords)
    return done.returncode, parse(done.stdout)


def check(paths, *options):
    """The report of `check` on many images, in calls of BATCH images: {path: image}."""
    images = {}
    for first in range(0, len(paths), BATCH):
        for image in report("check", *options, *paths[first : first + BATCH])[1]:
            images[image["path"]] = image
    return images


def codes(image):
    """The codes of an image's findings, each once."""
    return {finding["code"] for finding in image["findings"]}
