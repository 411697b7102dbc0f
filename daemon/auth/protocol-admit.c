/*
 * Join authentication, the side of who accepted the connection: each request opens the gate for its
 * datagram's source, until one subflow is there or PROTOCOL_LIFETIME_SEC have passed.
 *
 * The gate judges the SYN; the subflow is there some round trips later. So an admission is known
 * for as long again after it was closed.
 */
#include "session.h"

#define ADMIT_USEC (PROTOCOL_LIFETIME_SEC * 1000 * SESSION_MSEC)

void admission_free(struct protocol *protocol, struct admission *admission) {
        struct admission **at = &admission->session->server.admissions;

        while (*at != admission)
                at = &(*at)->next;
        *at = admission->next;
        table_remove(&protocol->admissions, &admission->by_request);
        timer_done(protocol, &admission->timer);
        free(admission);
}

static bool admission_is_open(const struct admission *admission) {
        return admission->state == ADMISSION_ASKED || admission->state == ADMISSION_OPEN;
}

static bool admission_same_source(const struct admission *a, const struct admission *b) {
        return address_same_host(&a->path.remote, &b->path.remote);
}

/* Its source may not join any more, unless another admission lets it. */
static void admission_shut(struct protocol *protocol, struct admission *admission,
                           enum admission_state state) {
        const struct session *session = admission->session;
        const struct mptcpize_address source = address_without_port(&admission->path.remote);

        admission->state = state;
        for (const struct admission *i = session->server.admissions; i; i = i->next)
                if (admission_is_open(i) && admission_same_source(i, admission))
                        return;
        protocol->host.dismiss(protocol->userdata, session->token, &source);
}

static void admission_on_due(struct protocol *protocol, struct timer *timer, uint64_t now_usec) {
        struct admission *admission = CONTAINER_OF(timer, struct admission, timer);
        const bool known = admission->state == ADMISSION_OPEN;

        if (admission_is_open(admission))
                admission_shut(protocol, admission, ADMISSION_EXPIRED);
        if (known)
                timer_set(protocol, &admission->timer, now_usec + ADMIT_USEC);
        else
                admission_free(protocol, admission);
}

void admission_flush(struct protocol *protocol, struct session *session) {
        while (session->server.admissions) {
                struct admission *admission = session->server.admissions;

                if (admission_is_open(admission))
                        admission_shut(protocol, admission, ADMISSION_EXPIRED);
                admission_free(protocol, admission);
        }
}

uint32_t admission_count(const struct session *session) {
        uint32_t n = 0;

        for (const struct admission *i = session->server.admissions; i; i = i->next)
                n += admission_is_open(i);
        return n;
}

static void admission_answer(struct protocol *protocol, struct session *session,
                             const struct protocol_path *path, uint32_t nonce, uint8_t refusal) {
        struct wire_message message = {
                .type = refusal ? WIRE_JOIN_NO : WIRE_JOIN_OK,
                .answer = { .nonce = nonce,
                            .code = refusal,
                            .lifetime_sec = refusal ? 0 : PROTOCOL_LIFETIME_SEC },
        };

        if (refusal)
                protocol->counters[PROTOCOL_REFUSED]++;
        session_send(protocol, session, path, &message);
}

static bool admission_has_gate(const struct protocol *protocol, const struct session *session) {
        return protocol->gate_works && session->guard != GUARD_FAILED;
}

static void admission_open(struct protocol *protocol, struct admission *admission,
                           uint64_t now_usec) {
        if (admission->state == ADMISSION_ASKED)
                protocol->counters[PROTOCOL_ADMITTED]++;
        admission->state = ADMISSION_OPEN;
        admission->answers = false;
        timer_set(protocol, &admission->timer, now_usec + ADMIT_USEC);
        admission_answer(protocol, admission->session, &admission->path, admission->nonce, 0);
}

/* Without a gate ("prefer") the admission says which subflow may stay. */
static void admission_ask_gate(struct protocol *protocol, struct admission *admission,
                               uint64_t now_usec) {
        const struct session *session = admission->session;
        const struct mptcpize_address source = address_without_port(&admission->path.remote);

        if (!admission_has_gate(protocol, session)) {
                admission_open(protocol, admission, now_usec);
                return;
        }
        admission->answers = true;
        protocol->host.admit(protocol->userdata, session->token, &source,
                             (uint32_t)admission->by_request.key);
}

/* Another request for the same join: it has not heard the answer, or its address has changed. */
static void admission_renew(struct protocol *protocol, struct admission *admission,
                            const struct protocol_path *path, uint64_t now_usec) {
        const bool moved = !address_same_host(&admission->path.remote, &path->remote);

        if (admission->state == ADMISSION_USED) {
                admission_answer(protocol, admission->session, path, admission->nonce, 0);
                return;
        }
        if (admission->state == ADMISSION_EXPIRED || moved) {
                if (admission_is_open(admission))
                        admission_shut(protocol, admission, ADMISSION_EXPIRED);
                /* What the gate still has to say is of the old address. */
                table_remove(&protocol->admissions, &admission->by_request);
                (void)table_add(&protocol->admissions, &admission->by_request,
                                ++protocol->last_request);
                admission->state = ADMISSION_ASKED;
                timer_set(protocol, &admission->timer, now_usec + ADMIT_USEC);
        }
        admission->path = *path;
        if (moved || !admission->answers)
                admission_ask_gate(protocol, admission, now_usec);
}

static struct admission *admission_find(const struct session *session, uint32_t nonce) {
        struct admission *admission = session->server.admissions;

        while (admission && admission->nonce != nonce)
                admission = admission->next;
        return admission;
}

/* The oldest that has ended makes room. */
static void admission_make_room(struct protocol *protocol, struct session *session) {
        struct admission *oldest = NULL;
        unsigned int n = 0;

        for (struct admission *i = session->server.admissions; i; i = i->next, n++)
                if (!admission_is_open(i))
                        oldest = i;
        if (n >= LIMIT_AUTH_ADMISSIONS && oldest)
                admission_free(protocol, oldest);
}

static struct admission *admission_new(struct protocol *protocol, struct session *session) {
        struct admission *admission;

        admission_make_room(protocol, session);
        if (timer_reserve(protocol, 1) < 0)
                return NULL;
        admission = calloc(1, sizeof(*admission));
        if (!admission || table_add(&protocol->admissions, &admission->by_request,
                                    ++protocol->last_request) < 0) {
                free(admission);
                return NULL;
        }
        timer_init(protocol, &admission->timer, admission_on_due);
        admission->session = session;
        admission->next = session->server.admissions;
        session->server.admissions = admission;
        return admission;
}

static uint8_t admission_refusal(const struct protocol *protocol, const struct session *session,
                                 const struct wire_message *message) {
        if (session->record->ended || message->request.token != session->token)
                return WIRE_PROHIBITED;
        if (session->mode == POLICY_AUTH_REQUIRE && !admission_has_gate(protocol, session))
                return WIRE_PROHIBITED;
        return 0;
}

void admission_request(struct protocol *protocol, struct session *session,
                       const struct protocol_path *path, const struct wire_message *message,
                       uint64_t now_usec) {
        const uint32_t nonce = message->request.nonce;
        struct admission *admission = admission_find(session, nonce);
        uint8_t refusal;

        if (!session->record->confirmed)
                return;
        refusal = admission_refusal(protocol, session, message);
        if (!refusal && admission &&
            (admission_is_open(admission) || admission->state == ADMISSION_USED)) {
                admission_renew(protocol, admission, path, now_usec);
                return;
        }
        if (!refusal && admission_count(session) >= LIMIT_AUTH_OPEN)
                refusal = WIRE_NO_RESOURCES;
        if (!refusal && admission) {
                admission_renew(protocol, admission, path, now_usec);
                return;
        }
        if (!refusal)
                admission = admission_new(protocol, session);
        if (!refusal && !admission)
                refusal = WIRE_NO_RESOURCES;
        if (refusal) {
                admission_answer(protocol, session, path, nonce, refusal);
                return;
        }
        admission->nonce = nonce;
        admission->path = *path;
        timer_set(protocol, &admission->timer, now_usec + ADMIT_USEC);
        admission_ask_gate(protocol, admission, now_usec);
}

void protocol_admitted(struct protocol *protocol, uint32_t request, int error, uint64_t now_usec) {
        struct table_link *link = table_find(&protocol->admissions, request);
        struct admission *admission;

        if (!link)
                return;
        admission = CONTAINER_OF(link, struct admission, by_request);
        if (!admission->answers || !admission_is_open(admission))
                return;
        if (error == 0 || (admission->session->mode == POLICY_AUTH_PREFER &&
                           !admission_has_gate(protocol, admission->session))) {
                admission_open(protocol, admission, now_usec);
                return;
        }
        admission_answer(protocol, admission->session, &admission->path, admission->nonce,
                         protocol->gate_works ? WIRE_NO_RESOURCES : WIRE_PROHIBITED);
        admission_shut(protocol, admission, ADMISSION_EXPIRED);
        admission_free(protocol, admission);
}

/* How well does it fit? One that is open, for the address that was joined; 0: not at all. */
static unsigned int admission_fits(const struct admission *admission,
                                   const struct subflow_ends *ends) {
        if (admission->state != ADMISSION_OPEN && admission->state != ADMISSION_EXPIRED)
                return 0;
        if (!address_same_host(&admission->path.remote, &ends->remote))
                return 0;
        return 1 + address_same_host(&admission->path.local, &ends->local) +
               2 * (admission->state == ADMISSION_OPEN);
}

/* The oldest of those that fit best. */
struct admission *admission_for(const struct session *session, const struct subflow_ends *ends) {
        struct admission *best = NULL;
        unsigned int most = 1;

        for (struct admission *i = session->server.admissions; i; i = i->next)
                if (admission_fits(i, ends) >= most) {
                        best = i;
                        most = admission_fits(i, ends);
                }
        return best;
}

void admission_use(struct protocol *protocol, struct admission *admission) {
        if (admission_is_open(admission))
                admission_shut(protocol, admission, ADMISSION_USED);
        admission->state = ADMISSION_USED;
}
