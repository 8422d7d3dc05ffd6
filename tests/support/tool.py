"""Runs hvcifix in tests."""

import json
import os
import subprocess

TOOL = os.environ.get("HVCIFIX", "build/hvcifix")
BATCH = 200  # images in one call


def run(*arguments, timeout=300, **keywords):
    """The finished process of one call."""
    return subprocess.run([TOOL, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=timeout, check=False, **keywords)


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
