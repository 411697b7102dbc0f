#include "eval.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Reading */

uint64_t policy_sum(const void *bytes, size_t n) {
        /* Four lanes, so that the processor multiplies them side by side; FNV-1a's numbers. */
        const uint64_t prime = 0x100000001b3u;
        uint64_t lanes[4] = { 0xcbf29ce484222325u, 1, 2, 3 };
        const uint64_t *words = bytes;

        for (size_t i = 0; i < n / sizeof(*words); i++)
                lanes[i & 3] = (lanes[i & 3] ^ words[i]) * prime;
        for (int i = 1; i < 4; i++)
                lanes[0] = (lanes[0] ^ lanes[i]) * prime;
        return lanes[0];
}

uint32_t policy_generation(const void *map, size_t size) {
        const struct policy_header *header = map;

        if (!map || size < POLICY_FILE_BYTES)
                return 0;
        return __atomic_load_n(&header->generation, __ATOMIC_ACQUIRE);
}

/*
 * A number that a writer may change while we look: read once, so that what was checked is what is
 * used.
 */
static uint32_t policy_once(const uint32_t *number) {
        return __atomic_load_n(number, __ATOMIC_RELAXED);
}

_Static_assert(offsetof(struct policy_half, blackholes) == POLICY_HALF_FIRST,
               "what earlier writers knew stays where it was");

static bool policy_half_is_sound(const struct policy_half *half) {
        const size_t summed = offsetof(struct policy_half, bytes);
        uint32_t bytes = policy_once(&half->bytes);

        if (bytes < POLICY_HALF_FIRST || bytes > POLICY_HALF_BYTES || bytes % sizeof(uint64_t) != 0)
                return false;
        return half->sum == policy_sum((const char *)half + summed, bytes - summed);
}

struct policy_read policy_resume(const void *map, uint32_t generation) {
        const char *halves = (const char *)map + POLICY_HEADER_BYTES;

        return (struct policy_read){
                .header = map,
                .half = (const void *)(halves + (size_t)(generation & 1u) * POLICY_HALF_BYTES),
                .generation = generation,
        };
}

bool policy_begin(const void *map, size_t size, struct policy_read *ret_read) {
        uint32_t generation = policy_generation(map, size);
        const struct policy_header *header = map;
        struct policy_read read;

        if (generation == 0)
                return false;
        if (memcmp(header->magic, POLICY_MAGIC, sizeof(header->magic)) != 0 ||
            header->version != POLICY_VERSION || header->half_bytes != POLICY_HALF_BYTES)
                return false;
        read = policy_resume(map, generation);
        if (read.half->generation != generation || !policy_half_is_sound(read.half))
                return false;
        *ret_read = read;
        return true;
}

bool policy_end(const struct policy_read *read) {
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        return __atomic_load_n(&read->header->generation, __ATOMIC_RELAXED) == read->generation;
}

const void *policy_at(const struct policy_read *read, const struct policy_span *span, uint32_t i,
                      size_t size) {
        uint32_t offset = policy_once(&span->offset);
        uint64_t end = offset + (uint64_t)size * (i + (uint64_t)1);

        if (i >= policy_once(&span->n) || i >= POLICY_TABLE_MAX)
                return NULL;
        if (offset % sizeof(uint32_t) != 0 || end > POLICY_HALF_BYTES)
                return NULL;
        return (const char *)read->half + offset + size * (size_t)i;
}

bool policy_is_whole(const struct policy_read *read) {
        return policy_once(&read->header->whole[read->generation & 1u]) == read->generation &&
               policy_once(&read->half->bytes) >= sizeof(*read->half);
}

const struct policy_blackhole *policy_blackhole_at(const struct policy_read *read, uint32_t i) {
        return policy_is_whole(read) ? policy_at(read, &read->half->blackholes, i,
                                                 sizeof(struct policy_blackhole))
                                     : NULL;
}

struct policy_text policy_text(const struct policy_read *read, const struct policy_span *span) {
        uint32_t offset = policy_once(&span->offset), n = policy_once(&span->n);
        struct policy_text text = { NULL, 0 };

        if (n == 0 || (uint64_t)offset + n > POLICY_HALF_BYTES)
                return text;
        text.bytes = (const char *)read->half + offset;
        text.n = n;
        return text;
}

/* Matching */

bool policy_glob(struct policy_text pattern, struct policy_text text) {
        size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

        while (t < text.n) {
                if (p < pattern.n && pattern.bytes[p] == '*') {
                        star = p++;
                        resume = t;
                } else if (p < pattern.n &&
                           (pattern.bytes[p] == '?' || pattern.bytes[p] == text.bytes[t])) {
                        p++;
                        t++;
                } else if (star != SIZE_MAX) {
                        p = star + 1;
                        t = ++resume;
                } else {
                        return false;
                }
        }
        while (p < pattern.n && pattern.bytes[p] == '*')
                p++;
        return p == pattern.n;
}

/* A matcher that is not there matches all; a program without the text matches "*" only. */
static bool policy_fits(const struct policy_read *read, const struct policy_span *matcher,
                        struct policy_text text) {
        return matcher->n == 0 || policy_glob(policy_text(read, matcher), text);
}

static struct policy_text policy_basename(struct policy_text path) {
        for (size_t i = path.n; i > 0; i--)
                if (path.bytes[i - 1] == '/') {
                        path.bytes += i;
                        path.n -= i;
                        break;
                }
        return path;
}

const struct policy_app *policy_find(const struct policy_read *read,
                                     const struct policy_identity *who) {
        struct policy_text program = policy_basename(who->exe);
        const struct policy_app *app;

        for (uint32_t i = 0; (app = policy_at(read, &read->half->apps, i, sizeof(*app))); i++)
                if ((app->uid == POLICY_ANY_UID || app->uid == who->uid) &&
                    (policy_fits(read, &app->app, who->app) ||
                     policy_fits(read, &app->app, program)) &&
                    policy_fits(read, &app->exe, who->exe) &&
                    policy_fits(read, &app->unit, who->unit))
                        return app;
        return NULL;
}

uint32_t policy_strictness(const struct policy_app *app) {
        if (!app)
                return 0;
        return (app->mode == POLICY_MODE_OFF ? POLICY_STRICT_OFF : 0) |
               (app->auth == POLICY_AUTH_REQUIRE ? POLICY_STRICT_AUTH : 0);
}

bool policy_own_counts(const struct policy_app *system, const struct policy_app *own) {
        return own && (policy_strictness(system) & ~policy_strictness(own)) == 0;
}

/* Addresses */

struct policy_address policy_address(const void *sockaddr, size_t len) {
        static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
        const struct sockaddr_in6 *in6 = sockaddr;
        const struct sockaddr_in *in4 = sockaddr;
        struct policy_address address = { 0 };

        if (!sockaddr || len < sizeof(sa_family_t))
                return address;
        if (in4->sin_family == AF_INET && len >= sizeof(*in4)) {
                address.family = 4;
                address.port = ntohs(in4->sin_port);
                memcpy(address.bytes, &in4->sin_addr, 4);
        } else if (in4->sin_family == AF_INET6 &&
                   len >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
                address.port = ntohs(in6->sin6_port);
                address.family = memcmp(&in6->sin6_addr, mapped, sizeof(mapped)) == 0 ? 4 : 6;
                if (address.family == 4)
                        memcpy(address.bytes, (const char *)&in6->sin6_addr + 12, 4);
                else
                        memcpy(address.bytes, &in6->sin6_addr, 16);
        }
        return address;
}

bool policy_is_wildcard(const struct policy_address *address) {
        static const uint8_t zero[16];

        return address->family == 0 || memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

bool policy_is_loopback(const struct policy_address *address) {
        static const uint8_t one[16] = { [15] = 1 };

        if (address->family == 4)
                return address->bytes[0] == 127;
        return address->family == 6 && memcmp(address->bytes, one, sizeof(one)) == 0;
}

static bool policy_prefix_has(const struct policy_prefix *prefix,
                              const struct policy_address *address) {
        unsigned int len = __atomic_load_n(&prefix->len, __ATOMIC_RELAXED);
        unsigned int whole = len / 8u, rest = len % 8u;

        if (prefix->family != address->family || len > (address->family == 4 ? 32 : 128))
                return false;
        if (memcmp(prefix->bytes, address->bytes, whole) != 0)
                return false;
        return rest == 0 || ((prefix->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static bool policy_any_prefix(const struct policy_read *read, const struct policy_span *prefixes,
                              const struct policy_address *address) {
        const struct policy_prefix *prefix;

        if (policy_is_wildcard(address))
                return false;
        for (uint32_t i = 0; (prefix = policy_at(read, prefixes, i, sizeof(*prefix))); i++)
                if (policy_prefix_has(prefix, address))
                        return true;
        return false;
}

static bool policy_any_port(const struct policy_read *read, const struct policy_span *ports,
                            uint16_t port) {
        const struct policy_ports *range;

        for (uint32_t i = 0; (range = policy_at(read, ports, i, sizeof(*range))); i++)
                if (port >= range->first && port <= range->last)
                        return true;
        return false;
}

/* Rules */

static bool policy_on_interface(const struct policy_read *read, const struct policy_rule *rule,
                                const struct policy_call *call) {
        if (call->device.n > 0 && policy_glob(policy_text(read, &rule->interface), call->device))
                return true;
        return policy_any_prefix(read, &rule->near, &call->local) ||
               policy_any_prefix(read, &rule->near, &call->remote);
}

static bool policy_rule_holds(const struct policy_read *read, const struct policy_rule *rule,
                              const struct policy_call *call) {
        uint16_t port = call->direction == POLICY_LISTEN ? call->local.port : call->remote.port;

        if ((rule->flags & POLICY_RULE_TO) && !policy_any_prefix(read, &rule->to, &call->remote))
                return false;
        if ((rule->flags & POLICY_RULE_PORT) && !policy_any_port(read, &rule->ports, port))
                return false;
        if ((rule->flags & POLICY_RULE_SOURCE) &&
            !policy_any_prefix(read, &rule->source, &call->local))
                return false;
        return !(rule->flags & POLICY_RULE_INTERFACE) || policy_on_interface(read, rule, call);
}

static const struct policy_rule *policy_any_rule(const struct policy_read *read,
                                                 const struct policy_span *rules,
                                                 const struct policy_call *call) {
        const struct policy_rule *rule;

        for (uint32_t i = 0; (rule = policy_at(read, rules, i, sizeof(*rule))); i++)
                if (policy_rule_holds(read, rule, call))
                        return rule;
        return NULL;
}

/* Verdicts */

static void policy_refuse(struct policy_verdict *verdict, enum policy_reason reason, uint32_t line,
                          uint32_t column) {
        verdict->mptcp = false;
        verdict->reason = reason;
        verdict->line = line;
        verdict->column = column;
}

/* Bound to one address or device: is that in the way? */
static enum policy_reason policy_bound(const struct policy_call *call) {
        if (!policy_is_wildcard(&call->local))
                return POLICY_REASON_BOUND;
        return call->device.n > 0 ? POLICY_REASON_DEVICE : POLICY_REASON_NONE;
}

static bool policy_source_allowed(const struct policy_read *read, const struct policy_app *app,
                                  const struct policy_call *call) {
        struct policy_call bound = *call;

        if (!app)
                return false;
        bound.remote.family = 0; /* "source" speaks of this end only */
        return (app->flags & POLICY_APP_SOURCE) || policy_any_rule(read, &app->source, &bound);
}

/* Connecting to 0.0.0.0 or :: leads to loopback (ip_route_output_key_hash_rcu()). */
static bool policy_is_local(const struct policy_call *call) {
        bool anywhere = call->remote.family != 0 && policy_is_wildcard(&call->remote);

        return anywhere || policy_is_loopback(&call->remote) || policy_is_loopback(&call->local);
}

static void policy_refuse_listener(const struct policy_read *read, const struct policy_app *app,
                                   struct policy_verdict *verdict) {
        const struct policy_rule *first = policy_at(read, &app->listen, 0, sizeof(*first));

        policy_refuse(verdict, POLICY_REASON_LISTEN, first ? first->line : 0,
                      first ? first->column : 0);
}

/* A listener takes what comes: its peers have found out by themselves. */
static bool policy_is_lost(const struct policy_read *read, const struct policy_call *call) {
        const struct policy_blackhole *blackhole;

        if (call->direction != POLICY_CONNECT || call->remote.family == 0)
                return false;
        for (uint32_t i = 0; (blackhole = policy_blackhole_at(read, i)); i++)
                if (policy_prefix_has(&blackhole->to, &call->remote))
                        return true;
        return false;
}

static void policy_judge_addresses(const struct policy_read *read, const struct policy_app *app,
                                   const struct policy_call *call, struct policy_verdict *verdict) {
        enum policy_reason bound = policy_bound(call);
        bool listed = app && call->direction == POLICY_LISTEN && app->listen.n > 0;
        const struct policy_rule *rule;

        if (!app || !(app->flags & POLICY_APP_LOOPBACK)) {
                if (policy_is_local(call))
                        return policy_refuse(verdict, POLICY_REASON_LOOPBACK, 0, 0);
                if (read && policy_any_prefix(read, &read->half->own, &call->remote))
                        return policy_refuse(verdict, POLICY_REASON_OWN, 0, 0);
        }
        if (listed && !policy_any_rule(read, &app->listen, call))
                return policy_refuse_listener(read, app, verdict);
        if (!listed && bound != POLICY_REASON_NONE && !policy_source_allowed(read, app, call))
                return policy_refuse(verdict, bound, 0, 0);
        rule = app ? policy_any_rule(read, &app->except, call) : NULL;
        if (rule)
                policy_refuse(verdict, POLICY_REASON_EXCEPT, rule->line, rule->column);
        else if (read && policy_is_lost(read, call))
                policy_refuse(verdict, POLICY_REASON_BLACKHOLE, 0, 0);
}

/* One purpose: POLICY_CONNECT or POLICY_LISTEN, of a socket whose addresses are known or not. */
static void policy_judge_purpose(const struct policy_read *read, const struct policy_app *app,
                                 const struct policy_call *call, enum policy_direction purpose,
                                 struct policy_verdict *verdict) {
        uint32_t wanted = purpose == POLICY_LISTEN ? POLICY_APP_LISTEN : POLICY_APP_CONNECT;
        struct policy_call narrowed = *call;

        *verdict = (struct policy_verdict){ .mptcp = true };
        narrowed.direction = purpose;
        if (app && app->mode == POLICY_MODE_OFF)
                policy_refuse(verdict, POLICY_REASON_MODE, app->mode_line, 0);
        else if (app && !(app->flags & wanted))
                policy_refuse(verdict, POLICY_REASON_DIRECTION, app->socket_line, 0);
        else if (call->direction != POLICY_SOCKET)
                policy_judge_addresses(read, app, &narrowed, verdict);
}

void policy_judge(const struct policy_read *read, const struct policy_app *app,
                  const struct policy_call *call, struct policy_verdict *ret_verdict) {
        bool any = call->direction == POLICY_SOCKET || call->direction == POLICY_BIND;

        if (!read) /* a policy is in a database */
                app = NULL;
        if (any) {
                policy_judge_purpose(read, app, call, POLICY_LISTEN, ret_verdict);
                if (ret_verdict->mptcp)
                        return;
        }
        policy_judge_purpose(read, app, call, any ? POLICY_CONNECT : call->direction, ret_verdict);
}

void policy_judge_host(const struct policy_read *system, const struct policy_app *app,
                       const struct policy_call *call, struct policy_verdict *ret_verdict) {
        const bool loopback = app && (app->flags & POLICY_APP_LOOPBACK);
        const bool connects = call->direction == POLICY_CONNECT;

        if (!ret_verdict->mptcp || !connects)
                return;
        if (!loopback && policy_any_prefix(system, &system->half->own, &call->remote))
                policy_refuse(ret_verdict, POLICY_REASON_OWN, 0, 0);
        else if (policy_is_lost(system, call))
                policy_refuse(ret_verdict, POLICY_REASON_BLACKHOLE, 0, 0);
}

/* Words */

const char *policy_reason_name(enum policy_reason reason) {
        static const char *const names[_POLICY_REASON_MAX] = {
                [POLICY_REASON_NONE] = "nothing is in the way",
                [POLICY_REASON_MODE] = "the policy's mode is off",
                [POLICY_REASON_DIRECTION] = "the policy upgrades the other direction only",
                [POLICY_REASON_LOOPBACK] = "loopback",
                [POLICY_REASON_OWN] = "the destination is this host",
                [POLICY_REASON_BOUND] = "the socket is bound to one address",
                [POLICY_REASON_DEVICE] = "the socket is bound to one device",
                [POLICY_REASON_EXCEPT] = "an exception of the policy",
                [POLICY_REASON_LISTEN] = "the policy lists other listeners",
                [POLICY_REASON_BLACKHOLE] = "SYNs with MPTCP are lost on the way there (blackhole)",
        };

        return reason < _POLICY_REASON_MAX ? names[reason] : "unknown";
}

const char *policy_mode_name(enum policy_mode mode) {
        static const char *const names[_POLICY_MODE_MAX] = {
                [POLICY_MODE_DEFAULT] = "default",     [POLICY_MODE_OFF] = "off",
                [POLICY_MODE_HANDOVER] = "handover",   [POLICY_MODE_INTERACTIVE] = "interactive",
                [POLICY_MODE_AGGREGATE] = "aggregate", [POLICY_MODE_NDIFFPORTS] = "ndiffports",
                [POLICY_MODE_PLUGIN] = "plugin",
        };

        return mode < _POLICY_MODE_MAX ? names[mode] : "unknown";
}

const char *policy_auth_name(enum policy_auth auth) {
        static const char *const names[_POLICY_AUTH_MAX] = {
                [POLICY_AUTH_OFF] = "off",
                [POLICY_AUTH_PREFER] = "prefer",
                [POLICY_AUTH_REQUIRE] = "require",
        };

        return auth < _POLICY_AUTH_MAX ? names[auth] : "unknown";
}
