/*
 * Memory that runs out, at one allocation or from one on: starve.c takes the place of malloc(),
 * calloc() and realloc() in the program that it is linked into, also for the libraries that this
 * one uses; or in any program, by LD_PRELOAD.
 */
#pragma once

#include <stdbool.h>

/*
 * The n-th allocation from now on fails, from 1; with lasting, all later ones, too. Of all threads.
 */
void starve_begin(unsigned long n, bool lasting);

/* While this is so none fails, and none is counted: what happens is not what is tested. */
void starve_hold(bool hold);

/* No more than that. Has any failed since starve_begin()? */
bool starve_end(void);
