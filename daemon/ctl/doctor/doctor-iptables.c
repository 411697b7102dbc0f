/*
 * Rules of iptables, as iptables-save(8) prints them: what nft shows of them is not enough, or it
 * shows nothing at all (legacy). See doctor-firewall.h.
 */
#include "doctor-firewall.h"
#include "look.h"
#include "../../util/cleanup.h"
#include "../../util/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MPTCP_KIND "30"
#define WORD       1024 /* of a rule; comments have 256 bytes at most */

struct family_row {
        const char *command;
        char *saved;  /* by which program */
        char *legacy; /* or this, for the older interface */
};

static const struct family_row families[] = {
        { "iptables", "iptables-save", "iptables-legacy-save" },
        { "ip6tables", "ip6tables-save", "ip6tables-legacy-save" },
};

/* Is the word behind name one of a list with commas that has value? */
static bool line_has(const char *line, const char *name, const char *value) {
        const char *at = strstr(line, name);
        const size_t n = strlen(value);

        for (at = at ? at + strlen(name) : NULL; at && *at && *at != ' '; at++) {
                if (strncmp(at, value, n) == 0 && (!at[n] || strchr(", ", at[n])))
                        return true;
                at += strcspn(at, ", ");
                if (*at != ',')
                        return false;
        }
        return false;
}

static bool line_drops(const char *line) {
        return strstr(line, " -j DROP") || strstr(line, " -j REJECT");
}

static enum obstacle line_judge(const char *line) {
        if (line_has(line, " --strip-options ", MPTCP_KIND))
                return OBSTACLE_STRIP;
        if (line_drops(line) && line_has(line, " --tcp-option ", MPTCP_KIND) &&
            !strstr(line, " ! --tcp-option "))
                return OBSTACLE_DROP;
        if (strstr(line, " -j SYNPROXY"))
                return OBSTACLE_SYNPROXY;
        if (line_drops(line) &&
            (line_has(line, " --ctstate ", "INVALID") || line_has(line, " --state ", "INVALID")))
                return OBSTACLE_INVALID;
        return _OBSTACLE_MAX;
}

/* Does it have conditions besides the protocol and the option itself? */
static bool line_is_narrow(const char *line) {
        static const char *const conditions[] = { " -s ",    " -d ",     " -i ",
                                                  " -o ",    "port ",    "ports ",
                                                  " -m set", " -m mark", " -m owner" };

        for (size_t i = 0; i < ARRAY_SIZE(conditions); i++)
                if (strstr(line, conditions[i]))
                        return true;
        return false;
}

/*
 * The next word of a line as iptables-save(8) writes it: in double quotes, with backslashes, if it
 * has blanks or worse in it (comments, chains). NULL: that was all.
 */
static const char *word_read(const char *line, char word[static WORD]) {
        bool quoted = false;
        size_t n = 0;

        line += strspn(line, " ");
        if (!*line)
                return NULL;
        for (; *line && (quoted || *line != ' '); line++) {
                if (*line == '"') {
                        quoted = !quoted;
                        continue;
                }
                if (quoted && *line == '\\' && line[1])
                        line++;
                if (n < WORD - 1)
                        word[n++] = *line;
        }
        word[n] = '\0';
        return line;
}

/* The rule for a shell, which would evaluate what is in double quotes. */
static const char *rule_quote(struct doctor *doctor, const char *line) {
        const char *words = "";
        char word[WORD];

        while ((line = word_read(line, word)))
                words = doctor_text(doctor, "%s%s%s", words, *words ? " " : "",
                                    doctor_word(doctor, word));
        return words;
}

/* "-A OUTPUT -p tcp ...", of that table. */
static void line_take(struct doctor *doctor, const char *command, const char *table,
                      const char *line) {
        const enum obstacle obstacle = line_judge(line);
        const char *chain = line + strlen("-A ");

        if (obstacle == _OBSTACLE_MAX)
                return;
        firewall_add(doctor,
                     &(struct obstacle_rule){
                                     .obstacle = obstacle,
                                     .narrow = line_is_narrow(line),
                                     .forward = strncmp(chain, "FORWARD ", 8) == 0,
                                     .subject = doctor_text(doctor, "%s %s %.*s", command, table,
                                                            (int)strcspn(chain, " "), chain),
                                     .detail = "",
                                     .remedy = doctor_text(doctor, "%s -t %s -D %s", command,
                                                           doctor_word(doctor, table),
                                                           rule_quote(doctor, chain)),
                     });
}

void firewall_take_iptables(struct doctor *doctor, const char *command, char *text) {
        const char *table = "filter";
        char *rest = NULL;

        firewall_check_port_iptables(doctor, command, text);
        for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
                if (line[0] == '*')
                        table = line + 1;
                else if (strncmp(line, "-A ", 3) == 0)
                        line_take(doctor, command, table, line);
        }
}

void firewall_read_iptables(struct doctor *doctor, bool legacy) {
        for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
                const struct family_row *row = &families[i];
                char *const argv[] = { legacy ? row->legacy : row->saved, NULL };
                char *const plain[] = { row->saved, NULL };
                _cleanup_(freep) char *text = NULL;
                int r = look_output(argv, LIMIT_DOCTOR_OUTPUT, &text);

                if (r == -ENOENT && legacy)
                        r = look_output(plain, LIMIT_DOCTOR_OUTPUT, &text);
                if (r < 0)
                        doctor_add_unseen(doctor, row->command,
                                          doctor_text(doctor,
                                                      "there are rules of it, which can't be "
                                                      "listed: %s",
                                                      strerror(-r)),
                                          argv[0]);
                else
                        firewall_take_iptables(doctor, row->command, text);
        }
}
