/*
 * Runs a fuzzer's function without libFuzzer: on all files of directories, and on inputs made of
 * them by chance, always the same.
 *
 *         run COUNT DIRECTORY...
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"

#define INPUT_MAX  4096
#define INPUTS_MAX 1024

struct input {
        size_t n;
        uint8_t data[INPUT_MAX];
};

struct inputs {
        size_t n;
        struct input items[INPUTS_MAX];
};

static uint32_t chance(void) {
        static uint32_t state = 1;

        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
}

static void give_up(const char *what) {
        perror(what);
        exit(2);
}

static void read_input(const char *directory, const char *name, struct inputs *inputs) {
        struct input *input = &inputs->items[inputs->n];
        char path[4096];
        FILE *file;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        file = inputs->n < INPUTS_MAX ? fopen(path, "re") : NULL;
        if (!file)
                give_up(path);
        input->n = fread(input->data, 1, sizeof(input->data), file);
        inputs->n++;
        fclose(file);
}

/* In the order of their names: mixtures are the same everywhere. */
static void read_inputs(const char *directory, struct inputs *inputs) {
        struct dirent **entries;
        int n = scandir(directory, &entries, NULL, alphasort);

        if (n < 0)
                give_up(directory);
        for (int i = 0; i < n; i++) {
                if (entries[i]->d_name[0] != '.')
                        read_input(directory, entries[i]->d_name, inputs);
                free(entries[i]);
        }
        free(entries);
}

/* In a block of its own: a sanitizer sees what is read beyond it. */
static void run(const struct input *input) {
        uint8_t *data = malloc(input->n ? input->n : 1);

        if (!data)
                abort();
        memcpy(data, input->data, input->n);
        (void)LLVMFuzzerTestOneInput(data, input->n);
        free(data);
}

/* The beginning of one and the end of another, with some bytes changed. */
static void mix(const struct input *a, const struct input *b, struct input *mixed) {
        const size_t head = a->n ? chance() % a->n : 0, from = b->n ? chance() % b->n : 0;
        const size_t tail = b->n - from < INPUT_MAX - head ? b->n - from : INPUT_MAX - head;

        memcpy(mixed->data, a->data, head);
        memcpy(mixed->data + head, b->data + from, tail);
        mixed->n = head + tail;
        for (uint32_t i = chance() % 8; i > 0 && mixed->n > 0; i--)
                mixed->data[chance() % mixed->n] = (uint8_t)chance();
}

int main(int argc, char **argv) {
        const unsigned long count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
        struct inputs *inputs = calloc(1, sizeof(*inputs));
        struct input mixed;

        if (!inputs)
                give_up("run");
        for (int i = 2; i < argc; i++)
                read_inputs(argv[i], inputs);
        if (inputs->n == 0) {
                fprintf(stderr, "usage: run COUNT DIRECTORY..., which have files\n");
                free(inputs);
                return 2;
        }
        for (size_t i = 0; i < inputs->n; i++)
                run(&inputs->items[i]);
        for (unsigned long i = 0; i < count; i++) {
                mix(&inputs->items[chance() % inputs->n], &inputs->items[chance() % inputs->n],
                    &mixed);
                run(&mixed);
        }
        printf("%zu files and %lu mixtures\n", inputs->n, count);
        free(inputs);
        return 0;
}
