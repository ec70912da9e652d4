/*
 * What the proxy knows of each name that it was asked for, and the control socket by which a test
 * asks for it, waits for it, or lets go what is held. A datagram of the test's is a
 * struct tally_order; the answer is an int.
 */
#ifndef TEST_TALLY_H
#define TEST_TALLY_H

#include <stdbool.h>
#include <stdint.h>

struct conn;

struct tally {
	struct tally *next;
	char name[256];
	int requests, ended;
	uint16_t port; /* that the last request came from, or the listener's of direct.h */
	bool released;
	struct conn *held; /* linked by ->held_next */
};

enum tally_verb {
	TALLY_RELEASE,  /* carry out what is held, now and from now on */
	TALLY_REQUESTS, /* answer when there were @n requests */
	TALLY_ENDED,    /* answer when @n of the connections have ended */
	TALLY_COUNT,    /* how many requests were there? */
	TALLY_PORT,     /* where did the last one come from? */
	TALLY_DIRECT,   /* the port of direct_listen() */
	TALLY_STOP,     /* listen no more */
};

struct tally_order {
	enum tally_verb verb;
	int n;
	char name[256];
};

struct tally *tally_find(const char *name);

/* Answer those that wait for what has come about. */
void tally_answer(void);

/* Receive orders on the datagram socket @fd. @obey carries out the last two verbs. */
void tally_watch(int fd, void (*release)(struct tally *t),
                 int (*obey)(enum tally_verb verb, struct tally *t));

#endif
