/* image_role.c - is this an image that the kernel loads, a user-mode image, or firmware?
 * Takes: headers, sections, and the module names of the import directory.  Gives: role and role_reason.
 * Must not: read thunks. Memory integrity judges kernel images only, so the answer decides how findings are
 * worded and weighed. The subsystem alone does not tell: native programs such as autochk run in user mode,
 * and some kernel images are linked with another subsystem. */
#include "image/image_stages.h"

#include <ctype.h>

enum { LONGEST_MODULE_NAME_NBYTES = 256 };

static bool ends_with(const char *name, const char *suffix)
{
    size_t name_nbytes = strlen(name), suffix_nbytes = strlen(suffix);
    return name_nbytes >= suffix_nbytes && strcmp(name + name_nbytes - suffix_nbytes, suffix) == 0;
}

static bool is_listed(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

/* Modules that only the kernel's loader resolves: the kernel, the HAL, and every .sys. */
static bool is_kernel_module(const char *name)
{
    static const char *const modules[] = {
        "ntoskrnl.exe", "ntkrnlpa.exe", "ntkrnlmp.exe", "ntkrpamp.exe", "hal.dll",
        "bootvid.dll",  "kdcom.dll",    "ci.dll",       "pshed.dll",    NULL};
    return ends_with(name, ".sys") || is_listed(name, modules);
}

/* Modules that exist in user mode only. */
static bool is_user_module(const char *name)
{
    static const char *const modules[] = {"ntdll.dll",   "kernel32.dll", "kernelbase.dll", "user32.dll",
                                          "gdi32.dll",   "advapi32.dll", "msvcrt.dll",     "ucrtbase.dll",
                                          "mscoree.dll", "ws2_32.dll",   "shell32.dll",    "ole32.dll",
                                          "combase.dll", "rpcrt4.dll",   "win32u.dll",     NULL};
    return is_listed(name, modules) || strncmp(name, "api-ms-win-", 11) == 0;
}

/* The lower-cased name of the descriptor at `entry`, in `name`; false when it has none. */
static bool module_name(const struct image *image, const uint8_t *entry,
                        char name[LONGEST_MODULE_NAME_NBYTES])
{
    struct span text;
    uint32_t name_rva = load_u32(entry + IMPORT_NAME);
    if (name_rva == 0 || !image_string_at_rva(image, name_rva, LONGEST_MODULE_NAME_NBYTES, &text))
        return false;
    for (size_t i = 0; i < text.nbytes; i++)
        name[i] = (char)tolower(text.bytes[i]);
    name[text.nbytes] = 0;
    return true;
}

bool image_decide_role(struct image *image, struct finding *error)
{
    char kernel_module[LONGEST_MODULE_NAME_NBYTES] = "", user_module[LONGEST_MODULE_NAME_NBYTES] = "";
    const struct directory *imports = image_directory(image, DIR_IMPORT);
    if (imports) {
        /* The directory's size is often wrong, so the walk goes to the all-zero descriptor or to the end of
         * the file-backed bytes. */
        struct span run = image_run_at_rva(image, imports->rva);
        for (size_t at = 0; at + IMPORT_DESCRIPTOR_NBYTES <= run.nbytes; at += IMPORT_DESCRIPTOR_NBYTES) {
            char name[LONGEST_MODULE_NAME_NBYTES];
            if (!module_name(image, run.bytes + at, name))
                break;
            if (kernel_module[0] == 0 && is_kernel_module(name))
                strcpy(kernel_module, name);
            if (user_module[0] == 0 && is_user_module(name))
                strcpy(user_module, name);
        }
    }

    bool is_firmware =
        (image->subsystem >= SUBSYSTEM_EFI_APPLICATION && image->subsystem <= SUBSYSTEM_EFI_ROM) ||
        image->subsystem == SUBSYSTEM_WINDOWS_BOOT_APPLICATION;
    if (is_firmware) {
        image->role = ROLE_FIRMWARE;
        image->role_reason = "its subsystem is firmware or boot code";
    } else if (kernel_module[0] != 0) {
        image->role = ROLE_KERNEL;
        image->role_reason = arena_printf(
            image->arena, "it imports %s",
            image_printable(image->arena, (const uint8_t *)kernel_module, strlen(kernel_module)));
    } else if (image->subsystem == SUBSYSTEM_NATIVE && user_module[0] == 0) {
        image->role = ROLE_KERNEL;
        image->role_reason = "its subsystem is native and it imports no user-mode module";
    } else {
        image->role = ROLE_USER;
        image->role_reason = user_module[0] != 0
                                 ? arena_printf(image->arena, "it imports %s", user_module)
                                 : "its subsystem is not native and it imports no kernel module";
    }
    return image->arena->exhausted ? image_out_of_memory(image, error) : true;
}
