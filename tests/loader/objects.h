/* objects.h - Windows' objects, as far as a driver looks into them. Natural alignment gives the layout of
 * both machines. */
#ifndef LOADER_OBJECTS_H
#define LOADER_OBJECTS_H

#include "machine.h"

#define MAJOR_COUNT 28
#define MAJOR_CREATE 0
#define MAJOR_CLOSE 2
#define MAJOR_DEVICE_CONTROL 14

struct wide_text {
    uint16_t nbytes, room_nbytes;
    const uint16_t *units;
};

struct device_object {
    int16_t type;
    uint16_t nbytes;
    int32_t reference_count;
    struct driver_object *driver;
    struct device_object *next, *attached;
    void *current_irp, *timer;
    uint32_t flags, characteristics;
    void *volume;
    void *extension;
    uint32_t device_type;
    uint8_t rest[0x140];
};

struct driver_extension {
    struct driver_object *driver;
    void *add_device;
    uint32_t count;
    struct wide_text service_key;
};

struct driver_object {
    int16_t type;
    uint16_t nbytes;
    struct device_object *device;
    uint32_t flags;
    void *start;
    uint32_t image_nbytes;
    void *section;
    struct driver_extension *extension;
    struct wide_text name;
    void *hardware, *fast_io, *init, *start_io, *unload;
    void *major[MAJOR_COUNT];
};
_Static_assert(offsetof(struct driver_object, major) == (IS_64 ? 0x70 : 0x38), "DRIVER_OBJECT");

/* A request for a device: IO_STACK_LOCATION of IRP_MJ_DEVICE_CONTROL. */
struct stack_location {
    uint8_t major, minor, flags, control;
    uintptr_t output_nbytes, input_nbytes, code, user_buffer;
    struct device_object *device;
    void *file, *completion, *context;
};
_Static_assert(sizeof(struct stack_location) == (IS_64 ? 0x48 : 0x24), "IO_STACK_LOCATION");

struct irp {
    int16_t type;
    uint16_t nbytes;
    void *mdl;
    uint32_t flags;
    void *system_buffer;
    void *thread_list[2];
    uintptr_t status, information;
    uint8_t mode, is_pending, stack_count, current_location;
    uint8_t between[IS_64 ? 0x74 : 0x3c];
    struct stack_location *current;
    uint8_t rest[0x20];
};
_Static_assert(offsetof(struct irp, status) == (IS_64 ? 0x30 : 0x18), "IRP");
_Static_assert(offsetof(struct irp, current) == (IS_64 ? 0xb8 : 0x60), "IRP");

#endif
