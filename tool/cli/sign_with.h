/* sign_with.h - --sign-with "CMD {}": somebody else's signer, run on what has been proved, before it is
 * written. Takes: the words of a command, and bytes.  Gives: signed bytes, or a finding (HVCI9058). Must not:
 * start a shell; let anything else go out than what went in, and a signature. */
#ifndef HVCIFIX_CLI_SIGN_WITH_H
#define HVCIFIX_CLI_SIGN_WITH_H

#include "pipeline.h"

/* {} stands for the file to sign, {out} for a file that the signer writes; without {out} it changes the
 * first. */
struct signer {
    char *const *words; /* the program first */
    size_t word_count;
    const char *beside; /* files for the signer lie in a folder beside this path for as long as it runs */
};

/* Takes the command apart as a response file is, and where it has no double quotation marks, single ones do
 * their work; false with *message, which has one %s for the command, or NULL when memory ran out. */
bool signer_parse(const char *command, struct arena *arena, struct signer *signer, const char **message);

/* For pipeline_seal.run; the context is a struct signer. One at a time. */
bool signer_run(void *context, struct outcome *outcome, struct span proved, struct span *sealed,
                struct finding *error);

#endif
