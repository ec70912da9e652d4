/*
 * How it works: a knock is a letter that goes home with the credentials and comes back with the
 * verdict. Leaving is a second letter, which overtakes nothing: the knock is freed when each letter
 * has come back. What the asker writes the judge does not, and the other way round.
 */
#include "door.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct knock {
	struct door door;
	/* The asker's. */
	struct letter leaving;
	unsigned out;                                 /* letters that have not come back */
	void (*told)(void *arg, enum auth_verdict v); /* NULL: left */
	void *arg;
	/* The judge's, while the letter is out. */
	struct letter letter;
	struct login *login;
	enum auth_verdict verdict;
	union address from;
	struct credentials c;
	char octets[]; /* user and password */
};

static void knock_wipe(struct knock *k)
{
	explicit_bzero(k->octets, k->c.user_len + k->c.password_len);
}

static void knock_put(struct knock *k)
{
	if (--k->out == 0)
		free(k);
}

/* Back with the asker. */
static void knock_answered(struct letter *l)
{
	struct knock *k = LOOP_OWNER(l, struct knock, letter);
	void (*told)(void *, enum auth_verdict) = k->told;
	enum auth_verdict v = k->verdict;
	void *arg = k->arg;

	k->told = NULL;
	knock_put(k);
	if (told)
		told(arg, v);
}

static void knock_has_left(struct letter *l)
{
	knock_put(LOOP_OWNER(l, struct knock, leaving));
}

/* With the judge. */
static void knock_judged(void *arg, enum auth_verdict v)
{
	struct knock *k = arg;

	k->login = NULL;
	k->verdict = v;
	k->letter.read = knock_answered;
	mailbox_post(k->door.own, &k->letter);
}

static void knock_came(struct letter *l)
{
	struct knock *k = LOOP_OWNER(l, struct knock, letter);
	enum auth_verdict v;

	v = auth_start(k->door.auth, &k->from, &k->c, knock_judged, k, &k->login);
	knock_wipe(k);
	if (v != AUTH_PENDING)
		knock_judged(k, v);
}

static void knock_leaves(struct letter *l)
{
	struct knock *k = LOOP_OWNER(l, struct knock, leaving);

	l->read = knock_has_left;
	if (k->login) {
		auth_cancel(k->login);
		knock_judged(k, AUTH_NO_MEANS);
	}
	mailbox_post(k->door.own, l);
}

/* Where the judge is at home. */
static void told_at_home(void *arg, enum auth_verdict v)
{
	struct knock *k = arg;
	void (*told)(void *, enum auth_verdict) = k->told;
	void *asker = k->arg;

	free(k);
	told(asker, v);
}

static struct knock *knock_new(const struct door *d, const union address *from,
                               const struct credentials *c, bool remote)
{
	size_t room = remote ? c->user_len + c->password_len : 0;
	struct knock *k = calloc(1, sizeof(*k) + room);

	if (!k)
		return NULL;
	k->door = *d;
	k->from = *from;
	if (!remote)
		return k;
	memcpy(k->octets, c->user, c->user_len);
	memcpy(k->octets + c->user_len, c->password, c->password_len);
	k->c = (struct credentials){ .user = k->octets,
		                     .user_len = c->user_len,
		                     .password = k->octets + c->user_len,
		                     .password_len = c->password_len };
	return k;
}

enum auth_verdict door_knock(const struct door *d, const union address *from,
                             const struct credentials *c,
                             void (*told)(void *arg, enum auth_verdict v), void *arg,
                             struct knock **slot)
{
	bool remote = d->own != d->home;
	struct knock *k = knock_new(d, from, c, remote);
	enum auth_verdict v = AUTH_PENDING;

	*slot = NULL;
	if (!k)
		return AUTH_NO_MEANS;
	k->told = told;
	k->arg = arg;
	if (remote) {
		k->out = 1;
		k->letter.read = knock_came;
		mailbox_post(d->home, &k->letter);
	} else {
		v = auth_start(d->auth, from, c, told_at_home, k, &k->login);
	}
	if (v == AUTH_PENDING)
		*slot = k;
	else
		free(k);
	return v;
}

void door_leave(struct knock *k)
{
	if (!k)
		return;
	if (k->door.own == k->door.home) {
		auth_cancel(k->login);
		free(k);
		return;
	}
	k->told = NULL;
	k->out++;
	k->leaving.read = knock_leaves;
	mailbox_post(k->door.home, &k->leaving);
}
