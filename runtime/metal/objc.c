/* objc.c: the runtime by name, and casts of objc_msgSend. */
#include "metal/objc.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

/* ---- loading ---- */

#ifdef __APPLE__
/* MTLCreateSystemDefaultDevice gives nil in a program without CoreGraphics (Apple, its documentation). */
static const char *const libraries[] = {"/usr/lib/libobjc.A.dylib",
                                        "/System/Library/Frameworks/Foundation.framework/Foundation",
                                        "/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics",
                                        "/System/Library/Frameworks/Metal.framework/Metal"};

static const char *load_libraries(Arena *arena)
{
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (!dlopen(libraries[i], RTLD_NOW | RTLD_GLOBAL))
            return arena_printf(arena, "skipped: %s", dlerror());
    return NULL;
}
#else
static const char *load_libraries(Arena *arena)
{
    (void)arena;
    return "skipped: Metal needs macOS";
}
#endif

static const char *look_up(Arena *arena, void *library, const char *name, void *function, size_t size)
{
    void *address = dlsym(library, name);
    memcpy(function, &address, size); /* ISO C has no cast between the two */
    return address ? NULL : arena_printf(arena, "skipped: this system's Metal has no %s", name);
}

const char *objc_load(Arena *arena, Objc *objc)
{
    const char *set = getenv("SAMEBITS_LIBMETAL"), *why = NULL;
    void *library = RTLD_DEFAULT;
    if (set && *set) {
        library = dlopen(set, RTLD_NOW | RTLD_LOCAL);
        why = library ? NULL : arena_printf(arena, "skipped: %s", dlerror());
    } else {
        why = load_libraries(arena);
    }
    const struct {
        const char *name;
        void *function;
    } rows[] = {
        {"objc_getClass", &objc->get_class},
        {"sel_registerName", &objc->register_name},
        {"objc_autoreleasePoolPush", &objc->pool_push},
        {"objc_autoreleasePoolPop", &objc->pool_pop},
        {"MTLCreateSystemDefaultDevice", &objc->create_device},
        {"objc_msgSend", &objc->send},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows && !why; i++)
        why = look_up(arena, library, rows[i].name, rows[i].function, sizeof objc->send);
    return why;
}

/* ---- messages ---- */

#define SELECTOR objc->register_name(selector)

ObjcId objc_send(const Objc *objc, ObjcId to, const char *selector)
{
    typedef ObjcId Send(ObjcId, ObjcSelector);
    return ((Send *)objc->send)(to, SELECTOR);
}

ObjcId objc_send_id(const Objc *objc, ObjcId to, const char *selector, ObjcId argument)
{
    typedef ObjcId Send(ObjcId, ObjcSelector, ObjcId);
    return ((Send *)objc->send)(to, SELECTOR, argument);
}

ObjcId objc_send_text(const Objc *objc, ObjcId to, const char *selector, const char *argument)
{
    typedef ObjcId Send(ObjcId, ObjcSelector, const char *);
    return ((Send *)objc->send)(to, SELECTOR, argument);
}

ObjcId objc_send_id_error(const Objc *objc, ObjcId to, const char *selector, ObjcId argument, ObjcId *error)
{
    typedef ObjcId Send(ObjcId, ObjcSelector, ObjcId, ObjcId *);
    return ((Send *)objc->send)(to, SELECTOR, argument, error);
}

ObjcId objc_send_id_id_error(const Objc *objc, ObjcId to, const char *selector, ObjcId first, ObjcId second,
                             ObjcId *error)
{
    typedef ObjcId Send(ObjcId, ObjcSelector, ObjcId, ObjcId, ObjcId *);
    return ((Send *)objc->send)(to, SELECTOR, first, second, error);
}

ObjcId objc_send_two_sizes(const Objc *objc, ObjcId to, const char *selector, ObjcUInteger first,
                           ObjcUInteger second)
{
    typedef ObjcId Send(ObjcId, ObjcSelector, ObjcUInteger, ObjcUInteger);
    return ((Send *)objc->send)(to, SELECTOR, first, second);
}

void objc_send_number(const Objc *objc, ObjcId to, const char *selector, long value)
{
    typedef void Send(ObjcId, ObjcSelector, long);
    ((Send *)objc->send)(to, SELECTOR, value);
}

void objc_send_flag(const Objc *objc, ObjcId to, const char *selector, bool value)
{
    typedef void Send(ObjcId, ObjcSelector, bool);
    ((Send *)objc->send)(to, SELECTOR, value);
}

void objc_send_buffer(const Objc *objc, ObjcId to, const char *selector, ObjcId buffer, ObjcUInteger offset,
                      ObjcUInteger index)
{
    typedef void Send(ObjcId, ObjcSelector, ObjcId, ObjcUInteger, ObjcUInteger);
    ((Send *)objc->send)(to, SELECTOR, buffer, offset, index);
}

void objc_send_bytes(const Objc *objc, ObjcId to, const char *selector, const void *bytes,
                     ObjcUInteger length, ObjcUInteger index)
{
    typedef void Send(ObjcId, ObjcSelector, const void *, ObjcUInteger, ObjcUInteger);
    ((Send *)objc->send)(to, SELECTOR, bytes, length, index);
}

void objc_send_copy(const Objc *objc, ObjcId to, const char *selector, ObjcId from_buffer, ObjcId to_buffer,
                    ObjcUInteger size)
{
    typedef void Send(ObjcId, ObjcSelector, ObjcId, ObjcUInteger, ObjcId, ObjcUInteger, ObjcUInteger);
    ((Send *)objc->send)(to, SELECTOR, from_buffer, 0, to_buffer, 0, size);
}

void objc_send_grid(const Objc *objc, ObjcId to, const char *selector, MetalSize groups, MetalSize threads)
{
    typedef void Send(ObjcId, ObjcSelector, MetalSize, MetalSize);
    ((Send *)objc->send)(to, SELECTOR, groups, threads);
}

ObjcUInteger objc_ask_number(const Objc *objc, ObjcId to, const char *selector)
{
    typedef ObjcUInteger Send(ObjcId, ObjcSelector);
    return ((Send *)objc->send)(to, SELECTOR);
}

double objc_ask_double(const Objc *objc, ObjcId to, const char *selector)
{
    typedef double Send(ObjcId, ObjcSelector);
    return ((Send *)objc->send)(to, SELECTOR);
}

void *objc_ask_pointer(const Objc *objc, ObjcId to, const char *selector)
{
    typedef void *Send(ObjcId, ObjcSelector);
    return ((Send *)objc->send)(to, SELECTOR);
}

bool objc_responds(const Objc *objc, ObjcId to, const char *selector)
{
    typedef bool Send(ObjcId, ObjcSelector, ObjcSelector);
    return ((Send *)objc->send)(to, objc->register_name("respondsToSelector:"), SELECTOR);
}

void objc_release(const Objc *objc, ObjcId object)
{
    if (object)
        objc_send(objc, object, "release");
}

ObjcId objc_string(const Objc *objc, const char *text)
{
    return objc_send_text(objc, objc->get_class("NSString"), "stringWithUTF8String:", text);
}

const char *objc_text(Arena *arena, const Objc *objc, ObjcId string)
{
    const char *text = string ? objc_ask_pointer(objc, string, "UTF8String") : NULL;
    return arena_copy(arena, text ? text : "");
}
