/* The proxy's name, asked for by a thread of its own: the helper has other connects to see to. */
#ifndef PRELOAD_LOOKUP_H
#define PRELOAD_LOOKUP_H

/*
 * Begin to ask, unless it is being asked already: session_hops() will know. Returns 0, or a
 * negative errno where there is no thread for it.
 */
int lookup_hops(void);

#endif
