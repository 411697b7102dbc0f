/*
 * mptcpized: command line, then daemon_new() builds, daemon_setup() connects, daemon_run() loops.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "daemon.h"
#include "util/cleanup.h"
#include "util/log.h"

DEFINE_CLEANUP(struct daemon *, daemon_free)

/* Of policies: the shipped ones, and those of the administrator, which override. */
#define POLICY_DIRS MPTCPIZE_APPS ":" MPTCPIZE_APPS_CONF

static const char usage[] =
                "Usage: mptcpized [OPTION...]\n"
                "Manages the paths of this host's Multipath TCP connections.\n"
                "\n"
                "  --config FILE   configuration (default " MPTCPIZE_CONF ")\n"
                "  --runtime DIR   what must survive a crash (default " MPTCPIZE_RUNTIME ")\n"
                "  --plugins DIR   path managers (default " MPTCPIZE_PLUGINS ")\n"
                "  --policies DIR:DIR...\n"
                "                  policies (default " POLICY_DIRS ")\n"
                "  --check         read configuration and policies, say what is wrong, and exit\n"
                "  --restore       put back what a daemon that crashed left changed, and exit\n"
                "  --verbose       log more\n"
                "  --help, --version\n"
                "\n"
                "SIGHUP reads the configuration again, SIGTERM ends. See mptcpized(8).\n";

enum mode { MODE_RUN, MODE_CHECK, MODE_RESTORE, MODE_DONE };

enum {
        OPTION_CONFIG = 256,
        OPTION_RUNTIME,
        OPTION_PLUGINS,
        OPTION_POLICIES,
        OPTION_CHECK,
        OPTION_RESTORE,
        OPTION_VERBOSE,
        OPTION_HELP,
        OPTION_VERSION
};

static const struct option long_options[] = {
        { "config", required_argument, NULL, OPTION_CONFIG },
        { "runtime", required_argument, NULL, OPTION_RUNTIME },
        { "plugins", required_argument, NULL, OPTION_PLUGINS },
        { "policies", required_argument, NULL, OPTION_POLICIES },
        { "check", no_argument, NULL, OPTION_CHECK },
        { "restore", no_argument, NULL, OPTION_RESTORE },
        { "verbose", no_argument, NULL, OPTION_VERBOSE },
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { 0 },
};

/* Directories with colons between them, as in PATH; the text is cut. 0, or -EINVAL, said. */
static int policies_split(char *text, struct daemon_options *options) {
        char *dir;

        options->n_policies = 0;
        while ((dir = strsep(&text, ":"))) {
                if (!*dir)
                        continue;
                if (options->n_policies == LIMIT_POLICY_DIRS) {
                        fprintf(stderr, "mptcpized: --policies: at most %u directories\n",
                                LIMIT_POLICY_DIRS);
                        return -EINVAL;
                }
                options->policies[options->n_policies++] = dir;
        }
        return 0;
}

/* 0, or -EINVAL after having said why. */
static int option_apply(int option, struct daemon_options *options, enum mode *mode) {
        switch (option) {
        case OPTION_CONFIG:
                options->config = optarg;
                options->config_optional = false;
                return 0;
        case OPTION_RUNTIME:
                options->runtime = optarg;
                return 0;
        case OPTION_PLUGINS:
                options->plugins = optarg;
                return 0;
        case OPTION_POLICIES:
                return policies_split(optarg, options);
        case OPTION_CHECK:
                *mode = MODE_CHECK;
                return 0;
        case OPTION_RESTORE:
                *mode = MODE_RESTORE;
                return 0;
        case OPTION_VERBOSE:
                log_set_level(LOG_DEBUG);
                return 0;
        case OPTION_HELP:
                fputs(usage, stdout);
                *mode = MODE_DONE;
                return 0;
        case OPTION_VERSION:
                puts("mptcpized " MPTCPIZE_VERSION);
                *mode = MODE_DONE;
                return 0;
        default:
                return -EINVAL;
        }
}

static int options_read(int argc, char **argv, struct daemon_options *options, enum mode *mode) {
        int option;

        while (*mode != MODE_DONE &&
               (option = getopt_long(argc, argv, "", long_options, NULL)) >= 0)
                if (option_apply(option, options, mode) < 0)
                        return -EINVAL;
        if (optind < argc && *mode != MODE_DONE) {
                fprintf(stderr, "mptcpized: \"%s\" is no option; see mptcpized --help\n",
                        argv[optind]);
                return -EINVAL;
        }
        return 0;
}

static int run(const struct daemon_options *options) {
        _cleanup_(daemon_freep) struct daemon *daemon = NULL;
        int r = daemon_new(options, &daemon);

        if (r < 0) {
                log_error("%s", strerror(-r));
                return r;
        }
        r = daemon_setup(daemon);
        if (r == -ENOMEM) /* wherever it was */
                log_error("not started: there is not enough memory");
        return r < 0 ? r : daemon_run(daemon);
}

int main(int argc, char **argv) {
        const char *runtime = getenv("RUNTIME_DIRECTORY"); /* set by systemd */
        struct daemon_options options = {
                .config = MPTCPIZE_CONF,
                .config_optional = true,
                .runtime = runtime ? runtime : MPTCPIZE_RUNTIME,
                .plugins = MPTCPIZE_PLUGINS,
        };
        char policies[] = POLICY_DIRS;
        enum mode mode = MODE_RUN;

        if (policies_split(policies, &options) < 0 || options_read(argc, argv, &options, &mode) < 0)
                return 2;
        if (mode == MODE_DONE)
                return 0;
        if (mode == MODE_CHECK)
                return daemon_check(&options) < 0;
        if (mode == MODE_RESTORE)
                return daemon_restore(&options) < 0;
        return run(&options) < 0;
}
