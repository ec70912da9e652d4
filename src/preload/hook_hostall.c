/*
 * The gethostent() family walks the hosts file, which is all that glibc's "files" would do; other
 * sources, NIS or a directory, would be asked over the network. One walk for the whole process.
 */
#include "answer.h"
#include "kept.h"
#include "pack.h"
#include "real.h"

#include <errno.h>
#include <stdatomic.h>

/* The file that the walk began with, and how far it is; the call that moves it has the line. */
static _Atomic(const struct hosts *) walked;
static _Atomic uint32_t walked_to;

static void begin(void)
{
	atomic_store(&walked, NULL);
	atomic_store(&walked_to, 0);
}

/* The file under way, or as it is now. */
static const struct hosts *find_file(void)
{
	const struct hosts *hosts = atomic_load(&walked);

	if (!hosts) {
		hosts = local_hosts();
		atomic_store(&walked, hosts);
	}
	return hosts;
}

static int failed(int err, int herr, int *herr_out)
{
	*herr_out = herr;
	h_errno = herr;
	if (err == ERANGE)
		errno = err;
	return err;
}

/* As glibc's: ENOENT at the end; after ERANGE the line is still the next one. */
static int next(struct hostent *ret, char *buf, size_t len, struct hostent **res, int *herr)
{
	const struct hosts *hosts = find_file();
	uint32_t from = atomic_load(&walked_to), to;
	struct hosts_line line;

	*res = NULL;
	do {
		to = from;
		if (!hosts || !hosts_next(hosts, AF_INET, &to, &line))
			return failed(ENOENT, HOST_NOT_FOUND, herr);
		if (pack_line(&line, ret, buf, len) != 0)
			return failed(ERANGE, NETDB_INTERNAL, herr);
	} while (!atomic_compare_exchange_weak(&walked_to, &from, to));
	*res = ret;
	return 0;
}

int hook_gethostent_r(struct hostent *ret, char *buf, size_t len, struct hostent **res, int *herr)
{
	if (answer_is_libcs())
		return real->gethostent_r(ret, buf, len, res, herr);
	return next(ret, buf, len, res, herr);
}

static int fill(void *arg, char *buf, size_t len)
{
	static struct hostent ret;
	int herr;

	return next(&ret, buf, len, arg, &herr);
}

struct hostent *hook_gethostent(void)
{
	static struct kept kept;
	struct hostent *res = NULL;
	int saved = errno, before = h_errno, err;

	if (answer_is_libcs())
		return real->gethostent();
	err = kept_fill(&kept, fill, &res);
	errno = err == ENOMEM ? ENOMEM : saved;
	if (err == 0)
		h_errno = before;
	return res;
}

void hook_sethostent(int stay_open)
{
	if (answer_is_libcs())
		real->sethostent(stay_open);
	else
		begin();
}

void hook_endhostent(void)
{
	if (answer_is_libcs())
		real->endhostent();
	else
		begin();
}
