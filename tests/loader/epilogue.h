/* epilogue.h - the end of an x64 function, which unwind data do not describe: its instructions do. */
#ifndef LOADER_EPILOGUE_H
#define LOADER_EPILOGUE_H

#include "machine.h"

/* Is the rest of the function, from this address on, nothing but an epilogue? */
bool epilogue_begins(uintptr_t ip, const uint8_t *function);

/* Does what such an epilogue does, with the return. */
bool epilogue_run(struct context *context);

#endif
