/* drive_foreign.c - what is done with a driver that nobody here knows.
 * Takes: a driver whose entry point has returned, or ended early.  Gives: lines in the log for each call that
 * it survives. Must not: expect anything of it. */
#include "drive_foreign.h"

#include "foreign.h"
#include "step.h"

typedef STDCALL int32_t two_arguments(void *, void *);
typedef STDCALL void one_argument(void *);

static const uint32_t control_codes[] = {0x222000, 0x222003, 0x220004, 0x560000, 0x70000, 0xb0000};

static struct driver_object *driver;
static struct text *answers;
static struct device_object bus_device, spare_device;
static struct stack_location locations[2]; /* a driver may look at the one below its own */
static struct irp irp;
static uint64_t buffer[64];
static uint32_t control_code;
static unsigned major;

static void say_status(const char *what, int32_t status)
{
    text_add(answers, what);
    text_add(answers, " ");
    text_add_hex(answers, (uint32_t)status);
    text_add(answers, "\n");
}

static void add_device(void)
{
    step_begin();
    const int32_t status = ((two_arguments *)(uintptr_t)driver->extension->add_device)(driver, &bus_device);
    step_end();
    say_status("AddDevice", status);
}

static void send_request(void)
{
    struct device_object *device = driver->device ? driver->device : &spare_device;

    memset(&irp, 0, sizeof(irp));
    memset(buffer, 0, sizeof(buffer));
    locations[1] = (struct stack_location){.major = (uint8_t)major,
                                           .output_nbytes = sizeof(buffer),
                                           .input_nbytes = sizeof(buffer),
                                           .code = control_code,
                                           .device = device};
    irp.system_buffer = buffer;
    irp.stack_count = irp.current_location = 2;
    irp.current = &locations[1];
    step_begin();
    const int32_t status = ((two_arguments *)(uintptr_t)driver->major[major])(device, &irp);
    step_end();
    text_add_number(answers, major);
    say_status(" request", status);
}

static void unload(void)
{
    ((one_argument *)(uintptr_t)driver->unload)(driver);
    text_add(answers, "unloaded\n");
}

void drive_foreign(struct driver_object *started, struct text *log)
{
    driver = started;
    answers = log;
    memset(&bus_device, 0, sizeof(bus_device));
    memset(&spare_device, 0, sizeof(spare_device));
    spare_device.driver = driver;
    spare_device.extension = buffer;
    if (driver->extension && driver->extension->add_device)
        foreign_attempt(add_device);
    for (major = 0; major < MAJOR_COUNT; major++) {
        const size_t times = major == MAJOR_DEVICE_CONTROL ? COUNT_OF(control_codes) : 1;

        for (size_t i = 0; driver->major[major] && i < times; i++) {
            control_code = control_codes[i];
            foreign_attempt(send_request);
        }
    }
    if (driver->unload)
        foreign_attempt(unload);
}
