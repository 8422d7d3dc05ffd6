/* faults.c - makes a chosen call of the C library fail or come short (LD_PRELOAD).
 * Takes: HVCIFIX_FAULT=NAME:NUMBER:WHAT and HVCIFIX_FAULT_LOG=FILE from the environment.
 * Gives: that fault; in FILE, when main() has returned, how often each call was met.
 * Must not: fail anything before main() or after it, or in a program that is not named hvcifix.
 *
 * NAME is one of FAULT_NAMES (faults.h). NUMBER is that of the call among calls of the name, from 1; "7-"
 * means the seventh and all after it. WHAT is an errno name (ENOMEM ...): the call is not made; or "one",
 * "half", "end": a read or write takes one byte, half, or none; or "wrong": a read gives a wrong byte; or
 * "late": the call is made and then says EIO, as a network file system may; or "theirs": just before the call
 * somebody else writes a word at the end of HVCIFIX_FAULT_TARGET. With HVCIFIX_FAULT_NAMED every temporary
 * file has a name from the start, as where the system knows no others. What goes to standard output and to
 * files of fopen() is written here, as `print`, because the C library's own writes cannot be met.
 *
 * FILE has a line "NAME COUNT" for each name; then "fired", "blocks" of memory that main() has not given
 * back, and "files" that it has not closed. */
#include "faults.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *const names[] = {
#define X(name) #name,
    FAULT_NAMES(X)
#undef X
};

static const struct {
    const char *name;
    int value;
} errors[] = {{"EIO", EIO},       {"ENOSPC", ENOSPC}, {"ENOMEM", ENOMEM}, {"EINTR", EINTR},
              {"EACCES", EACCES}, {"EMFILE", EMFILE}, {"EAGAIN", EAGAIN}, {"ENOENT", ENOENT},
              {"EROFS", EROFS},   {"EDQUOT", EDQUOT}, {"EXDEV", EXDEV},   {"EPERM", EPERM},
              {"EBUSY", EBUSY},   {"EEXIST", EEXIST}};

static enum { BEFORE_MAIN, IN_MAIN, AFTER_MAIN } phase;
static enum fault_name chosen_name = FAULT_NAME_COUNT;
static unsigned long first_number, last_number;
static enum fault_what chosen_what;
static int chosen_error;
static const char *target_path; /* what somebody else changes, */
static bool is_theirs;          /* if that is the fault */
static atomic_ulong counts[FAULT_NAME_COUNT], fired_count;

void fault_quit(const char *message)
{
    (void)!syscall(SYS_write, 2, message, strlen(message));
    _exit(98);
}

void fault_find(const char *name, void *pointer)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found)
        fault_quit("faults: a function of the C library was not found\n");
    memcpy(pointer, &found, sizeof found);
}

static void write_theirs(void)
{
    static const char word[] = "theirs";
    long descriptor = syscall(SYS_openat, AT_FDCWD, target_path, O_WRONLY | O_APPEND);
    if (descriptor < 0 || syscall(SYS_write, descriptor, word, sizeof word - 1) != (long)sizeof word - 1)
        fault_quit("faults: the target cannot be changed\n");
    syscall(SYS_close, descriptor);
}

enum fault_what fault_meet(enum fault_name name)
{
    if (phase != IN_MAIN)
        return FAULT_NOTHING;
    unsigned long number = ++counts[name];
    if (name != chosen_name || number < first_number || number > last_number)
        return FAULT_NOTHING;
    fired_count++;
    if (is_theirs) {
        write_theirs();
        return FAULT_NOTHING;
    }
    if (chosen_what == FAULT_ERROR)
        errno = chosen_error;
    return chosen_what;
}

size_t fault_cut(enum fault_what what, size_t nbytes)
{
    return what == FAULT_ONE && nbytes > 1 ? 1 : what == FAULT_HALF && nbytes > 1 ? nbytes / 2 : nbytes;
}

void fault_spoil(enum fault_what what, void *buffer, long nbytes)
{
    if (what == FAULT_WRONG && nbytes > 0)
        ((unsigned char *)buffer)[nbytes - 1] ^= 1;
}

int fault_late(enum fault_what what, int result)
{
    if (what != FAULT_LATE || result < 0)
        return result;
    errno = EIO;
    return -1;
}

bool fault_is_main(void)
{
    return phase == IN_MAIN;
}

static void read_fault(const char *text)
{
    const char *number = strchr(text, ':'), *what = number ? strchr(number + 1, ':') : NULL;
    if (!what)
        fault_quit("faults: HVCIFIX_FAULT is NAME:NUMBER:WHAT\n");
    for (int i = 0; i < FAULT_NAME_COUNT; i++)
        if (strlen(names[i]) == (size_t)(number - text) && memcmp(names[i], text, strlen(names[i])) == 0)
            chosen_name = (enum fault_name)i;
    first_number = strtoul(number + 1, NULL, 10);
    last_number = what[-1] == '-' ? SIZE_MAX : first_number;
    what++;
    chosen_what = strcmp(what, "one") == 0     ? FAULT_ONE
                  : strcmp(what, "half") == 0  ? FAULT_HALF
                  : strcmp(what, "end") == 0   ? FAULT_END
                  : strcmp(what, "late") == 0  ? FAULT_LATE
                  : strcmp(what, "wrong") == 0 ? FAULT_WRONG
                                               : FAULT_ERROR;
    target_path = getenv("HVCIFIX_FAULT_TARGET");
    is_theirs = target_path && strcmp(what, "theirs") == 0;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strcmp(what, errors[i].name) == 0)
            chosen_error = errors[i].value;
    if (chosen_name == FAULT_NAME_COUNT || first_number == 0 ||
        (chosen_what == FAULT_ERROR && chosen_error == 0 && !is_theirs))
        fault_quit("faults: HVCIFIX_FAULT has an unknown name, number or error\n");
}

static long open_files(void)
{
    long count = 0;
    for (int descriptor = 3; descriptor < 256; descriptor++)
        count += fcntl(descriptor, F_GETFD) != -1;
    return count;
}

static void write_log(const char *path, long blocks, long files)
{
    char text[1024];
    int length = 0;
    for (int i = 0; i < FAULT_NAME_COUNT; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s %lu\n", names[i],
                           (unsigned long)counts[i]);
    length += snprintf(text + length, sizeof text - (size_t)length, "fired %lu\nblocks %ld\nfiles %ld\n",
                       (unsigned long)fired_count, blocks, files);
    long descriptor = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (descriptor < 0 || syscall(SYS_write, descriptor, text, length) != length)
        fault_quit("faults: the log cannot be written\n");
    syscall(SYS_close, descriptor);
}

static int (*program_main)(int, char **, char **);

static int watched_main(int argc, char **argv, char **environment)
{
    if (strcmp(program_invocation_short_name, "hvcifix") != 0) /* what starts it: valgrind, a shell */
        return program_main(argc, argv, environment);
    const char *fault = getenv("HVCIFIX_FAULT"), *log = getenv("HVCIFIX_FAULT_LOG");
    if (fault && *fault)
        read_fault(fault);
    FILE *kept = stdout;
    long blocks = fault_live_blocks(), files = open_files();
    stdout = fault_stream(1);
    if (!stdout)
        fault_quit("faults: no standard output\n");
    phase = IN_MAIN;
    int result = program_main(argc, argv, environment);
    phase = AFTER_MAIN;
    fclose(stdout);
    stdout = kept;
    if (log && *log)
        write_log(log, fault_live_blocks() - blocks, open_files() - files);
    return result;
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*finish)(void), void (*finish_loader)(void), void *stack_end);

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
                      void (*finish)(void), void (*finish_loader)(void), void *stack_end)
{
    FAULT_REAL(int, __libc_start_main, int (*)(int, char **, char **), int, char **, void (*)(void),
               void (*)(void), void (*)(void), void *);
    program_main = main;
    return real(watched_main, argc, argv, init, finish, finish_loader, stack_end);
}
