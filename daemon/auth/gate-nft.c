/*
 * libnftables. See gate-nft.h.
 *
 * It tells an error by its text only, in which the kernel's is one of strerror()'s. And it ends the
 * program if it gets no socket: so whether there are any is tried before.
 */
#include "gate-nft.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>

struct gate_nft {
        struct nft_ctx *context;
};

static int nft_try_socket(void) {
        const struct sockaddr_nl local = { .nl_family = AF_NETLINK };
        _cleanup_(closep) int fd = -1;

        fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
        if (fd < 0 || bind(fd, (const struct sockaddr *)&local, sizeof(local)) < 0)
                return -errno;
        return 0;
}

const char *gate_nft_remedy(int error) {
        switch (error) {
        case -EPERM:
        case -EACCES:
                return "no right to write nftables rules: the daemon needs CAP_NET_ADMIN";
        case -EPROTONOSUPPORT:
        case -EAFNOSUPPORT:
        case -EOPNOTSUPP:
                return "the kernel has no nftables: modprobe nf_tables, or boot one that has it";
        default:
                return NULL;
        }
}

void gate_nft_words(const char *output, char *ret_words) {
        const char *from = strstr(output, "Error: ");
        size_t n;

        from = from ? from + strlen("Error: ") : output;
        n = strcspn(from, "\n");
        (void)snprintf(ret_words, LIMIT_REASON, "%.*s", (int)(n < LIMIT_REASON ? n : LIMIT_REASON),
                       from);
}

int gate_nft_error(const char *output) {
        static const int errors[] = { EPERM,           EACCES,       EOPNOTSUPP, ENOENT,   EEXIST,
                                      ENOMEM,          ENFILE,       ENOBUFS,    EBUSY,    EINVAL,
                                      EPROTONOSUPPORT, EAFNOSUPPORT, ENOTEMPTY,  EMSGSIZE, EINTR };

        for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
                if (strstr(output, strerror(errors[i])))
                        return -errors[i];
        return -EIO;
}

static void nft_explain(int error, const char *output, char *reason) {
        const char *remedy = gate_nft_remedy(error);

        if (remedy)
                (void)snprintf(reason, LIMIT_REASON, "%s", remedy);
        else
                gate_nft_words(output, reason);
}

int gate_nft_new(struct gate_nft **ret_nft, char *reason) {
        _cleanup_(gate_nft_freep) struct gate_nft *nft = NULL;
        int r;

        r = nft_try_socket();
        if (r < 0) {
                nft_explain(r, strerror(-r), reason);
                return r;
        }
        nft = calloc(1, sizeof(*nft));
        if (!nft)
                return -ENOMEM;
        nft->context = nft_ctx_new(NFT_CTX_DEFAULT);
        if (!nft->context)
                return -ENOMEM;
        if (nft_ctx_buffer_output(nft->context) != 0 || nft_ctx_buffer_error(nft->context) != 0)
                return -ENOMEM;
        *ret_nft = TAKE_PTR(nft);
        return 0;
}

void gate_nft_free(struct gate_nft *nft) {
        if (!nft)
                return;
        if (nft->context)
                nft_ctx_free(nft->context);
        free(nft);
}

int gate_nft_run(struct gate_nft *nft, const char *text, char *reason) {
        const char *output;
        int error;

        if (nft_run_cmd_from_buffer(nft->context, text) == 0)
                return 0;
        output = nft_ctx_get_error_buffer(nft->context);
        if (!output)
                output = "";
        error = gate_nft_error(output);
        nft_explain(error, output, reason);
        return error;
}
