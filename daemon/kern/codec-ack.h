/*
 * How the kernel answers a request: NLMSG_ERROR (also for success) and NLMSG_DONE after a dump,
 * with the extended acknowledgement (NETLINK_EXT_ACK, Linux 4.12) as text. Pure: bytes to plain.
 */
#pragma once

#include <stddef.h>
#include "../util/limits.h"

/*
 * Decodes one message of either type. ret_error is 0 or a negative errno as the kernel gave it;
 * message becomes the kernel's words, or which attribute is missing, or "". 0 or -EBADMSG.
 */
int codec_ack_decode(const void *bytes, size_t len, int *ret_error,
                     char message[static LIMIT_REASON]);
