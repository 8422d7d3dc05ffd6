"""Takes the PE images out of a package's archive.

extract_images.py ARCHIVE FOLDER unpacks every PE image of a .tgz or .nupkg below FOLDER, and every PE image
that such an image carries in its resources as FOLDER/IMAGE.resources/TYPE_NAME.sys. Windows metadata (.winmd), which
is no program, is passed over. Prints how many there are.
"""

import pathlib
import sys
import tarfile
import zipfile

import pefile


def members(archive):
    """Yields (name, bytes) of each file in a .tgz or .nupkg."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as package:
            for name in package.namelist():
                if not name.endswith("/"):
                    yield name, package.read(name)
        return
    with tarfile.open(archive) as package:
        for member in package:
            if member.isfile():
                yield member.name, package.extractfile(member).read()


def is_image(data):
    if data[:2] != b"MZ" or len(data) < 0x40:
        return False
    header_foff = int.from_bytes(data[0x3C:0x40], "little")
    return data[header_foff : header_foff + 4] == b"PE\0\0"


def images_in_resources(data):
    """Yields (name, bytes) of each PE image stored as a resource."""
    pe = pefile.PE(data=data, fast_load=True)
    pe.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_RESOURCE"]])
    if not hasattr(pe, "DIRECTORY_ENTRY_RESOURCE"):
        return
    for kind in pe.DIRECTORY_ENTRY_RESOURCE.entries:
        for entry in kind.directory.entries if hasattr(kind, "directory") else []:
            for leaf in entry.directory.entries if hasattr(entry, "directory") else []:
                content = pe.get_data(leaf.data.struct.OffsetToData, leaf.data.struct.Size)
                if is_image(content):
                    yield f"{kind.name or kind.id}_{entry.name or entry.id}", content


def main(archive, folder):
    folder = pathlib.Path(folder).resolve()
    count = 0
    for name, data in members(archive):
        target = (folder / name).resolve()
        if name.lower().endswith(".winmd") or not is_image(data) or folder not in target.parents:
            continue
        images = [(target, data)]
        images += [(target.parent / f"{target.name}.resources" / f"{inner}.sys", content)
                   for inner, content in images_in_resources(data)]
        for path, content in images:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            count += 1
    print(count)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
