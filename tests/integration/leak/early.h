/* A library whose constructor runs before that of a preloaded one. */
#ifndef LEAK_EARLY_H
#define LEAK_EARLY_H

extern int early_tcp, early_udp;

/* Called by the library's destructor, which runs when others have had theirs. */
extern void (*early_at_end)(void);

/* What a connect within the constructor said; for the one door that wants it. */
extern int early_fd, early_res, early_errno;

#endif
