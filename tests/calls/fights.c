/* Code that fights memory integrity, and code that looks like it.
 * Before each function stands "truth: NAME CODE VERDICT[|VERDICT]", or "truth: NAME nothing". No function is
 * inlined. */
#include <ntddk.h>

#ifdef __clang__
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noinline, noclone))
#endif
#define WRITE_PROTECT ((ULONG_PTR)0x10000)
#define SEC_IMAGE_FLAG 0x1000000
#define SEC_COMMIT_FLAG 0x8000000

typedef void(NTAPI *run_fn)(void *);

volatile LONG choice;
void *volatile kept;
static ULONG_PTR saved;
static run_fn hook;
static run_fn harmless;
static PMDL shared;

static inline __attribute__((always_inline)) ULONG_PTR read_cr0(void)
{
    ULONG_PTR value;
    __asm__ volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}

static inline __attribute__((always_inline)) void write_cr0(ULONG_PTR value)
{
    __asm__ volatile("mov %0, %%cr0" : : "r"(value) : "memory");
}

/* truth: protect_off HVCI2300 proved */
NOINLINE void protect_off(void)
{
    write_cr0(read_cr0() & ~WRITE_PROTECT);
}

/* truth: protect_off_saving HVCI2300 proved */
NOINLINE void protect_off_saving(void)
{
    saved = read_cr0();
    write_cr0(saved & ~WRITE_PROTECT);
}

/* The bit is taken away by the caller. truth: protect_write HVCI2300 depends|proved */
NOINLINE void protect_write(ULONG_PTR value)
{
    write_cr0(value);
}

/* truth: protect_on nothing */
NOINLINE void protect_on(void)
{
    write_cr0(read_cr0() | WRITE_PROTECT);
}

/* Another bit: task switched. truth: other_bit nothing */
NOINLINE void other_bit(void)
{
    write_cr0(read_cr0() & ~(ULONG_PTR)8);
}

/* What was read is written back. truth: write_back nothing */
NOINLINE void write_back(void)
{
    ULONG_PTR value = read_cr0();
    choice++;
    write_cr0(value);
}

NOINLINE NTSTATUS NTAPI victim(PDEVICE_OBJECT device, PIRP irp)
{
    (void)device;
    (void)irp;
    return choice;
}

/* truth: patch_own HVCI2301 proved */
NOINLINE void patch_own(void)
{
    PMDL mdl = IoAllocateMdl((PVOID)victim, 16, FALSE, FALSE, NULL);
    if (!mdl)
        return;
    MmBuildMdlForNonPagedPool(mdl);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
}

/* truth: patch_kernel HVCI2301 proved */
NOINLINE void patch_kernel(void)
{
    UNICODE_STRING name;
    RtlInitUnicodeString(&name, L"NtCreateFile");
    PMDL mdl = IoAllocateMdl(MmGetSystemRoutineAddress(&name), 16, FALSE, FALSE, NULL);
    if (mdl)
        kept = MmMapLockedPages(mdl, KernelMode);
}

static NOINLINE void *map_anything(PVOID address, ULONG nbytes)
{
    shared = IoAllocateMdl(address, nbytes, FALSE, FALSE, NULL);
    if (!shared)
        return NULL;
    MmBuildMdlForNonPagedPool(shared);
    return MmMapLockedPagesSpecifyCache(shared, KernelMode, MmCached, NULL, FALSE, 0x40000010);
}

/* truth: map_anything HVCI2301 proved|depends */
NOINLINE void patch_through_wrapper(void)
{
    kept = map_anything((PVOID)victim, 32);
}

/* truth: patch_by_physical HVCI2301 proved|nothing */
NOINLINE void patch_by_physical(void)
{
    kept = MmMapIoSpace(MmGetPhysicalAddress((PVOID)victim), 4096, MmNonCached);
}

/* Data of its own. truth: map_data nothing */
NOINLINE void map_data(void)
{
    PMDL mdl = IoAllocateMdl((PVOID)&choice, 16, FALSE, FALSE, NULL);
    if (!mdl)
        return;
    MmBuildMdlForNonPagedPool(mdl);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
}

/* A buffer of a caller. truth: map_buffer nothing */
NOINLINE void map_buffer(PIRP irp)
{
    kept =
        MmMapLockedPagesSpecifyCache(irp->MdlAddress, KernelMode, MmCached, NULL, FALSE, NormalPagePriority);
}

/* An MDL over code that is only freed again. truth: describe_code nothing */
NOINLINE void describe_code(void)
{
    PMDL mdl = IoAllocateMdl((PVOID)victim, 16, FALSE, FALSE, NULL);
    if (mdl)
        IoFreeMdl(mdl);
}

/* truth: section_image HVCI2302 proved */
NOINLINE NTSTATUS section_image(HANDLE file)
{
    HANDLE section = NULL;
    NTSTATUS status = ZwCreateSection(&section, 5, NULL, NULL, PAGE_EXECUTE, SEC_IMAGE_FLAG, file);
    kept = section;
    return status;
}

/* truth: section_executable HVCI2302 depends */
NOINLINE NTSTATUS section_executable(HANDLE file)
{
    HANDLE section = NULL;
    NTSTATUS status = ZwCreateSection(&section, 5, NULL, NULL, PAGE_EXECUTE_READ, SEC_COMMIT_FLAG, file);
    kept = section;
    return status;
}

/* truth: section_data nothing */
NOINLINE NTSTATUS section_data(HANDLE file)
{
    HANDLE section = NULL;
    NTSTATUS status = ZwCreateSection(&section, 5, NULL, NULL, PAGE_READONLY, SEC_COMMIT_FLAG, file);
    kept = section;
    return status;
}

/* No file behind it: what it asks for is HVCI2001. truth: section_of_nothing nothing */
NOINLINE NTSTATUS section_of_nothing(void)
{
    HANDLE section = NULL;
    LARGE_INTEGER most;
    most.QuadPart = 4096;
    NTSTATUS status =
        ZwCreateSection(&section, 5, NULL, &most, PAGE_EXECUTE_READWRITE, SEC_COMMIT_FLAG, NULL);
    kept = section;
    return status;
}

/* truth: run_at_once HVCI2303 proved */
NOINLINE void run_at_once(void)
{
    run_fn run = (run_fn)ExAllocatePoolWithTag(NonPagedPool, 64, '1run');
    if (run)
        run(NULL);
    choice++;
}

static NOINLINE void *allocate(SIZE_T nbytes)
{
    return ExAllocatePoolWithTag(NonPagedPool, nbytes + 16, '2run');
}

/* The entry lies inside. truth: run_inside HVCI2303 proved */
NOINLINE void run_inside(void)
{
    UCHAR *code = allocate(4096);
    if (code)
        ((run_fn)(code + choice))(code);
    choice++;
}

NOINLINE void keep_hook(void)
{
    hook = (run_fn)ExAllocatePoolWithTag(NonPagedPool, 128, '3run');
}

/* truth: run_hook HVCI2303 proved */
NOINLINE void run_hook(void)
{
    if (hook)
        hook(NULL);
    choice++;
}

/* truth: run_given HVCI2303 proved */
NOINLINE void run_given(run_fn run)
{
    run(NULL);
    choice++;
}

NOINLINE void give(void)
{
    void *code = ExAllocatePoolWithTag(NonPagedPool, 256, '4run');
    if (code)
        run_given((run_fn)code);
}

/* truth: run_as_thread HVCI2303 proved */
NOINLINE void run_as_thread(void)
{
    HANDLE thread;
    void *code = ExAllocatePoolWithTag(NonPagedPool, 512, '5run');
    if (code && NT_SUCCESS(PsCreateSystemThread(&thread, 0, NULL, NULL, NULL, (PKSTART_ROUTINE)code, NULL)))
        ZwClose(thread);
}

static void NTAPI do_nothing(void *context)
{
    kept = context;
}

/* A pointer that lies in such memory. truth: run_through nothing */
NOINLINE void run_through(void)
{
    struct {
        run_fn run;
        void *context;
    } *work = ExAllocatePoolWithTag(NonPagedPool, sizeof *work, '6run');
    if (!work)
        return;
    *(volatile run_fn *)&work->run = do_nothing;
    work->context = (void *)work;
    (*(volatile run_fn *)&work->run)(work->context);
    choice++;
}

/* truth: run_harmless nothing */
NOINLINE void run_harmless(void)
{
    if (harmless)
        harmless(ExAllocatePoolWithTag(NonPagedPool, 32, '7run'));
    choice++;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    (void)path;
    harmless = do_nothing;
    protect_off();
    protect_off_saving();
    protect_write(read_cr0() & ~WRITE_PROTECT);
    protect_write(saved);
    protect_on();
    other_bit();
    write_back();
    driver->MajorFunction[0] = victim;
    patch_own();
    patch_kernel();
    patch_through_wrapper();
    patch_by_physical();
    map_data();
    describe_code();
    map_buffer((PIRP)kept);
    section_image((HANDLE)kept);
    section_executable((HANDLE)kept);
    section_data((HANDLE)kept);
    section_of_nothing();
    run_at_once();
    run_inside();
    keep_hook();
    run_hook();
    give();
    run_as_thread();
    run_through();
    run_harmless();
    return STATUS_SUCCESS;
}
