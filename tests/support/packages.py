"""Packages for tests, in memory: archives, and installers, which are programs with an archive behind their end."""

import io
import zipfile

from support import images, matrix


def content(file_name):
    """The bytes of a fixture of the table."""
    return images.read(next(fixture.path for fixture in matrix.read() if fixture.file_name == file_name))


def zipped(members, method=zipfile.ZIP_DEFLATED):
    """An archive of {name: content}."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return stream.getvalue()


def user_program():
    """A program that is no driver."""
    return images.read(next(fixture.path for fixture in matrix.read() if fixture.file_name.startswith("user")))


def installer(members, program=None, gap_nbytes=0):
    """The program, by default one that is no driver, with an archive of {name: content} behind it."""
    return (program or user_program()) + bytes(gap_nbytes) + zipped(members)
