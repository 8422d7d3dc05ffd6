/* A driver that does nothing, for projects that tests build. */
typedef long NTSTATUS;
__declspec(dllimport) unsigned long DbgPrint(const char *format, ...);

#ifndef WORDS
#define WORDS "begun"
#endif
static volatile int starts = 1;

NTSTATUS DriverEntry(void *driver, void *registry)
{
    (void)driver;
    (void)registry;
    starts++;
    DbgPrint(WORDS);
    return 0;
}
