/* Calls that may ask for executable memory, each with the verdict that its source has.
 * Behind a call, in its line, stands "truth: KEY VERDICT[|VERDICT...]": KEY is a text that no other call has
 * among its arguments. Where a function is inlined its call may stand in several places: each must have one
 * of the verdicts. */
/* clang-format off */
#include <ntddk.h>

NTSTATUS NTAPI ZwAllocateVirtualMemory(HANDLE, PVOID *, ULONG_PTR, PSIZE_T, ULONG, ULONG);
PVOID NTAPI FsRtlAllocatePool(POOL_TYPE, ULONG);
PVOID NTAPI FsRtlAllocatePoolWithQuota(POOL_TYPE, ULONG);
PVOID NTAPI FsRtlAllocatePoolWithQuotaTag(POOL_TYPE, ULONG, ULONG);
PVOID NTAPI FsRtlAllocatePoolWithTag(POOL_TYPE, ULONG, ULONG);

#define NX ((POOL_TYPE)512)
#define EXECUTE_READWRITE 0x40
#define READWRITE 0x04
#define MDL_NO_EXECUTE 0x40000000
#define NOINLINE __attribute__((noinline))

volatile LONG choice;
void *volatile kept;
PMDL volatile mdl;
POOL_TYPE chosen_once = NonPagedPool; /* as POOL_NX_OPTIN has it */
static POOL_TYPE chosen_again = PagedPool;
static POOL_TYPE chosen_late = NonPagedPool; /* the same in the file, but no opt-in */
static const POOL_TYPE never_changed = NonPagedPool;
ULONG mdl_default; /* the opt-in of mappings */
ULONG mdl_more;    /* flags of the driver's own */
ULONG mdl_again;   /* set and taken back */
typedef PVOID(NTAPI *allocate_fn)(POOL_TYPE, SIZE_T, ULONG);
static allocate_fn cached;
static allocate_fn found;

static void constants(void)
{
    kept = ExAllocatePoolWithTag(NonPagedPool, 64, '1000'); // truth: '0001' executable
    kept = ExAllocatePoolWithTag(PagedPool, 64, '2000');    // truth: '0002' no-execute
    kept = ExAllocatePoolWithTag(NX, 64, '3000');           // truth: '0003' no-execute
    kept = ExAllocatePoolWithTag((POOL_TYPE)(NonPagedPoolCacheAligned | 8), 64, '4000'); // truth: '0004' executable
    kept = ExAllocatePoolWithTag((POOL_TYPE)(NX | 16), 64, '5000');                      // truth: '0005' no-execute
    kept = ExAllocatePool(NonPagedPool, 0x1234); // truth: 0x1234 executable
    kept = ExAllocatePool(PagedPool, 0x1236);    // truth: 0x1236 no-execute
    kept = ExAllocatePoolWithQuotaTag((POOL_TYPE)(PagedPool | 8), 64, '6000'); // truth: '0006' no-execute
    kept = ExAllocatePoolWithTag(never_changed, 64, '7000');                   // truth: '0007' executable
}

/* What ntoskrnl exports for drivers that are older than the macros of the same names. */
static void file_system(void)
{
    kept = FsRtlAllocatePool(NonPagedPool, 0x1240);                           // truth: 0x1240 executable
    kept = FsRtlAllocatePoolWithQuota(PagedPool, 0x1242);                     // truth: 0x1242 no-execute
    kept = FsRtlAllocatePoolWithQuotaTag(choice ? NonPagedPool : PagedPool, 64, '1sf0'); // truth: '0fs1' depends
    kept = FsRtlAllocatePoolWithTag(NonPagedPoolCacheAligned, 64, '2sf0');    // truth: '0fs2' executable
}

static void conditions(void)
{
    POOL_TYPE type = choice ? NonPagedPool : NX;
    POOL_TYPE safe = choice > 3 ? PagedPool : NX;
    POOL_TYPE unsafe = choice > 7 ? NonPagedPool : NonPagedPoolCacheAligned;
    kept = ExAllocatePoolWithTag(type, 64, '1001');   // truth: '1001' depends
    kept = ExAllocatePoolWithTag(safe, 64, '2001');   // truth: '1002' no-execute
    kept = ExAllocatePoolWithTag(unsafe, 64, '3001'); // truth: '1003' executable
    if (choice == 0)
        kept = ExAllocatePoolWithTag((POOL_TYPE)choice, 64, '4001'); // truth: '1004' unknown|depends
    type = PagedPool;
    for (int i = 0; i < choice; i++) {
        kept = ExAllocatePoolWithTag(type, 64, '5001'); // truth: '1005' depends|no-execute|executable
        type = NonPagedPool;
    }
    switch (choice) {
    case 1:
        type = PagedPool;
        break;
    case 2:
        type = NX;
        break;
    case 3:
        type = (POOL_TYPE)(PagedPool | 8);
        break;
    case 4:
        type = PagedPoolCacheAligned;
        break;
    default:
        type = (POOL_TYPE)(NX | 16);
        break;
    }
    kept = ExAllocatePoolWithTag(type, 64, '6001'); // truth: '1006' no-execute
}

static NOINLINE void *allocate(POOL_TYPE type, SIZE_T nbytes)
{
    return ExAllocatePoolWithTag(type, nbytes, '1002'); // truth: '2001' no-execute
}

static NOINLINE void *allocate_any(SIZE_T nbytes, ULONG flags, POOL_TYPE type)
{
    if (flags & 1)
        nbytes *= 2;
    return ExAllocatePoolWithTag(type, nbytes, '2002'); // truth: '2002' depends
}

static NOINLINE void *allocate_plain(SIZE_T nbytes)
{
    return ExAllocatePoolWithTag(NonPagedPool, nbytes, '3002'); // truth: '2003' executable
}

/* Its address is taken: anybody may call it. */
NOINLINE void *NTAPI allocate_for_others(POOL_TYPE type, SIZE_T nbytes, ULONG tag)
{
    (void)tag;
    return ExAllocatePoolWithTag(type, nbytes, '4002'); // truth: '2004' depends|unknown
}

/* A wrapper of a wrapper. */
static NOINLINE void *allocate_paged(SIZE_T nbytes)
{
    return allocate(PagedPool, nbytes + 16);
}

static void wrappers(void)
{
    kept = allocate(NX, 100);
    kept = allocate(PagedPool, 200);
    kept = allocate_paged(300);
    kept = allocate_any(100, 1, NonPagedPool);
    kept = allocate_any(200, 2, PagedPool);
    kept = allocate_plain(100);
    *(allocate_fn volatile *)&kept = allocate_for_others;
}

static void globals(void)
{
    kept = ExAllocatePoolWithTag(chosen_once, 64, '1003'); // truth: '3001' no-execute
    if (choice == 11)
        chosen_again = NonPagedPool;
    kept = ExAllocatePoolWithTag(chosen_again, 64, '2003'); // truth: '3002' depends
}

static void pointers(void)
{
    UNICODE_STRING name;
    cached = (allocate_fn)ExAllocatePoolWithTag;
    kept = cached(NonPagedPool, 64, '1004'); // truth: '4001' executable
    kept = cached(PagedPool, 64, '2004');    // truth: '4002' no-execute
    RtlInitUnicodeString(&name, L"ExAllocatePoolWithTag");
    found = (allocate_fn)MmGetSystemRoutineAddress(&name);
    if (found)
        kept = found(NonPagedPool, 64, '3004'); // truth: '4003' executable
}

static NOINLINE void later(void)
{
    kept = cached(NX, 64, '4004');           // truth: '4004' no-execute
    kept = found(NonPagedPool, 64, '5004');  // truth: '4005' executable
}

static void protections(HANDLE process, PVOID *base, PSIZE_T nbytes)
{
    HANDLE section;
    LARGE_INTEGER most;
    most.QuadPart = 0x5000;
    ZwAllocateVirtualMemory(process, base, 0, nbytes, 0x1001000, EXECUTE_READWRITE); // truth: 0x1001000 executable
    ZwAllocateVirtualMemory(process, base, 0, nbytes, 0x1003000, READWRITE);         // truth: 0x1003000 no-execute
    ZwCreateSection(&section, 0x777, NULL, &most, READWRITE, 0x8000000, NULL);       // truth: 0x777 no-execute
    ZwCreateSection(&section, 0x778, NULL, &most, 0x20, 0x8000000, NULL);            // truth: 0x778 executable
    ZwMapViewOfSection(section, process, base, 0, 0x9991, NULL, nbytes, ViewUnmap, 0, 0x40); // truth: 0x9991 executable
    ZwMapViewOfSection(section, process, base, 0, 0x9992, NULL, nbytes, ViewUnmap, 0, 4);    // truth: 0x9992 no-execute
}

static void mappings(void)
{
    /* the same call but for the requested address, which makes it known */
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, (PVOID)0x7771, FALSE, // truth: 0x7771 executable
                                        NormalPagePriority);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, (PVOID)0x7772, FALSE, // truth: 0x7772 no-execute
                                        NormalPagePriority | MDL_NO_EXECUTE);
    kept = MmMapLockedPagesSpecifyCache(mdl, UserMode, MmCached, (PVOID)0x7773, FALSE, // truth: 0x7773 no-execute
                                        NormalPagePriority);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, (PVOID)0x7774, FALSE, // truth: 0x7774 no-execute
                                        mdl_default | mdl_more | NormalPagePriority);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, (PVOID)0x7775, FALSE, // truth: 0x7775 no-execute
                                        mdl_more | mdl_default | NormalPagePriority);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, (PVOID)0x7776, FALSE, // truth: 0x7776 depends
                                        mdl_again | mdl_more | NormalPagePriority);
    kept = MmMapLockedPagesSpecifyCache(mdl, KernelMode, MmCached, (PVOID)0x7777, FALSE, // truth: 0x7777 executable
                                        mdl_more | (ULONG)chosen_once | NormalPagePriority);
}

static NOINLINE void many_arguments(int a, int b, int c, int d, POOL_TYPE type, int f)
{
    choice = a + b + c + d + f;
    kept = ExAllocatePoolWithTag(type, 64, '1005'); // truth: '5001' executable
}

static NOINLINE void tail(POOL_TYPE type)
{
    choice++;
    ExAllocatePoolWithTag(type, 64, '2005'); // truth: '5002' no-execute
}

static NOINLINE void two_steps(int unused, POOL_TYPE type)
{
    (void)unused;
    choice += 3;
    tail(type);
}

static NOINLINE void handed_out(void)
{
    POOL_TYPE type = PagedPool;
    POOL_TYPE *volatile elsewhere = &type;
    *elsewhere = NonPagedPool;
    kept = ExAllocatePoolWithTag(type, 64, '3005'); // truth: '5003' executable|depends|unknown
}

static NOINLINE void change(POOL_TYPE *type)
{
    if (choice == 99)
        *type = NonPagedPool;
}

static NOINLINE void changed_by_callee(void)
{
    POOL_TYPE type = PagedPool;
    change(&type);
    kept = ExAllocatePoolWithTag(type, 64, '7005'); // truth: '5007' depends|unknown
}

/* A sum of bits. */
static NOINLINE void bits(ULONG flags)
{
    kept = ExAllocatePoolWithTag((POOL_TYPE)((flags & 8) | 512), 64, '4005'); // truth: '5004' no-execute
    kept = ExAllocatePoolWithTag((POOL_TYPE)(flags & 0x18), 64, '5005');      // truth: '5005' executable
    kept = ExAllocatePoolWithTag((POOL_TYPE)(flags | 1), 64, '6005');         // truth: '5006' no-execute
}

/* One of two variables that hold the same in the file. */
static NOINLINE void either_variable(void)
{
    kept = ExAllocatePoolWithTag(choice == 12 ? chosen_once : chosen_late, 64, '3003'); // truth: '3003' depends|unknown
}

/* Written through a pointer that leads to one of several, or steps from one to the next. */
static NOINLINE void one_of_two(void)
{
    volatile POOL_TYPE first = PagedPool, second = PagedPool;
    volatile POOL_TYPE *one = choice & 1 ? &first : &second;
    *one = NonPagedPool;
    kept = ExAllocatePoolWithTag(first, 64, '1006'); // truth: '6001' depends|unknown
}

static NOINLINE void steps(int n)
{
    volatile POOL_TYPE types[12];
    for (int i = 0; i < 12; i++)
        types[i] = PagedPool;
    for (volatile POOL_TYPE *type = types + 2; type < types + n; type++)
        *type = NonPagedPool;
    kept = ExAllocatePoolWithTag(types[5], 64, '2006'); // truth: '6002' depends|unknown
}

static NOINLINE void element(int i)
{
    volatile POOL_TYPE types[8];
    types[0] = types[1] = types[2] = types[3] = PagedPool;
    volatile POOL_TYPE *type = &types[i & 3];
    if (choice)
        type[0] = NonPagedPool;
    kept = ExAllocatePoolWithTag(types[2], 64, '3006'); // truth: '6003' depends|unknown
}

/* Parts of variables: written through the address of the whole, or by an index. */
static struct settings {
    int before[40];
    POOL_TYPE unsafe, safe;
} settings = {.unsafe = PagedPool};
static volatile POOL_TYPE table[8] = {1, 1, 1, 1, 1, 1, 1, 1};

static NOINLINE void set_all(struct settings *all, int number)
{
    all->before[3] = number;
    all->unsafe = NonPagedPool;
    all->safe = NX;
}

static NOINLINE void wholes(void)
{
    kept = ExAllocatePoolWithTag(settings.unsafe, 64, '4006'); // truth: '6004' executable|depends|unknown
    kept = ExAllocatePoolWithTag(settings.safe, 64, '5006');   // truth: '6005' no-execute|depends|unknown
    kept = ExAllocatePoolWithTag(table[5], 64, '6006');        // truth: '6006' depends|unknown
}

/* Set to NonPagedPoolNx under a condition that has nothing to do with Windows: no opt-in. */
static volatile POOL_TYPE asked_for = NonPagedPool;

static NOINLINE void conditional_opt_in(void)
{
    if (choice == 12)
        asked_for = NX;
    kept = ExAllocatePoolWithTag(asked_for, 64, '7006'); // truth: '6007' depends
}

/* As POOL_NX_OPTIN_AUTO has it. */
static volatile POOL_TYPE by_version = NonPagedPool;
static volatile BOOLEAN is_asked;

static NOINLINE void version_opt_in(void)
{
    ULONG major = 0, minor = 0;
    if (!is_asked) {
        PsGetVersion(&major, &minor, NULL, NULL);
        if (major > 6 || (major == 6 && minor >= 2))
            by_version = NX;
        is_asked = TRUE;
    }
    kept = ExAllocatePoolWithTag(by_version, 64, '8006'); // truth: '6008' no-execute
}

/* The call leads to Windows or to a function of the driver's own. */
static volatile allocate_fn either;

static NOINLINE void either_function(void)
{
    either = (allocate_fn)ExAllocatePoolWithTag;
    if (choice == 13)
        either = allocate_for_others;
    kept = either(NonPagedPool, 64, '9006'); // truth: '6009' depends
}

/* A string instruction writes over variables. */
static NOINLINE void string(void)
{
    volatile struct {
        POOL_TYPE before, type, behind;
    } types;
    void *to = (void *)&types.type;
    ULONG_PTR count = 1;
    types.before = types.type = types.behind = NX;
    __asm__ volatile("rep stosl" : "+D"(to), "+c"(count) : "a"(0));
    kept = ExAllocatePoolWithTag(types.type, 64, '1007');   // truth: '7001' executable|depends|unknown
    kept = ExAllocatePoolWithTag(types.before, 64, '2007'); // truth: '7002' no-execute
}

/* The change of a bit leaves the flag for zero alone; a number that is compared with may change before the
 * branch. */
static NOINLINE void flags(ULONG flags)
{
    ULONG type = flags, other = 1;
    __asm__ volatile("cmpl $0x33, %0\n\tbtsl $9, %0\n\tje 1f\n\tmovl $1, %0\n1:" : "+r"(type));
    kept = ExAllocatePoolWithTag((POOL_TYPE)type, 64, '3007'); // truth: '7003' no-execute
    type = flags;
    __asm__ volatile("cmpl %1, %0\n\tmovl $0, %1\n\tje 1f\n\tmovl $1, %0\n1:" : "+r"(type), "+r"(other));
    kept = ExAllocatePoolWithTag((POOL_TYPE)type, 64, '4007'); // truth: '7004' no-execute|depends|unknown
}

/* A bit by its number may lie in another variable. */
static NOINLINE void bit_number(LONG number)
{
    volatile POOL_TYPE types[2] = {PagedPool, PagedPool};
    __asm__ volatile("btrl %1, %0" : "+m"(types[0]) : "r"(number & 32));
    kept = ExAllocatePoolWithTag(types[1], 64, '5007'); // truth: '7005' depends|unknown
}

/* An address that is aligned lies below what it was made of. */
static NOINLINE void aligned_pointer(void)
{
    volatile ULONG room[32];
    for (int i = 0; i < 16; i++)
        room[i] = 1;
    room[2] = 1;
    volatile ULONG *at = (volatile ULONG *)(((ULONG_PTR)room + 63) & ~(ULONG_PTR)63);
    at[0] = at[1] = at[2] = 0;
    kept = ExAllocatePoolWithTag((POOL_TYPE)room[2], 64, '6007'); // truth: '7006' depends|unknown
}

/* What a function returns is one less each time. */
static NOINLINE ULONG count_down(LONG n, ULONG type)
{
    kept = NULL;
    return n > 0 ? count_down(n - 1, type) - 1 : type;
}

static NOINLINE void counted(LONG n)
{
    kept = ExAllocatePoolWithTag((POOL_TYPE)count_down(n, 1), 64, '7007'); // truth: '7007' depends|unknown
}

/* Cases of a switch that change a variable for the next time round. */
static NOINLINE void rounds(LONG n)
{
    POOL_TYPE type = NX;
    for (;;) {
        switch (n) {
        case 0:
            kept = (void *)4;
            type = NonPagedPool;
            n = choice;
            break;
        case 1:
            type = PagedPool;
            n = 4;
            break;
        case 2:
            kept = (void *)5;
            n = choice;
            break;
        case 3:
            kept = (void *)6;
            type |= 0x10;
            n = choice;
            break;
        case 4:
            kept = (void *)9;
            n++;
            break;
        case 5:
            type = NonPagedPool;
            n = choice + 1;
            break;
        default:
            kept = ExAllocatePoolWithTag(type, 64, '8007'); // truth: '7008' depends|unknown
            return;
        }
    }
}

/* The block of a __finally changes a variable of the function that it belongs to. */
static __attribute__((naked)) NOINLINE void finally(void)
{
#ifdef __x86_64__
    __asm__("pushq %rbp\n\tmovq %rsp, %rbp\n\tsubq $48, %rsp\n\tmovl $1, -8(%rbp)\n\t"
            "movq %rbp, %rdx\n\tcall 1f\n\tmovl -8(%rbp), %ecx\n\tmovl $64, %edx\n\tmovl $0x39303037, %r8d\n\t" // truth: '7009' depends|unknown
            "call ExAllocatePoolWithTag\n\tleave\n\tret\n1:\tmovl $0, -8(%rdx)\n\tret");
#else
    __asm__("pushl %ebp\n\tmovl %esp, %ebp\n\tsubl $8, %esp\n\tmovl $1, -4(%ebp)\n\t"
            "call 1f\n\tjmp 2f\n1:\tmovl $0, -4(%ebp)\n\tret\n2:\t"
            "pushl $0x39303037\n\tpushl $64\n\tpushl -4(%ebp)\n\t"
            "call _ExAllocatePoolWithTag@12\n\tleave\n\tret");
#endif
}

void NTAPI unload(PDRIVER_OBJECT driver)
{
    (void)driver;
    chosen_late = PagedPool;
    mdl_more = 0x80000000;
    mdl_again = 0;
    later();
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    SIZE_T nbytes = 0x1000;
    PVOID base = NULL;
    (void)path;
    chosen_once = NX;
    mdl_default = MDL_NO_EXECUTE;
    if (choice == 13)
        mdl_again = MDL_NO_EXECUTE;
    driver->DriverUnload = unload;
    constants();
#ifndef ONLY_POOL /* Wine ends a driver that calls what it has not */
    file_system();
#endif
    conditions();
    wrappers();
    globals();
    pointers();
#ifndef ONLY_POOL
    protections((HANDLE)(LONG_PTR)-1, &base, &nbytes);
    mappings();
    either_variable();
#endif
    many_arguments(1, 2, 3, choice, NonPagedPoolCacheAligned, choice);
    two_steps(4, NX);
    two_steps(5, PagedPool);
    handed_out();
    changed_by_callee();
    bits((ULONG)choice);
    one_of_two();
    steps(choice);
    element(choice);
    set_all(&settings, choice);
    for (int i = 0; i < choice; i++)
        table[i] = NonPagedPool;
    wholes();
    conditional_opt_in();
    version_opt_in();
    either_function();
    string();
    flags((ULONG)choice);
    bit_number(choice);
    aligned_pointer();
    counted(choice);
    rounds(choice);
    finally();
    return STATUS_SUCCESS;
}
