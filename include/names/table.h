/*
 * Names and their slots, shared by all processes of a session through a mapped file, lock-free. A
 * slot is never reused while the table lives. SIGKILL at any instant leaves at worst an orphan
 * slot. Slots are given in order from one that is drawn by lot for each table, so that an address
 * of a table that was collected is unknown to the one made in its place: of another name with a
 * probability of (names put)/131,071 (with the default SOCKSIFY_POOL).
 *
 * All calls are safe from any thread, after fork, and in signal handlers; they allocate nothing and
 * take no lock. Only table_open() and growth open the file, and close it before they return.
 */
#ifndef NAMES_TABLE_H
#define NAMES_TABLE_H

#include <base/endpoint.h>
#include <stdbool.h>
#include <stdint.h>

struct table; /* the mapping itself */

/*
 * Map the table at @path, made if it is not there (0600, O_NOFOLLOW, published whole by linkat),
 * its owner and header checked. Where that can't be (unwritable place, damaged or foreign file, no
 * room, RLIMIT_FSIZE), or @path is NULL: a private table that fork inherits. Missing parents: only
 * the last directory is made (0700), but never /dev/shm, and its owner checked.
 *
 * @private_why  0 where the table is the session's, else the negative errno that made it private;
 *               -EDOM: it was made for another pool than pool_init()'s
 *
 * Returns NULL only where not even anonymous memory is to be had.
 */
struct table *table_open(const char *path, int *private_why);

/*
 * To be called before a table is used: was its file truncated since? What is gone would be a SIGBUS
 * to touch, so the table goes on as a private one then, empty: its old addresses have no name.
 *
 * Returns 0, -ESTALE in the one call that found it so, or another error: it may not be used now
 * (another thread is just at this, or there is no memory).
 */
int table_check(struct table *t);

/* Unmap. The file stays for the session's other processes. */
void table_close(struct table *t);

/*
 * The slot of @name, given if it had none. Names are compared without regard to ASCII case and kept
 * as first written; a trailing dot counts. (The proxy sees the name as written first.)
 *
 * Returns 0, -EINVAL (1 to 255 octets, no NUL), or -ENOSPC: slots or memory are used up.
 */
int table_put(struct table *t, const char *name, size_t len, uint32_t *slot);

/* The slot of @name, or 0. */
uint32_t table_find(const struct table *t, const char *name, size_t len);

/*
 * The name of @slot, NUL-terminated, valid while the table is mapped. NULL where the slot was not
 * given.
 */
const char *table_name(const struct table *t, uint32_t slot, size_t *len);

uint32_t table_count(const struct table *t); /* slots given, orphans included */
bool table_is_full(const struct table *t);   /* all of the pool's are */

/*
 * The path for a new session's table: "$XDG_RUNTIME_DIR/socksify/names.<16 hex digits>", else
 * "/dev/shm/socksify-<uid>-<16 hex digits>". Makes and opens nothing.
 *
 * @runtime_dir  XDG_RUNTIME_DIR's value or NULL; used where it is a folder of ours
 * @nonce        8 random octets
 *
 * Returns 0 or -ENAMETOOLONG.
 */
int table_new_path(char *buf, size_t cap, const char *runtime_dir, uint64_t nonce);

/*
 * Is the table at @path another user's: a session does not go on across su(1), sudo(8) or setuid(2)
 * and exec. A path without a file is not.
 */
bool table_is_foreign(const char *path);

/*
 * Remove tables in the folders that table_new_path() uses, of our own uid, that no process maps (a
 * mapping keeps a shared flock): not now, not when this was last called, and that nobody opened in
 * between and for so many seconds. At most once in that time: a stamp file says when it was done
 * last. Returns how many were removed.
 */
int table_collect(const char *runtime_dir, int age_s);

#endif
