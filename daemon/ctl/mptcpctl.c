/*
 * mptcpctl: looks at mptcpized and controls it; runs programs with MPTCP.
 *
 * Here are the tables of commands and options, and main().
 */
#include "cmd-policy.h"
#include "command.h"
#include "ctl.h"
#include "help.h"
#include "render.h"
#include "service/service.h"
#include "words.h"
#include "../util/cleanup.h"
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOKEN_HELP                                                                            \
        "TOKEN  as 'mptcpctl connections' prints it, or so much of its beginning that only\n" \
        "       one is meant; 0x may be left out\n"
#define SUBFLOW_HELP                                                                         \
        "LOCAL  its local end: ADDRESS:PORT, or an address or interface that no other has\n" \
        "REMOTE its remote end, if that is not enough"

static const struct command commands[] = {
        { .name = "status",
          .synopsis = "",
          .group = COMMAND_LOOK,
          .run = cmd_status,
          .help = "what the daemon is and does" },
        { .name = "connections",
          .synopsis = "",
          .group = COMMAND_LOOK,
          .run = cmd_connections,
          .help = "the connections that it knows" },
        { .name = "show",
          .synopsis = " TOKEN",
          .group = COMMAND_LOOK,
          .run = cmd_show,
          .min_args = 1,
          .max_args = 1,
          .help = "one connection: its subflows, and what was done and why",
          .more = TOKEN_HELP,
          .example = "mptcpctl show 1a2b3c4d",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_NONE } },
        { .name = "interface",
          .synopsis = " [NAME [ROLE]] [--keep]",
          .group = COMMAND_LOOK,
          .run = cmd_interface,
          .max_args = 2,
          .help = "the interfaces; or one of them; or give it a role",
          .more = "NAME  of an interface; alone, it is shown with its routes\n"
                  "ROLE  master, on, backup, off, or \"default\": what the configuration says.\n"
                  "      It holds until the daemon stops, with --keep until the next boot;\n"
                  "      for good, write it into mptcpized.conf",
          .example = "mptcpctl interface\n"
                     "mptcpctl interface wlan0 backup --keep\n"
                     "mptcpctl interface wlan0 default",
          .arguments = { ARGUMENT_INTERFACE, ARGUMENT_ROLE, ARGUMENT_NONE } },
        { .name = "monitor",
          .synopsis = " [TOKEN]",
          .group = COMMAND_LOOK,
          .run = cmd_monitor,
          .max_args = 1,
          .help = "what happens, as it happens, and why",
          .more = TOKEN_HELP "       without it, of all connections\n"
                             "Ctrl-C ends it; with --json there is an object in each line",
          .example = "mptcpctl monitor",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_NONE } },
        { .name = "doctor",
          .synopsis = "",
          .group = COMMAND_LOOK,
          .run = cmd_doctor,
          .help = "what is in the way of Multipath TCP here, and the remedy",
          .more = "Looks at the kernel, the daemon, interfaces, routes, firewall rules and "
                  "running\n"
                  "programs, and changes nothing. Exits with 1 if something is broken. Root sees\n"
                  "more than others, and it says what it could not look at.",
          .example = "mptcpctl doctor" },
        { .name = "top",
          .synopsis = " [--once] [--interval SECONDS]",
          .group = COMMAND_LOOK,
          .run = cmd_top,
          .help = "the connections and their subflows with their rates, live",
          .more = "On the screen, \"?\" tells of its keys. --json implies --once.",
          .example = "mptcpctl top\nmptcpctl top --json --interval 5" },
        { .name = "metrics",
          .synopsis = "",
          .group = COMMAND_LOOK,
          .run = cmd_metrics,
          .help = "what the daemon knows as numbers, for a monitoring system (OpenMetrics)" },
        { .name = "plugin",
          .synopsis = " [TOKEN NAME]",
          .group = COMMAND_STEER,
          .run = cmd_plugin,
          .max_args = 2,
          .help = "the plugins; or hand a connection to a plugin, a mode or a policy",
          .more = TOKEN_HELP
          "NAME   a mode (off, handover, interactive, aggregate, ndiffports), a policy,\n"
          "       an installed plugin, or \"default\": what the configuration says",
          .example = "mptcpctl plugin\n"
                     "mptcpctl plugin 1a2b3c4d handover",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_PLUGIN, ARGUMENT_NONE } },
        { .name = "subflow add",
          .synopsis = " TOKEN LOCAL [REMOTE] [--backup]",
          .group = COMMAND_STEER,
          .run = cmd_subflow_add,
          .min_args = 2,
          .max_args = 3,
          .help = "open another subflow of a connection",
          .more = TOKEN_HELP
          "LOCAL  where it starts: an interface, or an address of this host\n"
          "REMOTE an address of the peer, [:PORT]; without it the one of the connection",
          .example = "mptcpctl subflow add 1a2b3c4d wlan0 --backup",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_SOURCE, ARGUMENT_REMOTE, ARGUMENT_NONE } },
        { .name = "subflow remove",
          .synopsis = " TOKEN LOCAL [REMOTE]",
          .group = COMMAND_STEER,
          .run = cmd_subflow_remove,
          .min_args = 2,
          .max_args = 3,
          .help = "close a subflow; no plugin opens it again",
          .more = TOKEN_HELP SUBFLOW_HELP,
          .example = "mptcpctl subflow remove 1a2b3c4d wlan0",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_SUBFLOW, ARGUMENT_REMOTE, ARGUMENT_NONE } },
        { .name = "subflow backup",
          .synopsis = " TOKEN LOCAL [REMOTE] [on|off]",
          .group = COMMAND_STEER,
          .run = cmd_subflow_backup,
          .min_args = 2,
          .max_args = 4,
          .help = "make a subflow a backup, or no longer",
          .more = TOKEN_HELP SUBFLOW_HELP
          "\non     it carries data only if no other one can (so without a word); off: again",
          .example = "mptcpctl subflow backup 1a2b3c4d wlan0 on",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_SUBFLOW, ARGUMENT_SWITCH } },
        { .name = "announce add",
          .synopsis = " TOKEN ADDRESS[:PORT]",
          .group = COMMAND_STEER,
          .run = cmd_announce_add,
          .min_args = 2,
          .max_args = 2,
          .help = "tell the peer of an address of this host",
          .more = TOKEN_HELP "ADDRESS  the peer may open subflows to it",
          .example = "mptcpctl announce add 1a2b3c4d 203.0.113.1",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_ADDRESS, ARGUMENT_NONE } },
        { .name = "announce remove",
          .synopsis = " TOKEN ADDRESS[:PORT]",
          .group = COMMAND_STEER,
          .run = cmd_announce_remove,
          .min_args = 2,
          .max_args = 2,
          .help = "tell the peer that an address is gone",
          .more = TOKEN_HELP "ADDRESS  one that was announced",
          .example = "mptcpctl announce remove 1a2b3c4d 203.0.113.1",
          .arguments = { ARGUMENT_TOKEN, ARGUMENT_ADDRESS, ARGUMENT_NONE } },
        { .name = "limits",
          .synopsis = " [KEY=N...]",
          .group = COMMAND_STEER,
          .run = cmd_limits,
          .max_args = 5,
          .help = "the limits; or others, until the next reload",
          .example = "mptcpctl limits\n"
                     "mptcpctl limits max_subflows=2 max_joins=1",
          .arguments = { ARGUMENT_LIMIT } },
        { .name = "advise",
          .synopsis = " INTERFACE ROLE [REASON]",
          .group = COMMAND_STEER,
          .run = cmd_advise,
          .min_args = 2,
          .max_args = 3,
          .help = "tell of an interface what a script of your network manager knows",
          .more = "ROLE    master, on, backup or off: where nobody else has a word on it;\n"
                  "        default: no advice any more; leaving: it is about to go down\n"
                  "REASON  shown where the role is\n"
                  "Does nothing if mptcpized is not running: advice is for the moment.",
          .example = "mptcpctl advise lte0 backup 'it costs'",
          .arguments = { ARGUMENT_INTERFACE, ARGUMENT_ROLE, ARGUMENT_ANY } },
        { .name = "reload",
          .synopsis = "",
          .group = COMMAND_STEER,
          .run = cmd_reload,
          .help = "make the daemon read its configuration again" },
        { .name = "policy list",
          .synopsis = " [--db DB]",
          .group = COMMAND_POLICY,
          .run = policy_list,
          .help = "the policies, in the order in which they count" },
        { .name = "policy show",
          .synopsis = " [--db DB] NAME",
          .group = COMMAND_POLICY,
          .run = policy_show,
          .min_args = 1,
          .max_args = 1,
          .help = "one policy as it is in force, with its defaults",
          .example = "mptcpctl policy show sshd",
          .arguments = { ARGUMENT_POLICY, ARGUMENT_NONE } },
        { .name = "policy check",
          .synopsis = " FILE|DIRECTORY...",
          .group = COMMAND_POLICY,
          .run = policy_check,
          .min_args = 1,
          .max_args = SIZE_MAX,
          .help = "look for mistakes in files",
          .example = "mptcpctl policy check /etc/mptcpize/apps.d",
          .arguments = { ARGUMENT_FILE } },
        { .name = "policy compile",
          .synopsis = " [--output DB FILE|DIRECTORY...]",
          .group = COMMAND_POLICY,
          .run = policy_output,
          .max_args = SIZE_MAX,
          .help = "compile a user's own policies, or files into a database",
          .example = "mptcpctl policy compile --output ./policy.db /etc/mptcpize/apps.d",
          .arguments = { ARGUMENT_FILE } },
        { .name = "policy explain",
          .synopsis = " [OPTION...] PROGRAM ADDRESS[:PORT]",
          .group = COMMAND_POLICY,
          .run = policy_explain,
          .min_args = 2,
          .max_args = 2,
          .help = "what becomes of a program's socket, and which rule says so",
          .more = "PROGRAM  a name or, if it is not installed here, better its path\n"
                  "ADDRESS  where it connects to or, with --listen, listens: \"*:443\"\n\n"
                  "Files that were changed count after 'mptcpctl reload'.",
          .example = "mptcpctl policy explain curl 198.51.100.1:80",
          .arguments = { ARGUMENT_ANY } },
        { .name = "run",
          .synopsis = " [OPTION...] [--] COMMAND [ARGUMENT...]",
          .group = COMMAND_PROGRAM,
          .run = cmd_run,
          .min_args = 1,
          .max_args = SIZE_MAX,
          .rest = true,
          .help = "run a program with MPTCP",
          .example = "mptcpctl run curl -O http://192.0.2.1/file",
          .arguments = { ARGUMENT_PROGRAM } },
        { .name = "service enable",
          .synopsis = " [--mode MODE] UNIT",
          .group = COMMAND_PROGRAM,
          .run = cmd_service_enable,
          .min_args = 1,
          .max_args = 1,
          .help = "give a systemd unit's programs MPTCP",
          .more = "UNIT  a service, a template (NAME@.service) or an instance of one; or a socket\n"
                  "      (NAME.socket), with systemd 257",
          .example = "mptcpctl service enable nginx",
          .arguments = { ARGUMENT_ANY } },
        { .name = "service disable",
          .synopsis = " UNIT",
          .group = COMMAND_PROGRAM,
          .run = cmd_service_disable,
          .min_args = 1,
          .max_args = 1,
          .help = "undo that",
          .example = "mptcpctl service disable nginx",
          .arguments = { ARGUMENT_ANY } },
        { .name = "service status",
          .synopsis = " UNIT",
          .group = COMMAND_PROGRAM,
          .run = cmd_service_status,
          .min_args = 1,
          .max_args = 1,
          .help = "whether it is so, and for which of its processes",
          .example = "mptcpctl service status nginx",
          .arguments = { ARGUMENT_ANY } },
        { .name = "help",
          .synopsis = " [COMMAND]",
          .group = COMMAND_PROGRAM,
          .run = cmd_help,
          .max_args = 2,
          .help = "what a command does, and an example",
          .example = "mptcpctl help show",
          .arguments = { ARGUMENT_COMMAND, ARGUMENT_COMMAND, ARGUMENT_NONE } },
        { .name = "complete",
          .synopsis = " [WORD...]",
          .group = COMMAND_HIDDEN,
          .run = cmd_complete,
          .max_args = SIZE_MAX,
          .rest = true,
          .help = "for shells: what the last word of a command line can become" },
};

static const struct option_row options[] = {
        { "--json", NULL, NULL, offsetof(struct ctl, json), "print JSON", ARGUMENT_ANY },
        { "--help", NULL, NULL, offsetof(struct ctl, help), "print this text, or that of a command",
          ARGUMENT_ANY },
        { "--version", NULL, NULL, offsetof(struct ctl, version), "print the version",
          ARGUMENT_ANY },
        { "--mode", "MODE", "run|service enable", offsetof(struct ctl, mode),
          "off, handover, interactive, aggregate or ndiffports", ARGUMENT_MODE },
        { "--policy", "FILE", "run", offsetof(struct ctl, policy), "a policy for this run",
          ARGUMENT_FILE },
        { "--verbose", NULL, "run", offsetof(struct ctl, verbose),
          "say at the end what became of its sockets", ARGUMENT_ANY },
        { "--supervise", NULL, "run", offsetof(struct ctl, supervise),
          "reach static and Go programs, whatever the command is", ARGUMENT_ANY },
        { "--no-supervise", NULL, "run", offsetof(struct ctl, no_supervise),
          "do not, so that it may gain rights (sudo)", ARGUMENT_ANY },
        { "--backup", NULL, "subflow add", offsetof(struct ctl, backup),
          "it carries data only if no other one can", ARGUMENT_ANY },
        { "--keep", NULL, "interface", offsetof(struct ctl, keep),
          "let the role outlive the daemon, until the next boot", ARGUMENT_ANY },
        { "--once", NULL, "top", offsetof(struct ctl, once), "print one interval, and exit",
          ARGUMENT_ANY },
        { "--batch", NULL, "top", offsetof(struct ctl, once), "the same", ARGUMENT_ANY },
        { "--interval", "SECONDS", "top", offsetof(struct ctl, interval),
          "between two looks at the numbers, 2 by default", ARGUMENT_ANY },
        { "--db", "DB", "policy list|policy show|policy explain", offsetof(struct ctl, db),
          "look at this database, and not at what is in force", ARGUMENT_FILE },
        { "--output", "DB", "policy compile", offsetof(struct ctl, output), "the database to write",
          ARGUMENT_FILE },
        { "--connect", NULL, "policy explain", offsetof(struct ctl, connect),
          "a socket that connects (so without an option)", ARGUMENT_ANY },
        { "--listen", NULL, "policy explain", offsetof(struct ctl, listen), "a socket that listens",
          ARGUMENT_ANY },
        { "--uid", "USER", "policy explain", offsetof(struct ctl, uid),
          "the user that the program runs as", ARGUMENT_ANY },
        { "--unit", "UNIT", "policy explain", offsetof(struct ctl, unit),
          "the systemd unit that it runs in", ARGUMENT_ANY },
        { "--from", "ADDRESS", "policy explain", offsetof(struct ctl, from),
          "what the socket is bound to", ARGUMENT_ADDRESS },
        { "--device", "INTERFACE", "policy explain", offsetof(struct ctl, device),
          "the interface that it is bound to", ARGUMENT_INTERFACE },
        { "--root", "DIRECTORY", "service", offsetof(struct ctl, root),
          "the units below it, and not this host's", ARGUMENT_FILE },
        { "--user", NULL, "service", offsetof(struct ctl, user),
          "says that units of users are not supported", ARGUMENT_ANY },
};

static const struct command_table table = {
        .commands = commands,
        .n_commands = ARRAY_SIZE(commands),
        .options = options,
        .n_options = ARRAY_SIZE(options),
};

_Static_assert(ARRAY_SIZE(options) <= WORDS_OPTIONS_MAX, "words.seen has a bit for each option");

static int version_print(const struct ctl *ctl) {
        json_t *value = json_pack("{s:s}", "version", MPTCPIZE_VERSION);

        if (ctl->json)
                render(ctl, value, render_nothing);
        else
                printf("mptcpctl %s\n", MPTCPIZE_VERSION);
        json_decref(value);
        return CTL_DONE;
}

/* The help of what the words name, all of it if that is nothing. */
static int help_run(const struct words *words) {
        if (words->command)
                help_print_command(&table, words->command);
        else if (words->first)
                help_print_group(&table, words->first);
        else
                help_print(stdout, &table);
        return CTL_DONE;
}

static int words_run(const struct words *words, const struct ctl *ctl) {
        int status;

        if (ctl->help)
                return help_run(words);
        if (words->problem)
                return words_fail(words, ctl);
        if (ctl->version)
                return version_print(ctl);
        status = words_check(words, ctl);
        if (status == CTL_DONE)
                return words->command->run(ctl);
        if (!words->command && !words->first && !ctl->json)
                help_print(stderr, &table); /* of one who does not know yet what there is */
        return status;
}

/*
 * Standard descriptors that are closed would go to what is opened next, and our output into that.
 * Ours fail as closed ones do, and what we run has none.
 */
static void descriptors_fill(void) {
        for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
                if (fcntl(fd, F_GETFD) < 0)
                        (void)open("/dev/null",
                                   (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv) {
        struct words words = { .table = &table };
        struct ctl ctl = { .table = &table };
        int status;

        if (argc < 1)
                return CTL_USAGE;
        descriptors_fill();
        words_read(&words, &ctl, argc, argv);
        status = words_run(&words, &ctl);
        if (fflush(stdout) != 0 || ferror(stdout)) {
                fprintf(stderr, "mptcpctl: the output can't be written: %s\n", strerror(errno));
                return status == CTL_DONE ? CTL_FAILED : status;
        }
        return status;
}
