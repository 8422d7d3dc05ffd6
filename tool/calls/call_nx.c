/* call_nx.c - calls that were led through stubs which add a no-execute flag.
 * Takes: an address that is called.  Gives: the import behind it.  Must not: take other code for a stub. */
#include "calls/calls_internal.h"
#include "calls/nx_stub.h"

const struct import *search_nx_stub(const struct call_search *search, uint32_t rva)
{
    struct span bytes = image_run_at_rva(search->image, rva);
    const struct nx_api *api, *own;
    size_t jump_at;
    if (!nx_stub_is_at(bytes.bytes, bytes.nbytes, search->image->is_64, &jump_at, &api))
        return NULL;
    const struct import *import = search_import_thunk(search, rva + (uint32_t)jump_at);
    own = import ? nx_api_find(import->module, import->name) : NULL;
    return own && nx_stub_is_same(own, api) ? import : NULL;
}

uint32_t search_nx_stub_of_jump(const struct call_search *search, uint32_t rva)
{
    for (uint32_t before = 1; before < NX_STUB_MAX_NBYTES && before < rva; before++) {
        struct span bytes = image_run_at_rva(search->image, rva - before);
        const struct nx_api *api;
        size_t jump_at;
        if (nx_stub_is_at(bytes.bytes, bytes.nbytes, search->image->is_64, &jump_at, &api) &&
            jump_at == before && search_nx_stub(search, rva - before))
            return rva - before;
    }
    return 0;
}

const struct import *search_import_behind(const struct call_search *search, uint32_t rva)
{
    const struct import *import = search_import_thunk(search, rva);
    return import ? import : search_nx_stub(search, rva);
}

uint32_t search_nx_stub_value(const struct call_search *search, value_number value)
{
    const struct atom *address = value_single(&search->values, value, ATOM_ADDRESS);
    return address && search_nx_stub(search, (uint32_t)address->number) ? (uint32_t)address->number : 0;
}
