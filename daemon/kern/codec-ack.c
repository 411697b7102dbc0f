/*
 * Answers of the kernel. See codec-ack.h.
 */
#include "codec-ack.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <linux/netlink.h>
#include "attr.h"
#include "../util/cleanup.h"

#define ERRNO_MAX 4095 /* MAX_ERRNO of Linux */

struct ack_attrs {
        struct attr_blob text;
        uint32_t miss_type;
};

static const struct attr_field fields[] = {
        ATTR_FIELD_BLOB(NLMSGERR_ATTR_MSG, struct ack_attrs, text),
        ATTR_FIELD(NLMSGERR_ATTR_MISS_TYPE, struct ack_attrs, miss_type),
};

/* Leaves in attrs, which begins after the error number, what follows the copy of the request. */
static int ack_skip_request(const struct nlmsghdr *header, struct attr_blob *attrs) {
        struct nlmsghdr request;
        size_t skip = sizeof(request);

        if (header->nlmsg_type != NLMSG_ERROR)
                return 0;
        if (attrs->len < sizeof(request))
                return -EBADMSG;
        memcpy(&request, attrs->data, sizeof(request));
        if (!(header->nlmsg_flags & NLM_F_CAPPED) && request.nlmsg_len > skip)
                skip = NLMSG_ALIGN((size_t)request.nlmsg_len);
        /* A successful answer has the header of the request only, capped or not. */
        if (!(header->nlmsg_flags & NLM_F_ACK_TLVS))
                skip = attrs->len;
        if (skip > attrs->len)
                return -EBADMSG;
        attrs->data += skip;
        attrs->len -= skip;
        return 0;
}

static void ack_describe(const struct ack_attrs *ack, uint64_t present, char *message) {
        if (present & ATTR_BIT(NLMSGERR_ATTR_MSG))
                snprintf(message, LIMIT_REASON, "%.*s",
                         (int)strnlen((const char *)ack->text.data, ack->text.len),
                         (const char *)ack->text.data);
        else if (present & ATTR_BIT(NLMSGERR_ATTR_MISS_TYPE))
                snprintf(message, LIMIT_REASON, "attribute %u is missing", ack->miss_type);
        else
                message[0] = '\0';
}

int codec_ack_decode(const void *bytes, size_t len, int *ret_error,
                     char message[static LIMIT_REASON]) {
        struct nlmsghdr header;
        struct attr_blob attrs;
        struct ack_attrs ack = { 0 };
        uint64_t present = 0;
        int32_t error;
        int r;

        r = attr_open(bytes, len, &error, sizeof(error), &attrs);
        if (r < 0)
                return r;
        memcpy(&header, bytes, sizeof(header));
        if ((header.nlmsg_type != NLMSG_ERROR && header.nlmsg_type != NLMSG_DONE) || error > 0 ||
            error < -ERRNO_MAX)
                return -EBADMSG;
        r = ack_skip_request(&header, &attrs);
        if (r == 0 && header.nlmsg_flags & NLM_F_ACK_TLVS)
                r = attr_decode(&attrs, fields, ARRAY_SIZE(fields), &ack, &present);
        if (r < 0)
                return r;
        ack_describe(&ack, present, message);
        *ret_error = error;
        return 0;
}
