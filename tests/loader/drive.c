/* drive.c - what is done with a loaded driver.
 * Takes: a loaded image.  Gives: a log of answers and of calls of the kernel that are the same wherever the
 * image lies. Must not: know one driver from another, but for what fixtures export (called). */
#include "drive.h"

#include "drive_foreign.h"
#include "foreign.h"
#include "kernel.h"
#include "load.h"
#include "objects.h"
#include "step.h"

#define CODE_OF(question)                                                                                    \
    (0x22u << 16 | (0x800u + (question)) << 2) /* FIXTURE_IOCTL of fixtures/src/ioctl.h */
#define QUESTION_LIMIT 200u

typedef STDCALL int32_t two_arguments(void *, void *);
typedef STDCALL int32_t one_argument(void *);
typedef STDCALL int32_t no_argument(void);
typedef CDECLARED uint64_t exported_function(uint64_t, uint64_t);

static const uint64_t inputs[] = {0, 1, 41, 0x123456789abcdef0u}; /* as drive.c has them */
static const uint64_t last_input = 0x4c4f434b00000000u; /* what Wine cannot answer: lock_pageable.c */
static const char *const exported_functions[] = {"fixture_add", "exported_answer"};
static const char *const exported_variables[] = {"fixture_state", "exported_state"};

static struct text *answers;
static struct driver_object driver;
static struct driver_extension extension;
static const uint16_t path_units[] = u"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\Fixture";
static struct wide_text path = {sizeof(path_units) - 2, sizeof(path_units), path_units};

bool drive_is_possible(enum way way)
{
    if (way == WAY_ENTRY)
        return true;
    if (foreign_is_on)
        return false;
    if (load_exported("DllInitialize"))
        return true;
    for (size_t i = 0; i < COUNT_OF(exported_functions); i++) {
        if (way == WAY_IMPORTED && load_exported(exported_functions[i]))
            return true;
    }
    return false;
}

static int32_t call_two(void *function, void *one, void *other)
{
    step_begin();
    const int32_t status = ((two_arguments *)(uintptr_t)function)(one, other);
    step_end();
    return status;
}

static void call_one(void *function, void *argument, const char *name)
{
    text_add(answers, name);
    text_add(answers, "\n");
    step_begin();
    ((one_argument *)(uintptr_t)function)(argument);
    step_end();
}

static void say_status(const char *what, int32_t status)
{
    text_add(answers, what);
    text_add(answers, " ");
    text_add_hex(answers, (uint32_t)status);
    text_add(answers, "\n");
}

/* One question; false when the driver has no answer. */
static bool ask(uint32_t question, uint64_t input, bool is_stepped)
{
    static struct stack_location location;
    static struct irp irp;
    static uint64_t buffer[8];
    void *function = driver.major[MAJOR_DEVICE_CONTROL];
    const uint32_t limit = step_limit;

    memset(&irp, 0, sizeof(irp));
    buffer[0] = input;
    location = (struct stack_location){.major = MAJOR_DEVICE_CONTROL,
                                       .output_nbytes = sizeof(buffer[0]),
                                       .input_nbytes = sizeof(buffer[0]),
                                       .code = CODE_OF(question),
                                       .device = driver.device};
    irp.system_buffer = buffer;
    irp.stack_count = irp.current_location = 1;
    irp.current = &location;
    step_limit = is_stepped ? limit : 0;
    const int32_t status = call_two(function, driver.device, &irp);
    step_limit = limit;

    text_add(answers, "question ");
    text_add_number(answers, question);
    text_add(answers, " input ");
    text_add_hex(answers, input);
    text_add(answers, status < 0 ? " error " : " answer ");
    text_add_hex(answers, status < 0 ? (uint32_t)status : buffer[0]);
    text_add(answers, "\n");
    return status >= 0;
}

static void open_or_close(unsigned major)
{
    static struct stack_location location;
    static struct irp irp;

    if (!driver.major[major])
        return;
    memset(&irp, 0, sizeof(irp));
    location = (struct stack_location){.major = (uint8_t)major, .device = driver.device};
    irp.current = &location;
    say_status(major == MAJOR_CREATE ? "open" : "close", call_two(driver.major[major], driver.device, &irp));
}

static void use(void)
{
    bool is_answered = true;

    if (!driver.device)
        return;
    open_or_close(MAJOR_CREATE);
    for (uint32_t question = 0;
         is_answered && driver.major[MAJOR_DEVICE_CONTROL] && question < QUESTION_LIMIT; question++) {
        for (size_t i = 0; is_answered && i < COUNT_OF(inputs); i++)
            is_answered = ask(question, inputs[i], i == 0);
    }
    for (uint32_t question = 0;
         driver.major[MAJOR_DEVICE_CONTROL] && question < QUESTION_LIMIT && ask(question, last_input, false);)
        question++;
    open_or_close(MAJOR_CLOSE);
}

static int32_t start(void)
{
    memset(&driver, 0, sizeof(driver));
    driver.type = 4;
    driver.nbytes = sizeof(driver);
    driver.start = loaded.memory;
    driver.image_nbytes = loaded.image->nbytes;
    extension = (struct driver_extension){.driver = &driver, .service_key = path};
    driver.extension = &extension;
    driver.init = loaded.memory + loaded.image->entry_rva;
    const int32_t status = call_two(driver.init, &driver, &path);
    say_status("start", status);
    return status;
}

static void start_foreign(void)
{
    start();
}

static void initialize(void)
{
    void *function = load_exported("DllInitialize");

    if (!function)
        return;
    step_begin();
    const int32_t status = ((one_argument *)(uintptr_t)function)(&path);
    step_end();
    say_status("DllInitialize", status);
}

static void use_exports(void)
{
    for (size_t i = 0; i < COUNT_OF(exported_functions); i++) {
        void *function = load_exported(exported_functions[i]);

        for (size_t j = 0; function && j < COUNT_OF(inputs); j++) {
            text_add(answers, exported_functions[i]);
            text_add(answers, " ");
            text_add_hex(answers, ((exported_function *)(uintptr_t)function)(inputs[j], 5));
            text_add(answers, "\n");
        }
    }
    for (size_t i = 0; i < COUNT_OF(exported_variables); i++) {
        const void *variable = load_exported(exported_variables[i]);

        if (!variable)
            continue;
        text_add(answers, exported_variables[i]);
        text_add(answers, " ");
        text_add_hex(answers, get64(variable));
        text_add(answers, "\n");
    }
    void *function = load_exported("DllUnload");
    if (function)
        say_status("DllUnload", ((no_argument *)(uintptr_t)function)());
}

void drive(enum way way, struct text *log)
{
    answers = kernel_log = log;
    kernel_begin();
    if (foreign_is_on) {
        foreign_attempt(start_foreign);
        load_discard();
        drive_foreign(&driver, log);
        return;
    }
    if (way != WAY_ENTRY)
        initialize();
    if (way == WAY_IMPORTED) {
        load_discard();
        use_exports();
        return;
    }
    if (start() < 0)
        return;
    load_discard();
    use();
    if (driver.unload)
        call_one(driver.unload, &driver, "unload");
}
