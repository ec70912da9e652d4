#include "ticket.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER "socksify"
/*
 * SHA-256 with the fewest rounds: what is hashed has 128 random bits, which no number of guesses
 * finds, and the server computes it for each connection.
 */
#define METHOD "$5$rounds=1000$"

static void put_hex(char *out, const uint8_t *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", octets[i]);
}

int ticket_init(struct ticket *t)
{
	uint8_t octets[24];

	if (getrandom(octets, sizeof(octets), 0) != sizeof(octets))
		return errno ? -errno : -EIO;
	put_hex(t->password, octets, 16);
	put_hex(t->salt, octets + 16, 8);
	return 0;
}

/*
 * libcrypt is opened here and not linked: every start of the wrapper would pay for loading it.
 * Where the server has it, it is there.
 */
static int hash(const struct ticket *t, char *out, size_t cap)
{
	static const char *const names[] = { "libcrypt.so.1", "libcrypt.so.2" };
	char setting[sizeof(METHOD) + sizeof(t->salt)];
	char *(*function)(const char *phrase, const char *setting);
	const char *hashed;
	void *lib = NULL, *symbol;

	for (size_t i = 0; !lib && i < sizeof(names) / sizeof(names[0]); i++)
		lib = dlopen(names[i], RTLD_NOW);
	symbol = lib ? dlsym(lib, "crypt") : NULL;
	if (!symbol)
		return -ENOSYS;
	memcpy(&function, &symbol, sizeof(function));
	snprintf(setting, sizeof(setting), METHOD "%s", t->salt);
	hashed = function(t->password, setting);
	if (!hashed || hashed[0] == '*')
		return -EINVAL;
	snprintf(out, cap, "%s", hashed);
	return 0;
}

int ticket_put_users(const struct ticket *t, char *path, size_t cap)
{
	char hashed[256], line[sizeof(hashed) + sizeof(USER) + 2];
	int err = hash(t, hashed, sizeof(hashed)), fd;
	size_t len;

	if (err < 0)
		return err;
	len = (size_t)snprintf(line, sizeof(line), USER ":%s\n", hashed);
	fd = memfd_create("users", 0);
	if (fd < 0 || fchmod(fd, S_IRUSR | S_IWUSR) < 0)
		return -errno;
	if (write(fd, line, len) != (ssize_t)len)
		return -EIO;
	snprintf(path, cap, "/proc/self/fd/%d", fd);
	return 0;
}

void ticket_url(const struct ticket *t, unsigned port, char *buf, size_t cap)
{
	snprintf(buf, cap, "socks5h://" USER ":%s@127.0.0.1:%u", t->password, port);
}
