/* own_codes.c - the table of the tool's own codes.
 * Takes: a code.  Gives: texts.  Must not: hold anything about rules. */
#include "report/own_codes.h"

const struct own_code own_codes[] = {
    {HVCI9001_NOT_A_PE_IMAGE, "not a Windows image",
     "The file does not begin like a Windows image (MZ header, PE signature), so there is nothing to judge.",
     "Name the file that the linker wrote: .sys, .dll or .exe. An object file, a library, a .cat or an .inf "
     "is "
     "no image."},
    {HVCI9002_TRUNCATED, "the file ends too early",
     "A header or a section names bytes that lie beyond the end of the file.",
     "Check that the file was copied or downloaded whole; link it again if in doubt."},
    {HVCI9003_MALFORMED_HEADER, "a header field is impossible",
     "A field of the headers has a value that no loader accepts, so what follows from it would be guesswork.",
     "The message names the field. Link the image again; if a tool has edited or packed it, use the file "
     "from "
     "before that."},
    {HVCI9004_MALFORMED_TABLE, "a table is damaged",
     "The headers are readable, but a table that they name is not, or not wholly. What could be read was "
     "judged.",
     "Look at the named table with dumpbin or llvm-readobj. As long as it is damaged, the image is not "
     "rewritten where that table could matter."},
    {HVCI9005_UNSUPPORTED, "read only in part",
     "The machine type or a structure is known but not read completely: for example instructions of ARM64 "
     "and "
     "IA64 are not decoded.",
     "Nothing needs to be done. What could not be read is never called proved."},
    {HVCI9006_CANNOT_READ, "the file could not be read",
     "The operating system refused to give the bytes of the file, or it is no regular file of less than 4 "
     "GiB.",
     "Check the path and its permissions, and that no other program keeps the file locked."},
    {HVCI9007_CANNOT_WRITE, "the file could not be written",
     "The operating system refused to take the new bytes, and the file at the target path is as it was "
     "before; "
     "or another program has changed that file since it was read, and what it wrote is kept.",
     "Check permissions and free space of the folder, and that no other program keeps the file open: virus "
     "scanners often do so for a moment after linking."},
    {HVCI9008_OUT_OF_MEMORY, "memory ran out", "There was not enough memory to finish this image.",
     "Run on a machine with more free memory, or name fewer images at a time."},
    {HVCI9010_USAGE, "the command line is wrong",
     "An option or argument is missing, unknown, or does not go with the others.",
     "hvcifix --help lists the verbs, hvcifix VERB --help the options of one."},
    {HVCI9011_LAYOUT_REFUSED, "Windows does not load this layout",
     "The headers can be read, but Windows checks how they and the base relocations fit together before it "
     "maps an image, and refuses this one; or, when this is a note, some versions of Windows do. What the "
     "rules say about it was judged "
     "all the same.",
     "The message names the field. Link the image again; if a tool has edited or packed it, use the file "
     "from "
     "before that."},
    {HVCI9020_SIGNED, "the image is signed",
     "Any change to a signed image breaks its signature, so signed images are left alone.",
     "Repair the image before it is signed. To repair a signed one, use --drop-signature and sign again; a "
     "catalog that lists the image has to be made anew."},
    {HVCI9021_SECTION_IS_WRITTEN, "something needs the section writable",
     "A store, a table that the loader fills, or an address whose use is not known leads into the section, "
     "so "
     "its write right cannot be taken away with proof.",
     "The message names the place. Move the data that is written to a section of its own, with #pragma "
     "data_seg or by removing the option that merged it into code."},
    {HVCI9022_NO_REPAIR, "no repair that can be proved",
     "The finding named in the message has no repair in the finished image that could be proved right, so "
     "nothing was changed.",
     "Cure it at the source, as the finding itself says; hvcifix explain with the finding's code says more. "
     "--only repairs single rules in spite of it."},
    {HVCI9023_UNRESOLVED_REFERENCE, "a reference is not understood",
     "A place holds what may be an address, and its meaning is not known. Moving or changing what it points "
     "at "
     "could break the driver.",
     "The message names the place. Data tables inside code and addresses computed in assembler are usual "
     "causes."},
    {HVCI9024_CALLS_LEFT, "calls that --nx leaves",
     "All instructions that use an import are led through its stub, or none is: one of them is of a kind "
     "that cannot "
     "be, or may be one that was not understood, or the verifier is not certain of it; or code loads the "
     "function's address in an image with "
     "control "
     "flow guard, which knows no stubs; or the memory is executed.",
     "The message names the place. Ask for no-execute memory at the source."},
    {HVCI9030_REPAIR_REFUTED, "the repair was refuted",
     "The independent verifier did not accept what the repair made. Nothing was written. This is a defect of "
     "hvcifix, not of the image.",
     "Please report it, with the image if it can be shared."},
    {HVCI9031_NOT_EQUIVALENT, "the files are not equivalent",
     "The two files differ in a place that is not explained by any repair.",
     "The message names the first such place. If NEW was made by hvcifix fix from OLD, something changed it "
     "afterwards."},
    {HVCI9032_PAIR_UNREADABLE, "a file of the pair is no readable image",
     "One of the two files cannot be read as a Windows image, so nothing can be proved about the pair.",
     "hvcifix check on that file says more."},
    {HVCI9040_POLICY_INVALID, "the policy file is wrong",
     "A line of the policy file, or of one that it includes, is not understood. A policy that is understood "
     "in part "
     "might allow what it forbids, so nothing is judged by it.",
     "The message names file, line and column. \"hvcifix policy init\" writes a file with every key and its "
     "values."},
    {HVCI9041_POLICY_DUPLICATE, "twice in the policy",
     "A key stands twice in one section of a file, or two waivers have one name, so it is not known which is "
     "meant.",
     "Take one of the two away. A value of an included file may be set again by the file that includes it."},
    {HVCI9042_WAIVER_EXPIRED, "a waiver has expired",
     "The last day of a waiver has passed. What it waived counts again.",
     "Cure the finding and take the waiver away, or agree on a new day."},
    {HVCI9043_WAIVER_UNUSED, "a waiver waives nothing",
     "The image that a waiver is about was judged, and has no such finding.",
     "Take the waiver away, or correct its code or section."},
    {HVCI9045_BASELINE_INVALID, "the baseline cannot be used",
     "The file of --baseline is no SARIF report that hvcifix has written, or is damaged. Nothing was judged: "
     "a "
     "baseline "
     "that is understood in part might let findings pass.",
     "Write it anew from a run that was looked at: hvcifix check --report baseline.sarif IMAGE..."},
    {HVCI9046_MAP_INVALID, "the map cannot be used",
     "The file that translate got is no JSON map that hvcifix fix --map has written, or is damaged, or was "
     "written by another version. Nothing was translated: a map that is understood in part gives wrong "
     "addresses.",
     "Repeat the repair with --map FILE: the same image and options give the same repair and its map."},
    {HVCI9047_NO_COUNTERPART, "an address has no counterpart",
     "The address lies in what the repair has added (a start stub, a hole, a new table), in fill that has "
     "no place in the other image, or outside the image. It was left as it is.",
     "In a log the mark behind the address says which. For a start stub it names the function of the old "
     "image that the stub stands in for. If many addresses lie outside, --to-old and --to-new may be mixed "
     "up, or --base is not that of this driver."},
    {HVCI9048_NOTHING_TRANSLATED, "no address was found",
     "Nothing in the text was surely an address of the module, so it went through unchanged.",
     "Name the module as the log does (--module NAME); for addresses that stand alone say where the driver "
     "was loaded (--base ADDRESS; lm in a debugger lists it). Logs in UTF-16 have to be made UTF-8 first."},
    {HVCI9050_PACKAGE_DAMAGED, "a package cannot be read",
     "An archive, or a file in it, is damaged, cut off, or packed in a way that is not read here. What comes "
     "before and behind it was judged as far as it could be reached.",
     "The message names the place. Make the package anew, or unpack it with the tool that made it and name "
     "the folder."},
    {HVCI9051_PACKAGE_ENCRYPTED, "a file in a package is encrypted",
     "Only a password opens this file, so it could not be judged.",
     "Unpack it and name the folder, or name the package from before it was encrypted."},
    {HVCI9052_PACKAGE_LIMIT, "a package holds too much",
     "Inside, the package is deeper, larger, or of more files than is looked at: a small file can unpack to "
     "any size. What lies behind that point was not judged.",
     "If the package is what it should be, unpack it and name the folder."},
    {HVCI9053_PACKAGE_REJECTED, "the package holds rejected images",
     "An image inside the package does not hold to the policy, or a part of the package could not be judged, "
     "so the package as a whole is rejected.",
     "Run enforce on the images before they are packed, then pack again."},
    {HVCI9054_PACKAGE_NOT_REPAIRED, "not repaired inside another file",
     "fix writes a new package for a folder, zip or cab (-o OUT). It replaces no archive in place, builds no "
     "program anew around the images that it carries, and repairs no package inside a package; show draws "
     "images that are files of their own.",
     "The message says which it is: name OUT, use --extract, or unpack it, repair the images and pack again. "
     "hvcifix check judges the images wherever they are."},
    {HVCI9055_PACKAGE_LACKS_DRIVER, "a driver is not in its package",
     "The INF names a driver in [SourceDisksFiles], and the package has no file of that name, so nobody has "
     "judged it, and the package may not install.",
     "Name the whole package. Where the INF serves several platforms that are shipped apart, nothing needs "
     "to "
     "be done."},
    {HVCI9056_CATALOG_STALE, "a catalog does not match any more",
     "The catalog lists the hash of a file that was changed, so Windows would refuse that file by it. The "
     "new "
     "package is written without the catalog; the old one is where it was.",
     "Make a new catalog with Inf2Cat, or with MakeCat and the .cdf file that was written beside the "
     "package, "
     "and sign it (docs/SIGNING.md)."},
    {HVCI9057_PACKAGE_NOT_WRITTEN, "the package was not written",
     "An image of the package needs a repair and did not get one, so the package would not be what was asked "
     "for.",
     "The messages before this one say why. --partial writes the package with those images as they are."},
    {HVCI9058_SIGNING_FAILED, "the signer failed",
     "The program of --sign-with could not be run, ended with an error, or gave back something else than the "
     "repaired image with a signature. Nothing was written.",
     "Look at what the signer has printed, and at the command of --sign-with (docs/SIGNING.md)."},
    {HVCI9060_HOOK_NO_PROGRAM, "the build does not find hvcifix",
     "The targets for MSBuild look for the program beside themselves, in the package, or where "
     "HvciFixToolPath says, and there it is not, or it could not be started. The linker's output was taken "
     "away, since nothing has judged it.",
     "Restore the package, or set the property HvciFixToolPath to the program or to its folder. On Linux, "
     "let whoever builds execute it (chmod +x)."},
    {HVCI9061_HOOK_OTHER_IMAGE, "the linker writes another file than the project names",
     "TargetPath, which later steps sign and package, is not the file that the linker was told to write, so "
     "the wrong one would be judged.",
     "Make OutDir, TargetName and TargetExt of the project agree with the linker's OutputFile (MSBuild warns "
     "of it with MSB8012)."},
    {HVCI9062_HOOK_TOO_LATE, "hvcifix runs after signing",
     "The image was already signed when the build called hvcifix, and it needs a change that would break "
     "the signature.",
     "Let hvcifix run between linking and signing: HvciFixAfterTargets is Link unless the project sets it. "
     "Images that others have signed (HvciFixImage) cannot be repaired: waive the finding, or ask them."},
    {HVCI9063_HOOK_REJECTED, "the build step failed",
     "hvcifix did not accept an image, did not run to its end, or was not run. An image that it does not "
     "accept does not keep its name, so that no later step signs or packages it, and the next build links "
     "and judges again.",
     "The messages before this one say what is wrong with the image, the policy or the command line."},
    {HVCI9080_PDB_UNREADABLE, "the PDB cannot be read",
     "The file is no PDB of the format 7.00 with debug information of an image, it is damaged, or a part of "
     "it "
     "is of a kind that is not understood; or what --symbols names is neither a PDB nor a map of a linker. "
     "With "
     "--pdb nothing was written: a debugger would show wrong names. With --symbols functions stay without "
     "names, "
     "and nothing else changes.",
     "Name the PDB that the linker wrote together with the image. To repair the image without its PDB, use "
     "--no-pdb."},
    {HVCI9081_PDB_OTHER_IMAGE, "the PDB belongs to another image",
     "A PDB and its image hold the same GUID and age, and these differ; or the sections that the PDB states "
     "are "
     "not those of the image, because a tool has changed the image since. A map (--symbols) belongs to an "
     "image "
     "with its time stamp, load address and entry point, in which each name lies where the map says. With "
     "--symbols functions stay without names, and nothing else changes.",
     "Name the PDB of this very link with --pdb or --symbols. To repair the image without its PDB, use "
     "--no-pdb."},
    {HVCI9082_PDB_CANNOT_FOLLOW, "the PDB cannot follow the repair",
     "The repair moves parts of the image, and the PDB could not be made to say where they are now: or "
     "--keep-pdb-id asks that it stay valid as it is, which it cannot.",
     "The message says what stands in the way. To repair the image without its PDB, use --no-pdb; the JSON "
     "map "
     "of --map says where everything went."},
    {HVCI9090_UNDO_MISSING, "there is no undo file",
     "fix --in-place leaves IMAGE.hvcifix-undo beside the image, and restore goes back by it. There is none "
     "beside this image: it was never repaired in place, was restored already, or was moved without it.",
     "Put the undo file beside the image, under the image's name and .hvcifix-undo; or take the original "
     "from a backup."},
    {HVCI9091_UNDO_DAMAGED, "the undo file is damaged",
     "The undo file is not whole, or not one. Its checksum and every size in it are looked at before "
     "anything else, and the original that it leads to has to have the SHA-256 that it names.",
     "Take the original, or the undo file, from a backup. Nothing was changed."},
    {HVCI9092_UNDO_NEWER, "the undo file is of a later version",
     "A later hvcifix has written this undo file, in a form that this one does not know.",
     "Restore with the hvcifix that made the repair, or a later one."},
    {HVCI9093_UNDO_OTHER_IMAGE, "the image is not the one that was repaired",
     "The undo file holds only the differences between the repaired image and its original, so it leads back "
     "from that image alone. This one was linked anew, or changed since; that it was signed since is no "
     "hindrance.",
     "Put the repaired image back and restore again, or take the original from a backup."},
    {HVCI9094_UNDO_NOT_LEFT, "no undo file could be left",
     "fix --in-place writes the undo file before it replaces the image, and could not: the file of that name "
     "is not one of its own, or comes from a later version; or the original is too large to be kept.",
     "Move the file away that the message names, or use --no-undo and keep a copy of the original yourself."},
};
const size_t own_code_count = sizeof own_codes / sizeof own_codes[0];

const struct own_code *own_code_find(unsigned code)
{
    for (size_t i = 0; i < own_code_count; i++)
        if ((unsigned)own_codes[i].code == code)
            return &own_codes[i];
    return NULL;
}
