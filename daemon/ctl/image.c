/*
 * Both classes are read through one neutral struct, and both kinds of header tables by one loop.
 * A Go program has a section .go.buildinfo since Go 1.13 and a note "Go" with its build ID before
 * that; the note stays when a program is stripped of its section headers.
 */
#include "image.h"

#include <elf.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GO_SECTION   ".go.buildinfo"
#define GO_NOTE_NAME "Go\0" /* four bytes with its NUL */
#define GO_NOTE_TYPE 4u     /* the build ID */

struct view {
        const char *bytes;
        size_t n;
};

struct table {
        uint64_t offset;
        uint16_t n;
        uint16_t size; /* of an entry */
};

struct header {
        bool wide; /* 64 bits */
        struct table segments;
        struct table sections;
        uint16_t names; /* section with the names of the others */
};

/* What both kinds of headers come to. */
struct part {
        uint32_t type;
        uint32_t name; /* of a section: where in the names */
        uint64_t offset;
        uint64_t size;
};

/* The bytes of a part of the file, or NULL: not all of them are in it. */
static const void *view_at(const struct view *view, uint64_t offset, uint64_t size) {
        if (offset > view->n || size > view->n - offset)
                return NULL;
        return view->bytes + offset;
}

static bool header_read(const struct view *view, struct header *ret_header) {
        const unsigned char *ident = view_at(view, 0, EI_NIDENT);
        const unsigned char order = BYTE_ORDER == LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
        Elf64_Ehdr wide;
        Elf32_Ehdr narrow;

        if (!ident || memcmp(ident, ELFMAG, SELFMAG) != 0 || ident[EI_DATA] != order)
                return false;
        ret_header->wide = ident[EI_CLASS] == ELFCLASS64;
        if (ret_header->wide && view_at(view, 0, sizeof(wide))) {
                memcpy(&wide, ident, sizeof(wide));
                ret_header->segments =
                                (struct table){ wide.e_phoff, wide.e_phnum, wide.e_phentsize };
                ret_header->sections =
                                (struct table){ wide.e_shoff, wide.e_shnum, wide.e_shentsize };
                ret_header->names = wide.e_shstrndx;
                return true;
        }
        if (ident[EI_CLASS] != ELFCLASS32 || !view_at(view, 0, sizeof(narrow)))
                return false;
        memcpy(&narrow, ident, sizeof(narrow));
        ret_header->segments = (struct table){ narrow.e_phoff, narrow.e_phnum, narrow.e_phentsize };
        ret_header->sections = (struct table){ narrow.e_shoff, narrow.e_shnum, narrow.e_shentsize };
        ret_header->names = narrow.e_shstrndx;
        return true;
}

/* Entry i of a table, copied: nothing in a file is aligned. False: it is not in the file. */
static bool entry_copy(const struct view *view, const struct table *table, uint16_t i, void *to,
                       size_t size) {
        const void *from = NULL;

        if (i < table->n && table->size >= size && table->offset <= view->n)
                from = view_at(view, table->offset + (uint64_t)i * table->size, size);
        if (from)
                memcpy(to, from, size);
        return from;
}

static bool segment_read(const struct view *view, const struct header *header, uint16_t i,
                         struct part *ret_part) {
        Elf64_Phdr wide;
        Elf32_Phdr narrow;

        if (header->wide) {
                if (!entry_copy(view, &header->segments, i, &wide, sizeof(wide)))
                        return false;
                *ret_part = (struct part){ wide.p_type, 0, wide.p_offset, wide.p_filesz };
                return true;
        }
        if (!entry_copy(view, &header->segments, i, &narrow, sizeof(narrow)))
                return false;
        *ret_part = (struct part){ narrow.p_type, 0, narrow.p_offset, narrow.p_filesz };
        return true;
}

static bool section_read(const struct view *view, const struct header *header, uint16_t i,
                         struct part *ret_part) {
        Elf64_Shdr wide;
        Elf32_Shdr narrow;

        if (header->wide) {
                if (!entry_copy(view, &header->sections, i, &wide, sizeof(wide)))
                        return false;
                *ret_part = (struct part){ wide.sh_type, wide.sh_name, wide.sh_offset,
                                           wide.sh_size };
                return true;
        }
        if (!entry_copy(view, &header->sections, i, &narrow, sizeof(narrow)))
                return false;
        *ret_part = (struct part){ narrow.sh_type, narrow.sh_name, narrow.sh_offset,
                                   narrow.sh_size };
        return true;
}

/* Notes are four words and bytes padded to whole words, in both classes. */
static bool notes_have_go(const struct view *view, const struct part *part) {
        uint64_t at = part->offset, end = part->offset + part->size;

        if (!view_at(view, part->offset, part->size))
                return false;
        while (end - at >= sizeof(Elf64_Nhdr)) {
                Elf64_Nhdr note;
                uint64_t size;

                memcpy(&note, view->bytes + at, sizeof(note));
                size = sizeof(note) + ((uint64_t)note.n_namesz + 3) / 4 * 4 +
                       ((uint64_t)note.n_descsz + 3) / 4 * 4;
                if (size > end - at)
                        return false;
                if (note.n_type == GO_NOTE_TYPE && note.n_namesz == sizeof(GO_NOTE_NAME) &&
                    memcmp(view->bytes + at + sizeof(note), GO_NOTE_NAME, note.n_namesz) == 0)
                        return true;
                at += size;
        }
        return false;
}

static bool sections_have_go(const struct view *view, const struct header *header) {
        struct part names, part;
        uint16_t i;

        if (!section_read(view, header, header->names, &names) ||
            !view_at(view, names.offset, names.size))
                return false;
        for (i = 0; section_read(view, header, i, &part); i++)
                if (part.name < names.size && names.size - part.name >= sizeof(GO_SECTION) &&
                    memcmp(view->bytes + names.offset + part.name, GO_SECTION,
                           sizeof(GO_SECTION)) == 0)
                        return true;
        return false;
}

int image_look(const void *bytes, size_t n) {
        const struct view view = { bytes, n };
        struct header header;
        struct part part;
        int flags = 0;
        uint16_t i;

        if (!header_read(&view, &header))
                return -ENOEXEC;
        for (i = 0; i < header.segments.n; i++) {
                if (!segment_read(&view, &header, i, &part))
                        return -EBADMSG;
                if (part.type == PT_INTERP)
                        flags |= IMAGE_INTERP;
                else if (part.type == PT_NOTE && notes_have_go(&view, &part))
                        flags |= IMAGE_GO;
        }
        return sections_have_go(&view, &header) ? flags | IMAGE_GO : flags;
}
