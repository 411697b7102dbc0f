/*
 * How often subflows are measured, and when what is measured means that their path is dead: all
 * the numbers in one place. See watch.c and probe.c for what is done with them.
 */
#pragma once

#define WATCH_MSEC 1000u

/* Tempo. No faster than this: a path takes longer to be missed, and a sample costs 4 us. */
#define WATCH_FASTEST_USEC 100000u
/* Slowest pace of what is idle; then it is left alone until something wakes it. */
#define WATCH_SLOWEST_USEC 3200000u
/* So many may be due at once, as time that they take under LIMIT_SAMPLES. */
#define WATCH_BURST_USEC 200000u
/* The kernel counts ages in its ticks, of up to 10 ms. */
#define WATCH_TICK_USEC 10000u
/* Samples that are further apart don't show whether data was under way all the time between. */
#define WATCH_CLOSE_USEC 250000u
/* What moved within this time before the first sample may still be moving. */
#define WATCH_RECENT_MSEC 1000u

/* Uploads: what was sent is not acknowledged. */
/* Beyond RTO and RTT: the far end and both processors take their time, too. */
#define UPLOAD_SLACK_USEC 20000u
/* Radio links pause so long when they hand over or rest, and are well afterwards. */
#define UPLOAD_MIN_USEC 300000u
/*
 * Unanswered transmissions, of which one in ten is lost on a bad link with 5 % in each direction:
 * five in a row once in ten hours of one question after the other. A path on which hardly anything
 * was lost so far doesn't begin with three.
 */
#define UPLOAD_PROOFS_CLEAN 3u
#define UPLOAD_PROOFS_LOSSY 5u
/* Of so many time-outs in a row even an answer with data in it says that ours don't get there. */
#define UPLOAD_DEAF_BACKOFF 2u
/* Retransmissions so far, of at least so many bytes, that don't make a path a lossy one. */
#define UPLOAD_CLEAN_RETRANSMITS 2u
#define UPLOAD_CLEAN_BYTES       150000u

/* Downloads: nothing arrives on a path that was delivering. */
/*
 * What makes it one: so many samples with new data, where each of so many bytes counts as one, too.
 * It's neither a keep-alive nor the answer to a question, after which silence means nothing.
 */
#define DOWNLOAD_DELIVERIES 6u
/* After an answered probe: the hold below keeps them rare, and a stalled transfer delivers little.
 */
#define DOWNLOAD_DELIVERIES_HELD 2u
#define DOWNLOAD_BULK_BYTES      65536u
/* So long and so many round trips: longer than the sender's first retransmission takes. */
#define DOWNLOAD_QUIET_USEC 300000u
#define DOWNLOAD_QUIET_RTTS 3u
/* In a round trip, of a download that shows how long that is. */
#define DOWNLOAD_PIPE_BYTES ((uint64_t)16384)
/* Time for the answer to a probe. */
#define PROBE_ANSWER_USEC 200000u
#define PROBE_ANSWER_RTTS 2u
/* Joins of one probe, half of that time apart: one lost SYN proves nothing, nor do two. */
#define PROBE_JOINS 3u
/* After an answer there is no other probe of that path for this time; twice as long each time. */
#define PROBE_HOLD_USEC     10000000u
#define PROBE_HOLD_MAX_USEC 60000000u
/* How long the kernel's word on what was a probe may come late. */
#define PROBE_LINGER_USEC 2000000u

/* After the kernel's counter of retransmission time-outs has risen: a comparison, no sooner. */
#define WATCH_COMPARE_USEC 900000u
/* And this for each connection, because a comparison of many takes that much longer. */
#define WATCH_COMPARE_EACH_USEC 200u
