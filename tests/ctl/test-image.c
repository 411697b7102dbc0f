/*
 * ctl/image: ELF files made here, of both classes, sound and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../daemon/ctl/image.h"
#include "../../daemon/util/cleanup.h"

#define NAMES     "\0.go.buildinfo\0.text"
#define NAME_GO   1u
#define NAME_TEXT 15u

struct note {
        Elf64_Nhdr header;
        char name[4];
        char id[8];
};

/* A file of the wide class: headers, a note, two sections and their names. */
struct wide {
        Elf64_Ehdr header;
        Elf64_Phdr segments[2];
        struct note note;
        Elf64_Shdr sections[3];
        char names[sizeof(NAMES)];
};

struct narrow {
        Elf32_Ehdr header;
        Elf32_Phdr segments[1];
};

static const unsigned char order =
                __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB;

static struct wide wide_make(uint32_t first, uint32_t second, const char *note, uint32_t section) {
        struct wide file = {
                .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, order, EV_CURRENT },
                            .e_phoff = offsetof(struct wide, segments),
                            .e_phnum = 2,
                            .e_phentsize = sizeof(Elf64_Phdr),
                            .e_shoff = offsetof(struct wide, sections),
                            .e_shnum = 3,
                            .e_shentsize = sizeof(Elf64_Shdr),
                            .e_shstrndx = 2 },
                .segments = { { .p_type = first,
                                .p_offset = offsetof(struct wide, note),
                                .p_filesz = sizeof(struct note) },
                              { .p_type = second,
                                .p_offset = offsetof(struct wide, note),
                                .p_filesz = sizeof(struct note) } },
                .note = { .header = { .n_namesz = 4, .n_descsz = 8, .n_type = 4 } },
                .sections = { { .sh_name = 0 },
                              { .sh_name = section },
                              { .sh_name = NAME_TEXT,
                                .sh_offset = offsetof(struct wide, names),
                                .sh_size = sizeof(NAMES) } },
                .names = NAMES,
        };

        memcpy(file.note.name, note, sizeof(file.note.name));
        return file;
}

static void test_look_at_kinds_of_programs(void **state) {
        static const struct {
                uint32_t first, second;
                const char *note;
                uint32_t section;
                int flags;
        } cases[] = {
                { PT_LOAD, PT_INTERP, "GNU", NAME_TEXT, IMAGE_INTERP },
                { PT_LOAD, PT_LOAD, "GNU", NAME_TEXT, 0 },
                { PT_LOAD, PT_DYNAMIC, "GNU", NAME_TEXT, 0 }, /* static-PIE */
                { PT_LOAD, PT_LOAD, "GNU", NAME_GO, IMAGE_GO },
                { PT_NOTE, PT_LOAD, "Go\0", NAME_TEXT, IMAGE_GO },
                { PT_NOTE, PT_INTERP, "Go\0", NAME_TEXT, IMAGE_GO | IMAGE_INTERP },
                { PT_NOTE, PT_INTERP, "GNU", NAME_TEXT, IMAGE_INTERP },
                { PT_LOAD, PT_INTERP, "Go\0", NAME_TEXT, IMAGE_INTERP }, /* no note */
        };
        size_t i;

        (void)state;
        for (i = 0; i < ARRAY_SIZE(cases); i++) {
                struct wide file = wide_make(cases[i].first, cases[i].second, cases[i].note,
                                             cases[i].section);

                assert_int_equal(image_look(&file, sizeof(file)), cases[i].flags);
        }
}

static void test_look_at_narrow_class_finds_interpreter(void **state) {
        struct narrow file = {
                .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, order, EV_CURRENT },
                            .e_phoff = offsetof(struct narrow, segments),
                            .e_phnum = 1,
                            .e_phentsize = sizeof(Elf32_Phdr) },
                .segments = { { .p_type = PT_INTERP } },
        };

        (void)state;
        assert_int_equal(image_look(&file, sizeof(file)), IMAGE_INTERP);
        file.segments[0].p_type = PT_LOAD;
        assert_int_equal(image_look(&file, sizeof(file)), 0);
}

static void test_look_at_other_files_is_no_program(void **state) {
        struct wide file = wide_make(PT_LOAD, PT_INTERP, "GNU", NAME_TEXT);

        (void)state;
        assert_int_equal(image_look("#!/bin/sh\n", 10), -ENOEXEC);
        assert_int_equal(image_look("", 0), -ENOEXEC);
        assert_int_equal(image_look(&file, sizeof(file.header) - 1), -ENOEXEC);
        file.header.e_ident[EI_CLASS] = 3;
        assert_int_equal(image_look(&file, sizeof(file)), -ENOEXEC);
        file.header.e_ident[EI_CLASS] = ELFCLASS64;
        file.header.e_ident[EI_DATA] = order == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
        assert_int_equal(image_look(&file, sizeof(file)), -ENOEXEC);
}

static void test_look_at_truncated_segments_fails(void **state) {
        struct wide file = wide_make(PT_LOAD, PT_INTERP, "GNU", NAME_TEXT);

        (void)state;
        assert_int_equal(image_look(&file, offsetof(struct wide, note) - 1), -EBADMSG);
        file.header.e_phoff = UINT64_MAX - 8;
        assert_int_equal(image_look(&file, sizeof(file)), -EBADMSG);
        file.header.e_phoff = offsetof(struct wide, segments);
        file.header.e_phentsize = 8;
        assert_int_equal(image_look(&file, sizeof(file)), -EBADMSG);
}

/* Of every prefix, and with every byte changed, in memory of just that size. */
static void test_look_at_damage_stays_inside(void **state) {
        const struct wide file = wide_make(PT_NOTE, PT_INTERP, "Go\0", NAME_GO);
        const size_t size = sizeof(file);
        size_t n, i;

        (void)state;
        for (n = 0; n <= size; n++) {
                _cleanup_(freep) void *part = malloc(n + 1);

                memcpy(part, &file, n);
                (void)image_look(part, n);
        }
        for (i = 0; i < size; i++) {
                _cleanup_(freep) unsigned char *copy = malloc(size);

                memcpy(copy, &file, size);
                copy[i] ^= 0xff;
                (void)image_look(copy, size);
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_look_at_kinds_of_programs),
                cmocka_unit_test(test_look_at_narrow_class_finds_interpreter),
                cmocka_unit_test(test_look_at_other_files_is_no_program),
                cmocka_unit_test(test_look_at_truncated_segments_fails),
                cmocka_unit_test(test_look_at_damage_stays_inside),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
