/* run_doctor.c - run_doctor.h.
 * Takes: a path.  Gives: the page and an exit code.  Must not: write anything else. */
#include "cli/run_doctor.h"

#include "cli/console.h"
#include "cli/interrupt.h"
#include "report/report_doctor.h"
#include "report/text_finding.h"

static enum shell shell_here(void)
{
#ifdef _WIN32
    return SHELL_WINDOWS;
#else
    return SHELL_POSIX;
#endif
}

static void report(const struct cli_options *options, const struct report_style *style, struct doctor *doctor,
                   struct text *text)
{
    struct doctor_steps steps;
    enum code_integrity integrity = code_integrity_here();
    if (doctor->arena.exhausted)
        return;
    if (doctor->has_problem && options->format == FORMAT_JSON) {
        report_json_doctor_problem(text, doctor);
        return;
    }
    if (doctor->has_problem) {
        text_finding_line(text, doctor->path, &doctor->problem, LEVEL_ERROR, "", style);
        if (!style->quiet)
            text_finding_advice(text, &doctor->problem);
        return;
    }
    doctor_steps_make(doctor, shell_here(), &steps);
    if (options->format == FORMAT_JSON)
        report_json_doctor(text, doctor, &steps, integrity);
    else
        report_text_doctor(text, doctor, &steps, integrity, style);
}

enum exit_code run_doctor(const struct cli_options *options, const struct report_style *style, FILE *stream)
{
    struct doctor doctor;
    struct doctor_options wanted = {.target = options->target, .stop = interrupt_flag()};
    doctor_examine(options->paths[0], &wanted, &doctor);
    enum exit_code exit_code = doctor.exit_code;
    struct text text = {.arena = &doctor.arena};
    if (!doctor.was_stopped) {
        report(options, style, &doctor, &text);
        if (doctor.arena.exhausted) {
            console_complain("hvcifix : error HVCI9008: There was not enough memory for this page.\n");
            exit_code = exit_code_worse(exit_code, EXIT_INPUT);
        } else {
            console_write(stream, text.chars, text.nbytes); /* failures are seen by ferror() */
        }
    }
    doctor_release(&doctor);
    return exit_code;
}
