/* Tunnels that have carried an octet each way, and then nothing; what they cost, others look at. */
#include "load.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SILENCE_MS 10000

static int one_octet(int from, int to)
{
	struct pollfd p = { .fd = to, .events = POLLIN };
	char octet = 'x';

	return send(from, &octet, 1, MSG_NOSIGNAL) == 1 && poll(&p, 1, SILENCE_MS) == 1 &&
	                       recv(to, &octet, 1, 0) == 1
	               ? 0
	               : -1;
}

/*
 * argv[0]: counts, rising, with commas between. After each, "open N" is printed and a line of input
 * awaited. Where one more can't be had, that is told instead, and it ends there.
 */
void story_idle(uint16_t proxy, char **argv)
{
	unsigned open = 0, want;
	struct sockaddr_in target;
	struct pair p;
	const char *why = "";
	char *left = argv[0], *word;
	char line[8];
	int listener = listen_any(&target);

	while ((word = strsep(&left, ",")) != NULL) {
		for (want = (unsigned)atoi(word); open < want; open++) {
			if (dial_pair(proxy, listener, &target, &p, &why) < 0)
				break;
			why = "the first octets";
			if (one_octet(p.client, p.target) < 0 || one_octet(p.target, p.client) < 0)
				break;
		}
		if (open < want) {
			printf("stuck %u %s: %s\n", open, why, strerror(errno));
			return;
		}
		printf("open %u\n", open);
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			return;
	}
}
