/*
 * Runs a fuzzer's function without libFuzzer: on the files that are named, and on inputs made of
 * them by chance, always the same.
 *
 *         run COUNT FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fuzz.h"

#define INPUT_MAX 4096

struct input {
        size_t n;
        uint8_t data[INPUT_MAX];
};

static uint32_t chance(void) {
        static uint32_t state = 1;

        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        return state;
}

static int read_input(const char *path, struct input *input) {
        FILE *file = fopen(path, "re");

        if (!file) {
                perror(path);
                return -1;
        }
        input->n = fread(input->data, 1, sizeof(input->data), file);
        fclose(file);
        return 0;
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
        const size_t n = argc > 2 ? (size_t)argc - 2 : 0;
        struct input *inputs = calloc(n + 1, sizeof(*inputs)), mixed;

        if (!inputs || n == 0) {
                fprintf(stderr, "usage: run COUNT FILE...\n");
                free(inputs);
                return 2;
        }
        for (size_t i = 0; i < n; i++) {
                if (read_input(argv[i + 2], &inputs[i]) < 0)
                        return 2;
                run(&inputs[i]);
        }
        for (unsigned long i = 0; i < count; i++) {
                mix(&inputs[chance() % n], &inputs[chance() % n], &mixed);
                run(&mixed);
        }
        printf("%zu files and %lu mixtures\n", n, count);
        free(inputs);
        return 0;
}
