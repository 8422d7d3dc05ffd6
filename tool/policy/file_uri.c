/* file_uri.c - file_uri.h.
 * Takes: paths.  Gives: URIs.  Must not: look at the file system. */
#include "policy/file_uri.h"

#include "base/path_name.h"

#include <string.h>

static bool is_letter(char c)
{
    return text_lower(c) >= 'a' && text_lower(c) <= 'z';
}

static bool has_drive(const char *path)
{
    return is_letter(path[0]) && path[1] == ':' && path_is_separator(path[2]);
}

bool file_uri_is_absolute(const char *path)
{
    return path_is_separator(path[0]) || has_drive(path);
}

static void add_escaped(struct text *text, const char *path)
{
    for (; *path; path++) {
        char c = path_is_separator(*path) ? '/' : *path;
        bool is_plain = is_letter(c) || (c >= '0' && c <= '9') || strchr("/-._~!$&'()*+,;=@", c);
        if (is_plain) {
            text_add(text, &c, 1);
            continue;
        }
        text_printf(text, "%%%02X", (unsigned)(unsigned char)c);
    }
}

void file_uri_add(struct text *text, const char *path)
{
    static const char long_server[] = "\\\\?\\UNC\\", long_path[] = "\\\\?\\";
    if (strncmp(path, long_server, strlen(long_server)) == 0) {
        text_addz(text, "file://");
        add_escaped(text, path + strlen(long_server));
        return;
    }
    if (strncmp(path, long_path, strlen(long_path)) == 0)
        path += strlen(long_path);
    if (has_drive(path)) {
        text_addz(text, "file:///");
        text_add(text, path, 2);
        add_escaped(text, path + 2);
    } else if (path[0] == '\\' && path[1] == '\\') {
        text_addz(text, "file:");
        add_escaped(text, path);
    } else if (path_is_separator(path[0])) {
        while (path_is_separator(path[1]))
            path++;
        text_addz(text, "file://");
        add_escaped(text, path);
    } else {
        while (path[0] == '.' && path_is_separator(path[1]))
            for (path++; path_is_separator(*path); path++)
                ;
        add_escaped(text, path);
    }
}
