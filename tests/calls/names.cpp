/* Functions whose names linkers decorate each in their way; each asks for executable pool once. */
typedef unsigned long ULONG;
#ifdef _WIN64
typedef unsigned long long SIZE_T;
#else
typedef unsigned long SIZE_T;
#endif
#define NOINLINE __declspec(noinline)

extern "C" void *__stdcall ExAllocatePoolWithTag(int type, SIZE_T nbytes, ULONG tag);
void *volatile kept;

static NOINLINE void hidden(SIZE_T nbytes)
{
    kept = ExAllocatePoolWithTag(0, nbytes, '0001');
}

extern "C" NOINLINE void __cdecl plain(SIZE_T nbytes)
{
    kept = ExAllocatePoolWithTag(0, nbytes, '0002');
}

extern "C" NOINLINE void __fastcall fast(SIZE_T nbytes)
{
    kept = ExAllocatePoolWithTag(0, nbytes, '0003');
}

namespace driver
{
NOINLINE void member(SIZE_T nbytes)
{
    kept = ExAllocatePoolWithTag(0, nbytes, '0004');
}
} // namespace driver

extern "C" long __stdcall DriverEntry(void *object, void *)
{
    SIZE_T nbytes = (SIZE_T)object;
    hidden(nbytes);
    plain(nbytes);
    fast(nbytes);
    driver::member(nbytes);
    kept = ExAllocatePoolWithTag(0, nbytes, '0005');
    return 0;
}
