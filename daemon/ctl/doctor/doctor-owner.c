/*
 * Check of who manages paths: mptcpized, and nobody beside it.
 */
#include "doctor.h"
#include "genl.h"
#include "look.h"
#include "../../util/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <linux/mptcp.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#define PROC "/proc"

/* A process of that name; 0: there is none. */
static int process_find(const char *name) {
        char path[64], comm[LOOK_TEXT];
        DIR *folder = opendir(PROC);
        struct dirent *entry;
        int found = 0;

        while (folder && !found && (entry = readdir(folder))) {
                if (!isdigit((unsigned char)entry->d_name[0]))
                        continue;
                snprintf(path, sizeof(path), PROC "/%.20s/comm", entry->d_name);
                if (look_line(path, comm) >= 0 && strcmp(comm, name) == 0)
                        found = (int)strtol(entry->d_name, NULL, 10);
        }
        if (folder)
                closedir(folder);
        return found;
}

static void mptcpd_check(struct doctor *doctor) {
        int pid = process_find("mptcpd");

        if (pid)
                doctor_add(doctor,
                           &(struct finding){
                                           .severity = SEVERITY_WARNING,
                                           .subject = "mptcpd",
                                           .what = doctor_text(doctor,
                                                               "it manages paths as well "
                                                               "(process %d)",
                                                               pid),
                                           .why = "two path managers make and close "
                                                  "subflows of the same connections",
                                           .remedy = "systemctl disable --now mptcp.service",
                           });
}

struct flag_row {
        uint32_t flag;
        const char *name;
};

static const struct flag_row flags[] = {
        { MPTCP_PM_ADDR_FLAG_SIGNAL, " signal" },
        { MPTCP_PM_ADDR_FLAG_SUBFLOW, " subflow" },
        { MPTCP_PM_ADDR_FLAG_BACKUP, " backup" },
        { MPTCP_PM_ADDR_FLAG_FULLMESH, " fullmesh" },
};

/* "id 1 subflow dev lte0", as ip-mptcp(8) has it. */
static const char *endpoint_text(struct doctor *doctor, const struct genl_endpoint *endpoint) {
        char text[128], device[IF_NAMESIZE];
        size_t n = (size_t)snprintf(text, sizeof(text), "id %u", endpoint->id);

        for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
                if (endpoint->flags & flags[i].flag)
                        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", flags[i].name);
        if (endpoint->ifindex && if_indextoname((unsigned int)endpoint->ifindex, device))
                snprintf(text + n, sizeof(text) - n, " dev %s", device);
        return doctor_text(doctor, "%s", text);
}

/* NetworkManager's are a finding of its own check, with a remedy that lasts. */
static bool is_networkmanagers(const struct doctor *doctor, const struct genl_endpoint *endpoint) {
        char device[IF_NAMESIZE];

        return endpoint->ifindex && if_indextoname((unsigned int)endpoint->ifindex, device) &&
               json_object_get(json_object_get(doctor->world, "networkmanager"), device);
}

static void endpoint_judge(struct doctor *doctor, const struct genl_endpoint *endpoint) {
        if (is_networkmanagers(doctor, endpoint))
                return;
        doctor_add(doctor,
                   &(struct finding){
                                   .severity = doctor->manager ? SEVERITY_WARNING : SEVERITY_NOTE,
                                   .subject = doctor_text(doctor, "endpoint %s", endpoint->address),
                                   .what = doctor_text(doctor,
                                                       "the kernel's own path manager has it (%s)",
                                                       endpoint_text(doctor, endpoint)),
                                   .why = doctor->manager ? "it is without effect where mptcpized "
                                                            "manages, and in effect for "
                                                            "connections "
                                                            "older than that"
                                                          : "the kernel makes subflows from it as "
                                                            "long as mptcpized is not there",
                                   .remedy = doctor_text(doctor, "ip mptcp endpoint delete id %u",
                                                         endpoint->id),
                   });
}

void doctor_check_owner(struct doctor *doctor) {
        _cleanup_(genl_endpoints_done) struct genl_endpoints endpoints = { 0 };
        struct genl_family family;
        int r = genl_find_family(&family);

        mptcpd_check(doctor);
        if (r < 0) /* the first check tells of it */
                return;
        r = genl_list_endpoints(&family, &endpoints);
        if (r < 0)
                doctor_add_unseen(doctor, "endpoints",
                                  doctor_text(doctor, "the kernel does not list them: %s",
                                              strerror(-r)),
                                  "ip mptcp endpoint show");
        for (size_t i = 0; i < endpoints.list.n; i++)
                endpoint_judge(doctor, &endpoints.list.items[i]);
}
