#include "reset.h"

#include <limits.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define WAIT_MAX_MS 256

void reset_init(struct reset *r, int64_t now_ms)
{
	r->end_ms = now_ms + RESET_MAX_MS;
	r->quiet_ms = now_ms + RESET_QUIET_MS;
	r->unsent = INT_MAX;
	r->wait_ms = 1;
}

int reset_look(struct reset *r, int fd, int64_t now_ms)
{
	socklen_t len = sizeof(int);
	int unsent = 0, err = 0;

	/* A side that has died meanwhile keeps its count for good. */
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0 || err != 0)
		return 0;
	if (ioctl(fd, SIOCOUTQ, &unsent) < 0 || unsent == 0)
		return 0;
	if (unsent < r->unsent) {
		r->quiet_ms = now_ms + RESET_QUIET_MS;
		r->wait_ms = 1;
	} else if (r->wait_ms < WAIT_MAX_MS) {
		r->wait_ms *= 2;
	}
	r->unsent = unsent;
	return now_ms < r->quiet_ms && now_ms < r->end_ms ? r->wait_ms : 0;
}
