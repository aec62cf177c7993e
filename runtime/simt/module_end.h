/* module_end.h: what every emulated module exports, and the runtimes of its sanitizers. Included once, behind
 * the source. */

SAMEBITS_EXPORT const unsigned samebits_simt_abi = SIMT_ABI;
SimtHost samebits_simt_host;

#ifdef __APPLE__
extern char samebits_shared_begin[] __asm("section$start$__DATA$samebits_shared");
extern char samebits_shared_end[] __asm("section$end$__DATA$samebits_shared");
#else
extern "C" __attribute__((weak, visibility("hidden"))) char __start_samebits_shared[],
    __stop_samebits_shared[];
#define samebits_shared_begin __start_samebits_shared
#define samebits_shared_end   __stop_samebits_shared
#endif

SAMEBITS_EXPORT SimtSpan samebits_simt_shared(void)
{
    return {samebits_shared_begin, samebits_shared_end};
}

SAMEBITS_EXPORT void samebits_simt_signal(int number, void *info, void *context)
{
    samebits_simt_host.fault(&samebits_simt_host, number, info, context);
}

/* ---- UndefinedBehaviorSanitizer: Clang calls these when a check fails, with a record that starts with the
 * place ---- */

struct samebits_location {
    const char *file;
    unsigned line, column;
};

extern "C" {
__attribute__((visibility("hidden"), noreturn, noinline)) void samebits_undefined(const void *record,
                                                                                  const char *text)
{
    const samebits_location *location = (const samebits_location *)record;
    const SimtSite site = {location->file ? location->file : "?", "", location->line};
    samebits_simt_host.mistake(&samebits_simt_host, &site, text);
    __builtin_trap();
}
#define SAMEBITS_UNDEFINED(name, text)                                                                       \
    __attribute__((visibility("hidden"))) void __ubsan_handle_##name(const void *record)                     \
    {                                                                                                        \
        samebits_undefined(record, text);                                                                    \
    }                                                                                                        \
    __attribute__((visibility("hidden"))) void __ubsan_handle_##name##_abort(const void *record)             \
    {                                                                                                        \
        samebits_undefined(record, text);                                                                    \
    }
SAMEBITS_UNDEFINED(out_of_bounds, "index outside an array")
#ifdef SAMEBITS_CHECKED
SAMEBITS_UNDEFINED(shift_out_of_bounds, "a shift by more than the type's bits")
SAMEBITS_UNDEFINED(divrem_overflow, "an integer division by zero")
SAMEBITS_UNDEFINED(add_overflow, "a signed addition that overflows")
SAMEBITS_UNDEFINED(sub_overflow, "a signed subtraction that overflows")
SAMEBITS_UNDEFINED(mul_overflow, "a signed multiplication that overflows")
SAMEBITS_UNDEFINED(negate_overflow, "a signed negation that overflows")
SAMEBITS_UNDEFINED(float_cast_overflow, "a float that does not fit the integer it is converted to")
SAMEBITS_UNDEFINED(type_mismatch_v1, "a null or misaligned pointer")
SAMEBITS_UNDEFINED(builtin_unreachable, "a place that must not be reached")
SAMEBITS_UNDEFINED(missing_return, "a function ends without a value")
#endif

/* ---- ThreadSanitizer: Clang calls these before each access ---- */

#ifdef SAMEBITS_CHECKED
SAMEBITS_EXPORT const unsigned samebits_simt_checked = 1;

#define SAMEBITS_SEEN(name, bytes, kind)                                                                     \
    __attribute__((visibility("hidden"))) SAMEBITS_UNSEEN void __tsan_##name(const void *at)                 \
    {                                                                                                        \
        if (samebits_simt_host.access) {                                                                     \
            samebits_simt_host.access(&samebits_simt_host, at, bytes, kind, __builtin_return_address(0));    \
        }                                                                                                    \
    }
#define SAMEBITS_SEEN_SIZES(name, kind)                                                                      \
    SAMEBITS_SEEN(name##1, 1, kind)                                                                          \
    SAMEBITS_SEEN(name##2, 2, kind)                                                                          \
    SAMEBITS_SEEN(name##4, 4, kind)                                                                          \
    SAMEBITS_SEEN(name##8, 8, kind)                                                                          \
    SAMEBITS_SEEN(name##16, 16, kind)
SAMEBITS_SEEN_SIZES(read, SIMT_READS)
SAMEBITS_SEEN_SIZES(write, SIMT_WRITES)
SAMEBITS_SEEN_SIZES(read_write, SIMT_WRITES)
SAMEBITS_SEEN_SIZES(unaligned_read, SIMT_READS)
SAMEBITS_SEEN_SIZES(unaligned_write, SIMT_WRITES)
SAMEBITS_SEEN_SIZES(unaligned_read_write, SIMT_WRITES)
SAMEBITS_SEEN_SIZES(volatile_read, SIMT_READS)
SAMEBITS_SEEN_SIZES(volatile_write, SIMT_WRITES)
SAMEBITS_SEEN_SIZES(unaligned_volatile_read, SIMT_READS)
SAMEBITS_SEEN_SIZES(unaligned_volatile_write, SIMT_WRITES)

__attribute__((visibility("hidden"))) SAMEBITS_UNSEEN void __tsan_init(void)
{
}
__attribute__((visibility("hidden"))) SAMEBITS_UNSEEN void __tsan_func_entry(void *)
{
}
__attribute__((visibility("hidden"))) SAMEBITS_UNSEEN void __tsan_func_exit(void)
{
}

/* Copies and fills of whole objects. LLVM before 15 calls the C functions instead, which are then these. */
SAMEBITS_UNSEEN static void samebits_range(const void *at, __SIZE_TYPE__ bytes, unsigned kind, const void *pc)
{
    if (bytes > 0 && samebits_simt_host.access) {
        samebits_simt_host.access(&samebits_simt_host, at, bytes, kind, pc);
    }
}
#define SAMEBITS_COPY(name)                                                                                  \
    __attribute__((visibility("hidden"))) SAMEBITS_UNSEEN void *name(void *to, const void *from,             \
                                                                     __SIZE_TYPE__ bytes)                    \
    {                                                                                                        \
        samebits_range(from, bytes, SIMT_READS, __builtin_return_address(0));                                \
        samebits_range(to, bytes, SIMT_WRITES, __builtin_return_address(0));                                 \
        volatile char *target = (volatile char *)to;                                                         \
        const volatile char *source = (const volatile char *)from;                                           \
        const bool down = target > source;                                                                   \
        for (__SIZE_TYPE__ i = 0; i < bytes; i++) {                                                          \
            const __SIZE_TYPE__ j = down ? bytes - 1 - i : i;                                                \
            target[j] = source[j];                                                                           \
        }                                                                                                    \
        return to;                                                                                           \
    }
#define SAMEBITS_FILL(name)                                                                                  \
    __attribute__((visibility("hidden"))) SAMEBITS_UNSEEN void *name(void *to, int value,                    \
                                                                     __SIZE_TYPE__ bytes)                    \
    {                                                                                                        \
        samebits_range(to, bytes, SIMT_WRITES, __builtin_return_address(0));                                 \
        for (__SIZE_TYPE__ i = 0; i < bytes; i++) {                                                          \
            ((volatile char *)to)[i] = (char)value;                                                          \
        }                                                                                                    \
        return to;                                                                                           \
    }
SAMEBITS_COPY(__tsan_memcpy)
SAMEBITS_COPY(__tsan_memmove)
SAMEBITS_FILL(__tsan_memset)
#if __clang_major__ < 15
SAMEBITS_COPY(memcpy)
SAMEBITS_COPY(memmove)
SAMEBITS_FILL(memset)
#endif
#endif
}
