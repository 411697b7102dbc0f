/*
 * Join authentication, the gate of a connection, of either side: closed as long as nobody may join
 * who was not admitted. A client admits nobody at all.
 */
#include "session.h"

#define GUARD_AGAIN_USEC (1000 * SESSION_MSEC) /* until what the gate refused is asked again */

static void guard_begin(struct protocol *protocol, struct session *session) {
        if (session->guard == GUARD_PENDING || session->guard == GUARD_ON)
                return;
        timer_stop(protocol, &session->guard_timer);
        session->guard = GUARD_PENDING;
        protocol->host.guard(protocol->userdata, session->token, true);
}

void guard_end(struct protocol *protocol, struct session *session) {
        timer_stop(protocol, &session->guard_timer);
        if (session->guard == GUARD_NO)
                return;
        session->guard = GUARD_NO;
        protocol->host.guard(protocol->userdata, session->token, false);
}

void guard_update(struct protocol *protocol, struct session *session) {
        if (session_is_closed(session))
                guard_begin(protocol, session);
        else
                guard_end(protocol, session);
}

void protocol_guarded(struct protocol *protocol, uint32_t token, int error, uint64_t now_usec) {
        struct session *session = session_find(protocol, token);

        if (!session || session->guard != GUARD_PENDING)
                return;
        session->guard = error < 0 ? GUARD_FAILED : GUARD_ON;
        if (error < 0 && protocol->gate_works)
                timer_set(protocol, &session->guard_timer, now_usec + GUARD_AGAIN_USEC);
        if (session->is_server)
                server_guarded(protocol, session, now_usec);
}

void guard_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec) {
        struct session *session = CONTAINER_OF(timer, struct session, guard_timer);

        (void)now_usec;
        timer_stop(protocol, timer);
        if (session->guard == GUARD_FAILED)
                guard_begin(protocol, session);
}

/* What failed is asked for again. */
void guard_set_gate(struct protocol *protocol, struct session *session) {
        if (protocol->gate_works) {
                if (session->guard == GUARD_FAILED)
                        guard_begin(protocol, session);
                return;
        }
        timer_stop(protocol, &session->guard_timer);
        if (session->is_server)
                server_lose_gate(protocol, session);
}
