/*
 * Netlink attributes (type, length, value) into plain structs, by tables.
 *
 * Everything is copied with memcpy, so nothing is assumed of the alignment of the input. A value
 * whose length is not exactly that of its field is malformed: integers of netlink have one width.
 * Unknown types are skipped, as newer kernels may add some; of a repeated type the last counts.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include "../util/cleanup.h"

struct attr_blob {
        const uint8_t *data; /* into the input */
        size_t len;
};

/* One attribute and where its value goes. width 0: a struct attr_blob, of any length. */
struct attr_field {
        uint16_t type; /* below 64 */
        uint16_t width;
        uint16_t offset;
};

#define ATTR_FIELD(type, object, member) \
        { (type), sizeof(((object *)0)->member), offsetof(object, member) }
#define ATTR_FIELD_BLOB(type, object, member) \
        { (type), 0, offsetof(object, member) }

#define ATTR_BIT(type) (UINT64_C(1) << (type))

/*
 * Takes a message apart: struct nlmsghdr, a fixed header that is copied to ret_header, attributes.
 * bytes may be longer than the message. 0 or -EBADMSG.
 */
int attr_open(const void *bytes, size_t len, void *ret_header, size_t header_len,
              struct attr_blob *ret_attrs);

/* The next attribute of rest, which shrinks. 1; 0 at the end; -EBADMSG. */
int attr_next(struct attr_blob *rest, uint16_t *ret_type, struct attr_blob *ret_value);

/*
 * Reads attributes into target. ret_present has ATTR_BIT() of every field that was there; the
 * others in target are left as they are. 0 or -EBADMSG.
 */
int attr_decode(const struct attr_blob *attrs, const struct attr_field *fields, size_t n_fields,
                void *target, uint64_t *ret_present);

/*
 * Both in one, of a message whose attributes can be read before its header is judged: header is a
 * structure, fields an array. 0 or -EBADMSG.
 */
#define ATTR_READ(bytes, len, ret_header, fields, target, ret_present)                            \
        ({                                                                                        \
                struct attr_blob _attrs;                                                          \
                int _r = attr_open((bytes), (len), (ret_header), sizeof(*(ret_header)), &_attrs); \
                _r < 0 ? _r                                                                       \
                       : attr_decode(&_attrs, (fields), ARRAY_SIZE(fields), (target),             \
                                     (ret_present));                                              \
        })
