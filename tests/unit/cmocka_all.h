/* cmocka_all.h - the headers that cmocka wants before its own. */
#ifndef HVCIFIX_TESTS_CMOCKA_ALL_H
#define HVCIFIX_TESTS_CMOCKA_ALL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#endif
