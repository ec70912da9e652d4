/*
 * doors NAME [ARGS...]: go through one door, and print what it came to; doors --list: all of them.
 *
 * Exit status: 0 as it should be under the library, 1 it isn't, 77 there is no such door here.
 */
#include "doors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct door *const families[] = {
	doors_tcp,     doors_udp,      doors_kinds,  doors_names, doors_ring,
	doors_loading, doors_children, doors_handed, doors_stray,
};

static const char *const bare_names[] = {
	[SENDS_NOTHING] = "nothing", [ROOT_SENDS] = "root", [NOBODY_SENDS] = "nobody",
	[ALL_SEND] = "all",          [ALL_ASK] = "ask",
};

char door_self[4096], door_beside[4200];

const char door_request[] = "GET /door HTTP/1.0\r\nHost: " WEB_NAME "\r\n\r\n";
const size_t door_request_len = sizeof(door_request) - 1;

int door_lacks(const char *why)
{
	printf("lacks: %s\n", why);
	return DOOR_LACKS;
}

socklen_t door_address(struct sockaddr_storage *sa, const char *text, int port)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)sa;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)sa;

	memset(sa, 0, sizeof(*sa));
	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1) {
		sin->sin_family = AF_INET;
		sin->sin_port = htons((uint16_t)port);
		return sizeof(*sin);
	}
	if (inet_pton(AF_INET6, text, &sin6->sin6_addr) != 1)
		abort();
	sin6->sin6_family = AF_INET6;
	sin6->sin6_port = htons((uint16_t)port);
	return sizeof(*sin6);
}

int door_end(long res, int end)
{
	return res < 0 ? -errno : end;
}

int door_fetch_rest(int fd, ssize_t sent)
{
	char page[4096];
	size_t len = 0;
	ssize_t n;

	if (sent < 0) {
		int err = errno;

		close(fd);
		return -err;
	}
	n = write(fd, door_request + sent, door_request_len - (size_t)sent);
	while (n > 0 || (n == 0 && len == 0)) {
		n = read(fd, page + len, sizeof(page) - 1 - len);
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	page[len] = '\0';
	n = n < 0 ? -errno : strstr(page, "/door") ? DOOR_THROUGH : -EPROTO;
	close(fd);
	return (int)n;
}

int door_fetch(int fd, long res)
{
	return door_fetch_rest(fd, res < 0 ? -1 : 0);
}

int door_of_status(int status)
{
	if (!WIFEXITED(status))
		return -EINTR;
	/* What the child has printed tells more. */
	return WEXITSTATUS(status) == 0 ? DOOR_THROUGH : DOOR_SENT;
}

int door_of_child(int pid)
{
	int status;

	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return door_of_status(status);
}

static int note_loader(struct dl_phdr_info *info, size_t size, void *to)
{
	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++)
		if (info->dlpi_phdr[i].p_type == PT_INTERP)
			*(char **)to = (char *)(info->dlpi_addr + info->dlpi_phdr[i].p_vaddr);
	/* The first is the program itself. */
	return 1;
}

const char *door_loader(void)
{
	char *loader = NULL;

	dl_iterate_phdr(note_loader, &loader);
	return loader;
}

static const struct door *find(const char *name)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (const struct door *d = families[i]; d->name; d++)
			if (strcmp(d->name, name) == 0)
				return d;
	return NULL;
}

static int list(void)
{
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++)
		for (const struct door *d = families[i]; d->name; d++)
			printf("%s %s %s\n", d->name, bare_names[d->bare],
			       d->needs ? d->needs : "-");
	return 0;
}

static const char *end_name(int end)
{
	if (end < 0)
		return strerrorname_np(-end) ? strerrorname_np(-end) : "an unknown errno";
	switch ((enum door_end)end) {
	case DOOR_THROUGH:
		return "through";
	case DOOR_ANSWERED:
		return "answered";
	case DOOR_SENT:
		return "sent";
	case DOOR_LACKS:
		return "lacking";
	case DOOR_ANY_ERROR:
		return "through or refused";
	}
	return "?";
}

static bool is_wanted(int want, int got)
{
	if (want == DOOR_ANY_ERROR)
		return got < 0 || got == DOOR_THROUGH;
	return got == want;
}

int main(int argc, char **argv)
{
	ssize_t len = readlink("/proc/self/exe", door_self, sizeof(door_self) - 1);
	const struct door *d;
	int got;

	if (len < 0)
		return 1;
	snprintf(door_beside, sizeof(door_beside), "%s-static", door_self);
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	d = argc >= 2 ? find(argv[1]) : NULL;
	if (!d) {
		fprintf(stderr, "no such door: %s\n", argc >= 2 ? argv[1] : "(none)");
		return 1;
	}
	setvbuf(stdout, NULL, _IONBF, 0);
	alarm(DOORS_WAIT);
	got = d->run(argv + 2);
	if (got == DOOR_LACKS)
		return DOORS_LACKS;
	printf("%s: %s", d->name, end_name(got));
	if (!is_wanted(d->want, got))
		printf(", and should be %s", end_name(d->want));
	putchar('\n');
	return is_wanted(d->want, got) ? 0 : 1;
}
