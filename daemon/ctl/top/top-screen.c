/*
 * ncurses. See top-screen.h.
 *
 * A handler of fatal signals can't call it, so what the terminal wants to hear at the end is worked
 * out at the start. That is the one global of mptcpctl: a handler gets nothing else.
 */
#include "top-screen.h"
#include "../../util/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

/* The wide interface, whose get_wch() reads characters and not bytes. */
#define NCURSES_WIDECHAR 1
#include <curses.h>
#include <term.h>

#define ESCAPE_MSEC 25 /* that the rest of a key's sequence may come after its first byte */

static const int fatal_signals[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT };

struct top_screen {
        SCREEN *screen;
        attr_t looks[_TOP_LOOK_MAX];
};

static struct {
        struct termios termios;
        char text[512]; /* what is written */
        size_t len;
} last_words;

static int last_words_put(int c) {
        if (last_words.len < sizeof(last_words.text))
                last_words.text[last_words.len++] = (char)c;
        return c;
}

/* A string of the terminal's description; NULL: it has none such. */
static const char *capability_find(const char *capability) {
        char name[8], *text;

        snprintf(name, sizeof(name), "%s", capability);
        text = tigetstr(name);
        return (intptr_t)text == -1 ? NULL : text;
}

static void last_words_add(const char *capability) {
        const char *text = capability_find(capability);

        if (text)
                tputs(text, 1, last_words_put);
}

static void on_fatal(int signum) {
        ssize_t n = write(STDOUT_FILENO, last_words.text, last_words.len);

        (void)n;
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &last_words.termios);
        (void)raise(signum); /* its action is the default one again: SA_RESETHAND */
}

static void screen_catch(bool on) {
        struct sigaction action = { .sa_flags = on ? (int)SA_RESETHAND : 0 };
        size_t i;

        sigemptyset(&action.sa_mask);
        action.sa_handler = on ? on_fatal : SIG_DFL;
        for (i = 0; i < ARRAY_SIZE(fatal_signals); i++)
                (void)sigaction(fatal_signals[i], &action, NULL);
}

/* Before the terminal is changed, but when it is known. */
static void screen_prepare_end(void) {
        static const char *const capabilities[] = { "sgr0", "rmkx", "cnorm", "rmcup" };
        size_t i;

        last_words.len = 0;
        for (i = 0; i < ARRAY_SIZE(capabilities); i++)
                last_words_add(capabilities[i]);
}

static void screen_set_looks(struct top_screen *screen) {
        const char *refused = getenv("NO_COLOR");
        bool colours = has_colors() && !(refused && *refused);

        screen->looks[TOP_LOOK_HEAD] = A_BOLD;
        screen->looks[TOP_LOOK_TITLES] = A_REVERSE;
        screen->looks[TOP_LOOK_CURSOR] = A_BOLD | A_UNDERLINE;
        screen->looks[TOP_LOOK_LOST] = A_BOLD;
        screen->looks[TOP_LOOK_NOTICE] = A_REVERSE;
        if (!colours || start_color() == ERR || use_default_colors() == ERR)
                return;
        init_pair(1, COLOR_CYAN, -1);
        init_pair(2, COLOR_RED, -1);
        screen->looks[TOP_LOOK_SUBFLOW] = (attr_t)COLOR_PAIR(1);
        screen->looks[TOP_LOOK_LOST] = (attr_t)COLOR_PAIR(2) | A_BOLD;
}

static void screen_open(struct top_screen *screen) {
        set_term(screen->screen);
        cbreak();
        noecho();
        nonl();
        nodelay(stdscr, TRUE);
        keypad(stdscr, TRUE);
        set_escdelay(ESCAPE_MSEC);
        curs_set(0);
        screen_set_looks(screen);
}

/* Does the terminal do what is needed? What it wants to hear at the end is noted. 0 or -ENOTSUP. */
static int screen_probe(void) {
        const char *name = getenv("TERM");
        bool good;
        int error;

        if (!name || strcmp(name, "dumb") == 0 || setupterm(NULL, STDOUT_FILENO, &error) == ERR)
                return -ENOTSUP;
        good = capability_find("cup") != NULL;
        screen_prepare_end();
        del_curterm(cur_term);
        return good ? 0 : -ENOTSUP;
}

int top_screen_new(struct top_screen **ret_screen) {
        struct top_screen *screen;
        int r;

        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
            tcgetattr(STDIN_FILENO, &last_words.termios) < 0)
                return -ENOTTY;
        r = screen_probe();
        if (r < 0)
                return r;
        screen = calloc(1, sizeof(*screen));
        if (!screen)
                return -ENOMEM;
        screen->screen = newterm(NULL, stdout, stdin);
        if (!screen->screen) {
                free(screen);
                return -ENOTSUP;
        }
        screen_catch(true);
        screen_open(screen);
        *ret_screen = screen;
        return 0;
}

void top_screen_free(struct top_screen *screen) {
        if (!screen)
                return;
        endwin();
        screen_catch(false);
        delscreen(screen->screen);
        free(screen);
}

int top_screen_fd(const struct top_screen *screen) {
        (void)screen;
        return STDIN_FILENO;
}

struct key_row {
        wint_t code;
        enum top_key key;
};

static const struct key_row keys[] = {
        { KEY_UP, TOP_KEY_UP },         { KEY_DOWN, TOP_KEY_DOWN },
        { KEY_LEFT, TOP_KEY_LEFT },     { KEY_RIGHT, TOP_KEY_RIGHT },
        { KEY_PPAGE, TOP_KEY_PAGE_UP }, { KEY_NPAGE, TOP_KEY_PAGE_DOWN },
        { KEY_HOME, TOP_KEY_HOME },     { KEY_END, TOP_KEY_END },
        { KEY_ENTER, TOP_KEY_ENTER },   { KEY_BACKSPACE, TOP_KEY_BACKSPACE },
};

#define CONTROL(c) ((c)&0x1f)

uint32_t top_screen_key(struct top_screen *screen) {
        wint_t code;
        int r;
        size_t i;

        for (;;) {
                r = get_wch(&code);
                if (r == ERR)
                        return 0;
                if (r == OK && code == CONTROL('l'))
                        top_screen_refresh(screen);
                else if (r == OK && code == CONTROL('['))
                        return TOP_KEY_ESCAPE;
                else if (r == OK && code != 0)
                        return (uint32_t)code;
                for (i = 0; r == KEY_CODE_YES && i < ARRAY_SIZE(keys); i++)
                        if (keys[i].code == code)
                                return keys[i].key;
        }
}

void top_screen_size(struct top_screen *screen, size_t *ret_rows, size_t *ret_columns) {
        struct winsize size;

        (void)screen;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
            (size.ws_row != LINES || size.ws_col != COLS))
                resizeterm(size.ws_row, size.ws_col);
        *ret_rows = (size_t)LINES;
        *ret_columns = (size_t)COLS;
}

static void on_line(size_t row, const struct top_line *line, void *userdata) {
        const struct top_screen *screen = userdata;
        const attr_t look = screen->looks[line->look];

        /* The last column of the last line can't be written without an error, which is none. */
        (void)attrset((int)look);
        (void)mvaddnstr((int)row, 0, line->text, (int)line->mark_from);
        (void)attrset((int)(look ^ A_REVERSE) | A_BOLD);
        (void)addnstr(line->text + line->mark_from, (int)(line->mark_to - line->mark_from));
        (void)attrset((int)look);
        (void)addstr(line->text + line->mark_to);
}

void top_screen_draw(struct top_screen *screen, const struct top_view *view,
                     const struct top_data *data) {
        erase();
        top_view_render(view, data, on_line, screen);
        refresh();
}

void top_screen_refresh(struct top_screen *screen) {
        (void)screen;
        clearok(curscr, TRUE);
        refresh();
}
