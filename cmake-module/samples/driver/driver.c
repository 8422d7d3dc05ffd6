/* driver.c - the smallest driver: it starts, and it can be stopped. */
#include <ntddk.h>

static VOID unload(PDRIVER_OBJECT driver)
{
    (void)driver;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING registry_path)
{
    (void)registry_path;
    driver->DriverUnload = unload;
    return STATUS_SUCCESS;
}
