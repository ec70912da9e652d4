/*
 * storm THREADS CONNECTS NAME ADDRESS PORT: every thread resolves and connects so many times, by
 * name and by address in turn, asks getpeername() and fetches a page over it. Prints "N right".
 */
#include "fetch.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

static atomic_int right;
static int connects;
static char **words; /* NAME ADDRESS PORT */

/* The peer must be what was connected to, on the socket and on a duplicate of it. */
static bool peer_is(int fd, const struct addrinfo *to)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int twin = dup(fd);
	bool same;

	if (twin < 0)
		return false;
	same = getpeername(twin, (struct sockaddr *)&sa, &len) == 0 && len == to->ai_addrlen &&
	       memcmp(&sa, to->ai_addr, sizeof(struct sockaddr_in)) == 0;
	close(twin);
	return same;
}

static bool once(const char *host, const char *path)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list;
	char body[FETCH_MAX], want[FETCH_MAX];
	bool ok = false;
	int err = getaddrinfo(host, words[2], &hints, &list);

	if (err != 0) {
		fprintf(stderr, "%s: %s\n", host, gai_strerror(err));
		return false;
	}
	int fd = fetch_connect(list->ai_addr, list->ai_addrlen);

	if (fd < 0) {
		perror(host);
	} else {
		snprintf(want, sizeof(want), "you asked %s for %s\n", host, path);
		if (!peer_is(fd, list))
			fprintf(stderr, "%s: getpeername tells another peer\n", host);
		else if (fetch_page(fd, host, path, body) < 0)
			fprintf(stderr, "%s: no page came\n", host);
		else if (strcmp(body, want) != 0)
			fprintf(stderr, "%s: the page says %s", host, body);
		else
			ok = true;
		close(fd);
	}
	freeaddrinfo(list);
	return ok;
}

static void *run(void *arg)
{
	char path[64];

	for (int i = 0; i < connects; i++) {
		snprintf(path, sizeof(path), "/%d/%d", *(int *)arg, i);
		if (once(words[i % 2], path))
			atomic_fetch_add(&right, 1);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	int threads = atoi(argv[1]), started = 0;
	pthread_t *ids = calloc((size_t)threads, sizeof(*ids));
	int *numbers = calloc((size_t)threads, sizeof(*numbers));

	connects = atoi(argv[2]);
	words = argv + 3;
	if (ids == NULL || numbers == NULL)
		return 1;
	for (; started < threads; started++) {
		numbers[started] = started;
		if (pthread_create(&ids[started], NULL, run, &numbers[started]) != 0)
			break;
	}
	for (int i = 0; i < started; i++)
		pthread_join(ids[i], NULL);
	printf("%d right\n", atomic_load(&right));
	free(ids);
	free(numbers);
	return 0;
}
