/*
 * libnftables: text in, an error and words out.
 *
 * One thread at a time; the library keeps a netlink socket and a cache behind it.
 */
#pragma once

#include "../util/cleanup.h"
#include "../util/limits.h"

struct gate_nft;

/* 0; -ENOMEM; or what the kernel says if it has no netfilter: reason (LIMIT_REASON bytes) then
 * names a remedy. */
int gate_nft_new(struct gate_nft **ret_nft, char *reason);
void gate_nft_free(struct gate_nft *nft);
DEFINE_CLEANUP(struct gate_nft *, gate_nft_free)

/* One transaction. A negative errno with the library's words, or a remedy, in reason. */
int gate_nft_run(struct gate_nft *nft, const char *text, char *reason);

/* What of the library's words is for people: the first sentence, without the place. */
void gate_nft_words(const char *output, char *ret_words);

/* The error that these words speak of; -EIO for others. */
int gate_nft_error(const char *output);

/* What to do about an error, or NULL. */
const char *gate_nft_remedy(int error);
