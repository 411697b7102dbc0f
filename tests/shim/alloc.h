/*
 * Counts the allocations of the whole process: alloc.c is a preload library that hooks malloc() and
 * friends. In a program under AddressSanitizer that runtime tells us instead, see test-alloc.c.
 */
#pragma once

/* Allocations since the start of the process; weak: NULL where alloc.c is not preloaded. */
unsigned long alloc_count(void) __attribute__((weak));
