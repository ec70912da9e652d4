/*
 * Any octets as a hosts file: each word that it knows has an address, and no other word is known;
 * each line is found by each of its names, and by its address.
 */
#include <config/hosts.h>
#include <fuzz.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void ask(const struct hosts *h, const char *name, size_t len)
{
	struct endpoint out[4];
	size_t all = hosts_find(h, name, len, AF_UNSPEC, out, 4);
	size_t ipv4 = hosts_find(h, name, len, AF_INET, out, 4);
	size_t ipv6 = hosts_find(h, name, len, AF_INET6, out, 4);

	REQUIRE(hosts_knows(h, name, len) == (all > 0));
	REQUIRE(all <= 4 && all <= ipv4 + ipv6);
	for (size_t i = 0; i < ipv6; i++)
		REQUIRE(out[i].kind == ENDPOINT_IPV6 && out[i].port == 0);
}

/* A line that lists a name is found by it, and by its address. */
static void ask_line(const struct hosts *h, const struct hosts_line *line)
{
	struct hosts_line same;
	size_t names = 0;

	for (const char *name = line->names; name; name = hosts_next_name(name)) {
		uint32_t at = 0;
		bool found = false;

		REQUIRE(*name && hosts_knows(h, name, strlen(name)));
		while (!found && hosts_next_of(h, name, strlen(name), AF_UNSPEC, &at, &same))
			found = same.names == line->names;
		REQUIRE(found && endpoint_equal(&same.ep, &line->ep));
		names++;
	}
	REQUIRE(names > 0);
	REQUIRE(hosts_line_of(h, &line->ep, &same) && same.names <= line->names);
}

static void ask_lines(const struct hosts *h, size_t size)
{
	size_t lines[3] = { 0 };
	const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
	struct hosts_line line;

	for (int i = 0; i < 3; i++) {
		for (uint32_t at = 0; hosts_next(h, families[i], &at, &line); lines[i]++)
			if (i == 0)
				ask_line(h, &line);
		REQUIRE(!hosts_name_of(h, &(struct endpoint){ .kind = ENDPOINT_NONE }));
	}
	REQUIRE(lines[0] <= size / 4 + 1);
	REQUIRE(lines[0] <= lines[1] + lines[2] && lines[1] <= lines[0] && lines[2] <= lines[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("hosts", MFD_CLOEXEC);
	const char *text = (const char *)data;
	unsigned bad = UINT32_MAX;
	struct hosts *h;
	char path[40];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	h = hosts_load(path, &bad);
	REQUIRE(h && bad <= size + 1);
	REQUIRE(hosts_is_current(h));
	for (size_t i = 0; i < size;) {
		size_t len = 0;

		while (i + len < size && !memchr(" \t\n\v\f\r#", data[i + len], 7))
			len++;
		ask(h, text + i, len);
		i += len + 1;
	}
	REQUIRE(!hosts_knows(h, "", 0));
	ask_lines(h, size);
	hosts_free(h);
	close(fd);
	return 0;
}
