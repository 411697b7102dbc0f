#include "profiles.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../util/cleanup.h"
#include "../util/log.h"
#include "plugin.h"

/* A plugin beside that of the configuration, or one that can't be had. */
struct other {
        char name[LIMIT_NAME];
        struct plugin *plugin; /* NULL: it can't be had, which has been said */
};

struct profiles {
        const struct setting *setting;
        const char *dir;
        ARRAY_OF(struct conf_profile) list;
        struct other others[LIMIT_PLUGINS];
        size_t n_others;
};

DEFINE_CLEANUP(struct profiles *, profiles_free)

void profiles_free(struct profiles *profiles) {
        if (!profiles)
                return;
        for (size_t i = 0; i < profiles->list.n; i++)
                conf_profile_done(&profiles->list.items[i]);
        ARRAY_DONE(&profiles->list);
        for (size_t i = 0; i < profiles->n_others; i++)
                plugin_free(profiles->others[i].plugin);
        free(profiles);
}

const struct conf_profile *profiles_list(const struct profiles *profiles, size_t *ret_n) {
        *ret_n = profiles->list.n;
        return profiles->list.items;
}

_Static_assert(CONF_AUTH_OFF == POLICY_AUTH_OFF && CONF_AUTH_PREFER == POLICY_AUTH_PREFER &&
                               CONF_AUTH_REQUIRE == POLICY_AUTH_REQUIRE,
               "a policy's word is taken as it is");

/* A policy in the database, and where its words stand, for people. */
struct source {
        const struct policy_read *read;
        const struct policy_app *app;
};

/* A string of the database as one of C; false: it is longer than size. */
static bool source_copy(const struct source *source, const struct policy_span *span, char *text,
                        size_t size) {
        struct policy_text from = policy_text(source->read, span);

        if (from.n >= size)
                return false;
        if (from.n)
                memcpy(text, from.bytes, from.n);
        text[from.n] = '\0';
        return true;
}

/* A sentence about a policy, with the place of its mode, or else of the policy. */
static void source_warn(const struct source *source, const char *sentence) {
        struct policy_text file = policy_text(source->read, &source->app->file);

        log_warning("%.*s:%u: %s", (int)file.n, file.n ? file.bytes : "",
                    source->app->mode_line ? source->app->mode_line : source->app->line, sentence);
}

/* Plugins */

static struct plugin *other_load(const struct profiles *profiles, const char *name,
                                 char error[static PLUGIN_ERROR]) {
        const struct conf *conf = setting_conf(profiles->setting);
        struct json_error wrong = { 0 };
        struct plugin *plugin = NULL;
        int r = plugin_load(profiles->dir, name, &plugin, error);

        if (r == 0)
                r = plugin_try_options(plugin, conf, &wrong);
        if (r == 0)
                return plugin;
        if (plugin)
                snprintf(error, PLUGIN_ERROR, "plugin %s can't be used: %s", name, wrong.text);
        plugin_free(plugin);
        return NULL;
}

/* NULL: it can't be had. In error why, the first time; after that an empty string. */
static const struct mptcpize_plugin *profiles_load(struct profiles *profiles, const char *name,
                                                   char error[static PLUGIN_ERROR]) {
        struct other *other;

        error[0] = '\0';
        for (size_t i = 0; i < profiles->n_others; i++)
                if (strcmp(profiles->others[i].name, name) == 0)
                        return profiles->others[i].plugin ? plugin_api(profiles->others[i].plugin)
                                                          : NULL;
        if (profiles->n_others == LIMIT_PLUGINS)
                return NULL;
        other = &profiles->others[profiles->n_others++];
        snprintf(other->name, sizeof(other->name), "%s", name);
        other->plugin = other_load(profiles, name, error);
        return other->plugin ? plugin_api(other->plugin) : NULL;
}

/* source: the policy that wants it; NULL: a mode does. */
static const struct mptcpize_plugin *profiles_other(struct profiles *profiles, const char *name,
                                                    const struct source *source) {
        const char *standard = setting_plugin(profiles->setting)->name;
        char error[PLUGIN_ERROR], sentence[PLUGIN_ERROR + 2 * LIMIT_NAME];
        const struct mptcpize_plugin *plugin = profiles_load(profiles, name, error);

        if (!error[0])
                return plugin;
        snprintf(sentence, sizeof(sentence), "%s; plugin %s is used instead", error, standard);
        if (source)
                source_warn(source, sentence);
        else
                log_warning("a mode needs it: %s", sentence);
        return NULL;
}

/* Never NULL. */
static const struct mptcpize_plugin *profiles_plugin(struct profiles *profiles, const char *name,
                                                     const struct source *source) {
        const struct mptcpize_plugin *standard = setting_plugin(profiles->setting), *other;

        if (!name[0] || strcmp(name, standard->name) == 0)
                return standard;
        other = profiles_other(profiles, name, source);
        return other ? other : standard;
}

/* The plugin of a mode, "": that of the configuration. */
static const char *const mode_plugins[_POLICY_MODE_MAX] = {
        [POLICY_MODE_DEFAULT] = "",
        [POLICY_MODE_OFF] = "",
        [POLICY_MODE_HANDOVER] = "backup",
        [POLICY_MODE_INTERACTIVE] = "backup",
        [POLICY_MODE_AGGREGATE] = "fullmesh",
        [POLICY_MODE_NDIFFPORTS] = "ndiffports",
        [POLICY_MODE_PLUGIN] = "",
};

/* 0 or -ENOMEM: what is over the limit is left out, but nothing that there is room for. */
static int profile_add_option(struct conf_profile *profile, const struct conf_option *option) {
        int r = ARRAY_APPEND(&profile->options, *option, LIMIT_PLUGIN_OPTIONS);

        return r == -ENOMEM ? r : 0;
}

/* Modes that share a plugin are told apart by its option "mode", before the policy's own. */
static int profile_set_mode(struct conf_profile *profile, enum policy_mode mode) {
        struct conf_option option = { .key = "mode" };

        if ((mode != POLICY_MODE_HANDOVER && mode != POLICY_MODE_INTERACTIVE) ||
            strcmp(profile->plugin->name, mode_plugins[mode]) != 0)
                return 0;
        snprintf(option.plugin, sizeof(option.plugin), "%s", profile->plugin->name);
        snprintf(option.value, sizeof(option.value), "%s", policy_mode_name(mode));
        return profile_add_option(profile, &option);
}

/* What a policy says; each is 0 or -ENOMEM */

static int profile_read_roles(struct conf_profile *profile, const struct source *source) {
        const struct policy_pair *pair;
        struct conf_role role;
        char word[16];
        int r = 0;

        for (uint32_t i = 0; r != -ENOMEM && (pair = policy_at(source->read, &source->app->roles, i,
                                                               sizeof(*pair)));
             i++)
                if (source_copy(source, &pair->key, role.pattern, sizeof(role.pattern)) &&
                    source_copy(source, &pair->value, word, sizeof(word)) &&
                    role_parse(word, &role.role) == 0)
                        r = ARRAY_APPEND(&profile->roles, role, LIMIT_ROLE_PATTERNS);
        return r == -ENOMEM ? r : 0;
}

static int profile_try_option(const struct mptcpize_plugin *plugin,
                              const struct conf_option *option) {
        void *state;
        int r = plugin->init(&state);

        if (r < 0)
                return r;
        r = plugin->config(state, option->key, option->value);
        plugin->done(state);
        return r;
}

static int profile_read_options(struct conf_profile *profile, const struct source *source) {
        const struct policy_pair *pair;
        struct conf_option option = { .key = "" };
        char sentence[3 * LIMIT_NAME + LIMIT_VALUE];
        int r;

        snprintf(option.plugin, sizeof(option.plugin), "%s", profile->plugin->name);
        for (uint32_t i = 0;
             (pair = policy_at(source->read, &source->app->options, i, sizeof(*pair))); i++) {
                if (!source_copy(source, &pair->key, option.key, sizeof(option.key)) ||
                    !source_copy(source, &pair->value, option.value, sizeof(option.value)))
                        continue;
                r = profile_try_option(profile->plugin, &option);
                if (r >= 0)
                        r = profile_add_option(profile, &option);
                if (r == -ENOMEM)
                        return r;
                if (r >= 0)
                        continue;
                snprintf(sentence, sizeof(sentence),
                         "plugin %s has no option \"%s\" with the value \"%s\": ignored",
                         option.plugin, option.key, option.value);
                source_warn(source, sentence);
        }
        return 0;
}

/* Also of one whose mode is off: its connections may come from elsewhere. */
static void profile_read_auth(struct conf_profile *profile, const struct source *source) {
        /* Nobody has written another one; if so, it is damaged, and no reason to be open. */
        profile->auth = source->app->auth < _POLICY_AUTH_MAX ? source->app->auth
                                                             : CONF_AUTH_REQUIRE;
        if (!source_copy(source, &source->app->psk, profile->psk, sizeof(profile->psk)))
                source_warn(source, "the path of the key is too long: there is none");
}

static void profile_set_off(struct conf_profile *profile) {
        profile->plugin = NULL;
        profile->max_subflows = 1;
        profile->own_limit = true;
}

static int profiles_read_app(struct profiles *profiles, struct conf_profile *profile,
                             const struct source *source) {
        const struct policy_app *app = source->app;
        char wanted[LIMIT_NAME] = "";
        int r;

        if (app->mode == POLICY_MODE_PLUGIN)
                (void)source_copy(source, &app->plugin, wanted, sizeof(wanted));
        else if (app->mode < _POLICY_MODE_MAX)
                snprintf(wanted, sizeof(wanted), "%s", mode_plugins[app->mode]);
        profile->own_limit = app->max_subflows != 0;
        if (app->max_subflows)
                profile->max_subflows = app->max_subflows < LIMIT_SUBFLOWS / 2 ? app->max_subflows
                                                                               : LIMIT_SUBFLOWS / 2;
        r = profile_read_roles(profile, source);
        profile_read_auth(profile, source);
        if (app->mode == POLICY_MODE_OFF) {
                profile_set_off(profile);
                return r;
        }
        profile->plugin = profiles_plugin(profiles, wanted, source);
        if (r == 0)
                r = profile_set_mode(profile, app->mode);
        /* Options are words to the plugin that was wanted, not to the one that stands in for it. */
        if (r == 0 && (!wanted[0] || strcmp(profile->plugin->name, wanted) == 0))
                r = profile_read_options(profile, source);
        return r;
}

/* The lists */

static bool profiles_have(const struct profiles *profiles, const char *name) {
        for (size_t i = 0; i < profiles->list.n; i++)
                if (strcmp(profiles->list.items[i].name, name) == 0)
                        return true;
        return false;
}

/* The new one, with what the configuration says; -ENOBUFS or -ENOMEM. */
static int profiles_add(struct profiles *profiles, const char *name,
                        struct conf_profile **ret_profile) {
        struct conf_profile profile;
        int r;

        conf_profile_init(&profile, setting_conf(profiles->setting),
                          setting_plugin(profiles->setting));
        snprintf(profile.name, sizeof(profile.name), "%s", name);
        r = ARRAY_APPEND(&profiles->list, profile, LIMIT_PROFILES);
        if (r < 0)
                return r;
        *ret_profile = &profiles->list.items[profiles->list.n - 1];
        return 0;
}

static int profiles_add_modes(struct profiles *profiles) {
        struct conf_profile *profile;
        char name[LIMIT_NAME];
        int r = 0;

        for (enum policy_mode mode = POLICY_MODE_OFF; mode < POLICY_MODE_PLUGIN && r == 0; mode++) {
                snprintf(name, sizeof(name), CONF_PROFILE_MODE "%s", policy_mode_name(mode));
                r = profiles_add(profiles, name, &profile);
                if (r < 0)
                        break;
                if (mode == POLICY_MODE_OFF) {
                        profile_set_off(profile);
                        continue;
                }
                profile->plugin = profiles_plugin(profiles, mode_plugins[mode], NULL);
                profile_set_mode(profile, mode);
        }
        return r;
}

static int profiles_add_apps(struct profiles *profiles, const struct policy_read *read) {
        struct source source = { .read = read };
        struct conf_profile *profile;
        char name[LIMIT_NAME];
        int r;

        for (uint32_t i = 0;
             (source.app = policy_at(read, &read->half->apps, i, sizeof(*source.app))); i++) {
                if (!source_copy(&source, &source.app->name, name, sizeof(name)) ||
                    profiles_have(profiles, name))
                        continue;
                r = profiles_add(profiles, name, &profile);
                if (r == -ENOBUFS) {
                        source_warn(&source, "too many policies: what it says of paths is ignored");
                        return 0;
                }
                if (r == 0)
                        r = profiles_read_app(profiles, profile, &source);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* As it is, without a policy's word? */
static bool profiles_have_plain(const struct profiles *profiles, const char *plugin) {
        const size_t prefix = sizeof(CONF_PROFILE_MODE) - 1;

        for (size_t i = 0; i < profiles->list.n; i++) {
                const struct conf_profile *profile = &profiles->list.items[i];

                if (profile->plugin && strcmp(profile->plugin->name, plugin) == 0 &&
                    (!profile->name[0] || strncmp(profile->name, CONF_PROFILE_MODE, prefix) == 0))
                        return true;
        }
        return false;
}

/*
 * So that a live connection can be handed to a plugin that nothing speaks of. One that can't be
 * loaded is nobody's loss, yet.
 */
static int profiles_add_plugin(struct profiles *profiles, const char *name) {
        char error[PLUGIN_ERROR], title[LIMIT_NAME];
        const struct mptcpize_plugin *plugin;
        struct conf_profile *profile;
        int r = snprintf(title, sizeof(title), CONF_PROFILE_PLUGIN "%s", name);

        if (r >= (int)sizeof(title) || profiles_have_plain(profiles, name))
                return 0;
        plugin = profiles_load(profiles, name, error);
        if (!plugin)
                return 0;
        r = profiles_add(profiles, title, &profile);
        if (r == 0)
                profile->plugin = plugin;
        return r;
}

static int entry_is_plugin(const struct dirent *entry) {
        const char *end = strrchr(entry->d_name, '.');

        return end && strcmp(end, ".so") == 0;
}

static int profiles_add_installed(struct profiles *profiles) {
        struct dirent **entries;
        int n = scandir(profiles->dir, &entries, entry_is_plugin, alphasort), r = 0;

        for (int i = 0; i < n; i++) {
                *strrchr(entries[i]->d_name, '.') = '\0';
                if (r == 0)
                        r = profiles_add_plugin(profiles, entries[i]->d_name);
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
        return r == -ENOBUFS ? 0 : r;
}

int profiles_new(const struct setting *setting, const char *dir, const struct policy_read *read,
                 struct profiles **ret_profiles) {
        _cleanup_(profiles_freep) struct profiles *profiles = calloc(1, sizeof(*profiles));
        struct conf_profile *first;
        int r;

        if (!profiles)
                return -ENOMEM;
        profiles->setting = setting;
        profiles->dir = dir;
        r = profiles_add(profiles, "", &first);
        if (r == 0)
                r = profiles_add_modes(profiles);
        if (r == 0 && read)
                r = profiles_add_apps(profiles, read);
        if (r == 0)
                r = profiles_add_installed(profiles);
        if (r < 0)
                return r;
        *ret_profiles = TAKE_PTR(profiles);
        return 0;
}
