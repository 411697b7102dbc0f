/*
 * mptcpctl policy list, mptcpctl policy show.
 */
#include "cmd-policy.h"
#include "render.h"
#include "text.h"
#include "../util/cleanup.h"
#include "policy/describe.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void policy_warn(const struct policy_errors *errors) {
        char raw[POLICY_ERROR_TEXT], text[2 * POLICY_ERROR_TEXT];

        for (size_t i = 0; i < errors->list.n; i++) {
                policy_error_print(&errors->list.items[i], raw);
                fprintf(stderr, "mptcpctl: left out: %s\n", text_escape(raw, text, sizeof(text)));
        }
}

/* list */

static json_t *row_of(const struct view_base *base, const struct policy_app *app) {
        json_t *policy = policy_describe(&base->read, app);
        json_t *row = json_pack(
                        "{s:o,s:O,s:O,s:i,s:s,s:o,s:s,s:o,s:s?}", "name",
                        policy_describe_text(&base->read, &app->name), "match",
                        json_object_get(policy, "match"), "upgrade",
                        json_object_get(json_object_get(policy, "socket"), "upgrade"), "exceptions",
                        (int)json_array_size(json_object_get(json_object_get(policy, "socket"),
                                                             "except")),
                        "mode", policy_mode_name(app->mode), "plugin",
                        policy_describe_text(&base->read, &app->plugin), "auth",
                        policy_auth_name(app->auth), "file",
                        policy_describe_text(&base->read, &app->file), "database", base->database);

        json_decref(policy);
        return row;
}

static json_t *view_rows(const struct view *view) {
        const struct policy_app *app;
        json_t *rows = json_array();

        for (size_t i = 0; i < view->n; i++) {
                const struct policy_read *read = &view->bases[i].read;

                for (uint32_t j = 0; (app = policy_at(read, &read->half->apps, j, sizeof(*app)));
                     j++)
                        json_array_append_new(rows, row_of(&view->bases[i], app));
        }
        return rows;
}

int policy_list(const struct ctl *ctl) {
        _cleanup_(json_decrefp) json_t *value = NULL;
        struct view_error error;
        struct view view;

        if (view_open(&view, ctl->db, &error) < 0) {
                view_done(&view);
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        }
        policy_warn(&view.errors);
        value = json_pack("{s:o,s:o}", "databases", view_databases(&view), "policies",
                          view_rows(&view));
        view_done(&view);
        if (!value)
                return ctl_fail(ctl, CTL_FAILED, "out of memory");
        render(ctl, value, render_policies);
        return CTL_DONE;
}

/* show */

static json_t *view_show(const struct view *view, const char *name) {
        const struct policy_app *app;

        for (size_t i = 0; i < view->n; i++) {
                const struct view_base *base = &view->bases[i];
                const struct policy_read *read = &base->read;

                for (uint32_t j = 0; (app = policy_at(read, &read->half->apps, j, sizeof(*app)));
                     j++) {
                        struct policy_text text = policy_text(read, &app->name);

                        if (text.n != strlen(name) || memcmp(text.bytes, name, text.n) != 0)
                                continue;
                        return json_pack("{s:s,s:o,s:s?,s:o}", "name", name, "file",
                                         policy_describe_text(read, &app->file), "database",
                                         base->database, "policy", policy_describe(read, app));
                }
        }
        return NULL;
}

int policy_show(const struct ctl *ctl) {
        const char *name = ctl->args[0];
        _cleanup_(json_decrefp) json_t *value = NULL;
        struct view_error error;
        struct view view;

        if (view_open(&view, ctl->db, &error) < 0) {
                view_done(&view);
                return ctl_fail(ctl, CTL_FAILED, "%s", error.text);
        }
        policy_warn(&view.errors);
        value = view_show(&view, name);
        view_done(&view);
        if (!value)
                return ctl_fail(ctl, CTL_FAILED,
                                "there is no policy \"%s\": 'mptcpctl policy list' lists those "
                                "that there are; new files count after 'mptcpctl reload'",
                                name);
        render(ctl, value, render_policy);
        return CTL_DONE;
}
