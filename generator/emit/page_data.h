/* page_data.h: a plan as the data of templates/cpu/rows.c: strings and lists, nothing left to decide. */
#ifndef SAMEBITS_PAGE_DATA_H
#define SAMEBITS_PAGE_DATA_H

#include "emit/spell.h"

/* Everything but `head` and `functions`, which source.c adds. The caller owns the result. */
json_t *page_data_of_plan(Speller *speller, const char *symbol);

/* The parts, each in its own file. */
json_t *page_reductions(Speller *speller, bool *chunks, bool *lanes); /* page_reductions.c */
json_t *page_vector(Speller *speller, const PlanReduction *reduction,
                    const PlanNode *node);                                                 /* page_vector.c */
json_t *page_warp(Speller *speller, const PlanReduction *reduction, const PlanNode *node); /* page_warp.c */
bool page_wide_state(const Plan *plan);       /* some reduction accumulates in binary64 */
const char *page_part_type(Speller *speller); /* of a block's shared partials */
json_t *page_entries(Speller *speller, const char *symbol);
bool page_has_long_rows(const Plan *plan); /* one row can be spread over many blocks */
void page_add_long_rows(Speller *speller, const char *symbol, json_t *data);
void page_add_join(Speller *speller, const PlanReduction *reduction, json_t *record);
/* page_reductions.c */                 /* entry points of a GPU source: page_entries.c */
json_t *page_outputs(Speller *speller); /* page_outputs.c */
/* Ranks (page_mpi.c): is a reduced axis shared by ranks; what the pages of mpi need besides the others' data.
 */
bool page_spreads(const Plan *plan);
void page_add_ranks(Speller *speller, const Variant *variant, json_t *data);

/* What a pass that computes `roots` reads from outside: records {type, name, value} of pointers and of values
 * constant over the row; as locals, as parameters ("const float *x, ") and as arguments ("x, ") of a function
 * that does one element or vector. */
json_t *page_reads(Speller *speller, Pass pass, const Expr *const *roots, int count);
json_t *page_locals(Arena *arena, const json_t *reads);
const char *page_read_parameters(Arena *arena, const json_t *reads);
const char *page_read_arguments(Arena *arena, const json_t *reads);

json_t *
page_kinds(Speller *speller); /* per kind of reduction, what all of that kind share: page_reductions.c */

/* C text of nodes (page_reductions.c). */
const char *page_fold_lanes(Speller *speller, const PlanReduction *reduction, const PlanNode *vector);
const char *page_reduction_name(Speller *speller, const PlanReduction *reduction);
const char *page_node_call(Speller *speller, const PlanReduction *reduction, const PlanNode *node,
                           const char *span);
/* A reduction whose parts all threads can share: the fold at the end of the root's chain of cuts, else NULL.
 */
/* Its item number `k` (C text). */
const char *page_item(Speller *speller, const PlanReduction *reduction, const PlanNode *node, const char *k);
const PlanNode *page_wide_fold(const PlanReduction *reduction);

bool page_streams(const Speller *speller); /* outputs can be stored around the cache */
bool page_turns(const Speller *speller);   /* rows can be written from either end */
bool page_uses_auto_parts(const Plan *plan);
bool page_reads_in_outputs(Speller *speller, const Expr *input); /* the last pass reads this input */
bool page_has_outputs(const Speller *speller);                   /* some output varies along the axis */
/* Place of the current row in a tensor: "(at_m * n + at_n) * k". */
const char *page_offset(Speller *speller, const Tensor *tensor);

/* Statements that find the row's place along each parallel axis from its number `r`. */
void page_row_indices(Speller *speller, json_t *lines);
const char *page_row_count(Speller *speller); /* the product of the parallel axes */

enum {
    PAGE_ROWS_AT_ONCE = 4,
    PAGE_SHORT_ROW = 1024,
    PAGE_MANY_ROWS = 64,
    PAGE_TURNED_ROW = 3072,
    PAGE_STREAMED_ROW = 32768,
    PAGE_PANEL = 4096,
    PAGE_LONG_VALUES = 16, /* places of the workspace for reductions' values */
    PAGE_BLOCK_PANEL = 1024,
    PAGE_CLASSES = 64,
    PAGE_WIDE_FROM = 65536,
    PAGE_PARALLEL_FROM = 16384,
    PAGE_ONE_PART = 16384
};

#endif
