#include "hostsfile.h"

#include "events.h"
#include "opener.h"

#include <config/hosts.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define FIND_MAX 64

int hostsfile_read(struct hostsfile *f)
{
	unsigned bad_line = 0;
	struct hosts *fresh;
	struct event e;
	int err, fd = opener_open(f->opener, f->path);

	if (fd < 0)
		return fd;
	fresh = hosts_load_fd(fd, &bad_line);
	err = fresh ? 0 : errno ? -errno : -EIO;
	close(fd);
	if (!fresh)
		return err;
	hosts_free(f->hosts);
	f->hosts = fresh;
	f->complained = false;
	if (bad_line > 0) {
		event_begin(&e, "warning");
		event_text(&e, "what", "a line is not ADDRESS NAME...");
		event_text(&e, "file", f->path);
		event_number(&e, "line", bad_line);
		event_end(&e);
	}
	return 0;
}

void hostsfile_fini(struct hostsfile *f)
{
	hosts_free(f->hosts);
	f->hosts = NULL;
}

void hostsfile_reload(struct hostsfile *f)
{
	struct event e;
	int err = hostsfile_read(f);

	if (err == 0 || f->complained || (err == -ENOENT && !f->hosts))
		return;
	f->complained = true;
	event_begin(&e, "warning");
	event_text(&e, "what",
	           f->hosts ? "the hosts file can't be read again, its old contents stay"
	                    : "the hosts file can't be read");
	event_text(&e, "file", f->path);
	event_text(&e, "reason", err == -EINVAL ? "not a regular file" : strerror(-err));
	event_end(&e);
}

static bool is_current(const struct hostsfile *f)
{
	struct stat now;

	return f->hosts && opener_stat(f->opener, f->path, &now) == 0 &&
	       hosts_is_file(f->hosts, &now);
}

/* The contents as they are now; NULL where there are none. */
static const struct hosts *current(struct hostsfile *f)
{
	if (f->path && !is_current(f))
		hostsfile_reload(f);
	return f->hosts;
}

size_t hostsfile_find(struct hostsfile *f, const char *name, size_t len, uint16_t port,
                      union address *out, size_t max)
{
	const struct hosts *hosts = current(f);
	struct endpoint eps[FIND_MAX];
	size_t n;

	if (!hosts || !hosts_knows(hosts, name, len))
		return 0;
	n = hosts_find(hosts, name, len, AF_UNSPEC, eps, max < FIND_MAX ? max : FIND_MAX);
	for (size_t i = 0; i < n; i++) {
		eps[i].port = port;
		address_from_endpoint(&out[i], &eps[i]);
	}
	return n;
}

const char *hostsfile_name_of(struct hostsfile *f, const union address *a)
{
	const struct hosts *hosts = current(f);
	struct endpoint ep;

	address_to_endpoint(a, &ep);
	return hosts ? hosts_name_of(hosts, &ep) : NULL;
}
