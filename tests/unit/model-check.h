/*
 * What is true of an engine, whatever happens: between two events, and of each action when it is
 * queued. The first thing that isn't is printed, and ends the program.
 *
 * It also stands for the kernel as far as that has been asked for something: what waits for an
 * answer in the model must be on its way, or it would wait for ever.
 */
#pragma once

#include "../../daemon/core/order.h"

struct model_check {
        struct engine *engine;
        ARRAY_OF(struct action) asked; /* taken from the queue, and not answered yet */
        long listeners;                /* announcements that need one, less releases, so far */
        bool strange;                  /* a subflow that the model has not is being closed */
};

/* Watches each action from now on; the engine's tap is taken. */
void model_check_begin(struct model_check *check, struct engine *engine);
void model_check_done(struct model_check *check);

/* The kernel takes the next action; false: there is none. */
bool model_check_take(struct model_check *check);

/* The answer to asked.items[i] is about to be fed. */
void model_check_answer(struct model_check *check, uint32_t i);

/* Between two events. */
void model_check(const struct model_check *check);
