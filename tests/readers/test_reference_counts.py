#!/usr/bin/python3
"""Compares the reference inventory with independent readers, source by source, on the images of a list.

HVCIFIX_IMAGES names a file with one path a line; without it the tests are skipped, aloud (with
HVCIFIX_REQUIRE_ALL=1 that is a failure). HVCIFIX names the program; default build/hvcifix.

llvm-readobj-19 reads base relocations, imports, exports, delay imports, debug and TLS directories, load configuration
and its tables, and unwind data; objdump reads symbols; pefile reads resources, the imports of IA64 images, whose
thunks llvm-readobj takes for 32 bits wide, and export directories without an export, which llvm-readobj refuses.
Where a reader prints places or values, not only the counts but the values are compared.
"""

import collections
import functools
import gc
import json
import os
import re
import subprocess
import unittest

from image_paths import image_paths
from reader import Headers

VARIANTS = ('plain',)
IMAGES_A_RUN = 10
WINE_STEP = 4  # Wine's images are many, and made by one tool chain: its drivers, and every fourth of the others
LARGEST_UNWIND_NBYTES = 4 << 20  # llvm-readobj prints a hundred lines for each function
READOBJ = 'llvm-readobj-19'
HEADERS = ('--file-headers', '--coff-basereloc', '--coff-imports', '--coff-debug-directory', '--coff-load-config',
           '--coff-tls-directory')
EXPORTS, UNWIND = ('--coff-exports',), ('--unwind',)
EXPORT_DIRECTORY, IMPORT_DIRECTORY, RESOURCE_DIRECTORY, EXCEPTION_DIRECTORY = 0, 1, 2, 3
UNWIND_MACHINES = ('IMAGE_FILE_MACHINE_AMD64', 'IMAGE_FILE_MACHINE_ARM64', 'IMAGE_FILE_MACHINE_ARM64X')
ABSOLUTE = 'ABSOLUTE'
# Fields of the load configuration from here on (GuardXFGCheckFunctionPointer) are not printed by llvm-readobj 19.
FIRST_UNPRINTED_FIELD = {'32bit': 0xAC, '64bit': 0x118}
LOAD_CONFIG_ADDRESSES = [
    'LockPrefixTable', 'EditList', 'SecurityCookie', 'SEHandlerTable', 'GuardCFCheckFunction',
    'GuardCFCheckDispatch', 'GuardCFFunctionTable', 'GuardAddressTakenIatEntryTable', 'GuardLongJumpTargetTable',
    'DynamicValueRelocTable', 'CHPEMetadataPointer', 'GuardRFFailureRoutine',
    'GuardRFFailureRoutineFunctionPointer', 'GuardRFVerifyStackPointerFunctionPointer',
    'EnclaveConfigurationPointer', 'VolatileMetadataPointer', 'GuardEHContinuationTable']
GUARD_TABLES = ['SEHTable', 'GuardFidTable', 'GuardIatTable', 'GuardLJmpTable', 'GuardEHContTable']

# Values of `detail`, as tool/refs/refset.h documents them.
EXPORT_ADDRESS, EXPORT_FORWARDER = 1, 2
IMPORT_LOOKUP, IMPORT_IAT = 3, 4
FUNCTION_BEGIN, HANDLER = 0, 3
DEBUG_ENTRY = 0x100
OTHER_TABLES = {'32bit': (0x20, 0xA0), '64bit': (0x28, 0x100)}  # LockPrefixTable, VolatileMetadataPointer


def inventories(paths):
    """Yields (path, references by source) from hvcifix show, of so many paths as fit into a call."""
    program = os.environ.get('HVCIFIX', 'build/hvcifix')
    run = subprocess.run([program, 'show', '--references', '--no-code', '--format', 'json'] + paths,
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    if run.returncode not in (0, 1):
        raise AssertionError('%s exits with %d' % (program, run.returncode))
    for image in json.loads(run.stdout)['images']:
        by_source = collections.defaultdict(list)
        for reference in image['references']:
            by_source[reference['source']].append(reference)
        yield image['path'], by_source


def readobj(options, paths):
    """{path: (exit code, text)} of llvm-readobj. Starting it takes longer than most images: one call reads many, up to
    the first that it does not end well with. What is said of that one is what a call for it alone says."""
    said = {}
    while paths:
        run = subprocess.run([READOBJ, *options, *paths], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
        texts = re.split(r'^(?=File: /)', run.stdout.decode('utf-8', 'replace'), flags=re.MULTILINE)[1:]
        if len(paths) == 1:
            texts = [''.join(texts)]
        elif run.returncode:
            texts = texts[:-1]  # a file's text is whole when that of the next one has begun
        for path, text in zip(paths, texts):
            if len(paths) > 1 and not text.startswith('File: %s\n' % path):
                raise AssertionError('llvm-readobj: %r instead of %s' % (text[:200], path))
            said[path] = (run.returncode if len(paths) == 1 else 0, text)
        if len(paths) > 1 and run.returncode:
            said.update(readobj(options, paths[len(texts):len(texts) + 1]))
            paths = paths[len(texts) + 1:]
        else:
            paths = paths[len(texts):]
    return said


def numbers(text, field):
    """All values of a field in printed order: "Field: 0x12" or "Field: symbol (0x12)"."""
    return [int(value, 0) for value in
            re.findall(r'^ *' + field + r': (?:[^\n]*\()?(0x[0-9A-F]+|\d+)\)?$', text, re.MULTILINE)]


class Readobj:
    """What llvm-readobj says about one image: `said` of the headers, of exports, and of unwind data."""

    def __init__(self, path, said):
        self.path = path
        self.said = said
        code, text = said[HEADERS]
        if code:
            raise AssertionError('%s: %s exits with %d' % (path, READOBJ, code))
        self.blocks = collections.defaultdict(list)
        for block in re.split(r'\n(?=\S)', text):
            self.blocks[re.match(r'\w*', block)[0]].append(block)
        self.headers = self.text('ImageFileHeader')
        self.address_size = re.search(r'^AddressSize: (\w+)', text, re.MULTILINE)[1]
        self.machine = re.search(r'^  Machine: (\w+)', text, re.MULTILINE)[1]
        self.image_base = numbers(text, 'ImageBase')[0]

    @functools.cached_property
    def pe(self):
        """The image as pefile reads its headers."""
        return Headers(self.path, fast_load=True)

    def text(self, name):
        return '\n'.join(self.blocks[name])

    def rvas(self, values):
        return sorted(value - self.image_base for value in values if value)

    def relocations(self):
        entries = re.findall(r'Type: ([^\n]+)\n +Address: (0x[0-9A-F]+)', self.text('BaseReloc'))
        return sorted(int(address, 16) for kind, address in entries if kind != ABSOLUTE)

    def exports(self):
        """([RVAs], number of forwarders)."""
        code, text = self.said[EXPORTS]
        if code:
            self.pe.parse_data_directories([EXPORT_DIRECTORY])
            symbols = self.pe.DIRECTORY_ENTRY_EXPORT.symbols
            return sorted(symbol.address for symbol in symbols if not symbol.forwarder), len(
                [symbol for symbol in symbols if symbol.forwarder])
        blocks = text.split('\nExport {')[1:]
        forwarders = [block for block in blocks if 'ForwardedTo:' in block]
        return sorted(rva for block in blocks if 'ForwardedTo:' not in block
                      for rva in numbers(block, 'RVA') if rva), len(forwarders)

    def import_count(self, name):
        """Imported names and ordinals in the blocks Import or DelayImport."""
        if self.machine != 'IMAGE_FILE_MACHINE_IA64':
            return len(re.findall(r'^ +Symbol: ', self.text(name), re.MULTILINE))
        self.pe.parse_data_directories([IMPORT_DIRECTORY])
        modules = getattr(self.pe, 'DIRECTORY_ENTRY_IMPORT', []) if name == 'Import' else []
        return sum(len(module.imports) for module in modules)

    def tables(self):
        """RVAs in the guard tables and in the SafeSEH table."""
        entries = '\n'.join(self.text(name) for name in GUARD_TABLES)
        return self.rvas(int(value, 16) for value in re.findall(r'^ +(0x[0-9A-F]+)', entries, re.MULTILINE))

    def symbol_count(self):
        """Symbols without their auxiliary records, one line "[index](sec ..." each."""
        if not numbers(self.headers, 'SymbolCount')[0]:
            return 0
        listing = subprocess.run(['objdump', '-t', self.path], stdout=subprocess.PIPE, check=True).stdout
        return listing.count(b'\n[')

    def function_count(self):
        """Records of the exception directory, by its size."""
        return self.pe.OPTIONAL_HEADER.DATA_DIRECTORY[EXCEPTION_DIRECTORY].Size // (8 if self.is_arm64() else 12)

    def is_arm64(self):
        return self.machine.startswith('IMAGE_FILE_MACHINE_ARM64')

    def unwind(self):
        """([function starts], {unwind info: handler}, {unwind info: chained start}) of the exception directory.

        llvm-readobj reads section .pdata instead, which may go on behind the directory or not be there, and stops
        with an error at ARM64 records of kind 3: fewer functions than the directory has are what it could read.
        """
        code, text = self.said[UNWIND]
        functions = text.split('\n  RuntimeFunction {')[1:]
        if code:
            functions = functions[:-1]  # cut off in the middle
        starts, handlers, chains = [], {}, {}
        for function in functions[:self.function_count()]:
            if self.is_arm64():
                start, info = numbers(function, 'Function'), numbers(function, 'ExceptionRecord')
                handler, chain = numbers(function, 'Routine'), []
            else:
                start, info = numbers(function, 'StartAddress'), numbers(function, 'UnwindInfoAddress')
                handler, chain = numbers(function, 'Handler'), start[1:]
            starts += start[:1]
            if handler:
                handlers[info[0]] = handler[0]
            if chain:
                chains[info[0]] = chain[0]
        return self.rvas(starts), handlers, chains


def resource_leaves(pe):
    """OffsetToData of each leaf, once, by pefile."""
    leaves = {}
    pe.parse_data_directories([RESOURCE_DIRECTORY])
    tables = [pe.DIRECTORY_ENTRY_RESOURCE] if hasattr(pe, 'DIRECTORY_ENTRY_RESOURCE') else []
    while tables:
        for entry in tables.pop().entries:
            if hasattr(entry, 'directory'):
                tables.append(entry.directory)
            else:
                leaves[entry.data.struct.get_file_offset()] = entry.data.struct.OffsetToData
    return sorted(leaves.values())


def details(references, *wanted):
    return [reference for reference in references if reference['detail'] in wanted]


def targets(references):
    """Targets of those that are not empty, sorted."""
    return sorted(reference['target'] for reference in references if reference['state'] != 'null')


class Comparison:
    """One image: collects disagreements as text, and counts what was compared."""

    def __init__(self, path, ours, said, compared):
        self.path, self.ours, self.compared = path, ours, compared
        self.theirs = Readobj(path, said)
        self.disagreements = []

    def expect(self, what, ours, theirs):
        self.compared[what] += len(theirs)
        if ours != theirs:
            only_ours = list((collections.Counter(ours) - collections.Counter(theirs)).elements())
            only_theirs = list((collections.Counter(theirs) - collections.Counter(ours)).elements())
            self.disagreements.append('%s: %s: ours %d, theirs %d; only ours %s, only theirs %s' % (
                self.path, what, len(ours), len(theirs), only_ours[:5], only_theirs[:5]))

    def expect_count(self, what, ours, theirs):
        self.compared[what] += theirs
        if ours != theirs:
            self.disagreements.append('%s: %s: ours %d, theirs %d' % (self.path, what, ours, theirs))

    def relocations(self):
        entries = [reference for reference in self.ours['base relocations'] if reference['encoding'] == 'page offset']
        self.expect('base relocations', targets(entries), self.theirs.relocations())
        read = sorted({entry['target'] for entry in entries if entry['detail'] in (3, 10)})
        values = sorted(reference['rva'] for reference in self.ours['relocated values'])
        self.expect('relocated values', values, read)

    def imports(self):
        for source, name in (('imports', 'Import'), ('delay imports', 'DelayImport')):
            theirs = self.theirs.import_count(name)
            ours = self.ours[source]
            self.expect_count(source, len(details(ours, IMPORT_IAT)), theirs)
            lookup_count = len(details(ours, IMPORT_LOOKUP))
            if lookup_count:  # without a lookup table the IAT alone names the imports
                self.expect_count(source + ', lookup', lookup_count, theirs)

    def exports(self):
        addresses, forwarder_count = self.theirs.exports()
        ours = self.ours['exports']
        self.expect('exports', targets(details(ours, EXPORT_ADDRESS)), addresses)
        self.expect_count('forwarders', len(details(ours, EXPORT_FORWARDER)), forwarder_count)

    def debug(self):
        text = self.theirs.text('DebugDirectory')
        ours = self.ours['debug data']
        entries = [reference for reference in ours if reference['detail'] >= DEBUG_ENTRY]
        for encoding, field in (('RVA', 'AddressOfRawData'), ('file offset', 'PointerToRawData')):
            fields = sorted(reference['target'] for reference in entries if reference['encoding'] == encoding)
            self.expect('debug entries', fields, sorted(numbers(text, field)))

    def tls(self):
        text = self.theirs.text('TLSDirectory')
        names = ('StartAddressOfRawData', 'EndAddressOfRawData', 'AddressOfIndex', 'AddressOfCallBacks')
        theirs = self.theirs.rvas(value for name in names for value in numbers(text, name))
        # The entries of the callback array come behind the field that names it, with the same detail.
        fields = {reference['detail']: reference for reference in reversed(self.ours['TLS'])}
        self.expect('TLS', targets(fields.values()), theirs)

    def load_config(self):
        text = self.theirs.text('LoadConfig')
        theirs = self.theirs.rvas(value for name in LOAD_CONFIG_ADDRESSES for value in numbers(text, name))
        limit = FIRST_UNPRINTED_FIELD[self.theirs.address_size]
        ours = [reference for reference in self.ours['load configuration']
                if reference['encoding'] == 'VA' and reference['detail'] < limit]
        self.expect('load configuration', targets(ours), theirs)
        tables = [reference for reference in self.ours['guard tables']
                  if reference['detail'] not in OTHER_TABLES[self.theirs.address_size]]
        self.expect('guard tables', targets(tables), self.theirs.tables())

    def symbols(self):
        theirs = self.theirs.symbol_count()
        ours = sum(reference['encoding'] == 'section number' for reference in self.ours['COFF symbols'])
        self.expect_count('COFF symbols', ours, theirs)

    def resources(self):
        ours = [reference for reference in self.ours['resources'] if reference['encoding'] == 'RVA']
        self.expect('resource leaves', sorted(reference['target'] for reference in ours), resource_leaves(self.theirs.pe))

    def unwind(self):
        starts_of_ours = details(self.ours['exception table'], FUNCTION_BEGIN)
        if self.theirs.machine not in UNWIND_MACHINES or not starts_of_ours:
            return
        self.expect_count('function records', len(starts_of_ours), self.theirs.function_count())
        if os.path.getsize(self.path) > LARGEST_UNWIND_NBYTES:
            return
        starts, handlers, chains = self.theirs.unwind()
        functions, infos = targets(starts_of_ours), self.ours['unwind info']
        if len(starts) < len(functions):
            self.expect_count('function starts that hvcifix lacks', 0, len(set(starts) - set(functions)))
            return
        self.expect('function starts', functions, starts)
        self.expect('language handlers', targets(details(infos, HANDLER)), self.theirs.rvas(handlers.values()))
        self.expect('chained unwind info', targets(details(infos, FUNCTION_BEGIN)),
                    self.theirs.rvas(chains.values()))

    def run(self):
        for part in (self.relocations, self.imports, self.exports, self.debug, self.tls, self.load_config,
                     self.symbols, self.resources, self.unwind):
            part()
        self.theirs.pe.close()
        return self.disagreements


def chosen(paths):
    """What is compared of the list."""
    return [path for number, path in enumerate(paths)
            if '/wine/' not in path or path.endswith('.sys') or number % WINE_STEP == 0]


class ReferenceCounts(unittest.TestCase):
    def test_every_source_agrees_with_another_reader(self):
        disagreements, compared = [], collections.Counter()
        image_count = 0
        paths = chosen(image_paths())
        gc.disable()  # to look for cycles among millions of references all the time takes a third of the time
        self.addCleanup(gc.enable)
        for first in range(0, len(paths), IMAGES_A_RUN):
            some = paths[first:first + IMAGES_A_RUN]
            inventory = dict(inventories(some))
            unwound = [path for path, ours in inventory.items()
                       if ours['exception table'] and os.path.getsize(path) <= LARGEST_UNWIND_NBYTES]
            said = {HEADERS: readobj(HEADERS, some), EXPORTS: readobj(EXPORTS, some), UNWIND: readobj(UNWIND, unwound)}
            for path, ours in inventory.items():
                about = {options: by_path.get(path) for options, by_path in said.items()}
                disagreements += Comparison(path, ours, about, compared).run()
                image_count += 1
            del inventory, said, ours, about
            gc.collect()
        print('%d images compared: %s' % (
            image_count, ', '.join('%s %d' % item for item in sorted(compared.items()))))
        self.assertEqual([], disagreements, '\n'.join(disagreements))
        for source in ('base relocations', 'imports', 'exports', 'resource leaves'):
            self.assertGreater(compared[source], 0, 'no image has ' + source)


if __name__ == '__main__':
    unittest.main()
