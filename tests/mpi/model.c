/* model.c: how many nodes ranks hold, against a simulation that pushes part after part on a stack and joins
 * what the tree joins. The tree is built level by level, as docs/contract.md says it; nothing is shared with
 * dual_tree.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mpi/dual_tree.h"

/* ---- the tree, level by level ---- */

enum { PARTS_LIMIT = 700, NODES_LIMIT = 2 * PARTS_LIMIT };

typedef struct Interval {
    size_t first, end;
} Interval;

typedef struct Tree {
    size_t parts;
    uint16_t (
        *right_end)[PARTS_LIMIT + 1]; /* [first][end]: where the right sibling of this left child ends */
} Tree;

static Tree tree_of(size_t parts)
{
    Tree tree = {parts, calloc(PARTS_LIMIT + 1, sizeof *tree.right_end)};
    Interval *level = calloc(PARTS_LIMIT + 1, sizeof *level);
    size_t count = parts;
    assert_true(tree.right_end && level && parts <= PARTS_LIMIT);
    for (size_t i = 0; i < parts; i++)
        level[i] = (Interval){i, i + 1};
    while (count > 1) {
        size_t next = 0;
        for (size_t i = 0; i < count; i += 2) {
            const Interval left = level[i];
            if (i + 1 < count)
                tree.right_end[left.first][left.end] = (uint16_t)level[i + 1].end;
            level[next++] = (Interval){left.first, i + 1 < count ? level[i + 1].end : left.end};
        }
        count = next;
    }
    free(level);
    return tree;
}

static void tree_free(Tree *tree)
{
    free(tree->right_end);
}

typedef struct Stack {
    Interval node[NODES_LIMIT];
    size_t count;
} Stack;

static void push(Stack *stack, const Tree *tree, Interval node)
{
    stack->node[stack->count++] = node;
    while (stack->count > 1) {
        Interval *left = &stack->node[stack->count - 2], right = stack->node[stack->count - 1];
        if (tree->right_end[left->first][left->end] != right.end)
            return;
        assert_int_equal(left->end, right.first);
        left->end = right.end;
        stack->count--;
    }
}

static Stack push_range(const Tree *tree, size_t first, size_t end)
{
    Stack stack = {.count = 0};
    for (size_t i = first; i < end; i++)
        push(&stack, tree, (Interval){i, i + 1});
    return stack;
}

/* ---- tests ---- */

static void check_range(const Tree *tree, size_t first, size_t end)
{
    const Stack stack = push_range(tree, first, end);
    const long nodes = dual_tree_nodes(tree->parts, first, end);
    if (nodes != (long)stack.count)
        fail_msg("parts %zu, range %zu..%zu: %ld nodes, the simulation leaves %zu", tree->parts, first, end,
                 nodes, stack.count);
    if (nodes > dual_tree_bound(tree->parts))
        fail_msg("parts %zu, range %zu..%zu: %ld nodes are above the bound %ld", tree->parts, first, end,
                 nodes, dual_tree_bound(tree->parts));
}

static void test_every_cut_into_two(void **state)
{
    (void)state;
    for (size_t parts = 1; parts <= 400; parts++) {
        Tree tree = tree_of(parts);
        for (size_t cut = 0; cut <= parts; cut++) {
            check_range(&tree, 0, cut);
            check_range(&tree, cut, parts);
        }
        assert_int_equal(dual_tree_nodes(parts, 0, parts), 1);
        tree_free(&tree);
    }
}

static void test_every_range(void **state)
{
    (void)state;
    for (size_t parts = 1; parts <= 70; parts++) {
        Tree tree = tree_of(parts);
        for (size_t first = 0; first <= parts; first++)
            for (size_t end = first; end <= parts; end++)
                check_range(&tree, first, end);
        tree_free(&tree);
    }
}

/* The bound is reached, so none below it would do. */
static void test_bound_is_tight(void **state)
{
    (void)state;
    for (size_t parts = 16; parts <= 512; parts *= 2) {
        long most = 0;
        for (size_t first = 0; first <= parts; first++)
            for (size_t end = first; end <= parts; end++) {
                const long nodes = dual_tree_nodes(parts, first, end);
                most = nodes > most ? nodes : most;
            }
        assert_in_range(most, dual_tree_bound(parts) - 2, dual_tree_bound(parts));
    }
}

static uint32_t random_below(uint32_t *state, uint32_t limit)
{
    *state = *state * UINT32_C(1664525) + UINT32_C(1013904223);
    return (uint32_t)((uint64_t)*state * limit >> 32);
}

static int compare_sizes(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Random cuts into up to 16 ranges, empty ones among them; neighbouring ranges are pushed together in random
 * groups, as a tree of ranks does: the same nodes as of the whole range, and one in the end. */
static void test_random_cuts_join_to_one(void **state)
{
    enum { TIMES = 1500, RANKS = 16 };
    uint32_t seed = 7;
    (void)state;
    for (int time = 0; time < TIMES; time++) {
        const size_t parts = 1 + random_below(&seed, 600);
        const size_t ranks = 1 + random_below(&seed, RANKS);
        size_t cut[RANKS + 1] = {0};
        Tree tree = tree_of(parts);
        Stack all = {.count = 0}, group = {.count = 0};
        size_t group_first = 0;
        for (size_t r = 1; r < ranks; r++)
            cut[r] = random_below(&seed, (uint32_t)parts + 1);
        cut[ranks] = parts;
        qsort(cut, ranks + 1, sizeof *cut, compare_sizes);
        for (size_t r = 0; r < ranks; r++) {
            check_range(&tree, cut[r], cut[r + 1]);
            const Stack own = push_range(&tree, cut[r], cut[r + 1]);
            for (size_t i = 0; i < own.count; i++)
                push(&group, &tree, own.node[i]);
            assert_int_equal(group.count, dual_tree_nodes(parts, group_first, cut[r + 1]));
            if (r + 1 < ranks && random_below(&seed, 2))
                continue;
            for (size_t i = 0; i < group.count; i++)
                push(&all, &tree, group.node[i]);
            group.count = 0;
            group_first = cut[r + 1];
        }
        assert_int_equal(all.count, 1);
        tree_free(&tree);
    }
}

static void test_large(void **state)
{
    (void)state;
    assert_int_equal(dual_tree_nodes((size_t)1 << 62, 0, (size_t)1 << 62), 1);
    assert_int_equal(dual_tree_nodes(SIZE_MAX / 2, 0, SIZE_MAX / 2), 1);
    assert_int_equal(dual_tree_nodes(SIZE_MAX / 2, 5, 5), 0);
    assert_int_equal(dual_tree_nodes((size_t)1 << 40, 1, ((size_t)1 << 40) - 1), 78);
    assert_int_equal(dual_tree_bound((size_t)1 << 40), 80);
    assert_int_equal(dual_tree_bound(1), 1);
    assert_int_equal(dual_tree_bound(2), 2);
    assert_int_equal(dual_tree_bound(5), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_cut_into_two),
        cmocka_unit_test(test_every_range),
        cmocka_unit_test(test_bound_is_tight),
        cmocka_unit_test(test_random_cuts_join_to_one),
        cmocka_unit_test(test_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
