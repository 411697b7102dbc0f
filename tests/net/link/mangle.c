#include "mangle.h"

#include <netinet/in.h>

enum {
        IP4_LEN = 20,
        IP6_LEN = 40,
        TCP_LEN = 20,
        FLAG_SYN = 2,
        OPTION_END = 0,
        OPTION_NOP = 1,
        OPTION_MPTCP = 30,
        SUBTYPE_JOIN = 1,
};

/* The TCP part of a packet, and what its checksum takes of the IP header. */
struct segment {
        uint8_t *bytes;
        size_t len;
        size_t header; /* of the bytes: the rest is payload */
        const uint8_t *addresses;
        size_t addresses_len;
};

static size_t get16(const uint8_t *bytes) {
        return (size_t)bytes[0] << 8 | bytes[1];
}

/* Bytes of the IP header in front of TCP; 0: there is no whole TCP header. */
static size_t packet_find_tcp(const uint8_t *packet, size_t len) {
        if (len < IP4_LEN)
                return 0;
        if (packet[0] >> 4 == 6)
                return len >= IP6_LEN && packet[6] == IPPROTO_TCP ? IP6_LEN : 0;
        if (packet[0] >> 4 != 4 || packet[9] != IPPROTO_TCP || get16(packet + 6) & 0x3fff)
                return 0;
        return (size_t)(packet[0] & 0xf) * 4;
}

static bool segment_init(struct segment *ret_segment, uint8_t *packet, size_t len) {
        const size_t ip = packet_find_tcp(packet, len);
        struct segment segment = {
                .bytes = packet + ip,
                .len = len - ip,
                .addresses = packet + (ip == IP6_LEN && packet[0] >> 4 == 6 ? 8 : 12),
                .addresses_len = packet[0] >> 4 == 6 ? 32 : 8,
        };

        if (ip < IP4_LEN || len < ip + TCP_LEN)
                return false;
        segment.header = (size_t)(segment.bytes[12] >> 4) * 4;
        if (segment.header < TCP_LEN || segment.header > segment.len)
                return false;
        *ret_segment = segment;
        return true;
}

static uint64_t add(uint64_t sum, const uint8_t *bytes, size_t len) {
        size_t i;

        for (i = 0; i + 1 < len; i += 2)
                sum += get16(bytes + i);
        return i < len ? sum + ((uint64_t)bytes[i] << 8) : sum;
}

/* RFC 9293 section 3.1, with the pseudo-header of either family. */
static void segment_mend(struct segment *segment) {
        uint64_t sum = IPPROTO_TCP + segment->len;

        segment->bytes[16] = segment->bytes[17] = 0;
        sum = add(sum, segment->addresses, segment->addresses_len);
        sum = add(sum, segment->bytes, segment->len);
        while (sum >> 16)
                sum = (sum & 0xffff) + (sum >> 16);
        segment->bytes[16] = (uint8_t)(~sum >> 8);
        segment->bytes[17] = (uint8_t)~sum;
}

static bool option_is_for(const uint8_t *option, enum mangle_strip strip) {
        if (option[0] != OPTION_MPTCP)
                return false;
        return strip != MANGLE_STRIP_JOINS || option[2] >> 4 == SUBTYPE_JOIN;
}

bool mangle_strip(uint8_t *packet, size_t len, enum mangle_strip strip) {
        struct segment segment;
        bool found = false;
        size_t at, n;

        if (strip == MANGLE_STRIP_NONE || !segment_init(&segment, packet, len))
                return false;
        if (strip == MANGLE_STRIP_DATA && segment.bytes[13] & FLAG_SYN)
                return false;
        for (at = TCP_LEN; at + 2 < segment.header && segment.bytes[at] != OPTION_END; at += n) {
                uint8_t *option = segment.bytes + at;

                n = option[0] == OPTION_NOP ? 1 : option[1];
                if (n < 1 || at + n > segment.header)
                        break;
                if (!option_is_for(option, strip))
                        continue;
                found = true;
                for (size_t i = 0; i < n; i++)
                        option[i] = OPTION_NOP;
        }
        if (found)
                segment_mend(&segment);
        return found;
}

bool mangle_corrupt(uint8_t *packet, size_t len) {
        struct segment segment;

        if (!segment_init(&segment, packet, len) || segment.header == segment.len)
                return false;
        /* Not a flipped bit: those of two packets cancel out in a sum over both, such as MPTCP's.
         */
        segment.bytes[segment.header]++;
        segment_mend(&segment);
        return true;
}
