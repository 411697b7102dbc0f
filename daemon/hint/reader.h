/*
 * The thread that reads hints.
 *
 * It has a thread of its own because strangers choose what it touches: a socket whose lock is held
 * for as long as they like (by a write from memory that never arrives), or a descriptor whose
 * close() doesn't return (of a file system of their own, or a socket that lingers). Whoever does
 * that stops the hints, which are advice, but not the management of paths.
 */
#pragma once

#include <stdbool.h>
#include "../core/event.h"

/*
 * What the thread made of one datagram. Whoever has read one cleanses it: it may hold a key, of
 * which no other copy is left in the memory of the thread.
 */
struct hint_report {
        struct hint_event event; /* .profile, .policy and, if keyed, .key are to be set */
        char profile[LIMIT_NAME];
        char policy[LIMIT_NAME];
        char text[HINT_TEXT]; /* of the sender, but printable; of a refused one: why */
        bool keyed;
        uint8_t key[HINT_KEY_BYTES];
};

struct reader;

/*
 * Binds socket and starts the thread; reports, one a datagram, are to be read from ret_fd, which
 * stays the reader's. database: path of the policy database, which need not be there yet.
 */
int reader_new(const char *socket, const char *database, struct reader **ret_reader, int *ret_fd);

/* Ends the thread and removes the socket. One that is stuck is left behind after a second. */
void reader_free(struct reader *reader);
