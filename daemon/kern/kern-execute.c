/*
 * Carrying out one action. See kern-execute.h.
 */
#include "kern-execute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <netlink/msg.h>
#include "../util/clock.h"
#include "codec-mptcp.h"
#include "kern-diag.h"
#include "netlink.h"

struct executor {
        struct netlink *genl;
        struct netlink *diag;
        struct mptcp_family family;
        bool looked; /* it is known whether joins are bound to their interface */
};

DEFINE_CLEANUP(struct nl_msg *, nlmsg_free)

struct command *command_new(const struct action *action) {
        struct command *command = calloc(1, sizeof(*command));

        if (command)
                command->action = *action;
        return command;
}

void command_free(struct command *command) {
        if (!command)
                return;
        ARRAY_DONE(&command->entries);
        snapshot_done(&command->snapshot);
        free(command);
}

void executor_free(struct executor *executor) {
        if (!executor)
                return;
        netlink_free(executor->genl);
        netlink_free(executor->diag);
        free(executor);
}

DEFINE_CLEANUP(struct executor *, executor_free)

int executor_new(const struct mptcp_family *family, struct executor **ret_executor) {
        _cleanup_(executor_freep) struct executor *executor = calloc(1, sizeof(*executor));
        int r;

        if (!executor)
                return -ENOMEM;
        executor->family = *family;
        r = netlink_new(NETLINK_GENERIC, &executor->genl);
        if (r == 0)
                r = netlink_new(NETLINK_SOCK_DIAG, &executor->diag);
        if (r < 0)
                return r;
        *ret_executor = TAKE_PTR(executor);
        return 0;
}

static int on_entry(const struct nlmsghdr *message, void *userdata) {
        struct command *command = userdata;
        struct entry entry;
        int r;

        r = codec_mptcp_decode_entry(message, message->nlmsg_len, &entry);
        return r == 0 ? ARRAY_APPEND(&command->entries, entry, LIMIT_ENTRIES) : r;
}

static int executor_send(struct executor *executor, struct command *command, bool mapped) {
        _cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_size(CODEC_MPTCP_BYTES);
        int r;

        if (!msg)
                return -ENOMEM;
        r = codec_mptcp_encode(&command->action, executor->family.id, mapped, msg);
        if (r < 0)
                return r;
        return netlink_request(executor->genl, nlmsg_hdr(msg), on_entry, command, command->message);
}

/*
 * SUBFLOW_DESTROY looks for a socket of the family that the addresses have. The same IPv4
 * addresses may be those of an AF_INET socket or, v4-mapped, of an AF_INET6 one, and nothing but
 * trying tells which (Linux 6.18).
 */
static int executor_destroy(struct executor *executor, struct command *command) {
        int r = executor_send(executor, command, false);

        if (r == -ESRCH && command->action.local.family == AF_INET)
                r = executor_send(executor, command, true);
        return r;
}

/*
 * Whose is the connection? Where GET_ADDR can't be asked of one, SUBFLOW_DESTROY of a subflow that
 * no connection has tells: it finds none (-ESRCH) after the token and its path manager were found
 * to be right, else it says -EINVAL. The list of entries stays empty.
 */
static int executor_query_listless(struct executor *executor, struct command *command) {
        struct command destroy = {
                .action = { .type = ACTION_DESTROY,
                            .token = command->action.token,
                            .local = { .family = AF_INET, .port = 1 },
                            .remote = { .family = AF_INET, .port = 1 } },
        };
        int r = executor_send(executor, &destroy, false);

        memcpy(command->message, destroy.message, sizeof(command->message));
        return r == -ESRCH ? 0 : r;
}

static int executor_abort(struct executor *executor, struct command *command) {
        const struct action *action = &command->action;
        struct command destroy = { .action = *action };
        int r = kern_diag_abort(executor->diag, action->token, &action->local, &action->remote,
                                action->ifindex);

        if (r != -EOPNOTSUPP)
                return r;
        destroy.action.type = ACTION_DESTROY;
        return executor_destroy(executor, &destroy);
}

/* Some kernels ignore the interface of a join, which nothing but the join shows: once is enough. */
static void executor_look(struct executor *executor, struct command *command) {
        const struct action *action = &command->action;
        int32_t ifindex;

        if (kern_diag_bound(executor->diag, action->token, &action->local, &action->remote,
                            &ifindex) < 0)
                return;
        executor->looked = true;
        command->bound = ifindex == action->ifindex;
        command->unbound = !command->bound;
}

static int executor_create(struct executor *executor, struct command *command) {
        const uint64_t start = clock_thread_usec();
        int r = executor_send(executor, command, false);

        command->cpu_usec = (uint32_t)(clock_thread_usec() - start);
        if (r == 0 && command->action.ifindex && !executor->looked)
                executor_look(executor, command);
        return r;
}

void executor_run(struct executor *executor, struct command *command) {
        if (command->action.type == ACTION_SNAPSHOT)
                command->error = kern_diag_snapshot(executor->diag, &command->snapshot);
        else if (command->action.type == ACTION_MEASURE)
                command->error = kern_diag_measure(executor->diag, &command->action.local,
                                                   &command->action.remote, command->action.ifindex,
                                                   &command->measure);
        else if (command->action.type == ACTION_ABORT)
                command->error = executor_abort(executor, command);
        else if (command->action.type == ACTION_DESTROY)
                command->error = executor_destroy(executor, command);
        else if (command->action.type == ACTION_CREATE)
                command->error = executor_create(executor, command);
        else if (command->action.type == ACTION_QUERY && executor->family.listless)
                command->error = executor_query_listless(executor, command);
        else
                command->error = executor_send(executor, command, false);
}
