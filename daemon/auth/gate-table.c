/*
 * What the table has to hold, and its changes. See gate-table.h; the words are in gate-text.c.
 *
 * A guarded token and an admission are entries of one hash table. Entries in which the kernel's
 * table differs from what is wanted are in the list "dirty". Admissions all live equally long, so
 * the list "admissions" is in the order in which they end.
 */
#include "gate-table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include "../util/cleanup.h"
#include "gate-text.h"
#include "table.h"

#define FOREVER UINT64_MAX
/* So much later than by our clock the kernel may still have an element. */
#define SLACK_USEC 1000000

struct gate_entry {
        struct table_link by_token;
        struct gate_entry *dirty_next;
        struct gate_entry *older, *newer; /* admissions */
        struct mptcpize_address source;   /* family 0: a guarded token */
        uint32_t token;
        bool wanted;
        bool inherited; /* found in the table of the daemon before */
        bool dirty;
        uint64_t until_usec;         /* an admission ends by itself */
        uint64_t present_until_usec; /* the kernel has it so long; 0: not; FOREVER: a token */
};

struct gate_table {
        struct table entries;
        size_t n_guarded; /* tokens that are wanted or inherited */
        size_t n_admissions;
        struct gate_entry *first, *last; /* admissions, by the end of their time */
        struct gate_entry *dirty;
        struct gate_listeners listeners, inherited;
        bool listeners_dirty;
};

static struct gate_entry *entry_of(struct table_link *link) {
        return link ? CONTAINER_OF(link, struct gate_entry, by_token) : NULL;
}

static struct gate_entry *table_first(const struct gate_table *table) {
        return entry_of(table_begin(&table->entries));
}

static struct gate_entry *table_behind_entry(const struct gate_table *table,
                                             const struct gate_entry *entry) {
        return entry_of(table_behind(&table->entries, &entry->by_token));
}

int gate_table_new(struct gate_table **ret_table) {
        struct gate_table *table = calloc(1, sizeof(*table));

        if (!table)
                return -ENOMEM;
        *ret_table = table;
        return 0;
}

void gate_table_free(struct gate_table *table) {
        struct gate_entry *next;

        if (!table)
                return;
        for (struct gate_entry *entry = table_first(table); entry; entry = next) {
                next = table_behind_entry(table, entry);
                free(entry);
        }
        table_done(&table->entries);
        gate_listeners_done(&table->listeners);
        gate_listeners_done(&table->inherited);
        free(table);
}

/* Entries */

static struct gate_entry *entry_find(const struct gate_table *table, uint32_t token,
                                     const struct mptcpize_address *source) {
        struct table_link *link = table_find(&table->entries, token);

        while (link && !address_same_host(&entry_of(link)->source, source))
                link = table_next(link);
        return entry_of(link);
}

static int entry_add(struct gate_table *table, uint32_t token,
                     const struct mptcpize_address *source, struct gate_entry **ret_entry) {
        struct gate_entry *entry = calloc(1, sizeof(*entry));

        if (!entry || table_add(&table->entries, &entry->by_token, token) < 0) {
                free(entry);
                return -ENOMEM;
        }
        entry->token = token;
        entry->source = address_without_port(source);
        *ret_entry = entry;
        return 0;
}

static bool entry_is_admission(const struct gate_entry *entry) {
        return entry->source.family != 0;
}

static bool entry_is_needed(const struct gate_entry *entry) {
        return entry->wanted || entry->inherited;
}

static void table_mark(struct gate_table *table, struct gate_entry *entry) {
        if (entry->dirty)
                return;
        entry->dirty = true;
        entry->dirty_next = table->dirty;
        table->dirty = entry;
}

static void table_queue(struct gate_table *table, struct gate_entry *entry) {
        entry->older = table->last;
        entry->newer = NULL;
        *(table->last ? &table->last->newer : &table->first) = entry;
        table->last = entry;
        table->n_admissions++;
}

static void table_unqueue(struct gate_table *table, struct gate_entry *entry) {
        *(entry->older ? &entry->older->newer : &table->first) = entry->newer;
        *(entry->newer ? &entry->newer->older : &table->last) = entry->older;
        table->n_admissions--;
}

/* An entry in which nobody is interested any more. */
static void table_drop(struct gate_table *table, struct gate_entry *entry) {
        assert(!entry->dirty);
        table_remove(&table->entries, &entry->by_token);
        if (entry_is_admission(entry))
                table_unqueue(table, entry);
        free(entry);
}

/* Admissions that the kernel has forgotten, too. */
static void table_expire(struct gate_table *table, uint64_t now) {
        while (table->first && table->first->until_usec + SLACK_USEC <= now && !table->first->dirty)
                table_drop(table, table->first);
}

/* What is wanted */

static int table_guard(struct gate_table *table, uint32_t token, bool inherit) {
        struct gate_entry *entry = entry_find(table, token, &ADDRESS_NULL);
        int r = 0;

        if (!entry && table->n_guarded >= LIMIT_GATE_TOKENS)
                return -ENOBUFS;
        if (!entry)
                r = entry_add(table, token, &ADDRESS_NULL, &entry);
        if (r < 0)
                return r;
        table->n_guarded += !entry_is_needed(entry);
        *(inherit ? &entry->inherited : &entry->wanted) = true;
        if (entry->present_until_usec == 0)
                table_mark(table, entry);
        return 0;
}

static void table_release(struct gate_table *table, struct gate_entry *entry) {
        table->n_guarded -= entry_is_needed(entry);
        entry->wanted = entry->inherited = false;
        table_mark(table, entry);
}

static int table_unguard(struct gate_table *table, uint32_t token) {
        struct gate_entry *entry = entry_find(table, token, &ADDRESS_NULL);

        if (entry)
                table_release(table, entry);
        return 0;
}

static int table_admit(struct gate_table *table, uint32_t token,
                       const struct mptcpize_address *source, uint64_t now) {
        struct gate_entry *entry = entry_find(table, token, source);
        int r;

        if (entry) {
                table_unqueue(table, entry);
        } else {
                if (table->n_admissions >= LIMIT_GATE_ADMITTED)
                        return -ENOBUFS;
                r = entry_add(table, token, source, &entry);
                if (r < 0)
                        return r;
        }
        entry->until_usec = now + GATE_LIFETIME_USEC;
        entry->wanted = true;
        table_queue(table, entry);
        table_mark(table, entry);
        return 0;
}

static int table_dismiss(struct gate_table *table, uint32_t token,
                         const struct mptcpize_address *source) {
        struct gate_entry *entry = entry_find(table, token, source);

        if (entry) {
                entry->wanted = false;
                table_mark(table, entry);
        }
        return 0;
}

int gate_table_want(struct gate_table *table, const struct gate_request *request, uint64_t now) {
        const uint16_t family = request->source.family;
        const bool host = family == AF_INET || family == AF_INET6;

        table_expire(table, now);
        switch (request->type) {
        case GATE_GUARD:
                return table_guard(table, request->token, false);
        case GATE_UNGUARD:
                return table_unguard(table, request->token);
        case GATE_ADMIT:
                return host ? table_admit(table, request->token, &request->source, now) : -EINVAL;
        case GATE_DISMISS:
                return host ? table_dismiss(table, request->token, &request->source) : -EINVAL;
        case _GATE_REQUEST_MAX:
                break;
        }
        return -EINVAL;
}

void gate_table_want_listeners(struct gate_table *table, struct gate_listeners *listeners) {
        gate_listeners_done(&table->listeners);
        table->listeners = *listeners;
        *listeners = (struct gate_listeners){ 0 };
        table->listeners_dirty = true;
}

int gate_table_inherit_token(struct gate_table *table, uint32_t token) {
        return table_guard(table, token, true);
}

int gate_table_inherit_listener(struct gate_table *table, const struct gate_listener *listener) {
        table->listeners_dirty = true;
        return gate_listeners_add(&table->inherited, listener, 1, LIMIT_GATE_ELEMENTS);
}

static void table_disown(struct gate_table *table, struct gate_entry *entry) {
        if (entry->inherited && !entry->wanted)
                table_release(table, entry);
        entry->inherited = false;
}

void gate_table_settle(struct gate_table *table) {
        for (struct gate_entry *at = table_first(table); at; at = table_behind_entry(table, at))
                table_disown(table, at);
        if (table->inherited.list.n > 0)
                table->listeners_dirty = true;
        gate_listeners_done(&table->inherited);
}

bool gate_table_needed(const struct gate_table *table) {
        return gate_table_guarded(table) + gate_table_listeners(table) > 0;
}

size_t gate_table_guarded(const struct gate_table *table) {
        return table->n_guarded;
}

size_t gate_table_listeners(const struct gate_table *table) {
        return table->listeners.list.n + table->inherited.list.n;
}

/* Words */

struct writer {
        struct gate_table *table;
        FILE *file;
        uint64_t now;
        bool whole; /* all entries, not only those that are dirty */
};

static bool entry_is_new(const struct gate_entry *entry, uint64_t now) {
        (void)now;
        return entry_is_needed(entry) && entry->present_until_usec == 0;
}

static bool entry_is_old(const struct gate_entry *entry, uint64_t now) {
        (void)now;
        return !entry_is_needed(entry) && entry->present_until_usec != 0;
}

static bool entry_is_guarded(const struct gate_entry *entry, uint64_t now) {
        (void)now;
        return entry_is_needed(entry);
}

static bool entry_is_admitted(const struct gate_entry *entry, uint64_t now) {
        return entry->wanted && entry->until_usec > now;
}

/* An admission that the kernel may still have. */
static bool entry_is_there(const struct gate_entry *entry, uint64_t now) {
        return entry->present_until_usec != 0 && entry->present_until_usec + SLACK_USEC > now;
}

static void writer_entry(const struct writer *writer, struct gate_text *text,
                         const struct gate_entry *entry) {
        const bool adds = strcmp(text->verb, "add") == 0;
        uint64_t msec = 1;

        if (!entry_is_admission(entry)) {
                gate_text_token(text, entry->token);
                return;
        }
        if (entry->until_usec > writer->now)
                msec = (entry->until_usec - writer->now + 999) / 1000;
        gate_text_admission(text, entry->token, &entry->source, adds ? msec : 0);
}

/* One command, for those entries of a family that match. */
static void writer_run(const struct writer *writer, struct gate_text text, uint16_t family,
                       bool (*matches)(const struct gate_entry *entry, uint64_t now)) {
        const struct gate_table *table = writer->table;
        const struct gate_entry *at = writer->whole ? table_first(table) : table->dirty;

        text.file = writer->file;
        for (; at; at = writer->whole ? table_behind_entry(table, at) : at->dirty_next)
                if (at->source.family == family && matches(at, writer->now))
                        writer_entry(writer, &text, at);
        gate_text_end(&text);
}

/* Adding an admission makes sure that it is there, whatever the kernel's clock says, so that
 * removing it can't fail; only then it can be added with a new time: before Linux 6.13, adding what
 * is there changes nothing. */
static void writer_admissions(const struct writer *writer, uint16_t family, const char *suffix) {
        const struct gate_text add = { .verb = "add", .set = GATE_ADMITTED, .suffix = suffix };
        struct gate_text delete = add;

        delete.verb = "delete";
        if (!writer->whole) {
                writer_run(writer, add, family, entry_is_there);
                writer_run(writer, delete, family, entry_is_there);
        }
        writer_run(writer, add, family, entry_is_admitted);
}

static void writer_tokens(const struct writer *writer) {
        const struct gate_text add = { .verb = "add", .set = GATE_GUARDED, .suffix = "" };
        struct gate_text delete = add;

        delete.verb = "delete";
        writer_run(writer, add, 0, writer->whole ? entry_is_guarded : entry_is_new);
        if (!writer->whole)
                writer_run(writer, delete, 0, entry_is_old);
}

static int writer_listeners(const struct writer *writer, uint16_t family, const char *suffix) {
        struct gate_listeners all = { 0 }, split = { 0 };
        struct gate_text text = { writer->file, "add", GATE_REQUIRED, suffix, 0 };
        const size_t max = (size_t)LIMIT_GATE_LISTENERS + LIMIT_GATE_ELEMENTS;
        const struct gate_table *table = writer->table;
        int r;

        r = gate_listeners_add(&all, table->listeners.list.items, table->listeners.list.n, max);
        if (r == 0)
                r = gate_listeners_add(&all, table->inherited.list.items, table->inherited.list.n,
                                       max);
        if (r == 0)
                r = gate_listeners_split(&all, family, &split);
        if (!writer->whole)
                fprintf(writer->file, "flush set inet " GATE_TABLE " " GATE_REQUIRED "%s\n",
                        suffix);
        for (uint32_t i = 0; r == 0 && i < split.list.n; i++)
                gate_text_listener(&text, &split.list.items[i]);
        gate_text_end(&text);
        gate_listeners_done(&all);
        gate_listeners_done(&split);
        return r;
}

static int writer_write(const struct writer *writer) {
        int r = 0;

        if (writer->whole)
                gate_text_template(writer->file);
        if (writer->whole || writer->table->listeners_dirty) {
                r = writer_listeners(writer, AF_INET, "4");
                if (r == 0)
                        r = writer_listeners(writer, AF_INET6, "6");
        }
        writer_tokens(writer);
        writer_admissions(writer, AF_INET, "4");
        writer_admissions(writer, AF_INET6, "6");
        return r;
}

static int table_text(struct gate_table *table, bool whole, uint64_t now, char **ret_text) {
        _cleanup_(freep) char *text = NULL;
        size_t n = 0;
        struct writer writer = { .table = table, .now = now, .whole = whole };
        int r;

        writer.file = open_memstream(&text, &n);
        if (!writer.file)
                return -ENOMEM;
        r = writer_write(&writer);
        if (fclose(writer.file) != 0 && r == 0)
                r = -ENOMEM;
        if (r < 0)
                return r;
        *ret_text = n > 0 ? TAKE_PTR(text) : NULL;
        return 0;
}

int gate_table_changes(struct gate_table *table, uint64_t now, char **ret_text) {
        *ret_text = NULL;
        if (!table->dirty && !table->listeners_dirty)
                return 0;
        return table_text(table, false, now, ret_text);
}

int gate_table_all(struct gate_table *table, uint64_t now, char **ret_text) {
        return table_text(table, true, now, ret_text);
}

void gate_table_written(struct gate_table *table, uint64_t now) {
        struct gate_entry *entry;

        while ((entry = table->dirty)) {
                table->dirty = entry->dirty_next;
                entry->dirty = false;
                if (!entry_is_needed(entry))
                        table_drop(table, entry);
                else if (entry_is_admission(entry))
                        entry->present_until_usec = entry->until_usec;
                else
                        entry->present_until_usec = FOREVER;
        }
        table->listeners_dirty = false;
        table_expire(table, now);
}
