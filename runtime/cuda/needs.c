/* needs.c: a reader of PTX directives, no more. Source: NVIDIA, PTX ISA: "Directives"; "Release notes" for
 * the table of versions. */
#include "cuda/needs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int isa, cuda; /* 75: 7.5; 11050: 11.5 */
} releases[] = {
    {60, 9000},  {61, 9010},  {62, 9020},  {63, 10000}, {64, 10010}, {65, 10020}, {70, 11000},
    {71, 11010}, {72, 11020}, {73, 11030}, {74, 11040}, {75, 11050}, {76, 11060}, {77, 11070},
    {78, 11080}, {80, 12000}, {81, 12010}, {82, 12020}, {83, 12030}, {84, 12040}, {85, 12050},
    {86, 12070}, {87, 12080}, {88, 12090}, {90, 13000}, {91, 13010},
};

/* Behind a directive at the beginning of a line, blanks skipped; NULL when the text has none. */
static const char *directive(const char *ptx, const char *name)
{
    const size_t length = strlen(name);
    for (const char *line = ptx; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *at = line + strspn(line, " \t\r");
        if (!strncmp(at, name, length) && isspace((unsigned char)at[length]))
            return at + length + strspn(at + length, " \t");
    }
    return NULL;
}

const char *cuda_needs_read(Arena *arena, const char *ptx, CudaNeeds *needs)
{
    const char *version = directive(ptx, ".version"), *target = directive(ptx, ".target");
    *needs = (CudaNeeds){0};
    if (!version || sscanf(version, "%d.%d", &needs->isa_major, &needs->isa_minor) != 2)
        return "the PTX has no .version; compile it again";
    if (!target || sscanf(target, "sm_%d", &needs->sm) != 1)
        return arena_printf(arena, "the PTX has no .target sm_NN; compile it again");
    target += strspn(target, "sm_0123456789");
    needs->exact = *target == 'a';
    return NULL;
}

int cuda_needs_driver(CudaNeeds needs)
{
    const int isa = 10 * needs.isa_major + needs.isa_minor;
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++)
        if (isa <= releases[i].isa)
            return releases[i].cuda;
    return 0;
}

const char *cuda_needs_why_not(Arena *arena, CudaNeeds needs, int driver, int capability_major,
                               int capability_minor)
{
    const int wanted = cuda_needs_driver(needs), capability = 10 * capability_major + capability_minor;
    if (wanted > driver)
        return arena_printf(
            arena,
            "skipped: the driver is too old: it knows CUDA %d.%d, PTX %d.%d needs %d.%d; update "
            "the driver",
            driver / 1000, driver % 1000 / 10, needs.isa_major, needs.isa_minor, wanted / 1000,
            wanted % 1000 / 10);
    if (capability < needs.sm || (needs.exact && capability != needs.sm))
        return arena_printf(arena, "skipped: the device has compute capability %d.%d, the PTX is for sm_%d%s",
                            capability_major, capability_minor, needs.sm,
                            needs.exact ? "a only" : " and later");
    return NULL; /* an ISA newer than the table is left to the driver */
}

/* ---- entry points ---- */

static const char *find_entry(const char *ptx, const char *entry)
{
    const size_t length = strlen(entry);
    for (const char *at = ptx; (at = strstr(at, ".entry")) != NULL;) {
        at += strlen(".entry");
        const char *name = at + strspn(at, " \t\r\n");
        if (name > at && !strncmp(name, entry, length)) {
            const char *behind = name + length + strspn(name + length, " \t\r\n");
            if (*behind == '(' || *behind == '{')
                return behind;
        }
    }
    return NULL;
}

static char type_letter(const char *type)
{
    if (!strncmp(type, ".u64", 4) || !strncmp(type, ".b64", 4) || !strncmp(type, ".s64", 4))
        return 'u';
    if (!strncmp(type, ".f32", 4) || !strncmp(type, ".b32", 4) || !strncmp(type, ".u32", 4))
        return 'f';
    return '?';
}

const char *cuda_entry_parameters(Arena *arena, const char *ptx, const char *entry)
{
    const char *at = find_entry(ptx, entry);
    if (!at)
        return NULL;
    if (*at != '(')
        return "";
    const size_t room = strcspn(at, ")");
    char *letters = arena_alloc(arena, room + 1, 1);
    int count = 0;
    for (const char *end = at + room; (at = strstr(at, ".param")) != NULL && at < end;) {
        at += strlen(".param");
        letters[count++] = type_letter(at + strspn(at, " \t\r\n"));
    }
    return letters;
}
