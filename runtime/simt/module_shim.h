/* module_shim.h: what every emulated source is compiled with, under the header of its language. Included by
 * C++ with no standard header.
 *
 * Every value computed here is one correctly rounded operation; whatever a vendor leaves open is absent, so
 * that using it does not compile. */
#ifndef SAMEBITS_MODULE_SHIM_H
#define SAMEBITS_MODULE_SHIM_H

#include "abi.h"

#ifdef __FAST_MATH__
#error "emulated kernels must not be compiled with -ffast-math"
#endif

#define SAMEBITS_EXPORT extern "C" __attribute__((visibility("default"), used))
/* `nodebug`: what is inlined from here has the line of its caller. */
#define SAMEBITS_SHIM   static inline __attribute__((always_inline, nodebug, unused))
#define SAMEBITS_UNSEEN __attribute__((noinline, no_sanitize("thread", "undefined")))
/* `used`: the compiler must not think it knows all that reads and writes it. */
#ifdef __APPLE__
#define SAMEBITS_SHARED static __attribute__((used, section("__DATA,samebits_shared")))
#else
#define SAMEBITS_SHARED static __attribute__((used, section("samebits_shared")))
#endif

extern "C" __attribute__((visibility("protected"))) SimtHost samebits_simt_host;

/* The place in the source where `what` is written. */
#define SAMEBITS_SITE(what)                                                                                  \
    (__extension__({                                                                                         \
        static const SimtSite samebits_site = {__FILE__, what, __LINE__};                                    \
        &samebits_site;                                                                                      \
    }))

typedef unsigned char samebits_u1;
typedef unsigned samebits_u4;
typedef unsigned long long samebits_u8;

template <class To, class From> SAMEBITS_SHIM To samebits_bits(From value)
{
    static_assert(sizeof(To) == sizeof(From), "both types must have the same size");
    To result;
    __builtin_memcpy(&result, &value, sizeof result);
    return result;
}

SAMEBITS_SHIM samebits_u4 samebits_lane()
{
    return samebits_simt_host.place->linear % SIMT_WARP;
}

/* The value that lane `from` brings. */
template <class T>
SAMEBITS_SHIM T samebits_exchange(const SimtSite *site, samebits_u8 lanes, T value, samebits_u4 from)
{
    static_assert(sizeof(T) <= sizeof(samebits_u8), "lanes exchange values of at most 8 bytes");
    samebits_u8 bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    bits = samebits_simt_host.exchange(&samebits_simt_host, site, lanes, bits, from);
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

/* One thread runs at a time, so an addition is atomic as it stands; the engine is told that it is meant to
 * be. */
template <class T> SAMEBITS_UNSEEN static T samebits_atomic_add(const SimtSite *site, T *at, T value)
{
    samebits_simt_host.atomic(&samebits_simt_host, site, at, sizeof *at);
    const T old = *at;
    *at = old + value;
    return old;
}

/* ---- entry points ---- */

/* An argument as the engine holds it; it becomes what the kernel's parameter is. */
struct samebits_argument {
    const void *at;
    template <class T> __attribute__((always_inline, nodebug)) operator T() const
    {
        T value;
        __builtin_memcpy(&value, at, sizeof value);
        return value;
    }
};

template <class T> struct samebits_plain {
    typedef T type;
};
template <class T> struct samebits_plain<T &> {
    typedef T type;
};
template <class T> struct samebits_plain<const T> {
    typedef T type;
};
template <class T> struct samebits_plain<const T &> {
    typedef T type;
};

template <class T> struct samebits_kind {
    static_assert(sizeof(T) == 0,
                  "a kernel's parameters are pointers, float, and unsigned integers of 4 or 8 bytes");
};
template <class T> struct samebits_kind<T *> {
    static constexpr char value = 'p';
};
template <> struct samebits_kind<float> {
    static constexpr char value = 'f';
};
template <> struct samebits_kind<unsigned> {
    static constexpr char value = 'i';
};
template <> struct samebits_kind<int> {
    static constexpr char value = 'i';
};
template <> struct samebits_kind<unsigned long> {
    static constexpr char value = 'u';
};
template <> struct samebits_kind<unsigned long long> {
    static constexpr char value = 'u';
};

template <int index, class First, class... Rest> constexpr char samebits_kind_at()
{
    if constexpr (index == 0) {
        return samebits_kind<typename samebits_plain<First>::type>::value;
    } else {
        return samebits_kind_at<index - 1, Rest...>();
    }
}
template <int index, class... Parameters> constexpr char samebits_parameter(void (*)(Parameters...))
{
    return samebits_kind_at<index, Parameters...>();
}

#endif
