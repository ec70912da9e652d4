/*
 * How it works: as in hosts.c, each line that is good is written anew over itself as
 * "name\0alias\0...\0"; its number made room for the last NUL.
 */
#include <config/networks.h>

#include "wordfile.h"

#include <arpa/inet.h>
#include <config/ascii.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct networks {
	char *text;
	struct network *all;
	size_t n;
};

static uint32_t read_number(const char *word)
{
	static const char zeros[] = ".0.0.0";
	size_t dots = 0;
	char text[64];

	for (const char *p = word; *p; p++)
		dots += *p == '.';
	if (dots > 3)
		dots = 3;
	/* What is longer than any number is none, and stays so where it is cut. */
	snprintf(text, sizeof(text), "%.*s%s", (int)sizeof(text) - 8, word, zeros + 2 * dots);
	return inet_network(text);
}

static void read_line(struct networks *n, struct wordfile_line line)
{
	size_t len, number_len;
	char *name = wordfile_next_word(&line, &len), *word, *to;

	word = name ? wordfile_next_word(&line, &number_len) : NULL;
	if (!word || memchr(name, '\0', len) || memchr(word, '\0', number_len))
		return;
	n->all[n->n++] = (struct network){ .number = read_number(word), .names = name };
	to = name + len + 1;
	while ((word = wordfile_next_word(&line, &len))) {
		if (memchr(word, '\0', len))
			continue;
		memmove(to, word, len);
		to[len] = '\0';
		to += len + 1;
	}
	*to = '\0';
}

struct networks *networks_load(const char *path)
{
	struct networks *n = calloc(1, sizeof(*n));
	size_t len, lines, words;
	struct stat seen;
	char *at, *end;
	int err;

	if (!n)
		return NULL;
	n->text = wordfile_read(path, &seen, &len);
	if (!n->text)
		goto fail;
	wordfile_count(n->text, len, &lines, &words);
	n->all = calloc(lines, sizeof(*n->all));
	if (!n->all)
		goto fail;
	at = n->text;
	end = at + len;
	while (at < end)
		read_line(n, wordfile_next_line(&at, end));
	return n;
fail:
	err = errno;
	networks_free(n);
	errno = err;
	return NULL;
}

void networks_free(struct networks *n)
{
	if (!n)
		return;
	free(n->all);
	free(n->text);
	free(n);
}

const struct network *networks_at(const struct networks *n, size_t i)
{
	return i < n->n ? &n->all[i] : NULL;
}

const char *networks_next_name(const char *name)
{
	name += strlen(name) + 1;
	return *name ? name : NULL;
}

const struct network *networks_find(const struct networks *n, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < n->n; i++)
		for (const char *at = n->all[i].names; at; at = networks_next_name(at))
			if (strlen(at) == len && ascii_equal(at, name, len))
				return &n->all[i];
	return NULL;
}

const struct network *networks_find_number(const struct networks *n, uint32_t number)
{
	for (size_t i = 0; i < n->n; i++)
		if (n->all[i].number == number)
			return &n->all[i];
	return NULL;
}
