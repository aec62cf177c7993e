/* elementary.h: `samebits elementary [--sample N]`; argv[0] is "elementary". Returns the exit status. */
#ifndef SAMEBITS_COMMAND_ELEMENTARY_H
#define SAMEBITS_COMMAND_ELEMENTARY_H

int command_elementary(int argc, char **argv);

#endif
