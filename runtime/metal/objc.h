/* objc.h: sending Objective-C messages from C.
 *
 * objc_msgSend has no type of its own: it is called as a function with the receiver, the selector and the
 * method's arguments, cast to the method's type (Apple, "Objective-C Runtime"). One function here per type
 * that is used. Classes and methods are found by name when it runs, so no header or framework of Apple's is
 * needed to build, and the same code compiles everywhere. */
#ifndef SAMEBITS_METAL_OBJC_H
#define SAMEBITS_METAL_OBJC_H

#include "text/arena.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void *ObjcId;
typedef void *ObjcSelector;
typedef unsigned long ObjcUInteger; /* NSUInteger */

/* MTLSize, passed by value */
typedef struct MetalSize {
    ObjcUInteger width, height, depth;
} MetalSize;

typedef struct Objc {
    ObjcId (*get_class)(const char *name);
    ObjcSelector (*register_name)(const char *name);
    void *(*pool_push)(void);
    void (*pool_pop)(void *pool);
    ObjcId (*create_device)(void); /* MTLCreateSystemDefaultDevice: owned by the caller */
    void (*send)(void);            /* objc_msgSend */
} Objc;

/* Loads the runtime, Foundation and Metal; $SAMEBITS_LIBMETAL names one library in their place (for tests).
 * NULL when done, else "skipped: ...". */
const char *objc_load(Arena *arena, Objc *objc);

ObjcId objc_send(const Objc *objc, ObjcId to, const char *selector);
ObjcId objc_send_id(const Objc *objc, ObjcId to, const char *selector, ObjcId argument);
ObjcId objc_send_text(const Objc *objc, ObjcId to, const char *selector, const char *argument);
ObjcId objc_send_id_error(const Objc *objc, ObjcId to, const char *selector, ObjcId argument, ObjcId *error);
ObjcId objc_send_id_id_error(const Objc *objc, ObjcId to, const char *selector, ObjcId first, ObjcId second,
                             ObjcId *error);
ObjcId objc_send_two_sizes(const Objc *objc, ObjcId to, const char *selector, ObjcUInteger first,
                           ObjcUInteger second);
void objc_send_number(const Objc *objc, ObjcId to, const char *selector, long value);
void objc_send_flag(const Objc *objc, ObjcId to, const char *selector, bool value);
void objc_send_buffer(const Objc *objc, ObjcId to, const char *selector, ObjcId buffer, ObjcUInteger offset,
                      ObjcUInteger index);
void objc_send_bytes(const Objc *objc, ObjcId to, const char *selector, const void *bytes,
                     ObjcUInteger length, ObjcUInteger index);
/* From the beginning of one buffer to the beginning of another. */
void objc_send_copy(const Objc *objc, ObjcId to, const char *selector, ObjcId from_buffer, ObjcId to_buffer,
                    ObjcUInteger size);
void objc_send_grid(const Objc *objc, ObjcId to, const char *selector, MetalSize groups, MetalSize threads);
ObjcUInteger objc_ask_number(const Objc *objc, ObjcId to, const char *selector);
double objc_ask_double(const Objc *objc, ObjcId to, const char *selector);
void *objc_ask_pointer(const Objc *objc, ObjcId to, const char *selector);
bool objc_responds(const Objc *objc, ObjcId to, const char *selector);
void objc_release(const Objc *objc, ObjcId object); /* NULL is allowed */

/* A C string as an autoreleased NSString, and back (arena; "" for nil). */
ObjcId objc_string(const Objc *objc, const char *text);
const char *objc_text(Arena *arena, const Objc *objc, ObjcId string);

#endif
