/*
 * Netlink attributes. See attr.h.
 */
#include "attr.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <linux/netlink.h>

int attr_open(const void *bytes, size_t len, void *ret_header, size_t header_len,
              struct attr_blob *ret_attrs) {
        const size_t start = NLMSG_HDRLEN + NLMSG_ALIGN(header_len);
        struct nlmsghdr header;

        if (len < sizeof(header))
                return -EBADMSG;
        memcpy(&header, bytes, sizeof(header));
        if (header.nlmsg_len > len || header.nlmsg_len < start)
                return -EBADMSG;
        memcpy(ret_header, (const uint8_t *)bytes + NLMSG_HDRLEN, header_len);
        *ret_attrs = (struct attr_blob){ (const uint8_t *)bytes + start, header.nlmsg_len - start };
        return 0;
}

int attr_next(struct attr_blob *rest, uint16_t *ret_type, struct attr_blob *ret_value) {
        struct nlattr head;
        size_t step;

        if (rest->len == 0)
                return 0;
        if (rest->len < sizeof(head))
                return -EBADMSG;
        memcpy(&head, rest->data, sizeof(head));
        if (head.nla_len < sizeof(head) || head.nla_len > rest->len)
                return -EBADMSG;
        *ret_type = head.nla_type & NLA_TYPE_MASK;
        *ret_value = (struct attr_blob){ rest->data + sizeof(head), head.nla_len - sizeof(head) };
        /* The padding of the last one may be missing. */
        step = NLA_ALIGN((size_t)head.nla_len);
        if (step > rest->len)
                step = rest->len;
        rest->data += step;
        rest->len -= step;
        return 1;
}

static const struct attr_field *attr_find(const struct attr_field *fields, size_t n_fields,
                                          uint16_t type) {
        for (size_t i = 0; i < n_fields; i++)
                if (fields[i].type == type)
                        return &fields[i];
        return NULL;
}

static int attr_store(const struct attr_field *field, const struct attr_blob *value, void *target) {
        uint8_t *slot = (uint8_t *)target + field->offset;

        if (field->width == 0) {
                memcpy(slot, value, sizeof(*value));
                return 0;
        }
        if (value->len != field->width)
                return -EBADMSG;
        memcpy(slot, value->data, value->len);
        return 0;
}

int attr_decode(const struct attr_blob *attrs, const struct attr_field *fields, size_t n_fields,
                void *target, uint64_t *ret_present) {
        struct attr_blob rest = *attrs, value;
        uint64_t present = 0;
        uint16_t type;
        int r;

        while ((r = attr_next(&rest, &type, &value)) > 0) {
                const struct attr_field *field = attr_find(fields, n_fields, type);

                if (!field)
                        continue;
                assert(type < 64);
                r = attr_store(field, &value, target);
                if (r < 0)
                        return r;
                present |= ATTR_BIT(type);
        }
        if (r < 0)
                return r;
        *ret_present = present;
        return 0;
}
