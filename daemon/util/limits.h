/*
 * Every maximum in one place. What exceeds one is refused with a reason and counted.
 */
#pragma once

#define LIMIT_CONNECTIONS      100000u /* managed at a time; more are left to the kernel */
#define LIMIT_SUBFLOWS         64u     /* of one connection that we keep count of */
#define LIMIT_SUBFLOWS_DEFAULT 4u      /* max_subflows, the initial one included */
#define LIMIT_ACCEPTED_DEFAULT 8u      /* max_accepted */
#define LIMIT_JOINS_DEFAULT    3u      /* max_joins */
#define LIMIT_RETRIES          100000u /* max_retries, a minute */
#define LIMIT_RETRIES_DEFAULT  600u
#define LIMIT_REMOTES          16u    /* addresses of the peer, the initial one included */
#define LIMIT_IDS              64u    /* local address ids of one connection */
#define LIMIT_UNHEARD          8u     /* ended subflows whose event is still to come; oldest goes */
#define LIMIT_REFUSALS         32u    /* pairs of one connection that failed */
#define LIMIT_STRAYS           16384u /* events of unknown connections during one */
#define LIMIT_GONE             16384u /* ends during a comparison; more: it is done again */
#define LIMIT_SCARCITIES       16u    /* local addresses without free ports; more: soonest ends */
#define LIMIT_MEMO_ADDRESSES   15u    /* of one connection that a restart survives */
#define LIMIT_TRACE            24u    /* lines of a connection's log */
#define LIMIT_REASON           96u    /* bytes of a reason, with its NUL */
#define LIMIT_LINKS            1024u
#define LIMIT_ADDRESSES        4096u
#define LIMIT_ROUTES           4096u  /* more: routes count as unknown and nothing is refused */
#define LIMIT_RULES            1024u  /* by source address; more: they count as none */
#define LIMIT_ROUTING          64u    /* addresses with a rule and a table of ours */
#define LIMIT_LOCALS           64u    /* usable local addresses */
#define LIMIT_ACTIONS_DECISION 64u    /* of one call of decide() */
#define LIMIT_ACTIONS          65536u /* waiting for the kernel */
#define LIMIT_SAMPLES          4000u  /* of subflows, a second, for all that are watched */
#define LIMIT_ROLE_PATTERNS    256u
#define LIMIT_SET_ROLES        64u /* interfaces with a role that was set at run time */
#define LIMIT_PLUGIN_OPTIONS   64u
#define LIMIT_NAME             64u  /* plugin, option and pattern names, with their NUL */
#define LIMIT_VALUE            256u /* an option's value, with its NUL */
#define LIMIT_PATH             256u /* path of a file in a policy, with its NUL */
#define LIMIT_CONF_BYTES       262144u
#define LIMIT_LIST_ROWS        256u  /* of one List() call */
#define LIMIT_LIST_QUESTIONS   16u   /* of one: whose a connection is that is new */
#define LIMIT_QUESTIONS_BUS    256u  /* calls that wait for permission, */
#define LIMIT_QUESTIONS_CALLER 16u   /* of one caller, */
#define LIMIT_ASKED            64u   /* and by polkit, */
#define LIMIT_ASKED_USER       16u   /* there of one user */
#define LIMIT_CALL             4096u /* bytes of the arguments of a call that waits */
#define LIMIT_ORDERS           256u  /* that wait for the kernel's answer, */
#define LIMIT_ORDERS_CALLER    64u   /* of one caller */
#define LIMIT_SUBSCRIBERS      64u
#define LIMIT_SUBSCRIBERS_USER 16u     /* of one user, but for root */
#define LIMIT_SIGNALS          4096u   /* lines that wait for subscribers; more: oldest goes */
#define LIMIT_METRICS_LINKS    64u     /* interfaces in the metrics; others count together */
#define LIMIT_SNAPSHOT         400000u /* connections, and subflows, in one */
#define LIMIT_ENTRIES          256u    /* local addresses that the kernel lists of a connection */
#define LIMIT_KERN_QUEUE       2048u   /* commands on their way through the kern threads */
#define LIMIT_PLUGINS          16u     /* loaded at a time */
#define LIMIT_SYSCTLS          8u      /* that are taken over */
#define LIMIT_PROFILES         1024u   /* policies with a say in paths; more: the default is used */
#define LIMIT_ADVICE           4096u   /* hints that wait for their connection; a power of two */
#define LIMIT_LISTENERS        1024u /* listening sockets that were hinted at; more: oldest goes */
#define LIMIT_BLACKHOLES       64u   /* destinations that swallow MPTCP; more: left to the kernel */
#define LIMIT_CGROUPS          4096u /* of systemd units, on this host */
#define LIMIT_UNIT             256u  /* a unit's name, with its NUL */
#define LIMIT_UNIT_BYTES       1048576u /* of its file and its drop-ins together */
#define LIMIT_UNIT_DROPINS     256u
#define LIMIT_OWNERS           10000u /* connections that are asked for after one comparison */
#define LIMIT_NETSTAT          65536u /* bytes of /proc/net/netstat, with a NUL */
#define LIMIT_PROGRAM          16u    /* a program's name, with its NUL: TASK_COMM_LEN of Linux */
#define LIMIT_OWN_LISTENERS    256u   /* announced (address, port)s of this host */

/* Of join authentication; all that strangers can fill has one. */
#define LIMIT_AUTH_SESSIONS    65536u /* protected connections */
#define LIMIT_AUTH_PSK_MIN     32u    /* bytes of a shared key, at least, */
#define LIMIT_AUTH_PSK         4096u  /* and at most */
#define LIMIT_AUTH_ASKS        16384u /* joins of ours that wait for the peer's permission */
#define LIMIT_AUTH_OPEN        3u     /* admissions of one connection that are open at a time; */
#define LIMIT_AUTH_ADMISSIONS  16u    /* with those that have ended lately; the oldest goes */
#define LIMIT_AUTH_HELLOS      16u    /* announced addresses that HELLO also goes to */
#define LIMIT_AUTH_HELD        256u   /* HELLOs that wait for their key, */
#define LIMIT_AUTH_HELD_SOURCE 8u     /* of one source */
#define LIMIT_AUTH_RATE        64u    /* requests of a source, a second */
#define LIMIT_AUTH_SOURCES     4096u  /* whose requests are counted; more: quietest goes */
#define LIMIT_AUTH_QUIET       1024u  /* peers that gave no answer lately; more: oldest goes */
#define LIMIT_AUTH_KEYS        256u   /* that came before their connection; the oldest makes room */
#define LIMIT_AUTH_TURN        256u   /* asked for, or said again, in one turn of the loop */
#define LIMIT_AUTH_DECISIONS   400000u /* of one turn of the loop; see LIMIT_SNAPSHOT */
#define LIMIT_AUTH_LISTENERS   1024u   /* that policies name */

/* Of the gate of join authentication. */
#define LIMIT_GATE_REQUESTS  131072u /* whose outcomes have not been told; more than connections */
#define LIMIT_GATE_TOKENS    131072u /* guarded at a time */
#define LIMIT_GATE_ADMITTED  65536u  /* (token, source)s at a time */
#define LIMIT_GATE_LISTENERS 1024u   /* that are asked for, */
#define LIMIT_GATE_ELEMENTS  16384u  /* and what becomes of them when none overlaps */

/* Of policies; what else bounds a database is in policy/format.h. */
#define LIMIT_POLICIES        1000u /* files */
#define LIMIT_POLICY_DIRS     8u    /* directories of them */
#define LIMIT_POLICY_ERRORS   100u  /* that are told of */
#define LIMIT_POLICY_TEXT     256u  /* bytes of a pattern or a path in a file, with its NUL */
#define LIMIT_POLICY_RULES    64u   /* in one list */
#define LIMIT_POLICY_PREFIXES 256u  /* in one condition */
#define LIMIT_POLICY_PORTS    64u   /* ranges, in one condition */
#define LIMIT_POLICY_PAIRS    64u   /* interfaces, or options of the plugin */
#define LIMIT_POLICY_NETWORKS 4096u /* addresses of this host: see LIMIT_ADDRESSES */

/* Of what mptcpctl doctor looks at; what exceeds one is told of as not seen. */
#define LIMIT_DOCTOR_FINDINGS  64u        /* of one check; more only count in its verdict */
#define LIMIT_DOCTOR_OUTPUT    (8u << 20) /* bytes of a list of firewall rules */
#define LIMIT_DOCTOR_PROGRAMS  64u        /* with plain TCP sockets */
#define LIMIT_DOCTOR_SOCKETS   100000u
#define LIMIT_DOCTOR_ENDPOINTS 64u /* of the kernel's own path manager */
#define LIMIT_DOCTOR_DEVICES   32u /* of NetworkManager */
