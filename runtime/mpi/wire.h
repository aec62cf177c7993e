/* wire.h: what samebits and a rank say to each other on their stream socket.
 *
 * Every message is a head and `bytes` bytes behind it. Both ends are compiled from this text and run on one
 * kind of machine: another byte order or another layout shows as a wrong mark. No kernel sees any of it. */
#ifndef SAMEBITS_WIRE_H
#define SAMEBITS_WIRE_H

#include <stdint.h>

enum {
    WIRE_MARK = 0x53424d32,
    WIRE_TOKEN = 32, /* hexadecimal digits */
    WIRE_RANKS = 64,
    WIRE_DIMS = 8,
    WIRE_INPUTS = 8,
    WIRE_OUTPUTS = 4,
    WIRE_PARAMS = 8,
    WIRE_TEXT = 1024
};

/* Names of the variables that tell a rank where to connect. */
#define WIRE_ADDRESS_VARIABLE "SAMEBITS_RANK_ADDRESS" /* "127.0.0.1:4711", or several, with commas */
#define WIRE_TOKEN_VARIABLE   "SAMEBITS_RANK_TOKEN"

typedef enum WireKind {
    /* from a rank */
    WIRE_HELLO = 1, /* WireHello, before MPI_Init */
    WIRE_READY,     /* WireReady, after it */
    WIRE_OPENED,    /* text: why the kernel cannot be loaded, "" when it is */
    WIRE_RESULT,    /* WireResult, then outputs when the code is 0 */
    WIRE_TIMED,     /* WireResult, per call */
    WIRE_DOING,     /* WireDoing */
    WIRE_DYING,     /* text: of what; comes without being asked */
    /* to a rank */
    WIRE_OPEN, /* path, NUL, symbol, NUL */
    WIRE_CALL, /* WireCall, then inputs */
    WIRE_TIME, /* WireCall; the rank makes its inputs */
    WIRE_STATUS,
    WIRE_QUIT
} WireKind;

typedef struct WireHead {
    uint32_t mark, kind;
    uint64_t bytes;
} WireHead;

typedef struct WireHello {
    char token[WIRE_TOKEN], host[64];
    int64_t pid;
} WireHello;

typedef struct WireReady {
    int32_t rank, size;
    char library[256]; /* what MPI_Get_library_version says, its first line */
} WireReady;

/* A tensor as the distributed dim sees it: `before` rows of `size` indices of `after` elements. A tensor
 * without that dim is whole everywhere: before = size = 1. */
typedef struct WireTensor {
    uint64_t before, size, after, columns; /* columns: the whole tensor's innermost size */
    uint32_t distributed, fill;            /* fill: an InputKind */
} WireTensor;

/* What is wrong on purpose in one rank's call: the kernel must refuse it on every rank. */
typedef enum WireMistake {
    WIRE_RIGHT,
    WIRE_WRONG_SIZE,
    WIRE_WRONG_PARAM,
    WIRE_WRONG_FIRST,
    WIRE_WRONG_COUNT,
    WIRE_NULL_COMM,
    WIRE_INTERCOMM
} WireMistake;

typedef struct WireCall {
    uint32_t ranks, inputs, outputs, dims, params;
    int32_t threads; /* 0: what the processors allow */
    uint32_t mistake;
    uint32_t offset; /* bytes of every buffer's begin behind a 64-byte boundary, or WIRE_AT_END */
    uint32_t calls;  /* WIRE_TIME */
    float param[WIRE_PARAMS];
    uint64_t first, count, size[WIRE_DIMS];
    WireTensor input[WIRE_INPUTS], output[WIRE_OUTPUTS];
} WireCall;
enum { WIRE_AT_END = 64 }; /* the last byte is followed by a page that nobody may touch */

typedef struct WireResult {
    int32_t code, threads;
    double first_call, seconds, waited;
    int64_t messages, values, bytes, collectives;
} WireResult;

typedef enum WirePhase {
    WIRE_STARTING,
    WIRE_IDLE,
    WIRE_PREPARING,
    WIRE_KERNEL,
    WIRE_BARRIER,
    WIRE_LEAVING
} WirePhase;

typedef struct WireDoing {
    int32_t phase, padding;
    char function[32]; /* of MPI, "" when in none */
    uint64_t peers;    /* ranks it waits for, one bit each; all bits: any rank */
    double since;      /* seconds in this function, or in this phase */
} WireDoing;

#endif
