/*
 * Words for libnftables. See gate-text.h.
 */
#include "gate-text.h"

#include <inttypes.h>
#include "gate-table.h"

#define TCP_HEADER   20u
#define OPTIONS_MAX  40u /* bytes of them in a TCP header */
#define JOIN_BYTES   12u /* of an MP_JOIN in a SYN */
#define TOKEN_OFFSET 4u
#define PRIORITY     (-10)

/* Drops a SYN with an MP_JOIN that is not admitted, at any place; and if only, only of a token that
 * is in that set. One octet of the mask is the length, so that others' options don't match. */
static void template_scan(FILE *file, const char *chain, const char *source, const char *family,
                          const char *only) {
        fprintf(file, "chain %s%s {\n", chain, family);
        for (unsigned int at = TCP_HEADER; at <= TCP_HEADER + OPTIONS_MAX - JOIN_BYTES; at++) {
                const unsigned int token = 8 * (at + TOKEN_OFFSET);

                fprintf(file, "@th,%u,20 0x1e0c1 @th,%u,32 . %s != @" GATE_ADMITTED "%s", 8 * at,
                        token, source, family);
                if (only)
                        fprintf(file, " @th,%u,32 @%s", token, only);
                fputs(" counter name " GATE_COUNTER " drop\n", file);
        }
        fputs("}\n", file);
}

static void template_sets(FILE *file) {
        fputs("set admitted4 { typeof @nh,96,32 . ip saddr; flags timeout; }\n"
              "set admitted6 { typeof @nh,96,32 . ip6 saddr; flags timeout; }\n"
              "set guarded { typeof @nh,96,32; }\n"
              "set required4 { typeof ip daddr . tcp dport; flags interval; }\n"
              "set required6 { typeof ip6 daddr . tcp dport; flags interval; }\n"
              "counter " GATE_COUNTER " { }\n",
              file);
}

void gate_text_template(FILE *file) {
        fputs(GATE_TEXT_REMOVE "table inet " GATE_TABLE " {\n", file);
        template_sets(file);
        template_scan(file, "required_", "ip saddr", "4", NULL);
        template_scan(file, "required_", "ip6 saddr", "6", NULL);
        template_scan(file, "guarded_", "ip saddr", "4", GATE_GUARDED);
        template_scan(file, "guarded_", "ip6 saddr", "6", GATE_GUARDED);
        fprintf(file,
                "chain joins {\n"
                "ip daddr . tcp dport @required4 jump required_4\n"
                "ip6 daddr . tcp dport @required6 jump required_6\n"
                "meta nfproto ipv4 jump guarded_4\n"
                "meta nfproto ipv6 jump guarded_6\n"
                "}\n"
                "chain input {\n"
                "type filter hook input priority %d; policy accept;\n"
                "frag more-fragments 1 tcp flags & (syn | ack) == syn counter name " GATE_COUNTER
                " drop\n"
                "tcp flags & (syn | ack) == syn tcp option 30 exists jump joins\n"
                "}\n}\n",
                PRIORITY);
}

static void text_separate(struct gate_text *text) {
        if (text->n++ > 0)
                fputs(", ", text->file);
        else
                fprintf(text->file, "%s element inet " GATE_TABLE " %s%s { ", text->verb, text->set,
                        text->suffix);
}

void gate_text_end(struct gate_text *text) {
        if (text->n > 0)
                fputs(" }\n", text->file);
        text->n = 0;
}

void gate_text_token(struct gate_text *text, uint32_t token) {
        text_separate(text);
        fprintf(text->file, "0x%08" PRIx32, token);
}

void gate_text_admission(struct gate_text *text, uint32_t token,
                         const struct mptcpize_address *source, uint64_t timeout_msec) {
        const struct mptcpize_address host = address_without_port(source);
        char buffer[ADDRESS_TEXT];

        text_separate(text);
        fprintf(text->file, "0x%08" PRIx32 " . %s", token, address_format(&host, buffer));
        if (timeout_msec > 0)
                fprintf(text->file, " timeout %" PRIu64 "ms", timeout_msec);
}

void gate_text_listener(struct gate_text *text, const struct gate_listener *listener) {
        char buffer[ADDRESS_TEXT];

        text_separate(text);
        fprintf(text->file, "%s/%u . %u", address_format(&listener->prefix, buffer),
                listener->prefix_len, listener->first);
        if (listener->last != listener->first)
                fprintf(text->file, "-%u", listener->last);
}
