/* bundle.h: samebits bundle SPEC... -o DIR, and samebits verify SPEC --against FILE. */
#ifndef SAMEBITS_COMMAND_BUNDLE_H
#define SAMEBITS_COMMAND_BUNDLE_H

#include "command/options.h"

int command_bundle(const Options *options, Arena *arena);
int command_verify_against(const Options *options, Arena *arena, const char *certificate);

#endif
