/*
 * Columns and lines of `mptcpctl top`. Pure. See top-view.h.
 *
 * A narrow screen loses columns, the least telling first; a wide one makes some wider. A line of a
 * subflow has its own words in place of those of the connection, and the same columns of numbers.
 */
#include "top-view.h"
#include "../text.h"
#include "../../util/cleanup.h"

#include <stdio.h>
#include <string.h>

#define GAP         1
#define HEAD_RATES  3u  /* lines with the rates of interfaces, at most */
#define RATE_COLUMN 40u /* of one interface */

struct column_row {
        enum top_sort sort;
        const char *title;
        uint16_t least, most;
        uint8_t rank; /* those with a high one go first */
        bool number;
};

/* From left to right. */
static const struct column_row columns[] = {
        { TOP_SORT_TOKEN, "TOKEN", 10, 10, 9, false },
        { TOP_SORT_PROGRAM, "PROGRAM", 10, 15, 0, false },
        { TOP_SORT_PLUGIN, "PLUGIN", 8, 12, 5, false },
        { TOP_SORT_ROLE, "ROLE", 6, 6, 6, false },
        { TOP_SORT_POLICY, "POLICY", 8, 16, 7, false },
        { TOP_SORT_STATE, "STATE", 11, 11, 8, false },
        { TOP_SORT_SUBFLOWS, "SUBS", 4, 4, 4, true },
        { TOP_SORT_UP, "UP", 7, 7, 2, true },
        { TOP_SORT_DOWN, "DOWN", 7, 7, 1, true },
        { TOP_SORT_RTT, "RTT", 8, 8, 3, true },
        { TOP_SORT_RETRANSMITS, "RETRANS", 7, 7, 4, true },
        { TOP_SORT_REMOTE, "REMOTE", 16, TRAFFIC_ADDRESS, 10, false },
};

static size_t layout_width(const struct top_layout *layout) {
        size_t width = 0, i;

        for (i = 0; i < ARRAY_SIZE(columns); i++)
                if (layout->width[columns[i].sort])
                        width += layout->width[columns[i].sort] + (width ? GAP : 0);
        return width;
}

static const struct column_row *layout_last(const struct top_layout *layout) {
        const struct column_row *last = NULL;
        size_t i;

        for (i = 0; i < ARRAY_SIZE(columns); i++)
                if (layout->width[columns[i].sort] && (!last || columns[i].rank >= last->rank))
                        last = &columns[i];
        return last;
}

void top_layout(size_t width, struct top_layout *ret_layout) {
        struct top_layout layout = { .width = { 0 } };
        size_t i, spare;

        for (i = 0; i < ARRAY_SIZE(columns); i++)
                layout.width[columns[i].sort] = columns[i].least;
        while (layout_width(&layout) > width && layout_last(&layout)->rank > 0)
                layout.width[layout_last(&layout)->sort] = 0;
        spare = layout_width(&layout) < width ? width - layout_width(&layout) : 0;
        for (i = 0; i < ARRAY_SIZE(columns); i++) {
                uint16_t *its = &layout.width[columns[i].sort];
                size_t more = *its ? (size_t)(columns[i].most - columns[i].least) : 0;

                more = more < spare ? more : spare;
                *its = (uint16_t)(*its + more);
                spare -= more;
        }
        *ret_layout = layout;
}

/* Lines */

/* The line is built from the left; used: columns so far. */
struct writer {
        struct top_line *line;
        size_t bytes, used, width;
};

static struct writer writer_open(struct top_line *line, const struct top_view *view,
                                 enum top_look look) {
        struct writer writer = { .line = line, .width = view->columns };

        if (writer.width > TOP_WIDTH)
                writer.width = TOP_WIDTH;
        line->text[0] = '\0';
        line->look = look;
        line->mark_from = line->mark_to = 0;
        return writer;
}

/* At most that many columns of text; returns how many there are. */
static size_t writer_put(struct writer *writer, const char *text, size_t width) {
        size_t left = writer->width - writer->used, took;

        took = text_fit(text, width < left ? width : left, writer->line->text + writer->bytes,
                        sizeof(writer->line->text) - writer->bytes);
        writer->bytes += strlen(writer->line->text + writer->bytes);
        writer->used += took;
        return took;
}

static void writer_pad(struct writer *writer, size_t n) {
        while (n-- > 0)
                writer_put(writer, " ", 1);
}

/* A cell of that width; what is too long is cut. */
static void writer_cell(struct writer *writer, const char *text, size_t width, bool right) {
        char cut[TOP_LINE];
        size_t took = text_fit(text, width, cut, sizeof(cut));

        if (right)
                writer_pad(writer, width - took);
        writer_put(writer, cut, width);
        if (!right)
                writer_pad(writer, width - took);
}

static void count_format(uint64_t count, char text[static TEXT_SHORT]) {
        if (count < 1000000)
                snprintf(text, TEXT_SHORT, "%u", (unsigned int)count);
        else
                snprintf(text, TEXT_SHORT, "%.1fM", (double)count / 1e6);
}

/* The columns of numbers, "-" for what is not known. */
static void number_format(enum top_sort sort, const struct top_numbers *numbers, bool rated,
                          char text[static TEXT_SHORT]) {
        snprintf(text, TEXT_SHORT, "-");
        if (numbers->subflows == 0)
                return;
        if (sort == TOP_SORT_UP && rated)
                text_rate(numbers->up, text);
        else if (sort == TOP_SORT_DOWN && rated)
                text_rate(numbers->down, text);
        else if (sort == TOP_SORT_RTT && numbers->rtt_usec)
                text_duration(numbers->rtt_usec, text);
        else if (sort == TOP_SORT_RETRANSMITS)
                count_format(numbers->retransmits, text);
}

void top_layout_titles(const struct top_layout *layout, const struct top_view *view,
                       struct top_line *line) {
        struct writer writer = writer_open(line, view, TOP_LOOK_TITLES);
        size_t i;

        for (i = 0; i < ARRAY_SIZE(columns); i++) {
                const struct column_row *column = &columns[i];
                bool first = writer.used == 0;

                if (!layout->width[column->sort])
                        continue;
                writer_pad(&writer, first ? 0 : GAP);
                if (column->sort == view->sort)
                        line->mark_from = writer.bytes;
                writer_cell(&writer, column->title, layout->width[column->sort], column->number);
                if (column->sort == view->sort)
                        line->mark_to = writer.bytes;
        }
        writer_pad(&writer, writer.width - writer.used);
}

static void cell_of(enum top_sort sort, const struct top_data *data,
                    const struct top_connection *connection, char text[static TOP_PROGRAM]) {
        const char *word = "";
        char number[TEXT_SHORT];

        if (sort == TOP_SORT_PROGRAM)
                word = connection->program;
        else if (sort == TOP_SORT_PLUGIN)
                word = connection->plugin;
        else if (sort == TOP_SORT_ROLE)
                word = connection->role;
        else if (sort == TOP_SORT_POLICY)
                word = connection->policy;
        else if (sort == TOP_SORT_STATE)
                word = connection->state;
        else if (sort == TOP_SORT_REMOTE)
                word = connection->remote;
        else if (sort == TOP_SORT_TOKEN)
                snprintf(number, sizeof(number), "0x%08x", connection->token);
        else if (sort == TOP_SORT_SUBFLOWS)
                count_format(connection->subflows, number);
        else
                number_format(sort, &connection->numbers, data->now.rated, number);
        if (sort == TOP_SORT_TOKEN || sort == TOP_SORT_SUBFLOWS || sort == TOP_SORT_UP ||
            sort == TOP_SORT_DOWN || sort == TOP_SORT_RTT || sort == TOP_SORT_RETRANSMITS)
                word = number;
        snprintf(text, TOP_PROGRAM, "%s", *word ? word : "-");
}

void top_layout_connection(const struct top_layout *layout, const struct top_view *view,
                           const struct top_data *data, const struct top_connection *connection,
                           struct top_line *line) {
        bool chosen = connection->token == view->cursor;
        struct writer writer = writer_open(line, view, chosen ? TOP_LOOK_CURSOR : TOP_LOOK_PLAIN);
        char text[TOP_PROGRAM];
        size_t i;

        for (i = 0; i < ARRAY_SIZE(columns); i++) {
                const struct column_row *column = &columns[i];

                if (!layout->width[column->sort])
                        continue;
                writer_pad(&writer, writer.used ? GAP : 0);
                cell_of(column->sort, data, connection, text);
                writer_cell(&writer, text, layout->width[column->sort], column->number);
        }
        if (chosen)
                writer_pad(&writer, writer.width - writer.used);
}

/* "  lte0 established backup 198.51.100.1:40000", of which the end may be cut. */
static void subflow_words(const struct top_subflow *subflow, char *text, size_t size) {
        const char *backup = text_backup(subflow->backup, subflow->backup_remote);
        char words[24] = "";

        if (subflow->backup || subflow->backup_remote)
                snprintf(words, sizeof(words), " backup (%s)", backup);
        snprintf(text, size, "  %s %s%s %s", subflow->interface[0] ? subflow->interface : "?",
                 subflow->state, words, subflow->local);
}

void top_layout_subflow(const struct top_layout *layout, const struct top_view *view,
                        const struct top_data *data, const struct top_subflow *subflow,
                        struct top_line *line) {
        bool lost = strcmp(subflow->state, "dead") == 0;
        struct writer writer = writer_open(line, view, lost ? TOP_LOOK_LOST : TOP_LOOK_SUBFLOW);
        size_t i, room = 0;
        char text[256];

        for (i = 0; columns[i].sort != TOP_SORT_UP; i++)
                if (layout->width[columns[i].sort])
                        room += layout->width[columns[i].sort] + (room ? GAP : 0);
        subflow_words(subflow, text, sizeof(text));
        writer_cell(&writer, text, room, false);
        for (; i < ARRAY_SIZE(columns); i++) {
                if (!layout->width[columns[i].sort])
                        continue;
                writer_pad(&writer, GAP);
                number_format(columns[i].sort, &subflow->numbers, data->now.rated, text);
                writer_cell(&writer, columns[i].sort == TOP_SORT_REMOTE ? subflow->remote : text,
                            layout->width[columns[i].sort], columns[i].number);
        }
}

/* Head */

static size_t rates_per_line(const struct top_view *view) {
        size_t n = view->columns / RATE_COLUMN;

        return n ? n : 1;
}

size_t top_layout_head_lines(const struct top_view *view, const struct top_data *data) {
        size_t n = rates_per_line(view);
        size_t lines = (data->interfaces.n + 1 + n - 1) / n; /* that of all comes first */

        return 1 + (lines < HEAD_RATES ? lines : HEAD_RATES);
}

static void head_counts(const struct top_view *view, const struct top_data *data,
                        struct writer *writer) {
        char text[TOP_LINE];

        snprintf(text, sizeof(text),
                 "%u connection%s (%u established, %u fallback), %u subflows   every %.1f s by "
                 "%s%s%s%s%s",
                 data->connections.n, data->connections.n == 1 ? "" : "s", data->established,
                 data->fallback, data->totals.subflows, (double)view->interval_usec / 1e6,
                 top_sort_name(view->sort), view->reversed ? " reversed" : "",
                 view->paused ? "   PAUSED" : "", view->filter[0] ? "   only: " : "", view->filter);
        writer_put(writer, text, writer->width);
}

static void head_rate(const char *name, const struct top_numbers *numbers, bool rated,
                      struct writer *writer) {
        char text[160], up[TEXT_SHORT] = "-", down[TEXT_SHORT] = "-";

        if (rated) {
                text_rate(numbers->up, up);
                text_rate(numbers->down, down);
        }
        snprintf(text, sizeof(text), "up %s down %s", up, down);
        writer_cell(writer, name, RATE_COLUMN - 2 - strlen(text), false);
        writer_cell(writer, text, strlen(text) + 2, false);
}

void top_layout_head(const struct top_view *view, const struct top_data *data, size_t i,
                     struct top_line *line) {
        struct writer writer = writer_open(line, view, TOP_LOOK_HEAD);
        size_t n = rates_per_line(view), k;

        if (i == 0) {
                head_counts(view, data, &writer);
                return;
        }
        for (k = (i - 1) * n; k < i * n && k < data->interfaces.n + 1; k++)
                head_rate(k ? data->interfaces.items[k - 1].name : "all, bit/s",
                          k ? &data->interfaces.items[k - 1].numbers : &data->totals,
                          data->now.rated, &writer);
}
