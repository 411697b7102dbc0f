/*
 * Who may change things: root, and whom polkit lets do org.mptcpize1.manage.
 *
 * The bus is asked for the caller's user, and polkit for its word, without waiting for either: a
 * polkit that never answers costs a place in a bounded list until its time is over or the caller
 * leaves, and one caller, or user, gets few of those places. Without polkit only root may.
 */
#include "bus-private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/cleanup.h"

#define ACCESS_ACTION           "org.mptcpize1.manage"
#define ACCESS_USEC             10000000u
#define ACCESS_INTERACTIVE_USEC 120000000u /* somebody types a password */
#define ACCESS_INTERACTIVE      1u         /* flag of CheckAuthorization() */

#define ACCESS_POLKIT "org.freedesktop.PolicyKit1"
#define ACCESS_ID     32 /* bytes of the name of a question to polkit */

struct question {
        struct bus *bus;
        sd_bus_message *call;
        sd_bus_message_handler_t then;
        sd_bus_slot *slot;  /* of the answer that it waits for */
        sd_bus_slot *leave; /* for when the caller leaves */
        bool open;          /* everybody may */
        uint32_t uid;       /* of the caller, once it is known */
        uint32_t asked;     /* serial of the question to polkit; 0: it is the bus that is asked */
};

static void question_free(struct question *question) {
        if (!question)
                return;
        sd_bus_slot_unref(question->slot);
        sd_bus_slot_unref(question->leave);
        sd_bus_message_unref(question->call);
        free(question);
}

DEFINE_CLEANUP(struct question *, question_free)

/* Takes it out of the list, and frees it. */
static void question_end(struct question *question) {
        struct access *access = &question->bus->access;

        for (size_t i = 0; i < access->questions.n; i++)
                if (access->questions.items[i] == question) {
                        ARRAY_REMOVE(&access->questions, i);
                        break;
                }
        question_free(question);
}

static void question_refuse(struct question *question, const char *name, const char *why) {
        (void)sd_bus_reply_method_errorf(question->call, name, "%s", why);
        question_end(question);
}

static void question_allow(struct question *question) {
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        question->bus->access.uid = question->uid;
        r = question->then(question->call, question->bus, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                (void)sd_bus_reply_method_errno(question->call, r, &error);
        sd_bus_error_free(&error);
        question_end(question);
}

static int polkit_call(const struct question *question, const char *method,
                       sd_bus_message **ret_call) {
        return sd_bus_message_new_method_call(question->bus->bus, ret_call, ACCESS_POLKIT,
                                              "/org/freedesktop/PolicyKit1/Authority",
                                              "org.freedesktop.PolicyKit1.Authority", method);
}

static const char *question_id(const struct question *question, char id[static ACCESS_ID]) {
        snprintf(id, ACCESS_ID, "mptcpized-%" PRIu32, question->asked);
        return id;
}

/* Nobody needs to type that password any more. */
static void question_cancel(const struct question *question) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *cancel = NULL;
        char id[ACCESS_ID];
        int r = polkit_call(question, "CancelCheckAuthorization", &cancel);

        if (r >= 0)
                r = sd_bus_message_append(cancel, "s", question_id(question, id));
        if (r >= 0)
                r = sd_bus_message_set_auto_start(cancel, 0);
        if (r >= 0)
                (void)sd_bus_send(question->bus->bus, cancel, NULL);
}

static int on_leave(sd_bus_message *message, void *userdata, sd_bus_error *error) {
        struct question *question = userdata;

        (void)message, (void)error;
        question_cancel(question);
        question_end(question);
        return 0;
}

/* What a refusal of polkit, or its absence, means for the caller. */
static void question_fail(struct question *question, const sd_bus_error *error) {
        const char *why = "polkit could not be asked";

        if (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
            sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))
                why = "only root may do that, for polkit is not there to allow it to others";
        else if (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
                 sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT)) {
                why = "polkit has not answered";
                question_cancel(question);
        }
        question_refuse(question, SD_BUS_ERROR_ACCESS_DENIED, why);
}

static int on_polkit(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct question *question = userdata;
        int allowed, challenge;

        (void)error;
        if (sd_bus_message_is_method_error(reply, NULL))
                question_fail(question, sd_bus_message_get_error(reply));
        else if (sd_bus_message_enter_container(reply, 'r', "bba{ss}") < 0 ||
                 sd_bus_message_read(reply, "bb", &allowed, &challenge) < 0)
                question_refuse(question, SD_BUS_ERROR_ACCESS_DENIED,
                                "the answer of polkit makes no sense");
        else if (allowed)
                question_allow(question);
        else if (challenge)
                question_refuse(question, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED,
                                "polkit wants somebody to authenticate for " ACCESS_ACTION);
        else
                question_refuse(question, SD_BUS_ERROR_ACCESS_DENIED,
                                "polkit does not allow " ACCESS_ACTION);
        return 0;
}

static int question_ask_polkit(struct question *question) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *ask = NULL;
        const bool interactive =
                        sd_bus_message_get_allow_interactive_authorization(question->call) > 0;
        char id[ACCESS_ID];
        int r = polkit_call(question, "CheckAuthorization", &ask);

        if (r >= 0)
                r = sd_bus_message_append(ask, "(sa{sv})sa{ss}us", "system-bus-name", 1, "name",
                                          "s", sd_bus_message_get_sender(question->call),
                                          ACCESS_ACTION, 0, interactive ? ACCESS_INTERACTIVE : 0,
                                          question_id(question, id));
        if (r >= 0)
                r = bus_watch_caller(question->bus, sd_bus_message_get_sender(question->call),
                                     &question->leave, on_leave, question);
        if (r >= 0)
                r = sd_bus_call_async(question->bus->bus, &question->slot, ask, on_polkit, question,
                                      interactive ? ACCESS_INTERACTIVE_USEC : ACCESS_USEC);
        return r;
}

static bool is_container(char type) {
        return type == SD_BUS_TYPE_ARRAY || type == SD_BUS_TYPE_VARIANT ||
               type == SD_BUS_TYPE_STRUCT || type == SD_BUS_TYPE_DICT_ENTRY;
}

/* Reads one value that holds no others: how long it is, or a negative errno. */
static int call_weigh_basic(sd_bus_message *call, char type) {
        const bool is_text = type == SD_BUS_TYPE_STRING || type == SD_BUS_TYPE_OBJECT_PATH ||
                             type == SD_BUS_TYPE_SIGNATURE;
        union {
                const char *text;
                uint64_t number;
        } value;
        int r = sd_bus_message_read_basic(call, type, &value);
        size_t len;

        if (r < 0 || !is_text)
                return r < 0 ? r : (int)sizeof(value.number);
        len = strlen(value.text);
        return len < LIMIT_CALL ? (int)len + 1 : -EMSGSIZE;
}

/* Calls that wait for polkit are kept, and a message may have many megabytes: -EMSGSIZE. */
static int call_weigh(sd_bus_message *call) {
        unsigned int depth = 0;
        size_t weight = 0;

        for (;;) {
                const char *contents;
                char type;
                int r = sd_bus_message_peek_type(call, &type, &contents);

                if (r == 0 && depth == 0)
                        return sd_bus_message_rewind(call, true);
                if (r == 0) {
                        r = sd_bus_message_exit_container(call);
                        depth--;
                } else if (r > 0 && is_container(type)) {
                        r = sd_bus_message_enter_container(call, type, contents);
                        depth++;
                } else if (r > 0) {
                        r = call_weigh_basic(call, type);
                }
                if (r < 0)
                        return r;
                weight += (size_t)r;
                if (weight > LIMIT_CALL)
                        return -EMSGSIZE;
        }
}

/* How many questions polkit is asked, of that user or (UINT32_MAX) of all. */
static size_t access_count_asked(const struct access *access, uint32_t uid) {
        size_t n = 0;

        for (size_t i = 0; i < access->questions.n; i++)
                n += access->questions.items[i]->asked != 0 &&
                     (uid == UINT32_MAX || access->questions.items[i]->uid == uid);
        return n;
}

static void question_to_polkit(struct question *question) {
        struct access *access = &question->bus->access;

        question->slot = sd_bus_slot_unref(question->slot);
        if (access_count_asked(access, UINT32_MAX) >= LIMIT_ASKED ||
            access_count_asked(access, question->uid) >= LIMIT_ASKED_USER) {
                question_refuse(question, BUS_ERROR_TOO_MANY,
                                "too many callers are waiting for polkit");
                return;
        }
        if (call_weigh(question->call) < 0) {
                question_refuse(question, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                "the arguments are too long for who is not root");
                return;
        }
        question->asked = ++access->serial ? access->serial : ++access->serial;
        if (question_ask_polkit(question) < 0)
                question_refuse(question, SD_BUS_ERROR_ACCESS_DENIED, "polkit can't be asked");
}

static int on_caller(sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        struct question *question = userdata;

        (void)error;
        if (sd_bus_message_is_method_error(reply, NULL) ||
            sd_bus_message_read(reply, "u", &question->uid) < 0)
                question_refuse(question, SD_BUS_ERROR_ACCESS_DENIED,
                                "the bus does not say who is calling");
        else if (question->uid == 0 || question->open)
                question_allow(question);
        else
                question_to_polkit(question);
        return 0;
}

/* How many questions of that caller there are. */
static size_t access_count(const struct access *access, const char *sender) {
        size_t n = 0;

        for (size_t i = 0; i < access->questions.n; i++)
                n += strcmp(sd_bus_message_get_sender(access->questions.items[i]->call), sender) ==
                     0;
        return n;
}

static int access_ask(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
                      bool open) {
        _cleanup_(question_freep) struct question *question = calloc(1, sizeof(*question));
        int r;

        if (!question)
                return -ENOMEM;
        question->bus = bus;
        question->call = sd_bus_message_ref(call);
        question->then = then;
        question->open = open;
        r = ARRAY_APPEND(&bus->access.questions, question, LIMIT_QUESTIONS_BUS);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(bus->bus, &question->slot, "org.freedesktop.DBus",
                                     "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                     "GetConnectionUnixUser", on_caller, question, "s",
                                     sd_bus_message_get_sender(call));
        if (r < 0)
                bus->access.questions.n--;
        else
                TAKE_PTR(question);
        return r;
}

static int access_begin(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
                        bool open, sd_bus_error *error) {
        const char *sender = sd_bus_message_get_sender(call);
        int r;

        if (!sender)
                return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED,
                                        "the call has no sender");
        if (access_count(&bus->access, sender) >= LIMIT_QUESTIONS_CALLER)
                return sd_bus_error_setf(error, BUS_ERROR_TOO_MANY,
                                         "%u calls of yours are waiting for permission",
                                         LIMIT_QUESTIONS_CALLER);
        r = access_ask(bus, call, then, open);
        if (r == -ENOBUFS)
                return sd_bus_error_set(error, BUS_ERROR_TOO_MANY,
                                        "too many calls are waiting for permission");
        return r < 0 ? r : 1;
}

int bus_access(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
               sd_bus_error *error) {
        return access_begin(bus, call, then, false, error);
}

int bus_identify(struct bus *bus, sd_bus_message *call, sd_bus_message_handler_t then,
                 sd_bus_error *error) {
        return access_begin(bus, call, then, true, error);
}

void bus_access_done(struct bus *bus) {
        struct access *access = &bus->access;

        for (size_t i = 0; i < access->questions.n; i++)
                question_free(access->questions.items[i]);
        ARRAY_DONE(&access->questions);
}
