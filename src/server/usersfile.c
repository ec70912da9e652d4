#include "usersfile.h"

#include "events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void warn_of(const char *what, const char *path, unsigned line, const char *reason)
{
	struct event e;

	event_begin(&e, "warning");
	event_text(&e, "what", what);
	event_text(&e, "file", path);
	if (line > 0)
		event_number(&e, "line", line);
	if (reason)
		event_text(&e, "reason", reason);
	event_end(&e);
}

static void warn_of_contents(const struct users *u, const char *path, const struct users_report *r)
{
	if (r->open_to_all)
		warn_of("every user of this machine can read the users file", path, 0,
		        "its mode should be 600 or 640");
	if (r->weak_line > 0)
		warn_of("a hash is of a weak kind", path, r->weak_line,
		        "make a new one with socksifyd --hash");
	if (users_count(u) == 0)
		warn_of("there is no user in the users file, nobody can log in", path, 0, NULL);
}

static const char *cause(int err)
{
	return err == -EINVAL ? "not a regular file" : strerror(-err);
}

static size_t told(const struct users_report *r)
{
	return r->n_mistakes < USERS_MISTAKES_MAX ? r->n_mistakes : USERS_MISTAKES_MAX;
}

int usersfile_load(struct users **out, struct opener *opener, const char *path)
{
	struct users_report r;
	int err = users_load(out, opener, path, &r);

	if (err == 0) {
		warn_of_contents(*out, path, &r);
		return 0;
	}
	if (err != -EBADMSG) {
		fprintf(stderr, "socksifyd: --users \"%s\": %s\n", path, cause(err));
		return 1;
	}
	for (size_t i = 0; i < told(&r); i++)
		fprintf(stderr, "socksifyd: --users \"%s\": line %u: %s; expected %s\n", path,
		        r.mistakes[i].line, r.mistakes[i].what, r.mistakes[i].expected);
	if (told(&r) < r.n_mistakes)
		fprintf(stderr, "socksifyd: --users \"%s\": %zu more mistakes\n", path,
		        r.n_mistakes - told(&r));
	return 2;
}

int usersfile_renew(struct users **users, struct opener *opener, const char *path)
{
	static const char stay[] = "the users file can't be used, the old users stay";
	struct users_report r;
	struct users *fresh;
	char text[256];
	int err = users_load(&fresh, opener, path, &r);

	if (err == 0) {
		users_free(*users);
		*users = fresh;
		warn_of_contents(fresh, path, &r);
		return 0;
	}
	if (err != -EBADMSG)
		warn_of(stay, path, 0, cause(err));
	for (size_t i = 0; err == -EBADMSG && i < told(&r); i++) {
		snprintf(text, sizeof(text), "%s; expected %s", r.mistakes[i].what,
		         r.mistakes[i].expected);
		warn_of(stay, path, r.mistakes[i].line, text);
	}
	if (err == -EBADMSG && told(&r) < r.n_mistakes)
		warn_of(stay, path, 0, "there are more mistakes in it");
	return err;
}
