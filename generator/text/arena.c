/* arena.c: a list of blocks, each filled from its front.
 *
 * Invariant: bytes past `used` of a block are zero, so memory handed out needs no
 * clearing. A block is at least BLOCK_SIZE bytes; a request larger than a quarter of that gets a block
 * of its own behind the current one, so that the current block's rest is not lost. */
#include "text/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024, OWN_BLOCK_FROM = BLOCK_SIZE / 4 };

typedef struct Block Block;
struct Block {
    Block *next;
    size_t used, size;
    _Alignas(max_align_t) unsigned char bytes[];
};

struct Arena {
    Block *current; /* the one being filled; older ones behind it */
};

_Noreturn void arena_out_of_memory(void)
{
    fputs("samebits: out of memory; close other programs, or give this one fewer variants at a time\n",
          stderr);
    exit(1);
}

static Block *block_create(size_t size)
{
    if (size > SIZE_MAX - sizeof(Block)) {
        arena_out_of_memory();
    }
    Block *block = calloc(1, sizeof(Block) + size);
    if (!block) {
        arena_out_of_memory();
    }
    block->size = size;
    return block;
}

Arena *arena_create(void)
{
    Arena *arena = malloc(sizeof *arena);
    if (!arena) {
        arena_out_of_memory();
    }
    arena->current = block_create(BLOCK_SIZE);
    return arena;
}

void arena_destroy(Arena *arena)
{
    if (!arena) {
        return;
    }
    for (Block *block = arena->current; block;) {
        Block *next = block->next;
        free(block);
        block = next;
    }
    free(arena);
}

static void *own_block(Arena *arena, size_t bytes)
{
    Block *block = block_create(bytes);
    block->used = bytes;
    block->next = arena->current->next;
    arena->current->next = block;
    return block->bytes;
}

/* Rounds up to a multiple of the strictest alignment, so that the next request starts aligned. */
static size_t aligned_size(size_t count, size_t size)
{
    const size_t alignment = _Alignof(max_align_t);
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX - alignment) {
        arena_out_of_memory();
    }
    return (bytes + alignment - 1) / alignment * alignment;
}

void *arena_alloc(Arena *arena, size_t count, size_t size)
{
    const size_t bytes = aligned_size(count, size);
    if (bytes > OWN_BLOCK_FROM) {
        return own_block(arena, bytes);
    }
    if (bytes > arena->current->size - arena->current->used) {
        Block *block = block_create(BLOCK_SIZE);
        block->next = arena->current;
        arena->current = block;
    }
    void *memory = arena->current->bytes + arena->current->used;
    arena->current->used += bytes;
    return memory;
}

char *arena_copy(Arena *arena, const char *text)
{
    return arena_copy_bytes(arena, text, strlen(text));
}

char *arena_copy_bytes(Arena *arena, const char *text, size_t size)
{
    if (size == SIZE_MAX) {
        arena_out_of_memory();
    }
    char *copy = arena_alloc(arena, size + 1, 1);
    if (size > 0) { /* memcpy from NULL is undefined even for no bytes */
        memcpy(copy, text, size);
    }
    return copy;
}

char *arena_vprintf(Arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    const int size = vsnprintf(NULL, 0, format, arguments);
    if (size < 0) { /* only above INT_MAX characters */
        arena_out_of_memory();
    }
    char *text = arena_alloc(arena, (size_t)size + 1, 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return text;
}

char *arena_printf(Arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}
