/* progress.h: one line on stderr that shows how far a long stage is. Silent unless stderr is a terminal. */
#ifndef SAMEBITS_PROGRESS_H
#define SAMEBITS_PROGRESS_H

#include <stdbool.h>

typedef struct Progress {
    const char *stage;
    int done, total;
    bool shown;            /* stderr is a terminal and the caller asked */
    double started, drawn; /* seconds, monotonic */
} Progress;

void progress_start(Progress *progress, const char *stage, int total, bool wanted);
void progress_step(Progress *progress, const char *what); /* one more done; `what` is shown beside the bar */
void progress_end(Progress *progress);                    /* wipes the line */

#endif
