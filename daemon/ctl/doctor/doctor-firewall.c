/*
 * Check of the firewall: does a rule strip Multipath TCP's option, or drop what has it? Only root
 * may look. See doctor-firewall.h.
 */
#include "doctor-firewall.h"
#include "look.h"

#include <errno.h>
#include <string.h>

#define LEGACY_NAMES  "/proc/self/net/ip_tables_names"
#define LEGACY_NAMES6 "/proc/self/net/ip6_tables_names"

struct obstacle_row {
        enum severity severity;
        const char *what;
        const char *why;
};

static const struct obstacle_row obstacles[_OBSTACLE_MAX] = {
        [OBSTACLE_STRIP] = { SEVERITY_BROKEN, "strips the option of Multipath TCP",
                             "every connection that it sees becomes plain TCP" },
        [OBSTACLE_DROP] = { SEVERITY_BROKEN, "drops packets with the option of Multipath TCP",
                            "connections begin with seconds of silence, and are plain TCP then" },
        [OBSTACLE_JOINS] = { SEVERITY_BROKEN, "drops packets with some of Multipath TCP's options",
                             "joins or data are lost: connections have one path, or become plain "
                             "TCP" },
        [OBSTACLE_PATH] = { SEVERITY_BROKEN, "drops all that leaves by a path",
                            "no subflow comes about there" },
        [OBSTACLE_SYNPROXY] = { SEVERITY_WARNING, "answers SYNs for this host",
                                "its answers have no option of Multipath TCP: clients get plain "
                                "TCP" },
        [OBSTACLE_INVALID] = { SEVERITY_NOTE, "drops what connection tracking does not follow",
                               "if the packets of a subflow go and come by different interfaces, "
                               "they may be among it" },
        [OBSTACLE_NOTRACK] = { SEVERITY_NOTE, "takes packets out of connection tracking",
                               "rules that let answers in don't know them" },
};

void firewall_add(struct doctor *doctor, const struct obstacle_rule *rule) {
        const struct obstacle_row *row = &obstacles[rule->obstacle];
        enum severity severity = row->severity;

        if (severity == SEVERITY_BROKEN && rule->narrow)
                severity = SEVERITY_WARNING;
        if (rule->forward)
                severity = SEVERITY_NOTE;
        doctor_add(doctor, &(struct finding){
                                           .severity = severity,
                                           .subject = rule->subject,
                                           .what = doctor_text(doctor, "this rule %s%s%s",
                                                               row->what, rule->detail,
                                                               rule->forward ? ", of what is "
                                                                               "forwarded"
                                                                             : ""),
                                           .why = row->why,
                                           .remedy = rule->remedy,
                           });
}

/* Rules of the older interface of iptables, which nft doesn't list. */
static bool has_legacy(void) {
        char line[LOOK_TEXT];

        return (look_line(LEGACY_NAMES, line) >= 0 && line[0]) ||
               (look_line(LEGACY_NAMES6, line) >= 0 && line[0]);
}

void doctor_check_firewall(struct doctor *doctor) {
        bool xt = false;
        int r;

        if (!doctor->root) {
                doctor_add_unseen(doctor, "firewall", "only root may see its rules",
                                  "sudo mptcpctl doctor");
                return;
        }
        r = firewall_read_nftables(doctor, &xt);
        if (r < 0)
                doctor_add_unseen(doctor, "nftables",
                                  doctor_text(doctor, "its rules can't be listed: %s",
                                              r == -ENOENT ? "nft is not installed" : strerror(-r)),
                                  r == -ENOENT ? "apt-get install nftables"
                                               : "nft -j list ruleset");
        if (xt)
                firewall_read_iptables(doctor, false);
        if (has_legacy())
                firewall_read_iptables(doctor, true);
}
