/* What bench-option.c has to know of the next library that it measures over, stub.c. */
#pragma once

enum { STUB_BYTES = 64 }; /* a message, which the stub does not look at, is of that size */
