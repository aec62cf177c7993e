/* compare.h: what a spec's comparison shows: methods side by side, or rows alone against rows in a batch. */
#ifndef SAMEBITS_COMPARE_H
#define SAMEBITS_COMPARE_H

#include "bench/outcome.h"

/* The "compare" object of bench.json, or NULL when the spec asks for none. `pass` holds the times of the
 * first shape; NULL when nothing was timed. One row per contract, on the widest target that has it: targets
 * do not change bits. */
json_t *compare_to_json(Arena *arena, const Family *family, const LineUp *line_up, const Pass *pass,
                        int threads);

/* The sentences, from the rows alone. */
typedef struct MethodFact {
    const char *label;
    double time_ns, run_to_run, from_standard, max_ulps;
    bool deterministic;
    double gain_low,
        gain_high; /* interval of how many times as fast as the fastest deterministic one; 0, 0: not known */
} MethodFact;
/* The index of the method to use: among the deterministic ones that are no less accurate than the first row
 * (by more than half an ulp) the fastest; -1 when there is none. */
int compare_choose_method(const MethodFact *fact, int facts);
const char *compare_recommend(Arena *arena, const MethodFact *fact, int facts);

typedef struct BatchFact {
    const char *label;
    int batch;
    size_t rows, differing;
    double difference;
} BatchFact;
const char *compare_find_batch(Arena *arena, const BatchFact *fact, int facts);

#endif
