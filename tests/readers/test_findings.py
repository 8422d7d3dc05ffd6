#!/usr/bin/python3
"""Compares hvcifix's findings with those of the independent reader, on every image of a list.

HVCIFIX_IMAGES names a file with one path a line; without it the tests are skipped, aloud (with
HVCIFIX_REQUIRE_ALL=1 that is a failure). HVCIFIX names the program; default build/hvcifix. Each image is judged for
two targets, on either side of Windows 10 version 1703.
"""

import json
import os
import re
import subprocess
import unittest

import reader
from image_paths import image_paths

IMAGES_A_RUN = 100
MOST_LISTED = {'HVCI2006': 48, 'HVCI2101': 56}  # lines of evidence that name a place, for each finding


def reports(paths, target):
    """{path: report} of hvcifix check."""
    program = os.environ.get('HVCIFIX', 'build/hvcifix')
    found = {}
    for first in range(0, len(paths), IMAGES_A_RUN):
        run = subprocess.run(
            [program, 'check', '--format', 'json', '--target', target] + paths[first:first + IMAGES_A_RUN],
            stdout=subprocess.PIPE, check=False)
        if run.returncode not in (0, 1, 3):  # 3: no Windows loads one of them
            raise AssertionError('%s exits with %d' % (program, run.returncode))
        for image in json.loads(run.stdout)['images']:
            if '!' not in image['path']:  # what a program carries with it is another test's (test_packages)
                found[image['path']] = image
    return found


def listed_rvas(findings):
    """RVAs that the evidence of findings names as places: "... at RVA 0x1234 (...". """
    lines = [line for finding in findings for line in finding['evidence']]
    matches = [re.match(r'.* at RVA 0x([0-9A-F]+) \([^)]*\)', line) for line in lines]
    return sorted(int(match.group(1), 16) for match in matches if match)


def short_name(image, header_offset):
    """Name of the section with that header, or None when the header refers to the string table."""
    for section in image.sections:
        if section.get_file_offset() == header_offset:
            name = section.Name.split(b'\0')[0].decode('latin-1')
            return None if name.startswith('/') else name
    raise AssertionError('no section header at 0x%X' % header_offset)


class Comparison:
    """One image, one target: collects disagreements as text."""

    def __init__(self, path, report, before_1703):
        self.path = path
        self.report = report
        self.before_1703 = before_1703
        self.disagreements = []
        self.by_code = {}
        for finding in report['findings']:
            self.by_code.setdefault(finding['code'], []).append(finding)

    def expect(self, what, ours, theirs):
        if ours != theirs:
            self.disagreements.append('%s: %s: hvcifix %r, reader %r' % (self.path, what, ours, theirs))

    def places(self, code, findings, places, image):
        count = sum(finding['count'] for finding in findings)
        if code in ('HVCI2003', 'HVCI2102'):
            self.expect(code + ' headers', sorted(f['file_offset'] for f in findings), places)
        elif code == 'HVCI2004':
            self.expect(code + ' findings', len(findings), 1)
            self.expect(code + ' sections', count, len(places))
        elif code == 'HVCI2005':
            self.expect(code + ' findings', len(findings), len(places))
            names = [short_name(image, place) for place in places]
            if None not in names:
                self.expect(code + ' sections', sorted(f['section'] for f in findings), sorted(names))
        else:
            self.expect(code + ' count', count, len(places))
            if all(finding['count'] <= MOST_LISTED[code] for finding in findings):
                self.expect(code + ' places', listed_rvas(findings), places)

    def compare(self):
        image = reader.Image(self.path)
        self.expect('readable', self.report['status'] != 'error', image.is_loaded_by_some_windows())
        answers = reader.judge(self.path)
        # What code asks for is no question of tables; tests/calls and tests/wine judge those verdicts.
        self.expect('failing rules', sorted(c for c in self.by_code if 'HVCI2003' <= c < 'HVCI23'), sorted(answers))
        for code in sorted(set(self.by_code) & set(answers)):
            self.places(code, self.by_code[code], answers[code], image)
            level = reader.expected_level(image, code, self.before_1703)
            self.expect(code + ' levels', {f['level'] for f in self.by_code[code]}, {level})
        return self.disagreements


class Findings(unittest.TestCase):
    maxDiff = None

    def check_target(self, target, before_1703):
        paths = image_paths()
        found = reports(paths, target)
        self.assertEqual(sorted(found), sorted(paths))
        disagreements = []
        for path in paths:
            disagreements += Comparison(path, found[path], before_1703).compare()
        self.assertEqual(disagreements, [])

    def test_target_1703(self):
        self.check_target('1703', before_1703=False)

    def test_target_1607(self):
        self.check_target('1607', before_1703=True)


if __name__ == '__main__':
    unittest.main()
