/* markup.h: writing well-formed XHTML that an HTML parser reads alike: every element is closed, every text
 * escaped. */
#ifndef SAMEBITS_MARKUP_H
#define SAMEBITS_MARKUP_H

#include "text/buffer.h"

/* Text for content and for attribute values in double quotes: & < > " ' become entities; what XML 1.0 cannot
 * hold (control characters) becomes U+FFFD. */
void markup_text(Buffer *out, const char *text);
/* <name attributes>text</name>; attributes is trusted text ("class='x'") or "". */
void markup_element(Buffer *out, const char *name, const char *attributes, const char *text);

#endif
