/*
 * What keeps the library from having an effect in a unit. See service.h.
 */
#include "../policy-view.h"
#include "../program.h"
#include "service.h"
#include "unit-words.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define PREFIXES     "@-:+!|" /* of ExecStart= */
#define CAPABILITIES "security.capability"
#define SELINUX      "/sys/fs/selinux/enforce"
#define PATH_OF_HOST "/proc/self/fd/%d"

/* Words */

static bool list_has(const struct service *service, const char *key, const char *wanted) {
        char word[UNIT_WORD];
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(service->plain, key), i, row) {
                const char *text = json_string_value(row);

                while (unit_word(&text, word))
                        if (strcmp(word + strspn(word, "~-+"), wanted) == 0)
                                return true;
        }
        return false;
}

static bool is_yes(const char *value) {
        return strcasecmp(value, "yes") == 0 || strcasecmp(value, "true") == 0 ||
               strcasecmp(value, "on") == 0 || strcmp(value, "1") == 0;
}

/* Programs */

/* Where systemd finds a program: a descriptor, or -errno. */
static int exec_open(const struct service *service, const char *name) {
        static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin",
                                            "/usr/bin",        "/sbin",          "/bin" };
        char path[PATH_MAX];
        int fd = -ENOENT;

        if (name[0] == '/')
                return root_open(service->root, name, O_RDONLY | O_NONBLOCK);
        for (size_t i = 0; i < ARRAY_SIZE(dirs) && fd == -ENOENT; i++) {
                snprintf(path, sizeof(path), "%s/%.3000s", dirs[i], name);
                fd = root_open(service->root, path, O_RDONLY | O_NONBLOCK);
        }
        return fd;
}

static void exec_check(struct service *service, const char *name, int fd) {
        struct stat is;
        int kind = program_look_at(fd);

        if (kind == PROGRAM_STATIC)
                service_warn(service, "%s is statically linked: no library gets into it", name);
        if (kind == PROGRAM_GO) {
                service->is_go = true;
                service_warn(service,
                             "%s is a Go program, which the library does not reach: it gets Go's "
                             "own Multipath TCP (GODEBUG=multipathtcp=1), without policies",
                             name);
        }
        if (fstat(fd, &is) == 0 && is.st_mode & (S_ISUID | S_ISGID))
                service_warn(service, "%s is setuid or setgid: the loader ignores LD_PRELOAD",
                             name);
        else if (fgetxattr(fd, CAPABILITIES, NULL, 0) > 0)
                service_warn(service,
                             "%s has capabilities of its own: the loader ignores "
                             "LD_PRELOAD unless who starts it has them already",
                             name);
}

static uint32_t service_uid(const struct service *service) {
        const char *user = unit_value(service->plain, "User");
        const struct passwd *entry = *user ? getpwnam(user) : NULL;
        char *end;
        unsigned long number = strtoul(user, &end, 10);

        if (entry)
                return entry->pw_uid;
        return *user && !*end ? (uint32_t)number : 0;
}

/* Of policies that are in force; those of another root are not. */
static void policy_check(struct service *service, int fd) {
        char link[64], exe[PATH_MAX];
        struct policy_identity who = { .uid = service_uid(service) };
        struct view_error error;
        struct view view;
        ssize_t n;

        snprintf(link, sizeof(link), PATH_OF_HOST, fd);
        n = readlink(link, exe, sizeof(exe) - 1);
        exe[n < 0 ? 0 : n] = '\0';
        who.exe = policy_text_of(exe);
        who.app = policy_text_of(basename(exe));
        who.unit = policy_text_of(service->unit.name);
        if (view_open(&view, NULL, &error) == 0)
                for (size_t i = 0; i < view.n; i++) {
                        const struct policy_app *app = policy_find(&view.bases[i].read, &who);
                        struct policy_text name = { NULL, 0 };

                        if (app)
                                name = policy_text(&view.bases[i].read, &app->name);
                        if (app && app->mode == POLICY_MODE_OFF)
                                service_warn(service,
                                             "the policy \"%.*s\" keeps %s on TCP (\"mode\": "
                                             "\"off\"): see 'mptcpctl policy show %.*s'",
                                             (int)name.n, name.bytes, exe, (int)name.n, name.bytes);
                }
        view_done(&view);
}

static void execs_check(struct service *service) {
        char word[UNIT_WORD];
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(service->plain, "ExecStart"), i, row) {
                const char *text = json_string_value(row), *name = word;
                _cleanup_(closep) int fd = -1;

                if (!unit_word(&text, word))
                        continue;
                name += strspn(word, PREFIXES);
                if (strchr(name, '%') || strchr(name, '$'))
                        continue; /* who knows */
                fd = exec_open(service, name);
                if (fd < 0) {
                        service_warn(service, "%s can't be looked at: %s", name, strerror(-fd));
                        continue;
                }
                exec_check(service, name, fd);
                if (service->is_host)
                        policy_check(service, fd);
        }
}

/* Sandbox */

struct sandbox_row {
        const char *key;
        bool flag; /* it counts if it is on, others if they are set */
        const char *says;
};

static const struct sandbox_row sandbox[] = {
        { "RootDirectory", false, "the library has to be installed there, too" },
        { "RootImage", false, "the library has to be installed there, too" },
        { "NoExecPaths", false, "the library must be in ExecPaths=, or it can't be loaded" },
        { "PrivateNetwork", true, "it has no network" },
        { "SELinuxContext", false, "the loader ignores LD_PRELOAD where the domain changes" },
};

static void families_check(struct service *service) {
        const char *first = NULL;
        bool deny;

        first = json_string_value(json_array_get(
                        json_object_get(service->plain, "RestrictAddressFamilies"), 0));
        if (!first)
                return;
        deny = first[0] == '~';
        if (list_has(service, "RestrictAddressFamilies", "AF_UNIX") == deny)
                service_warn(service,
                             "RestrictAddressFamilies= keeps it from telling the daemon of its "
                             "sockets (AF_UNIX): policies for its paths have no effect");
}

static void sandbox_check(struct service *service) {
        for (size_t i = 0; i < ARRAY_SIZE(sandbox); i++) {
                const char *value = unit_value(service->plain, sandbox[i].key);

                if (*value && (!sandbox[i].flag || is_yes(value)))
                        service_warn(service, "%s=%s: %s", sandbox[i].key, value, sandbox[i].says);
        }
        families_check(service);
        if (list_has(service, "UnsetEnvironment", "LD_PRELOAD"))
                service_warn(service, "UnsetEnvironment= takes LD_PRELOAD away again");
        if (service->is_host && access(SELINUX, F_OK) == 0)
                service_warn(service, "SELinux is there: where it changes the domain of a program, "
                                      "the loader ignores LD_PRELOAD; see 'service status' after "
                                      "the restart");
}

/* A file that systemd reads after all Environment= lines. */
static void environment_files_check(struct service *service) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(service->plain, "EnvironmentFile"), i, row) {
                const char *path = json_string_value(row) + strspn(json_string_value(row), "-");
                int fd = root_open(service->root, path, O_RDONLY | O_NONBLOCK);
                _cleanup_(fclosep) FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
                _cleanup_(freep) char *line = NULL;
                size_t size = 0;
                struct stat is;

                while (file && fstat(fd, &is) == 0 && S_ISREG(is.st_mode) &&
                       getline(&line, &size, file) > 0)
                        if (strncmp(line, "LD_PRELOAD=", 11) == 0)
                                service_warn(service, "%s sets LD_PRELOAD, too, and comes later",
                                             path);
        }
}

/* Sockets */

static bool listens_to_tcp(const json_t *settings) {
        const json_t *row;
        size_t i;

        json_array_foreach(json_object_get(settings, "ListenStream"), i, row) {
                const char *address = json_string_value(row);

                if (address[0] != '/' && address[0] != '@' && strncmp(address, "vsock:", 6) != 0 &&
                    strncmp(address, "%t", 2) != 0)
                        return true;
        }
        return false;
}

/* Which service a socket unit starts: by default that of its own name, as a template if Accept=. */
static bool socket_starts(const char *socket, const json_t *settings, const char *name) {
        const char *service = unit_value(settings, "Service");
        char own[LIMIT_UNIT + 16], template[LIMIT_UNIT];

        if (!unit_template(name, template))
                snprintf(template, sizeof(template), "%s", name);
        if (*service)
                return strcmp(service, name) == 0;
        snprintf(own, sizeof(own), "%.*s%s.service", (int)(strlen(socket) - strlen(".socket")),
                 socket, is_yes(unit_value(settings, "Accept")) ? "@" : "");
        return strcmp(own, name) == 0 || strcmp(own, template) == 0;
}

static void socket_check(struct service *service, const char *name) {
        _cleanup_(json_decrefp) json_t *settings = NULL;
        struct unit unit;
        bool mptcp;

        if (unit_find(service->root, name, &unit) < 0 ||
            unit_read(service->root, &unit, "Socket", NULL, &settings) < 0 ||
            !socket_starts(name, settings, service->unit.name) || !listens_to_tcp(settings))
                return;
        mptcp = strcmp(unit_value(settings, "SocketProtocol"), "mptcp") == 0;
        json_array_append_new(json_object_get(service->result, "sockets"),
                              json_pack("{s:s,s:b}", "unit", name, "mptcp", mptcp));
        if (!mptcp)
                service_warn(service,
                             "if %s starts it, systemd makes the socket, and that stays TCP "
                             "without SocketProtocol=mptcp: 'mptcpctl service enable %s'",
                             name, name);
}

static void sockets_check(struct service *service) {
        _cleanup_(json_decrefp) json_t *names = unit_list(service->root, ".socket");
        const json_t *row;
        size_t i;

        json_object_set_new(service->result, "sockets", json_array());
        json_array_foreach(names, i, row) {
                socket_check(service, json_string_value(row));
        }
}

void service_check(struct service *service) {
        if (service->is_socket) {
                if (!listens_to_tcp(service->plain))
                        service_warn(service, "it listens at no TCP port");
                return;
        }
        execs_check(service);
        sandbox_check(service);
        environment_files_check(service);
        sockets_check(service);
}
