/*
 * Letters between the loops of different threads. Each is read in the thread of the loop that it
 * was posted to, in the order of posting. Posting allocates nothing and can't fail: a letter lives
 * in its owner, who leaves it alone until it has been read.
 */
#ifndef SERVER_MAILBOX_H
#define SERVER_MAILBOX_H

#include "loop.h"

#include <pthread.h>

struct letter {
	void (*read)(struct letter *l); /* may free or post it anew */
	struct letter *next;
};

struct mailbox {
	struct loop *loop;
	struct watch bell;
	pthread_mutex_t lock;
	struct letter *first, *last;
};

/* 0, or a negative errno. */
int mailbox_init(struct mailbox *m, struct loop *loop);
void mailbox_fini(struct mailbox *m); /* nobody may post any more; letters in it stay unread */

/* From any thread. */
void mailbox_post(struct mailbox *m, struct letter *l);

/* Read what is there: for the time when no loop runs any more. Was there any. */
bool mailbox_empty(struct mailbox *m);

#endif
