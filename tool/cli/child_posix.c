/* child_posix.c - child.h on POSIX systems.
 * Takes: words.  Gives: an end.  Must not: judge anything. */
#define _XOPEN_SOURCE 700
#include "cli/child.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { KILLED_EXIT_CODE = 128 /* and the signal's number, as shells say it */ };

static const int passed_on[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
enum { PASSED_ON_COUNT = sizeof passed_on / sizeof passed_on[0] };
static volatile sig_atomic_t child_process, passed_signal;

bool child_words(const char *const *words, size_t count, struct argument_list *list)
{
    for (size_t i = 0; i < count; i++) {
        char *word = arena_copy_text(list->arena, words[i], strlen(words[i]));
        if (!word || !argument_add(list, word))
            return false;
    }
    return true;
}

static void pass_on(int signal_number)
{
    passed_signal = signal_number;
    if (child_process > 0)
        (void)kill((pid_t)child_process, signal_number);
}

/* The child begins with the signals as they were when we began; this program ignores some. */
static int spawn(char **words, bool is_aside, pid_t *process, const sigset_t *unblocked)
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t streams;
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    sigaddset(&defaults, SIGXFSZ);
    int error = posix_spawnattr_init(&attributes);
    if (error)
        return error;
    (void)posix_spawnattr_setsigdefault(&attributes, &defaults);
    (void)posix_spawnattr_setsigmask(&attributes, unblocked);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    error = posix_spawn_file_actions_init(&streams);
    if (!error) {
        if (is_aside)
            error = posix_spawn_file_actions_adddup2(&streams, STDERR_FILENO, STDOUT_FILENO);
        if (!error)
            error = posix_spawnp(process, words[0], &streams, &attributes, words, environ);
        (void)posix_spawn_file_actions_destroy(&streams);
    }
    (void)posix_spawnattr_destroy(&attributes);
    return error;
}

enum child_end child_run(const struct argument_list *list, bool is_aside, int *exit_code, const char **reason)
{
    struct sigaction pass = {.sa_handler = pass_on, .sa_flags = SA_RESTART}, before[PASSED_ON_COUNT];
    sigset_t blocked, unblocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < PASSED_ON_COUNT; i++)
        sigaddset(&blocked, passed_on[i]);
    /* A signal that comes between the two is delivered when the child is known. */
    (void)sigprocmask(SIG_BLOCK, &blocked, &unblocked);
    /* Who has started us may have it ignored, and then the system does not tell how a child ends. */
    (void)signal(SIGCHLD, SIG_DFL);
    pid_t process;
    int error = spawn(list->items, is_aside, &process, &unblocked);
    if (error == 0)
        child_process = process;
    for (size_t i = 0; error == 0 && i < PASSED_ON_COUNT; i++) {
        (void)sigaction(passed_on[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            (void)sigaction(passed_on[i], &pass, NULL);
    }
    (void)sigprocmask(SIG_SETMASK, &unblocked, NULL);
    if (error) {
        *reason = error == ENOENT    ? "there is no program of this name"
                  : error == EACCES  ? "it may not be run"
                  : error == E2BIG   ? "its command line is too long"
                  : error == ENOEXEC ? "it is no program for this system"
                                     : "the system refused";
        return CHILD_NOT_STARTED;
    }
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(process, &status, 0)) < 0 && errno == EINTR)
        ;
    child_process = 0;
    for (size_t i = 0; i < PASSED_ON_COUNT; i++)
        (void)sigaction(passed_on[i], &before[i], NULL);
    if (ended != process) {
        *reason = "the system does not tell how it ended";
        return CHILD_NOT_STARTED;
    }
    if (WIFSIGNALED(status)) {
        *exit_code = WTERMSIG(status);
        return CHILD_WAS_KILLED;
    }
    *exit_code = WEXITSTATUS(status);
    if (*exit_code == 0 && passed_signal != 0) { /* it has ended well nevertheless; we do as we are asked */
        *exit_code = passed_signal;
        return CHILD_WAS_KILLED;
    }
    return CHILD_ENDED;
}

int child_end_alike(int signal_number)
{
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
    return KILLED_EXIT_CODE + signal_number;
}

const char *child_environment(const char *name, struct arena *arena)
{
    (void)arena;
    return getenv(name);
}
