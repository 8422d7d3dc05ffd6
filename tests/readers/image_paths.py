"""The images that the readers compare: one path a line in the file that HVCIFIX_IMAGES names."""

import os
import unittest


def image_paths():
    """Paths of the list; raises SkipTest, or fails, when there is no list."""
    path_list = os.environ.get('HVCIFIX_IMAGES')
    if not path_list:
        message = 'HVCIFIX_IMAGES is not set: no image is compared'
        if os.environ.get('HVCIFIX_REQUIRE_ALL') == '1':
            raise AssertionError(message)
        raise unittest.SkipTest(message)
    with open(path_list, encoding='utf-8') as lines:
        paths = [line.rstrip('\n') for line in lines if line.strip()]
    if not paths:
        raise AssertionError(path_list + ' is empty')
    return paths
