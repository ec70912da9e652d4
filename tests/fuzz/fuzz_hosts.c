/*
 * Any octets as a hosts file: each word that it knows has an address, and no other word is known.
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
	hosts_free(h);
	close(fd);
	return 0;
}
