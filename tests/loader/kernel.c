/* kernel.c - what drivers of the fixtures import from the kernel.
 * Takes: calls of the driver.  Gives: sensible answers that are the same in every load, and a line in the log
 * for each call.  Must not: show an address in the log. */
#include "kernel.h"

#include "exceptions.h"
#include "kernel_pool.h"
#include "load.h"
#include "objects.h"
#include "traps.h"

#define STATUS_INSUFFICIENT_RESOURCES ((int32_t)0xc000009a)
#define DO_DEVICE_INITIALIZING 0x80u
#define DEVICE_LIMIT 4

struct text *kernel_log;

static struct device_object devices[DEVICE_LIMIT];
static uint8_t extensions[DEVICE_LIMIT][0x1000] __attribute__((aligned(16)));
static unsigned device_count;
static uint32_t build_number = 0xf0005867;
static uint32_t file_object_kind = 5;
static void *file_object_type = &file_object_kind;

void kernel_begin(void)
{
    memset(devices, 0, sizeof(devices));
    memset(extensions, 0, sizeof(extensions));
    device_count = 0;
    kernel_pool_begin();
}

static void begin_call(const char *name)
{
    text_add(kernel_log, "call ");
    text_add(kernel_log, name);
}

static void add_number(uint64_t value)
{
    text_add(kernel_log, " ");
    text_add_hex(kernel_log, value);
}

static void add_wide(const struct wide_text *text)
{
    text_add(kernel_log, " ");
    if (text)
        text_add_wide(kernel_log, text->units, text->nbytes);
    else
        text_add(kernel_log, "none");
}

static void add_address(const void *address)
{
    text_add(kernel_log, !address ? " null" : is_in_image((uintptr_t)address) ? " image" : " address");
}

static void end_call(void)
{
    text_add(kernel_log, "\n");
}

static STDCALL void init_wide_text(struct wide_text *text, const uint16_t *units)
{
    size_t count = 0;

    while (units && units[count])
        count++;
    *text = (struct wide_text){(uint16_t)(2 * count), (uint16_t)(2 * count + 2), units};
    begin_call("RtlInitUnicodeString");
    add_wide(text);
    end_call();
}

static STDCALL void copy_wide_text(struct wide_text *to, const struct wide_text *from)
{
    const uint16_t nbytes = !from ? 0 : from->nbytes < to->room_nbytes ? from->nbytes : to->room_nbytes;

    if (from)
        memcpy((void *)(uintptr_t)to->units, from->units, nbytes);
    to->nbytes = nbytes;
    begin_call("RtlCopyUnicodeString");
    add_wide(to);
    end_call();
}

static STDCALL uint16_t upcase(uint16_t unit)
{
    begin_call("RtlUpcaseUnicodeChar");
    add_number(unit);
    end_call();
    return unit >= 'a' && unit <= 'z' ? (uint16_t)(unit - 'a' + 'A') : unit;
}

static STDCALL uintptr_t compare_memory(const uint8_t *one, const uint8_t *other, uintptr_t nbytes)
{
    uintptr_t same = 0;

    while (same < nbytes && one[same] == other[same])
        same++;
    begin_call("RtlCompareMemory");
    add_number(nbytes);
    add_number(same);
    end_call();
    return same;
}

static STDCALL int32_t create_device(struct driver_object *driver, uint32_t extension_nbytes,
                                     const struct wide_text *name, uint32_t type, uint32_t characteristics,
                                     uint8_t is_exclusive, struct device_object **created)
{
    begin_call("IoCreateDevice");
    add_number(extension_nbytes);
    add_wide(name);
    add_number(type);
    add_number(characteristics);
    add_number(is_exclusive);
    end_call();
    if (device_count == DEVICE_LIMIT || extension_nbytes > sizeof(extensions[0]))
        return STATUS_INSUFFICIENT_RESOURCES;
    struct device_object *device = &devices[device_count];
    *device = (struct device_object){.type = 3,
                                     .nbytes = sizeof(*device),
                                     .driver = driver,
                                     .next = driver->device,
                                     .flags = DO_DEVICE_INITIALIZING,
                                     .extension = extension_nbytes > 0 ? extensions[device_count] : NULL,
                                     .device_type = type};
    device_count++;
    driver->device = device;
    *created = device;
    return STATUS_SUCCESS;
}

static STDCALL void delete_device(struct device_object *device)
{
    begin_call("IoDeleteDevice");
    add_number((uint64_t)(device - devices));
    end_call();
    if (device->driver->device == device)
        device->driver->device = device->next;
}

static STDCALL int32_t create_link(const struct wide_text *link, const struct wide_text *name)
{
    begin_call("IoCreateSymbolicLink");
    add_wide(link);
    add_wide(name);
    end_call();
    return STATUS_SUCCESS;
}

static STDCALL int32_t delete_link(const struct wide_text *link)
{
    begin_call("IoDeleteSymbolicLink");
    add_wide(link);
    end_call();
    return STATUS_SUCCESS;
}

static FASTCALL void complete_request(struct irp *irp, int8_t boost)
{
    begin_call("IofCompleteRequest");
    add_number((uint32_t)irp->status);
    add_number(irp->information);
    add_number((uint8_t)boost);
    end_call();
}

static STDCALL void *file_header_of(uintptr_t address, void **base)
{
    *base = is_in_image(address) ? loaded.memory : NULL;
    begin_call("RtlPcToFileHeader");
    add_address(*base);
    end_call();
    return *base;
}

static STDCALL void *headers_of(uint8_t *base)
{
    begin_call("RtlImageNtHeader");
    add_address(base);
    end_call();
    return get16(base) == 0x5a4d ? base + get32(base + 0x3c) : NULL;
}

static STDCALL void *lock_section(void *address)
{
    begin_call("MmLockPagableDataSection");
    add_address(address);
    end_call();
    return is_in_image((uintptr_t)address) ? address : NULL;
}

static STDCALL void lock_again(void *handle)
{
    begin_call("MmLockPagableSectionByHandle");
    add_address(handle);
    end_call();
}

static STDCALL void unlock_section(void *handle)
{
    begin_call("MmUnlockPagableImageSection");
    add_address(handle);
    end_call();
}

static STDCALL void *page_driver(void *address)
{
    begin_call("MmPageEntireDriver");
    add_address(address);
    end_call();
    return loaded.memory;
}

static STDCALL void reset_paging(void *address)
{
    begin_call("MmResetDriverPaging");
    add_address(address);
    end_call();
}

static CDECLARED void *copy_memory(void *to, const void *from, size_t nbytes)
{
    return memcpy(to, from, nbytes);
}

static CDECLARED void *set_memory(void *to, int value, size_t nbytes)
{
    return memset(to, value, nbytes);
}

#define EXPORTED(name, what) {name, (uintptr_t)(what)}

uintptr_t kernel_address(const char *name)
{
    const struct {
        const char *name;
        uintptr_t address;
    } exported[] = {
        EXPORTED("IoCreateDevice", create_device),
        EXPORTED("IoDeleteDevice", delete_device),
        EXPORTED("IoCreateSymbolicLink", create_link),
        EXPORTED("IoDeleteSymbolicLink", delete_link),
        EXPORTED("IofCompleteRequest", complete_request),
        EXPORTED("RtlInitUnicodeString", init_wide_text),
        EXPORTED("RtlCopyUnicodeString", copy_wide_text),
        EXPORTED("RtlUpcaseUnicodeChar", upcase),
        EXPORTED("RtlCompareMemory", compare_memory),
        EXPORTED("RtlPcToFileHeader", file_header_of),
        EXPORTED("RtlImageNtHeader", headers_of),
        EXPORTED("MmLockPagableDataSection", lock_section),
        EXPORTED("MmLockPagableSectionByHandle", lock_again),
        EXPORTED("MmUnlockPagableImageSection", unlock_section),
        EXPORTED("MmPageEntireDriver", page_driver),
        EXPORTED("MmResetDriverPaging", reset_paging),
        EXPORTED("ExRaiseStatus", trap_raise_status),
        EXPORTED("NtBuildNumber", &build_number),
        EXPORTED("IoFileObjectType", &file_object_type),
        EXPORTED("memcpy", copy_memory),
        EXPORTED("memset", set_memory),
        EXPORTED(EXCEPTION_HANDLER_NAME, exception_handler),
    };

    for (size_t i = 0; i < COUNT_OF(exported); i++) {
        if (text_is(exported[i].name, name))
            return exported[i].address;
    }
    return kernel_pool_address(name);
}
