/* fake_ptx.h: the device of fake_cuda.c: memory, and kernels interpreted from PTX text. It shares nothing
 * with runtime/: a mistake there cannot agree with itself. */
#ifndef SAMEBITS_FAKE_PTX_H
#define SAMEBITS_FAKE_PTX_H

#include <stdbool.h>
#include <stddef.h>

enum { FAKE_ALLOCATIONS = 4096 };
typedef struct FakeMemory {
    struct {
        unsigned long long address;
        size_t bytes;
        unsigned char *data;
    } item[FAKE_ALLOCATIONS];
    int count;
} FakeMemory;
/* Addresses are no host addresses: one that is used as such crashes. */
unsigned long long fake_memory_create(FakeMemory *memory, size_t bytes);
bool fake_memory_destroy(FakeMemory *memory, unsigned long long address);
void *fake_memory_at(const FakeMemory *memory, unsigned long long address, size_t bytes); /* NULL: outside */

typedef struct PtxText PtxText;
typedef struct PtxEntry PtxEntry;
PtxText *ptx_text_read(const char *text, char *why, size_t why_size);
void ptx_text_destroy(PtxText *text);
PtxEntry *ptx_text_entry(PtxText *text, const char *name);
const char *ptx_entry_name(const PtxEntry *entry);
int ptx_entry_parameters(const PtxEntry *entry);
typedef struct PtxParameter {
    size_t offset, size;
} PtxParameter;
PtxParameter ptx_entry_parameter(const PtxEntry *entry, int index);

typedef struct PtxFlaws {
    bool flush;     /* subnormal binary32 operands and results become zero */
    bool contract;  /* a product that is added rounds once */
    bool division;  /* a / b is a * (1 / b) */
    bool no_double; /* binary64 is computed as binary32 */
} PtxFlaws;

typedef enum PtxEndKind { PTX_DONE, PTX_ENDLESS, PTX_FAULT, PTX_WRONG } PtxEndKind;
typedef struct PtxEnd {
    PtxEndKind how;
    unsigned long long instructions; /* of the longest thread of each block, summed */
    char why[160];
} PtxEnd;

/* Blocks in order; the threads of a block in turn, each as far as the next barrier or exchange. A kernel that
 * runs more than FAKE_CUDA_STEPS (10^10) instructions is endless. */
PtxEnd ptx_run(const PtxEntry *entry, const unsigned char *arguments, unsigned grid, unsigned block,
               const FakeMemory *memory, PtxFlaws flaws);

#endif
