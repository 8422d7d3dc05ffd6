/* catalog_request.c - catalog_request.h. The form of the file is that of the Windows SDK's page on MakeCat.
 * Takes: names.  Gives: text.  Must not: name a file that is not in the new package. */
#include "package/catalog_request.h"

#include "base/path_name.h"

static void add_windows_path(struct text *text, const char *path)
{
    for (; *path; path++)
        text_add(text, *path == '/' ? "\\" : path, 1);
}

void catalog_request(const struct parcel *parcel, const struct parcel_change *changes, size_t catalog,
                     const char *folder, struct text *text)
{
    const char *name = parcel->entries[catalog].name;
    size_t below_nbytes = path_folder_nbytes(name);
    text_printf(text, "[CatalogHeader]\r\nName=%s\r\nResultDir=", name + below_nbytes);
    add_windows_path(text, folder);
    if (below_nbytes > 1)
        text_printf(text, "\\%.*s", (int)below_nbytes - 1, name);
    text_addz(text, "\r\nCatalogVersion=2\r\nHashAlgorithms=SHA256\r\nEncodingType=0x00010001\r\n"
                    "CATATTR1=0x10010001:OSAttr:2:10.0\r\n\r\n[CatalogFiles]\r\n");
    for (size_t i = 0; i < parcel->count; i++) {
        const struct parcel_entry *entry = &parcel->entries[i];
        if (entry->is_folder || changes[i].fate == PARCEL_LEAVE_OUT || path_has_suffix(entry->name, ".cat") ||
            strncmp(entry->name, name, below_nbytes) != 0)
            continue;
        text_addz(text, "<HASH>");
        add_windows_path(text, entry->name);
        text_addz(text, "=");
        add_windows_path(text, folder);
        text_addz(text, "\\");
        add_windows_path(text, entry->name);
        text_addz(text, "\r\n");
    }
}

void catalog_request_systems(unsigned platforms, struct text *text)
{
    static const struct {
        unsigned platform;
        const char *systems;
    } known[] = {{INF_AMD64, "10_X64"}, {INF_X86, "10_X86"}, {INF_ARM64, "10_RS3_ARM64"}};
    const char *comma = "";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (!(platforms & known[i].platform))
            continue;
        text_printf(text, "%s%s", comma, known[i].systems);
        comma = ",";
    }
    if (!*comma)
        text_addz(text, "10_X64");
}
