#include "parse.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "daemon/util/cleanup.h"
#include "daemon/util/limits.h"
#include "daemon/util/slip.h"

#define KEYS_LISTED 8u /* an object with more is looked up in the manual */

/* Mistakes */

bool parse_is_full(const struct parse *parse) {
        return parse->errors->list.n >= LIMIT_POLICY_ERRORS;
}

void parse_note(struct parse *parse) {
        struct policy_error error = { .file = strdup(parse->source->path), .what = parse->error };
        int r = -ENOMEM;

        parse->wrong = true;
        if (error.file)
                r = ARRAY_APPEND(&parse->errors->list, error, LIMIT_POLICY_ERRORS);
        if (r == 0)
                return;
        free(error.file);
        if (r == -ENOBUFS)
                parse->errors->left_out++;
        else
                parse->failure = r;
}

static void parse_fail_unknown(struct parse *parse, const struct json_path *path,
                               const struct parse_key *keys, size_t n) {
        char known[128] = "";
        size_t i, used = 0;

        for (i = 0; i < n; i++)
                if (slip_is(path->key, keys[i].name)) {
                        PARSE_FAIL_KEY(parse, path, "unknown key, did you mean \"%s\"?",
                                       keys[i].name);
                        return;
                }
        for (i = 0; i < n && used < sizeof(known); i++)
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s\"%s\"",
                                         i ? ", " : "", keys[i].name);
        if (n <= KEYS_LISTED)
                PARSE_FAIL_KEY(parse, path, "unknown key, expected %s", known);
        else
                PARSE_FAIL_KEY(parse, path, "unknown key, see mptcpize-policy(5)");
}

/* Values */

static void parse_read(struct parse *parse, const struct json_path *path, json_t *value,
                       const struct parse_key *key) {
        parse->key = key;
        key->read(parse, path, value);
}

void parse_object(struct parse *parse, const struct json_path *path, json_t *object,
                  const struct parse_key *keys, size_t n) {
        const char *name;
        json_t *value;
        size_t i;

        if (!json_is_object(object)) {
                PARSE_FAIL(parse, path, object, "expected an object, {...}");
                return;
        }
        json_object_foreach(object, name, value) {
                const struct json_path here = { .parent = path, .key = name };

                for (i = 0; i < n && strcmp(keys[i].name, name) != 0; i++)
                        ;
                if (i == n)
                        parse_fail_unknown(parse, &here, keys, n);
                else
                        parse_read(parse, &here, value, &keys[i]);
        }
}

uint32_t parse_line(const struct parse *parse, const struct json_path *path) {
        return json_doc_place(&parse->doc, path, path && path->key).line;
}

const char *parse_text(struct parse *parse, const struct json_path *path, json_t *value,
                       size_t size, const char *what) {
        const char *text = json_string_value(value);

        if (text && *text && strlen(text) < size)
                return text;
        PARSE_FAIL(parse, path, value, "expected %s, a string of 1 to %zu bytes", what, size - 1);
        return NULL;
}

int parse_name(struct parse *parse, const struct json_path *path, json_t *value,
               const char *const *names, size_t n) {
        const char *text = json_string_value(value);
        char known[128] = "";
        size_t i, used = 0;

        for (i = 0; i < n; i++)
                if (text && strcmp(text, names[i]) == 0)
                        return (int)i;
        for (i = 0; i < n && used < sizeof(known); i++)
                used += (size_t)snprintf(known + used, sizeof(known) - used, "%s\"%s\"",
                                         i == 0       ? ""
                                         : i + 1 == n ? " or "
                                                      : ", ",
                                         names[i]);
        PARSE_FAIL(parse, path, value, "expected %s", known);
        return -1;
}

/* "match" */

static void parse_matcher(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *text = parse_text(parse, path, value, LIMIT_POLICY_TEXT, "a name or a pattern");
        struct policy_span span;

        if (!text)
                return;
        if (parse->key->detail == offsetof(struct policy_app, app) && strchr(text, '/')) {
                PARSE_FAIL(parse, path, value,
                           "expected a name without \"/\"; paths are for \"exe\"");
                return;
        }
        if (parse->key->detail == offsetof(struct policy_app, exe) && text[0] != '/') {
                PARSE_FAIL(parse, path, value, "expected an absolute path or a pattern of one");
                return;
        }
        span = blob_text(parse->blob, text);
        memcpy((char *)&parse->app + parse->key->detail, &span, sizeof(span));
}

static bool uid_parse(const json_t *value, uint32_t *ret_uid) {
        const char *name = json_string_value(value);
        json_int_t number = json_integer_value(value);
        const struct passwd *user = name ? getpwnam(name) : NULL;

        if (user)
                *ret_uid = user->pw_uid;
        else if (json_is_integer(value) && number >= 0 && number < POLICY_ANY_UID)
                *ret_uid = (uint32_t)number;
        else
                return false;
        return true;
}

static void parse_uid(struct parse *parse, const struct json_path *path, json_t *value) {
        uint32_t owner = parse->source->owner;
        uint32_t uid;

        if (!uid_parse(value, &uid))
                PARSE_FAIL(parse, path, value,
                           "expected a user's number or the name of one "
                           "that there is");
        else if (owner != POLICY_SYSTEM && uid != owner)
                PARSE_FAIL(parse, path, value, "expected user %u, whose own policy this is", owner);
        else
                parse->app.uid = uid;
}

static const struct parse_key match_keys[] = {
        KEY("app", parse_matcher, .detail = offsetof(struct policy_app, app)),
        KEY("exe", parse_matcher, .detail = offsetof(struct policy_app, exe)),
        KEY("unit", parse_matcher, .detail = offsetof(struct policy_app, unit)),
        KEY("uid", parse_uid),
};

static void parse_match(struct parse *parse, const struct json_path *path, json_t *value) {
        parse->app.line = parse_line(parse, path);
        parse_object(parse, path, value, match_keys, ARRAY_SIZE(match_keys));
        if (json_is_object(value) && json_object_size(value) == 0)
                PARSE_FAIL(parse, path, value,
                           "expected at least one of \"app\", \"exe\", \"unit\" and \"uid\"");
}

/* "paths" */

static void parse_mode(struct parse *parse, const struct json_path *path, json_t *value) {
        static const char *const names[] = { "off", "handover", "interactive", "aggregate",
                                             "ndiffports" };
        int i = parse_name(parse, path, value, names, ARRAY_SIZE(names));

        parse->app.mode_line = parse_line(parse, path);
        if (i >= 0)
                parse->app.mode = POLICY_MODE_OFF + (uint32_t)i;
}

static void parse_plugin(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *name = json_string_value(value);
        size_t n = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789") : 0;

        parse->app.mode_line = parse_line(parse, path);
        parse->app.mode = POLICY_MODE_PLUGIN;
        if (n == 0 || n >= LIMIT_NAME || name[n] != '\0')
                PARSE_FAIL(parse, path, value,
                           "expected the name of a plugin, 1 to %u lower case letters and digits",
                           LIMIT_NAME - 1);
        else
                parse->app.plugin = blob_text(parse->blob, name);
}

static void parse_max_subflows(struct parse *parse, const struct json_path *path, json_t *value) {
        json_int_t number = json_integer_value(value); /* 0 if it is none */

        if (number < parse->key->min || number > parse->key->max)
                PARSE_FAIL(parse, path, value, "expected a whole number from %lld to %lld",
                           parse->key->min, parse->key->max);
        else
                parse->app.max_subflows = (uint32_t)number;
}

/* What a pair says, as text; NULL and a mistake if it says nothing. */
typedef const char *(*parse_pair_fn)(struct parse *parse, const struct json_path *path,
                                     json_t *value, char text[static LIMIT_VALUE]);

static const char *pair_role(struct parse *parse, const struct json_path *path, json_t *value,
                             char text[static LIMIT_VALUE]) {
        static const char *const names[] = { "master", "on", "backup", "off" };
        int i;

        (void)text;
        if (!parse_interface_is_valid(path->key)) {
                PARSE_FAIL_KEY(parse, path, "expected the name of an interface or a pattern");
                return NULL;
        }
        i = parse_name(parse, path, value, names, ARRAY_SIZE(names));
        return i < 0 ? NULL : names[i];
}

static const char *pair_option(struct parse *parse, const struct json_path *path, json_t *value,
                               char text[static LIMIT_VALUE]) {
        size_t n = strlen(path->key);

        if (n == 0 || n >= LIMIT_NAME)
                PARSE_FAIL_KEY(parse, path, "expected the name of an option, 1 to %u bytes",
                               LIMIT_NAME - 1);
        else if (!json_scalar_print(value, text, LIMIT_VALUE))
                PARSE_FAIL(parse, path, value,
                           "expected a string of at most %u bytes, a number, true or false",
                           LIMIT_VALUE - 1);
        else
                return text;
        return NULL;
}

/* An object whose keys the user chooses, as a table of pairs. */
static struct policy_span parse_pairs(struct parse *parse, const struct json_path *path,
                                      json_t *object, parse_pair_fn read) {
        struct policy_pair pairs[LIMIT_POLICY_PAIRS];
        char text[LIMIT_VALUE];
        const char *name;
        json_t *value;
        size_t n = 0;

        if (!json_is_object(object) || json_object_size(object) > LIMIT_POLICY_PAIRS) {
                PARSE_FAIL(parse, path, object, "expected an object of at most %u members",
                           LIMIT_POLICY_PAIRS);
                return (struct policy_span){ 0 };
        }
        json_object_foreach(object, name, value) {
                const struct json_path here = { .parent = path, .key = name };
                const char *said = read(parse, &here, value, text);

                if (!said)
                        continue;
                pairs[n].key = blob_text(parse->blob, name);
                pairs[n++].value = blob_text(parse->blob, said);
        }
        return blob_table(parse->blob, pairs, sizeof(pairs[0]), n);
}

static void parse_roles(struct parse *parse, const struct json_path *path, json_t *value) {
        parse->app.roles = parse_pairs(parse, path, value, pair_role);
}

static void parse_options(struct parse *parse, const struct json_path *path, json_t *value) {
        parse->app.options = parse_pairs(parse, path, value, pair_option);
}

static const struct parse_key paths_keys[] = {
        KEY("mode", parse_mode),
        KEY("plugin", parse_plugin),
        KEY("max_subflows", parse_max_subflows, .min = 1, .max = LIMIT_SUBFLOWS / 2),
        KEY("interfaces", parse_roles),
        KEY("options", parse_options),
};

static void parse_paths(struct parse *parse, const struct json_path *path, json_t *value) {
        parse_object(parse, path, value, paths_keys, ARRAY_SIZE(paths_keys));
        if (json_object_get(value, "mode") && json_object_get(value, "plugin")) {
                const struct json_path here = { .parent = path, .key = "plugin" };

                PARSE_FAIL_KEY(parse, &here, "expected either \"mode\" or \"plugin\", not both");
        }
}

/* "auth" */

static void parse_auth_mode(struct parse *parse, const struct json_path *path, json_t *value) {
        static const char *const names[] = { "off", "prefer", "require" };
        int i = parse_name(parse, path, value, names, ARRAY_SIZE(names));

        if (i >= 0)
                parse->app.auth = (uint32_t)i;
}

/* "/etc/keys/web", or "web": of the credentials that systemd gives the daemon. */
static bool psk_is_valid(const char *text) {
        if (text[0] == '/')
                return text[strlen(text) - 1] != '/';
        return !strchr(text, '/') && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

static void parse_psk(struct parse *parse, const struct json_path *path, json_t *value) {
        const char *text;

        /* The daemon reads it, who may read more than a user. */
        if (parse->source->owner != POLICY_SYSTEM) {
                PARSE_FAIL_KEY(parse, path, "expected no key: only the system's policies have one");
                return;
        }
        text = parse_text(parse, path, value, LIMIT_PATH, "the path of a file");
        if (text && !psk_is_valid(text))
                PARSE_FAIL(parse, path, value,
                           "expected the absolute path of a file, or the name of a credential");
        else if (text)
                parse->app.psk = blob_text(parse->blob, text);
}

static const struct parse_key auth_keys[] = {
        KEY("mode", parse_auth_mode),
        KEY("psk", parse_psk),
};

static void parse_auth(struct parse *parse, const struct json_path *path, json_t *value) {
        const struct json_path here = { .parent = path, .key = "psk" };
        const json_t *mode = json_object_get(value, "mode");

        parse_object(parse, path, value, auth_keys, ARRAY_SIZE(auth_keys));
        if (json_object_get(value, "psk") &&
            (!mode || (json_is_string(mode) && parse->app.auth == POLICY_AUTH_OFF)))
                PARSE_FAIL_KEY(parse, &here,
                               "expected \"mode\": \"prefer\" or \"require\" with a key");
}

/* The file */

static const struct parse_key file_keys[] = {
        KEY("match", parse_match),
        KEY("socket", parse_socket),
        KEY("paths", parse_paths),
        KEY("auth", parse_auth),
};

/* The policy's name: that of the file without .json. False: it is too long. */
static bool parse_file_name(struct parse *parse) {
        const char *slash = strrchr(parse->source->path, '/');
        const char *base = slash ? slash + 1 : parse->source->path;
        size_t n = strlen(base);
        char name[LIMIT_NAME];

        if (n > 5 && strcmp(base + n - 5, ".json") == 0)
                n -= 5;
        if (n == 0 || n >= sizeof(name)) {
                parse->error = (struct json_error){ 0 };
                snprintf(parse->error.text, sizeof(parse->error.text),
                         "expected a file name of 1 to %u bytes before .json", LIMIT_NAME - 1);
                parse_note(parse);
                return false;
        }
        memcpy(name, base, n);
        name[n] = '\0';
        parse->app.name = blob_text(parse->blob, name);
        parse->app.file = blob_text(parse->blob, parse->source->path);
        /* the one for the rest needs no matcher */
        if (!json_object_get(parse->doc.root, "match") && strcmp(name, "default") != 0)
                PARSE_FAIL(parse, NULL, NULL,
                           "expected \"match\", which says which programs this "
                           "is for");
        return true;
}

static void parse_file(struct parse *parse) {
        parse->app = (struct policy_app){
                .uid = parse->source->owner,
                .line = 1, /* without "match" */
                .flags = POLICY_APP_DEFAULT,
        };
        if (parse->source->owner != POLICY_SYSTEM)
                parse->app.flags |= POLICY_APP_USER;
        if (!parse_file_name(parse))
                return;
        parse_object(parse, NULL, parse->doc.root, file_keys, ARRAY_SIZE(file_keys));
        parse->app.sets = blob_table(parse->blob, parse->sets.items, sizeof(*parse->sets.items),
                                     parse->sets.n);
}

static void parse_note_full(struct parse *parse) {
        parse->error = (struct json_error){ 0 };
        snprintf(parse->error.text, sizeof(parse->error.text),
                 "there is no room left: all policies together, with the addresses of interfaces "
                 "that they name, come to at most %u bytes",
                 POLICY_HALF_BYTES);
        parse_note(parse);
}

int parse_source(const struct policy_source *source, const struct policy_networks *networks,
                 struct blob *blob, struct policy_errors *errors, struct policy_app *ret_app) {
        struct parse parse = {
                .source = source, .networks = networks, .errors = errors, .blob = blob
        };
        int r = json_doc_init(&parse.doc, source->text, source->len, &parse.error);

        if (r == -EINVAL)
                parse_note(&parse);
        if (r < 0)
                return r == -EINVAL ? (parse.failure ? parse.failure : 1) : r;
        parse_file(&parse);
        if (blob->full && !parse.wrong)
                parse_note_full(&parse);
        ARRAY_DONE(&parse.sets);
        ARRAY_DONE(&parse.prefixes);
        json_doc_done(&parse.doc);
        if (parse.failure < 0)
                return parse.failure;
        if (parse.wrong)
                return 1;
        *ret_app = parse.app;
        return 0;
}
