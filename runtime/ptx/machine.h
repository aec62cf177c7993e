/* machine.h: the instructions that are more than one C operator; text that a translated module begins with.
 *
 * Registers are unsigned integers of their width; a float instruction reads them through f32 and f64 and
 * writes them through bits32 and bits64. Single-precision results that are NaN have the bits 7fffffff, as on
 * the device (PTX ISA, "Floating Point Instructions"). Compiled with -ffp-contract=off. */
#ifndef SAMEBITS_PTX_MACHINE_H
#define SAMEBITS_PTX_MACHINE_H

#include "simt/abi.h"

#include <stdint.h>

/* What a module says of itself in front of this text. */
#ifndef PTX_FILE
#define PTX_FILE     ""
#define SHARED_BYTES 1
#endif

__attribute__((visibility("protected"))) SimtHost samebits_simt_host; /* protected: no way round by a table */
const unsigned samebits_simt_abi = SIMT_ABI;
#define HOST samebits_simt_host

/* Threads meet where file and line are equal. */
#define SITE(ptx_line, opcode)                                                                               \
    ({                                                                                                       \
        static const SimtSite site = {PTX_FILE, opcode, ptx_line};                                           \
        &site;                                                                                               \
    })

/* What a register holds before it is written: a NaN with a face. */
#define POISON8  UINT8_C(0xa5)
#define POISON16 UINT16_C(0xa5a5)
#define POISON32 UINT32_C(0x7fa5a5a5)
#define POISON64 UINT64_C(0x7ff5a5a57fa5a5a5)

static inline float f32(uint32_t bits)
{
    float value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static inline double f64(uint64_t bits)
{
    double value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits32(float value)
{
    uint32_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return value == value ? bits : UINT32_C(0x7fffffff);
}

static inline uint64_t bits64(double value)
{
    uint64_t bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return value == value ? bits : UINT64_C(0x7fffffffffffffff);
}

/* ---- floats: min and max give the operand that is no NaN, and put +0 above -0 ---- */

static inline float max_f32(float a, float b)
{
    if (a != a || b != b) {
        return a != a ? b : a;
    }
    return a > b || (a == b && !__builtin_signbit(a)) ? a : b;
}

static inline float min_f32(float a, float b)
{
    if (a != a || b != b) {
        return a != a ? b : a;
    }
    return a < b || (a == b && __builtin_signbit(a)) ? a : b;
}

static inline double max_f64(double a, double b)
{
    if (a != a || b != b) {
        return a != a ? b : a;
    }
    return a > b || (a == b && !__builtin_signbit(a)) ? a : b;
}

static inline double min_f64(double a, double b)
{
    if (a != a || b != b) {
        return a != a ? b : a;
    }
    return a < b || (a == b && __builtin_signbit(a)) ? a : b;
}

#define EITHER_NAN(a, b) ((a) != (a) || (b) != (b))

/* Float to integer, already rounded to an integer: clamped; a NaN gives 0, or the sign bit alone where source
 * or destination has 64 bits (PTX ISA, cvt). */
static inline uint64_t to_signed(double value, int width, int from)
{
    const double limit = width == 64 ? 0x1p63 : (double)(INT64_C(1) << (width - 1));
    if (value != value) {
        return width == 64 || from == 64 ? UINT64_C(1) << (width - 1) : 0;
    }
    if (value >= limit) {
        return (UINT64_C(1) << (width - 1)) - 1;
    }
    return value < -limit ? UINT64_C(1) << (width - 1) : (uint64_t)(int64_t)value;
}

static inline uint64_t to_unsigned(double value, int width, int from)
{
    const double limit = width == 64 ? 0x1p64 : (double)(UINT64_C(1) << width);
    if (value != value) {
        return width == 64 || from == 64 ? UINT64_C(1) << (width - 1) : 0;
    }
    if (value >= limit) {
        return ~UINT64_C(0) >> (64 - width);
    }
    return value <= 0 ? 0 : (uint64_t)value;
}

/* ---- integers ---- */

static inline uint64_t divide_u(uint64_t a, uint64_t b)
{
    return b ? a / b : ~UINT64_C(0);
}

static inline uint64_t remainder_u(uint64_t a, uint64_t b)
{
    return b ? a % b : a;
}

static inline uint64_t divide_s(int64_t a, int64_t b)
{
    return b == 0 ? ~UINT64_C(0) : b == -1 ? 0 - (uint64_t)a : (uint64_t)(a / b);
}

static inline uint64_t remainder_s(int64_t a, int64_t b)
{
    return b == 0 ? (uint64_t)a : b == -1 ? 0 : (uint64_t)(a % b);
}

static inline uint64_t reverse(uint64_t value, int width)
{
    uint64_t result = 0;
    for (int k = 0; k < width; k++) {
        result |= (value >> k & 1) << (width - 1 - k);
    }
    return result;
}

/* A field of `length` bits from `start`, zero or sign extended; beyond the top, the sign (or 0) goes on. */
static inline uint64_t extract(uint64_t value, uint32_t start, uint32_t length, int width, int is_signed)
{
    const uint32_t first = start & 255, bits = length & 255;
    const uint32_t last = first + bits - 1 < (uint32_t)width ? first + bits - 1 : (uint32_t)width - 1;
    const uint64_t sign = !is_signed || bits == 0 ? 0 : value >> last & 1;
    uint64_t result = 0;
    for (uint32_t k = 0; k < (uint32_t)width; k++) {
        result |= (k < bits && first + k < (uint32_t)width ? value >> (first + k) & 1 : sign) << k;
    }
    return result;
}

static inline uint64_t insert(uint64_t field, uint64_t value, uint32_t start, uint32_t length, uint32_t width)
{
    const uint32_t first = start & 255, bits = length & 255;
    for (uint32_t k = 0; k < bits && first + k < width; k++) {
        value = (value & ~(UINT64_C(1) << (first + k))) | (field >> k & 1) << (first + k);
    }
    return value;
}

static inline uint32_t permute(uint32_t a, uint32_t b, uint32_t selector)
{
    const uint64_t bytes = (uint64_t)b << 32 | a;
    uint32_t result = 0;
    for (int k = 0; k < 4; k++) {
        const uint32_t choice = selector >> (4 * k) & 15;
        const uint32_t byte = (uint32_t)(bytes >> (8 * (choice & 7))) & 255;
        result |= (choice & 8 ? (byte & 128 ? 255u : 0u) : byte) << (8 * k);
    }
    return result;
}

static inline uint32_t logic3(uint32_t a, uint32_t b, uint32_t c, uint32_t table)
{
    uint32_t result = 0;
    for (int k = 0; k < 8; k++) { /* bit k of the table answers for (a, b, c) = the bits of k */
        const uint32_t where = (k & 4 ? a : ~a) & (k & 2 ? b : ~b) & (k & 1 ? c : ~c);
        result |= table >> k & 1 ? where : 0;
    }
    return result;
}

/* ---- memory: an address is a pointer (generic, global), or an offset in a window (shared, local) ---- */

typedef struct Window {
    unsigned char *memory;
    uint64_t size;
} Window;

/* `nodebug`: what is inlined has the line of the instruction. */
#define INLINE static inline __attribute__((always_inline, nodebug))

INLINE void check_aligned(uint64_t address, uint32_t size, const SimtSite *site)
{
    if (__builtin_expect((address & (size - 1)) != 0, 0)) {
        HOST.mistake(&HOST, site, "the address is not a multiple of the size of the access");
    }
}

/* A checked module reports each access of memory that threads share; the call itself has the PTX line. */
#ifdef PTX_CHECKED
const char samebits_simt_checked = 1;

static __attribute__((noinline)) void report(const void *address, uint32_t size, unsigned kind)
{
    HOST.access(&HOST, address, size, kind, __builtin_return_address(0));
}
#else
#define report(address, size, kind) ((void)(kind))
#endif

INLINE unsigned char *at_pointer(uint64_t address, uint32_t size, unsigned kind, const SimtSite *site)
{
    check_aligned(address, size, site);
    report((const void *)(uintptr_t)address, size, kind);
    return (unsigned char *)(uintptr_t)address;
}

INLINE unsigned char *at_window(Window window, uint64_t address, uint32_t size, const SimtSite *site)
{
    check_aligned(address, size, site);
    if (__builtin_expect(window.size < size || address > window.size - size, 0)) {
        HOST.mistake(&HOST, site, "the address is outside of the memory that there is");
    }
    return window.memory + address;
}

INLINE unsigned char *at_shared(Window window, uint64_t address, uint32_t size, unsigned kind,
                                const SimtSite *site)
{
    unsigned char *at = at_window(window, address, size, site);
    report(at, size, kind);
    return at;
}

#define MEMORY(width)                                                                                        \
    INLINE uint##width##_t get##width(const unsigned char *at)                                               \
    {                                                                                                        \
        uint##width##_t value;                                                                               \
        __builtin_memcpy(&value, at, sizeof value);                                                          \
        return value;                                                                                        \
    }                                                                                                        \
    INLINE void put##width(unsigned char *at, uint##width##_t value)                                         \
    {                                                                                                        \
        __builtin_memcpy(at, &value, sizeof value);                                                          \
    }
MEMORY(8)
MEMORY(16)
MEMORY(32)
MEMORY(64)
#undef MEMORY

/* ---- warps ---- */

enum { SHUFFLE_UP, SHUFFLE_DOWN, SHUFFLE_BFLY, SHUFFLE_IDX };

/* The lane that `b` and `c` name, or this one with *inside false (PTX ISA, shfl.sync). */
static inline uint32_t shuffle_source(uint32_t lane, int mode, uint32_t b, uint32_t c, int *inside)
{
    const uint32_t segment = c >> 8 & 31, clamp = c & 31, offset = b & 31;
    const uint32_t last = (lane & segment) | (clamp & ~segment), first = lane & segment;
    const uint32_t up = lane - offset, down = lane + offset, flip = lane ^ offset;
    const uint32_t index = first | (offset & ~segment);
    *inside = mode == SHUFFLE_UP     ? (int32_t)up >= (int32_t)last
              : mode == SHUFFLE_DOWN ? down <= last
              : mode == SHUFFLE_BFLY ? flip <= last
                                     : index <= last;
    const uint32_t source = mode == SHUFFLE_UP     ? up
                            : mode == SHUFFLE_DOWN ? down
                            : mode == SHUFFLE_BFLY ? flip
                                                   : index;
    return *inside ? source : lane;
}

static inline uint32_t shuffle(int mode, uint32_t value, uint32_t b, uint32_t c, uint32_t lanes, int *inside,
                               const SimtSite *site)
{
    const uint32_t source = shuffle_source(HOST.place->linear % SIMT_WARP, mode, b, c, inside);
    return (uint32_t)HOST.exchange(&HOST, site, lanes, value, source);
}

/* ---- what the engine looks for ---- */

static _Alignas(128) unsigned char shared_memory[SHARED_BYTES];

SimtSpan samebits_simt_shared(void)
{
    return (SimtSpan){shared_memory, shared_memory + SHARED_BYTES};
}

/* Signals reach the engine through the module: it has no globals of its own. */
void samebits_simt_signal(int number, void *info, void *context)
{
    HOST.fault(&HOST, number, info, context);
}

/* A thread of kernel f_<number>; its local memory lies on its stack. */
#define ENTRY(number, shared_size, local_size)                                                               \
    static void enter_##number(void *const *argument)                                                        \
    {                                                                                                        \
        _Alignas(128) unsigned char memory[(local_size) + 1];                                                \
        __builtin_memset(memory, 0xa5, sizeof memory);                                                       \
        f_##number((Window){shared_memory, shared_size}, (Window){memory, local_size}, 0, argument);         \
    }

#endif
