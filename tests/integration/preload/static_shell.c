/*
 * A program that no library gets into, linked statically: a shell that knows as much as is wanted
 * of it.
 *
 * shell -c COMMAND: "net" exits with 0 where a socket can be made, with 3 where that is EACCES;
 * "exec PROGRAM ARGS..." becomes PROGRAM, with quotes as in sh(1); "exit N". Without -c: "net".
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WORDS_MAX 32

static int try_network(void)
{
	if (socket(AF_INET, SOCK_STREAM, 0) >= 0)
		return 0;
	return errno == EACCES ? 3 : 4;
}

/* One word of @from, unquoted in place. */
static char *cut_word(char **from)
{
	char *at = *from + strspn(*from, " "), *word = at, *to = at;

	if (!*at)
		return NULL;
	for (; *at && *at != ' '; at++) {
		if (*at == '\'') {
			for (at++; *at != '\''; at++)
				*to++ = *at;
		} else {
			at += *at == '\\';
			*to++ = *at;
		}
	}
	*from = at + (*at != '\0');
	*to = '\0';
	return word;
}

int main(int argc, char **argv)
{
	char *words[WORDS_MAX + 1], *rest;
	size_t n = 0;

	if (argc < 3)
		return try_network();
	rest = argv[argc - 1];
	while (n < WORDS_MAX && (words[n] = cut_word(&rest)))
		n++;
	words[n] = NULL;
	if (n > 1 && strcmp(words[0], "exec") == 0) {
		execv(words[1], words + 1);
		return 126;
	}
	if (n == 2 && strcmp(words[0], "exit") == 0)
		return atoi(words[1]);
	if (n == 2 && strcmp(words[0], "say") == 0)
		return printf("%s", words[1]) < 0;
	return try_network();
}
