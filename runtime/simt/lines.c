/* lines.c: the line number program of DWARF 4, run until the row that covers an address.
 *
 * The whole table is decoded for one question: questions are asked once, when a kernel has failed. Every read
 * is checked against the end of its section; a table that is cut short or of another version answers nothing.
 */
#include "simt/lines.h"

#include "text/buffer.h"

#include <string.h>

/* ---- reading ---- */

typedef struct Bytes {
    const unsigned char *at, *end;
    bool broken;
} Bytes;

static uint64_t take(Bytes *bytes, int size)
{
    uint64_t value = 0;
    if (bytes->broken || bytes->end - bytes->at < size) {
        bytes->broken = true;
        return 0;
    }
    for (int i = 0; i < size; i++) { /* both machines are little-endian */
        value |= (uint64_t)bytes->at[i] << (8 * i);
    }
    bytes->at += size;
    return value;
}

static uint64_t take_leb(Bytes *bytes, bool is_signed)
{
    uint64_t value = 0;
    unsigned shift = 0, byte;
    do {
        byte = (unsigned)take(bytes, 1);
        value |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
        shift += 7;
    } while (byte & 0x80 && !bytes->broken);
    if (is_signed && byte & 0x40 && shift < 64) {
        value |= ~0ull << shift;
    }
    return value;
}

static const char *take_string(Bytes *bytes)
{
    const unsigned char *end = bytes->broken ? NULL : memchr(bytes->at, 0, (size_t)(bytes->end - bytes->at));
    if (!end) {
        bytes->broken = true;
        return "";
    }
    const char *text = (const char *)bytes->at;
    bytes->at = end + 1;
    return text;
}

static Bytes part(const Buffer *file, uint64_t offset, uint64_t size)
{
    const unsigned char *data = (const unsigned char *)file->data;
    if (offset > file->size || size > file->size - offset) {
        return (Bytes){NULL, NULL, true};
    }
    return (Bytes){data + offset, data + offset + size, false};
}

/* ---- ELF64 ---- */

typedef struct Section {
    uint64_t name, offset, size;
} Section;

static Section read_section(const Buffer *file, uint64_t table, uint64_t index, uint64_t entry)
{
    Bytes header = part(file, table + index * entry, 64);
    Section section = {take(&header, 4), 0, 0};
    take(&header, 4 + 8);
    take(&header, 8);
    section.offset = take(&header, 8);
    section.size = take(&header, 8);
    return section;
}

static Bytes find_section(const Buffer *file, const char *wanted)
{
    Bytes none = {NULL, NULL, true}, header = part(file, 0, 64);
    if (header.broken || memcmp(header.at, "\177ELF\2\1", 6) != 0) {
        return none;
    }
    header.at += 40;
    const uint64_t table = take(&header, 8);
    header.at += 4 + 2 + 2 + 2;
    const uint64_t entry = take(&header, 2), count = take(&header, 2), names_index = take(&header, 2);
    const Section names = read_section(file, table, names_index, entry);
    for (uint64_t i = 0; i < count; i++) {
        const Section section = read_section(file, table, i, entry);
        Bytes name = section.name < names.size
                         ? part(file, names.offset + section.name, names.size - section.name)
                         : none;
        if (strcmp(take_string(&name), wanted) == 0) {
            return part(file, section.offset, section.size);
        }
    }
    return none;
}

/* ---- the line number program ---- */

enum { FILES = 64, OPCODES = 256 };

typedef struct Program {
    unsigned minimum, maximum_operations, opcode_base, line_range;
    int line_base;
    unsigned char operands[OPCODES];
    const char *file[FILES];
    unsigned files;
} Program;

typedef struct Row {
    uint64_t address;
    uint64_t file, line;
    bool end;
} Row;

typedef struct Search {
    uint64_t address;
    Row previous;
    bool has_previous, found;
    Row row;
} Search;

static void emit_row(Search *search, const Row *row)
{
    if (search->has_previous && search->previous.address <= search->address &&
        search->address < row->address && search->previous.line > 0) {
        search->row = search->previous;
        search->found = true;
    }
    search->previous = *row;
    search->has_previous = !row->end;
}

static bool read_header(Bytes *unit, Program *program)
{
    if (take(unit, 2) != 4) {
        return false;
    }
    const uint64_t header = take(unit, 4);
    if (unit->broken || header > (uint64_t)(unit->end - unit->at)) {
        return false;
    }
    const unsigned char *start = unit->at + header;
    program->minimum = (unsigned)take(unit, 1);
    program->maximum_operations = (unsigned)take(unit, 1);
    take(unit, 1);
    program->line_base = (signed char)take(unit, 1);
    program->line_range = (unsigned)take(unit, 1);
    program->opcode_base = (unsigned)take(unit, 1);
    for (unsigned i = 1; i < program->opcode_base; i++) {
        program->operands[i] = (unsigned char)take(unit, 1);
    }
    while (!unit->broken && *take_string(unit)) { /* folders */
    }
    for (program->files = 1; !unit->broken;) {
        const char *name = take_string(unit);
        if (!*name) {
            break;
        }
        take_leb(unit, false);
        take_leb(unit, false);
        take_leb(unit, false);
        if (program->files < FILES) {
            program->file[program->files++] = name;
        }
    }
    if (unit->broken || program->line_range == 0) {
        return false;
    }
    unit->at = start;
    return true;
}

static void extended_opcode(Bytes *unit, Row *row, Search *search)
{
    const uint64_t size = take_leb(unit, false);
    if (unit->broken || size == 0 || size > (uint64_t)(unit->end - unit->at)) {
        unit->broken = true;
        return;
    }
    const unsigned char *next = unit->at + size;
    switch (take(unit, 1)) {
    case 1: /* DW_LNE_end_sequence */
        row->end = true;
        emit_row(search, row);
        *row = (Row){.file = 1, .line = 1};
        break;
    case 2: /* DW_LNE_set_address */
        row->address = take(unit, 8);
        break;
    default:
        break;
    }
    unit->at = next;
}

static void special_opcode(const Program *program, unsigned opcode, Row *row, Search *search)
{
    const unsigned adjusted = opcode - program->opcode_base;
    row->address += (uint64_t)(adjusted / program->line_range) * program->minimum;
    row->line += (uint64_t)(int64_t)(program->line_base + (int)(adjusted % program->line_range));
    emit_row(search, row);
}

static void standard_opcode(const Program *program, Bytes *unit, unsigned opcode, Row *row, Search *search)
{
    switch (opcode) {
    case 1: /* DW_LNS_copy */
        emit_row(search, row);
        break;
    case 2: /* DW_LNS_advance_pc */
        row->address += take_leb(unit, false) * program->minimum;
        break;
    case 3: /* DW_LNS_advance_line */
        row->line += take_leb(unit, true);
        break;
    case 4: /* DW_LNS_set_file */
        row->file = take_leb(unit, false);
        break;
    case 8: /* DW_LNS_const_add_pc */
        row->address += (uint64_t)((255 - program->opcode_base) / program->line_range) * program->minimum;
        break;
    case 9: /* DW_LNS_fixed_advance_pc */
        row->address += take(unit, 2);
        break;
    default:
        for (unsigned i = 0; i < program->operands[opcode]; i++) {
            take_leb(unit, false);
        }
        break;
    }
}

/* True when this unit has the address. */
static bool run_unit(Bytes unit, Program *program, Search *search)
{
    if (!read_header(&unit, program)) {
        return false;
    }
    Row row = {.file = 1, .line = 1};
    search->has_previous = false;
    while (!unit.broken && unit.at < unit.end && !search->found) {
        const unsigned opcode = (unsigned)take(&unit, 1);
        if (opcode >= program->opcode_base) {
            special_opcode(program, opcode, &row, search);
        } else if (opcode == 0) {
            extended_opcode(&unit, &row, search);
        } else {
            standard_opcode(program, &unit, opcode, &row, search);
        }
    }
    return search->found;
}

static bool search_units(Bytes table, Program *program, Search *search)
{
    while (!table.broken && table.at < table.end) {
        const uint64_t size = take(&table, 4);
        if (table.broken || size > (uint64_t)(table.end - table.at)) {
            return false;
        }
        *program = (Program){0};
        if (run_unit((Bytes){table.at, table.at + size, false}, program, search)) {
            return true;
        }
        table.at += size;
    }
    return false;
}

bool lines_find(Arena *arena, const char *path, uint64_t offset, const char **file, unsigned *line)
{
    enum { LIMIT = 64 << 20 };
    Buffer object = {0};
    if (buffer_read_file(&object, path, LIMIT)) {
        buffer_destroy(&object);
        return false;
    }
    Program program = {0};
    Search search = {.address = offset};
    const bool found = search_units(find_section(&object, ".debug_line"), &program, &search) &&
                       search.row.file < program.files && program.file[search.row.file];
    if (found) {
        *file = arena_copy(arena, program.file[search.row.file]);
        *line = (unsigned)search.row.line;
    }
    buffer_destroy(&object);
    return found;
}
