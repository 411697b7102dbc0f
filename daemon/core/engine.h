/*
 * The engine: events in, actions out. It keeps the model, asks the plugin of a connection what to
 * do, checks and orders what the plugin wants, and does by itself what every plugin needs: it
 * notices lost paths, clears them away, waits before it tries again, and compares the model with
 * the kernel after a start, a loss of events, and every few seconds.
 *
 * Pure: no system call, clock, file or log. Time comes with the events. All memory that it holds
 * is bounded by util/limits.h.
 *
 *   engine.c     events of connections
 *   decide.c     view -> plugin -> checked actions
 *   act.c        checked actions -> model and queue
 *   tell.c       lines of the log
 *   order.c      what an operator wants of a connection: see order.h
 *   steer.c      roles and limits that are set at run time
 *   announce.c   listeners of announced ports
 *   outcome.c    the kernel's answers to actions
 *   join.c       joins that are under way, and limits of them
 *   permit.c     joins that need permission, and subflows that have none
 *   retry.c      what failed, and when it is tried again
 *   scarce.c     local addresses that are short of free ports
 *   routing.c    which of them need rules and routes of ours
 *   paths.c      local addresses, lost and regained paths
 *   counters.c   the kernel's own counters
 *   profile.c    which profile a connection has, and what hints change
 *   watch.c      when subflows are measured, and paths that acknowledge nothing
 *   probe.c      paths on which nothing arrives any more
 *   silence.c    paths that are lost by the measure of the application (TCP_USER_TIMEOUT)
 *   reconcile.c  model against a snapshot of the kernel
 *   memory.c     what the next daemon is to know
 */
#pragma once

#include "conf.h"
#include "memory.h"
#include "model.h"
#include "routing.h"
#include "trace.h"

#define ENGINE_SWEEP_USEC 5000000u /* between two comparisons with the kernel */

enum counter {
        COUNTER_EVENTS,
        COUNTER_OVERRUNS,
        COUNTER_CONNECTIONS,         /* seen */
        COUNTER_CONNECTIONS_ADOPTED, /* found by a comparison, not by an event */
        COUNTER_CONNECTIONS_LOST,    /* ended without an event */
        COUNTER_CONNECTIONS_REFUSED, /* over the limit, or no memory */
        COUNTER_SUBFLOWS_CREATED,    /* asked for */
        COUNTER_SUBFLOWS_FAILED,     /* asked for and refused, by the kernel or the peer */
        COUNTER_SUBFLOWS_DEAD,       /* path lost */
        COUNTER_SUBFLOWS_SURPLUS,    /* the peer's, destroyed as more than may be */
        COUNTER_INTRUDERS,           /* subflows destroyed that nobody admitted */
        COUNTER_RETRIES_HELD,        /* put off: more than may be, or no free port */
        COUNTER_ACTIONS_FAILED,
        COUNTER_ACTIONS_DROPPED, /* queue full or no memory */
        COUNTER_PLUGIN_ERRORS,
        COUNTER_HINTS,             /* of use or not */
        COUNTER_HINTS_REFUSED,     /* malformed, or of what is none of ours */
        COUNTER_HINTS_DROPPED,     /* forgotten for want of room */
        COUNTER_SOCKETS_DEMOTED,   /* made TCP by the library, for an option */
        COUNTER_SOCKETS_FELL_BACK, /* MPTCP here, TCP on the wire */
        COUNTER_BLACKHOLES,        /* the kernel has given up MPTCP for a SYN without answer */
        COUNTER_PROBES,            /* of paths that had gone quiet */
        _COUNTER_MAX
};

const char *counter_name(enum counter counter);

struct gone {
        uint32_t token;
        struct mptcpize_address local; /* family 0: the connection as a whole */
        struct mptcpize_address remote;
};

/* An event of a connection that was not known when it came. */
struct stray {
        enum event_type type;
        struct mptcp_event event;
};

/* Joins from there are put off until then. */
struct scarcity {
        struct mptcpize_address local;
        uint64_t until_usec;
};

struct local {
        struct mptcpize_local is;
        char name[16]; /* is.ifname */
};

/* Usable local addresses, best role first. */
struct locals {
        struct local *items;
        uint32_t n, cap;
};

/* What the engine has of a struct conf_profile. */
struct profile {
        const struct conf_profile *conf;
        struct locals locals; /* empty if it has no roles of its own: the first one's count */
};

/* A hint that came before its connection. */
struct expectation {
        uint32_t token; /* 0: unused */
        uint64_t usec;
        struct advice advice;
};

/* A listening socket, whose connections are to have its advice. */
struct listener {
        struct mptcpize_address local;
        bool ipv6_only;
        bool kept;     /* see memory.h */
        uint32_t slot; /* where; 0: nowhere */
        uint64_t usec; /* when it was hinted at; 0: by the last daemon */
        struct advice advice;
};

/* The role that an interface was given at run time. */
struct set_role {
        char name[16];
        enum mptcpize_role role;
};

/* What somebody who manages the network of this host says of an interface: engine_advise(). */
struct advised_role {
        char name[16];
        int role;     /* enum mptcpize_role, or ROLE_UNSET */
        bool leaving; /* about to go down */
        char reason[LIMIT_REASON];
};

struct engine {
        struct model model;
        struct trace trace;
        struct action_queue queue;
        const struct conf *conf;
        struct limits limits;            /* in force */
        ARRAY_OF(struct set_role) roles; /* set at run time */
        ARRAY_OF(struct advised_role) advised;
        struct profile profiles[LIMIT_PROFILES]; /* the first is that of conf itself */
        size_t n_profiles;
        bool guarding;                    /* one of them requires authentication */
        struct routing routing;           /* of all addresses that any profile uses */
        struct expectation *expectations; /* LIMIT_ADVICE of them */
        ARRAY_OF(struct listener) listeners;
        uint64_t now_usec;
        uint64_t resumed_usec; /* when this daemon last went on after it had stood still */
        uint64_t random;
        uint64_t retries_usec; /* when as many retries are allowed at once as in a minute */
        uint64_t sweep_usec;   /* when to compare next; 0: no connection */
        uint32_t serial;       /* of the last action */
        uint32_t net_serial;   /* another one after each change of links, addresses or roles */
        bool net_known;        /* a full listing has been seen */
        bool net_changed;      /* since the last engine_settle() */
        bool links_changed;    /* of interfaces that are used, or their addresses */
        bool routes_changed;
        uint64_t relist_usec;          /* when to list it again, for want of memory; 0: no need */
        uint64_t samples_usec;         /* until when the samples take, at LIMIT_SAMPLES */
        uint64_t compared_usec;        /* when a comparison was last begun */
        struct counters_event kernel;  /* its counters */
        bool kernel_known;             /* they have been read */
        bool unsure;                   /* events were lost, and no comparison has made up for it */
        bool comparing;                /* a snapshot is on its way */
        bool compare_again;            /* events were lost meanwhile */
        bool compared;                 /* at least once */
        bool starved;                  /* no memory for what came since it was begun */
        ARRAY_OF(struct stray) strays; /* events of what it may find */
        bool gone_lost;                /* more ended meanwhile than gone has room for */
        ARRAY_OF(struct gone) gone;    /* what ended meanwhile: the snapshot may still have it */
        struct memory memory;
        ARRAY_OF(uint32_t) changed; /* tokens of what is to be kept anew */
        uint64_t changed_usec;      /* since when; 0: there is none */
        bool listeners_changed;     /* of them, too */
        bool settled;               /* what the last daemon had kept is of no more use */
        uint32_t n_questions;       /* GET_ADDRs under way */
        bool following;             /* connections have yet to follow what was changed for all, */
        uint32_t follow_token;      /* from this one on */
        uint64_t counters[_COUNTER_MAX];
        struct scarcity scarcities[LIMIT_SCARCITIES];
};

/* random: any number, the seed of the random numbers that plugins get. 0 or -ENOMEM. */
int engine_init(struct engine *engine, uint64_t random);
void engine_done(struct engine *engine);

/* Feeds one event. The first one must be EVENT_CONFIGURED. */
void engine_feed(struct engine *engine, const struct event *event);

/*
 * Ends a batch of events: what changed in the network is judged as a whole. To be called before
 * actions are taken from the queue.
 */
void engine_settle(struct engine *engine);

/*
 * Have connections yet to follow other limits, or another configuration? So that path management
 * does not wait for all of them, engine_follow() lets at most max of them do so, at the time of the
 * last event. For new decisions what was changed counts at once.
 */
bool engine_is_following(const struct engine *engine);
void engine_follow(struct engine *engine, size_t max);

/*
 * Remembers things by memory from now on, and recalls its listeners. Before EVENT_STARTED, and
 * after an EVENT_CONFIGURED with all profiles.
 */
void engine_set_memory(struct engine *engine, const struct memory *memory);

/* Is there something to be kept? Then engine_lull() keeps a bit of it, when nothing else is due, */
bool engine_is_changed(const struct engine *engine);
/* or at the latest when this is so. */
bool engine_is_overdue(const struct engine *engine);
void engine_lull(struct engine *engine);

/*
 * What the kernel is to do next, or NULL; stays first in the queue until it is taken out. What is
 * for connections that have ended is left out.
 */
const struct action *engine_next_action(struct engine *engine);

/* When EVENT_TICK is due, or UINT64_MAX. */
uint64_t engine_deadline(const struct engine *engine);

/*
 * The profile that somebody means by a word: "default", a mode, the name of a profile, or a plugin
 * that a profile has. Its index, or -ENOENT.
 */
int engine_meant_profile(const struct engine *engine, const char *word);

/*
 * The role of an interface for connections of a profile (NULL: those that no policy speaks of), and
 * in ret_why (may be NULL) where it comes from: as conf_role() has it, "set at run time", or the
 * reason of an advice.
 */
enum mptcpize_role engine_role(const struct engine *engine, const struct conf_profile *profile,
                               const char *ifname, const char **ret_why);

/* The reason if an interface is about to go down, else NULL. */
const char *engine_leaving(const struct engine *engine, const char *ifname);

/* How many subflows a connection may have, its initial one included. */
uint32_t engine_max_subflows(const struct engine *engine, const struct connection *connection);

/*
 * The profile whose word on authentication counts for a connection: that of the policy of its
 * program, or if it is stricter, the one that it was given by hand. So nobody who chooses a mode
 * takes protection away. Never NULL.
 */
const struct conf_profile *engine_auth_profile(const struct engine *engine,
                                               const struct connection *connection);

/* Can a connection be handed to another profile? Those that are not managed can't. */
bool engine_is_assignable(const struct connection *connection);

/* The rest is for the files of core/ among themselves. */

/* profile.c */
const struct profile *engine_profile(const struct engine *engine,
                                     const struct connection *connection);
const struct locals *engine_locals(const struct engine *engine,
                                   const struct connection *connection);
int engine_init_profiles(struct engine *engine); /* 0 or -ENOMEM */
void engine_done_profiles(struct engine *engine);

/* Takes the profiles in place of those that there were; no plugin state may be alive. */
void engine_set_profiles(struct engine *engine, const struct configured_event *configured);

/* Index of the profile of that name; 0 if there is none. */
uint16_t engine_find_profile(const struct engine *engine, const char *name);

/* Gives a new connection what a hint has said of it, or of the socket that it came in by. */
void engine_take_advice(struct engine *engine, struct connection *connection);
void engine_on_hint(struct engine *engine, const struct event *event);
void engine_on_owner(struct engine *engine, const struct event *event);
void engine_on_assigned(struct engine *engine, const struct event *event);
void engine_on_listener_closed(struct engine *engine, const struct event *event);
/* The oldest makes room if there is none. */
void engine_add_listener(struct engine *engine, const struct listener *listener);
/* Forgets those that no longer listen. */
void engine_check_listeners(struct engine *engine, const struct snapshot *snapshot);

/* Destroys joins that are more than the profile allows, and surplus ones of the peer's. */
void engine_trim(struct engine *engine, struct connection *connection);
/* Where the kernel takes no flags for joins: makes one a backup that was to be one. */
void engine_mend_backup(struct engine *engine, const struct connection *connection,
                        const struct subflow *subflow);
/* All connections follow from now on. */
void engine_begin_follow(struct engine *engine);

/* watch.c */
void engine_schedule_measurement(struct engine *engine, struct connection *connection);
/* The plugin wants samples that often; 0: none. */
void engine_watch(struct engine *engine, struct connection *connection, uint64_t usec);
/* Data may be moving: the connection is measured within usec, and until it is idle. */
void engine_wake(struct engine *engine, struct connection *connection, uint64_t usec);
void engine_measure_due(struct engine *engine);
void engine_on_measured(struct engine *engine, const struct event *event);
void engine_on_measure_done(struct engine *engine, struct connection *connection,
                            const struct outcome_event *outcome);
/* What a comparison says of a subflow, at usec. */
void engine_take_row(struct engine *engine, struct connection *connection, struct subflow *subflow,
                     const struct measure *measure, uint64_t usec);
/* When something last arrived; 0: never measured. */
uint64_t engine_heard_usec(const struct subflow *subflow);
/* Is there another subflow that carries data, as far as one can tell? */
bool engine_has_refuge(const struct engine *engine, const struct connection *connection,
                       const struct subflow *from);

/* probe.c */
/* Has it lately delivered so much that silence means something? */
bool engine_was_delivering(const struct subflow *subflow);

/*
 * Looks at an ESTABLISHED subflow that was just measured. When to look again, UINT64_MAX if that
 * doesn't matter, or 0: its path is lost, and pointers into the connection's arrays end here.
 */
uint64_t engine_judge_download(struct engine *engine, struct connection *connection,
                               struct subflow *subflow);
/* Ends the probe of a subflow that isn't there any more, or that is about to go. */
void engine_check_probe(struct engine *engine, struct connection *connection,
                        const struct subflow *lost);
/* Is that the word on a probe? Then it is no subflow's. */
bool engine_probe_outcome(struct engine *engine, struct connection *connection,
                          const struct outcome_event *outcome);
bool engine_probe_established(struct engine *engine, struct connection *connection,
                              const struct mptcp_event *event);
bool engine_probe_closed(struct engine *engine, struct connection *connection,
                         const struct mptcp_event *event);
/* May these be the addresses of a probe? local with its port, and of no known subflow. */
bool engine_is_probe(const struct engine *engine, const struct connection *connection,
                     const struct mptcpize_address *local, const struct mptcpize_address *remote);

/* silence.c */
/* What a new sample means for the user timeout; before the numbers of the subflow change. */
void engine_note_silence(const struct engine *engine, struct subflow *subflow,
                         const struct measure *measure);
/* How often the user timeout wants samples. */
uint64_t engine_silence_period(const struct connection *connection);
/* True if it has run out, and with it the subflow; pointers to subflows end here then. */
bool engine_judge_silence(struct engine *engine, struct connection *connection,
                          struct subflow *subflow);

/* decide.c */
void engine_start_plugin(struct engine *engine, struct connection *connection);
void engine_stop_plugin(struct engine *engine, struct connection *connection);

/* Asks the plugin. It may add subflows, so pointers into the connection's arrays end here. */
void engine_decide(struct engine *engine, struct connection *connection,
                   const struct mptcpize_event *event);
void engine_decide_simple(struct engine *engine, struct connection *connection, uint32_t type);
void engine_decide_subflow(struct engine *engine, struct connection *connection, uint32_t type,
                           const struct mptcpize_subflow *subflow, int error);

/* Recomputes when the connection has to be looked at again. */
void engine_schedule(struct engine *engine, struct connection *connection);

/* act.c */
/* Numbers the action, traces and queues it. 0 or a negative errno, which is counted. */
int engine_push(struct engine *engine, struct action *action);

/* The same with all that the model has to know of it: a CREATE adds its subflow, and so on. */
int engine_act(struct engine *engine, struct connection *connection, struct action *action);

/* tell.c */
void engine_trace_note(struct engine *engine, const struct connection *connection,
                       const struct mptcpize_subflow *subflow, const char *reason);
void engine_trace_event(struct engine *engine, enum event_type type,
                        const struct mptcp_event *event);

/* A line for the tap alone. */
void engine_show(const struct engine *engine, enum trace_kind kind, uint32_t token,
                 const struct mptcpize_address *local, const struct mptcpize_address *remote,
                 const char *reason);

/* engine.c */
/* An event of a connection, as if it came now. */
void engine_handle(struct engine *engine, const struct event *event);

/*
 * Adds the connection with its plugin; NULL if it is over the limit or there is no memory. how: it
 * has become known.
 */
struct connection *engine_add(struct engine *engine, uint32_t token,
                              const struct mptcpize_address *local,
                              const struct mptcpize_address *remote, uint32_t flags,
                              const char *how);
void engine_remove(struct engine *engine, struct connection *connection, const char *reason);

/* Joins are possible from now on. */
void engine_establish(struct engine *engine, struct connection *connection);

/* A random number, for jitter. */
uint64_t engine_random(struct engine *engine);

/* retry.c */
/* How long to wait after so many failures, jitter included. */
uint64_t engine_backoff_usec(struct engine *engine, unsigned int tries);

/*
 * Notes that a subflow between these addresses failed with that negative errno after it had been
 * established for lived_usec (0: it never was), and when to try again.
 */
void engine_refuse(struct engine *engine, struct connection *connection,
                   const struct mptcpize_address *local, const struct mptcpize_address *remote,
                   int error, uint64_t lived_usec);

/* The same for a subflow whose path was lost. */
void engine_refuse_lost(struct engine *engine, struct connection *connection,
                        const struct subflow *lost);

/* The same for a subflow of ours that the kernel has closed. */
void engine_refuse_closed(struct engine *engine, struct connection *connection,
                          const struct subflow *gone, const struct mptcp_event *event);

/* Lets what failed be tried soon, if the connection has no subflow left that carries data. */
void engine_pardon_orphan(struct engine *engine, struct connection *connection);

/*
 * The peer announces that address: what failed there may be tried. False: nothing did. repeated:
 * it had done so before, and the kernel may only have lost the echo.
 */
bool engine_pardon_announced(struct engine *engine, struct connection *connection,
                             const struct mptcpize_address *remote, bool repeated);

/* Joins are allowed: what failed for want of that may be tried. */
void engine_pardon_permitted(struct engine *engine, struct connection *connection);

/*
 * The network of this host has changed: its links or addresses, or only the routes. What failed
 * may be tried, but not what the peer itself refused.
 */
void engine_pardon_changed(struct engine *engine, struct connection *connection, bool only_routes);

/* scarce.c */
/* Takes what the outcome of a CREATE says of free ports. */
void engine_note_search(struct engine *engine, const struct outcome_event *outcome);

/* Is a join between these addresses to wait? Then it is put off, and noted. */
bool engine_is_scarce(struct engine *engine, struct connection *connection,
                      const struct mptcpize_address *local, const struct mptcpize_address *remote);

/* announce.c */
/* Queues an announcement, with the listener that it needs. 0 or a negative errno. */
int engine_announce(struct engine *engine, struct connection *connection, struct action *action);

/* Lets go of the listener for this address and port, for that id, or of all: if there is one. */
void engine_release(struct engine *engine, struct connection *connection,
                    const struct mptcpize_address *address);
void engine_release_id(struct engine *engine, struct connection *connection, uint8_t id);
void engine_release_all(struct engine *engine, struct connection *connection);
/* Of those at addresses that this host hasn't got any more. */
void engine_release_lost(struct engine *engine, struct connection *connection);
void engine_on_announce_done(struct engine *engine, struct connection *connection,
                             const struct outcome_event *outcome);

/* Is it the id of an announced port of that host? Then a join to it teaches nothing new. */
bool engine_is_announced(const struct connection *connection,
                         const struct mptcpize_address *address, uint8_t id);

/* join.c */
/* When the next unanswered join is given up, of those not overdue; UINT64_MAX: there is none. */
uint64_t engine_join_deadline(const struct engine *engine, const struct connection *connection);

/* Are as many under way, planned ones included, as may be? */
bool engine_has_joins_enough(const struct engine *engine, const struct connection *connection,
                             size_t planned);

/*
 * May a pair that failed be tried once more now? False: not yet, because there have been too many
 * of them of late; refusal has been put off.
 */
bool engine_take_retry(struct engine *engine, const struct connection *connection,
                       struct refusal *refusal);

/* Destroys joins of the peer's that are more than may be. */
void engine_destroy_surplus(struct engine *engine, struct connection *connection);

/* Gives up those that have had their time. */
void engine_expire_joins(struct engine *engine, struct connection *connection);

/* Aborts a join under way; what follows from that is the caller's. As engine_push(). */
int engine_give_up_join(struct engine *engine, const struct connection *connection,
                        struct subflow *subflow, const char *reason);

/* Why a join under way is to be given up, or NULL. */
typedef const char *(*join_judge_fn)(const struct engine *engine,
                                     const struct connection *connection,
                                     const struct subflow *join);

/* Aborts the joins under way that judge condemns; they have failed with that (positive) errno. */
void engine_give_up_joins(struct engine *engine, struct connection *connection, join_judge_fn judge,
                          int error);

/* order.c */
/* Closes what was removed as a join under way, and has been established all the same. */
void engine_end_unwanted(struct engine *engine, struct connection *connection);

/* outcome.c */
void engine_on_outcome(struct engine *engine, const struct outcome_event *outcome);
/* Tells the plugin that the kernel could not do what it wanted: a join or an announcement. */
void engine_tell_refused(struct engine *engine, struct connection *connection,
                         const struct outcome_event *outcome);

/* paths.c */
int32_t engine_ifindex(const struct engine *engine, const struct mptcpize_address *local);
/* The device that a subflow is bound to, or else that has its address; 0 if none of ours has. */
int32_t engine_bound_ifindex(const struct engine *engine, const struct mptcpize_address *local,
                             int32_t bound);
/* Notes where the best routes to the addresses of the peer lead, for plugins. */
void engine_route_remotes(const struct engine *engine, struct connection *connection);
bool engine_is_own(const struct engine *engine, const struct mptcpize_address *address);

/* Queues an ACTION_DESTROY or ACTION_ABORT of what the model need not know. As engine_push(). */
int engine_push_close(struct engine *engine, const struct connection *connection,
                      enum action_type how, const struct mptcpize_address *local,
                      const struct mptcpize_address *remote, int32_t ifindex, const char *reason);

/* Closes a subflow, by ACTION_DESTROY or ACTION_ABORT; false if there is no room for that. */
bool engine_close(struct engine *engine, const struct connection *connection,
                  struct subflow *subflow, enum action_type how, const char *reason);

/* Looks which subflows have lost their path, and what is to be done about it. */
void engine_judge_paths(struct engine *engine, struct connection *connection);

/* Its path is lost, by what was measured; others take over. Pointers to subflows end here. */
void engine_lose(struct engine *engine, struct connection *connection, struct subflow *subflow,
                 const char *reason);

/* Destroys dead subflows if another one carries the connection. */
void engine_bury(struct engine *engine, struct connection *connection);

/* permit.c */
/* May joins of ours be made, as far as authentication goes? */
bool engine_may_join(const struct connection *connection);

/* Its profile may have another word on authentication now. True: joins are something else than
 * before, which its plugin has yet to hear. */
bool engine_check_permit(struct engine *engine, struct connection *connection);

/* The same for a new connection, which may have to wait for a hint, too: for a moment. */
void engine_begin_permit(struct engine *engine, struct connection *connection);

/* Its program is known, or its time is over. True: joins are free from now on. */
bool engine_end_grace(struct connection *connection);

/* Destroys what nobody has permitted, as far as that can be done now. */
void engine_destroy_unpermitted(struct engine *engine, struct connection *connection);

void engine_on_joins(struct engine *engine, const struct event *event);
void engine_on_intruder(struct engine *engine, const struct event *event);

/* orphan.c */
/* A subflow has ended. Notes it, if it was the last one, and lets others be tried. */
void engine_note_orphan(struct engine *engine, struct connection *connection);
/* The time for joins is over: aborts those that are not answered. */
void engine_end_orphan(struct engine *engine, struct connection *connection);
/* The network has changed: joins may be tried again. */
void engine_hope_again(struct engine *engine, struct connection *connection);
/* May joins be tried? */
bool engine_has_hope(const struct engine *engine, const struct connection *connection);

/* memory.c */
/* Something of it has changed that the next daemon should know. */
void engine_touch(struct engine *engine, struct connection *connection);
/* Nothing needs the slot any more; 0 is none. */
void engine_forget(struct engine *engine, uint32_t slot);
/* Gives a new connection what the last daemon knew of it. */
void engine_recall(struct engine *engine, struct connection *connection);

/* reconcile.c */
void engine_compare(struct engine *engine);

/* Events were lost: as engine_compare(), and again if a comparison is under way. */
void engine_make_sure(struct engine *engine);
/* There was no memory for an event, or for what a comparison has found: soon there is another. */
void engine_starve(struct engine *engine);
void engine_on_compared(struct engine *engine, int error);

/*
 * May the kernel be told to change something of this connection? Not before its address ids are
 * known, and with them that it is ours; then they are asked for, and its plugin decides anew when
 * they have come.
 */
bool engine_may_act(struct engine *engine, struct connection *connection);

/* Asks for them without a need. */
void engine_ask_ids(struct engine *engine, struct connection *connection);

/* Notes that a subflow, or with NULL the connection, has ended. */
void engine_note_gone(struct engine *engine, const struct connection *connection,
                      const struct mptcpize_subflow *subflow);
/* During a comparison: it may find the connection, and then the event is to count. */
void engine_note_stray(struct engine *engine, const struct event *event);
void engine_on_snapshot(struct engine *engine, const struct snapshot *snapshot);
void engine_on_entries(struct engine *engine, const struct entries_event *entries);
void engine_on_query(struct engine *engine, struct connection *connection, int error);
