/*
 * Explain(): what becomes of a program's socket, by the policies in force. The same evaluator as
 * that of the library answers; nothing is sent, and neither program nor address need exist.
 *
 * A user's own policies are not the daemon's to read: mptcpctl policy explain knows them.
 */
#include "bus-private.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../util/utf8.h"
#include "policy/eval.h"
#include "policy/explain.h"

#define EXPLAIN_KEYS  7u /* that there are */
#define EXPLAIN_PLACE 32 /* bytes of a line and a column */
#define EXPLAIN_TRIES 4  /* of a look at the database while it is written */

/* What was asked; "": not said. Texts are the message's. */
struct asked {
        const char *program, *exe, *unit, *call, *address, *local;
        uint32_t uid;
};

/* Copies of what is found: the database may be written anew at any time. */
struct found {
        struct policy_verdict verdict;
        char policy[LIMIT_NAME];
        char place[PATH_MAX + EXPLAIN_PLACE]; /* FILE:LINE:COLUMN */
};

/* Reading the question */

static int asked_refuse(const char *key, const char *why, sd_bus_error *error) {
        char shown[LIMIT_NAME];

        return sd_bus_error_setf(error, BUS_ERROR_BAD_QUESTION, "\"%s\" %s",
                                 utf8_copy(key, shown, sizeof(shown)), why);
}

static const char **asked_text(struct asked *asked, const char *key) {
        const struct {
                const char *key;
                const char **text;
        } texts[] = {
                { "Program", &asked->program }, { "Exe", &asked->exe },
                { "Unit", &asked->unit },       { "Call", &asked->call },
                { "Address", &asked->address }, { "Local", &asked->local },
        };

        for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
                if (strcmp(texts[i].key, key) == 0)
                        return texts[i].text;
        return NULL;
}

static int asked_read_one(sd_bus_message *call, struct asked *asked, sd_bus_error *error) {
        const char *key, *type;
        const char **text;
        int r = sd_bus_message_read(call, "s", &key);

        if (r >= 0)
                r = sd_bus_message_peek_type(call, NULL, &type);
        if (r < 0)
                return r;
        text = asked_text(asked, key);
        if (!text && strcmp(key, "Uid") != 0)
                return asked_refuse(key, "is no key of a question", error);
        if (strcmp(type, text ? "s" : "u") != 0)
                return asked_refuse(key, text ? "must be a string" : "must be a u", error);
        return text ? sd_bus_message_read(call, "v", "s", text)
                    : sd_bus_message_read(call, "v", "u", &asked->uid);
}

static int asked_read(sd_bus_message *call, struct asked *asked, sd_bus_error *error) {
        int r = sd_bus_message_enter_container(call, 'a', "{sv}");
        unsigned int n = 0;

        while (r >= 0 && (r = sd_bus_message_enter_container(call, 'e', "sv")) > 0) {
                if (n++ == EXPLAIN_KEYS)
                        return sd_bus_error_set(error, BUS_ERROR_BAD_QUESTION,
                                                "a question has at most 7 keys");
                r = asked_read_one(call, asked, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(call);
        }
        return r < 0 ? r : sd_bus_message_exit_container(call);
}

static int asked_call(const struct asked *asked, struct policy_call *ret_call,
                      sd_bus_error *error) {
        const bool listen = strcmp(asked->call, "listen") == 0;
        struct policy_explain_error bad;
        char shown[LIMIT_NAME];

        if (!listen && strcmp(asked->call, "connect") != 0)
                return asked_refuse("Call", "must be connect or listen", error);
        if (listen && asked->local[0])
                return asked_refuse("Local", "is for connect: listen has its Address", error);
        if (policy_explain_call(listen ? POLICY_LISTEN : POLICY_CONNECT, asked->address,
                                asked->local[0] ? asked->local : NULL, ret_call, &bad) < 0)
                return sd_bus_error_setf(error, BUS_ERROR_BAD_ADDRESS, "\"%s\" %s%s%s",
                                         utf8_copy(bad.text, shown, sizeof(shown)), bad.what,
                                         bad.why[0] ? ": " : "", bad.why);
        return 0;
}

/* Answering it */

static struct policy_identity asked_identity(const struct asked *asked) {
        const char *program = asked->program[0] ? asked->program : asked->exe;
        const char *slash = strrchr(program, '/');

        return (struct policy_identity){
                .app = policy_text_of(slash ? slash + 1 : program),
                .exe = policy_text_of(asked->exe),
                .unit = policy_text_of(asked->unit),
                .uid = asked->uid,
        };
}

/* How much of it there is room for. */
static size_t text_copy(struct policy_text from, char *to, size_t size) {
        const size_t n = from.n < size ? from.n : size - 1;

        if (n > 0)
                memcpy(to, from.bytes, n);
        to[n] = '\0';
        return n;
}

static void found_copy(const struct policy_read *read, const struct policy_app *app,
                       struct found *found) {
        uint32_t line, column;
        size_t n;

        text_copy(policy_text(read, &app->name), found->policy, sizeof(found->policy));
        n = text_copy(policy_text(read, &app->file), found->place, PATH_MAX);
        policy_explain_place(app, &found->verdict, &line, &column);
        if (line && column)
                snprintf(found->place + n, EXPLAIN_PLACE, ":%" PRIu32 ":%" PRIu32, line, column);
        else if (line)
                snprintf(found->place + n, EXPLAIN_PLACE, ":%" PRIu32, line);
}

/* Again if the database was written meanwhile. */
static void found_look(const struct bus *bus, const struct policy_identity *who,
                       const struct policy_call *call, struct found *found) {
        for (int i = 0; i < EXPLAIN_TRIES; i++) {
                const struct policy_read *read = bus->host.policies(bus->host.userdata);
                const struct policy_app *app = read ? policy_find(read, who) : NULL;

                *found = (struct found){ .policy = "none" };
                policy_judge(read, app, call, &found->verdict);
                if (app)
                        found_copy(read, app, found);
                if (!read || policy_end(read))
                        break;
        }
        utf8_clean(found->policy);
        utf8_clean(found->place);
}

int bus_explain(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        struct asked asked = { "", "", "", "connect", "", "", UINT32_MAX };
        struct policy_identity who;
        struct policy_call what;
        struct found found;
        int r = asked_read(call, &asked, error);

        if (r >= 0)
                r = asked_call(&asked, &what, error);
        if (r < 0)
                return r;
        who = asked_identity(&asked);
        found_look(userdata, &who, &what, &found);
        return sd_bus_reply_method_return(call, "a{sv}", 4, "Verdict", "s",
                                          found.verdict.mptcp ? "mptcp" : "tcp", "Reason", "s",
                                          policy_reason_name(found.verdict.reason), "Policy", "s",
                                          found.policy, "Place", "s", found.place);
}
