/* bystander_windows.c - another program of Windows that has to do with the file that is to be repaired.
 * - bystander MILLISECONDS HOW PATH prints "held", holds the file so long, and closes it. HOW is "share":
 * others may read and write but not delete or rename it; or "alone": nobody may open it; or "write": like
 * "share", and a word is written at its end before it is closed.
 * - bystander hide PATH sets that attribute.
 * - bystander attributes PATH prints the attributes, a hexadecimal number.
 * - bystander rights PATH prints the list of access rights in the system's own text form.
 * - bystander MILLISECONDS pipe PATH makes the named pipe, prints "held", waits so long for a client, and
 * prints whether one came.
 *
 * Fails with 1 and the system's error number. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <wchar.h>

#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

static int fail(void)
{
    printf("error %lu\n", GetLastError());
    return 1;
}

static int hold(DWORD milliseconds, const wchar_t *how, const wchar_t *path)
{
    bool writes = wcscmp(how, L"write") == 0;
    DWORD sharing = writes || wcscmp(how, L"share") == 0 ? FILE_SHARE_READ | FILE_SHARE_WRITE : 0;
    HANDLE file =
        CreateFileW(path, writes ? FILE_APPEND_DATA : GENERIC_READ, sharing, NULL, OPEN_EXISTING, 0, NULL);
    if (file == INVALID_HANDLE_VALUE)
        return fail();
    printf("held\n");
    fflush(stdout);
    Sleep(milliseconds);
    DWORD put_nbytes;
    if (writes && !WriteFile(file, "theirs", 6, &put_nbytes, NULL))
        return fail();
    CloseHandle(file);
    return 0;
}

static int wait_on_pipe(DWORD milliseconds, const wchar_t *path)
{
    HANDLE pipe = CreateNamedPipeW(path, PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED, PIPE_TYPE_BYTE, 1, 4096,
                                   4096, 0, NULL);
    if (pipe == INVALID_HANDLE_VALUE)
        return fail();
    OVERLAPPED wait = {.hEvent = CreateEventW(NULL, TRUE, FALSE, NULL)};
    ConnectNamedPipe(pipe, &wait);
    printf("held\n");
    fflush(stdout);
    DWORD result = WaitForSingleObject(wait.hEvent, milliseconds);
    printf("%s came\n", result == WAIT_OBJECT_0 ? "somebody" : "nobody");
    return 0;
}

static int print_rights(wchar_t *path)
{
    PSECURITY_DESCRIPTOR descriptor;
    char *text;
    DWORD system_error = GetNamedSecurityInfoW(path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
                                               NULL, NULL, &descriptor);
    SetLastError(system_error);
    if (system_error != ERROR_SUCCESS ||
        !ConvertSecurityDescriptorToStringSecurityDescriptorA(descriptor, SDDL_REVISION_1,
                                                              DACL_SECURITY_INFORMATION, &text, NULL))
        return fail();
    printf("%s\n", text);
    return 0;
}

int wmain(int argc, wchar_t **argv); /* the start-up code declares it nowhere */

int wmain(int argc, wchar_t **argv)
{
    if (argc == 3 && wcscmp(argv[1], L"hide") == 0)
        return SetFileAttributesW(argv[2], FILE_ATTRIBUTE_HIDDEN) ? 0 : fail();
    if (argc == 3 && wcscmp(argv[1], L"rights") == 0)
        return print_rights(argv[2]);
    if (argc == 4 && wcscmp(argv[2], L"pipe") == 0)
        return wait_on_pipe((DWORD)wcstoul(argv[1], NULL, 10), argv[3]);
    if (argc == 3 && wcscmp(argv[1], L"attributes") == 0) {
        DWORD attributes = GetFileAttributesW(argv[2]);
        if (attributes == INVALID_FILE_ATTRIBUTES)
            return fail();
        printf("%lX\n", attributes);
        return 0;
    }
    return argc == 4 ? hold((DWORD)wcstoul(argv[1], NULL, 10), argv[2], argv[3]) : 2;
}
