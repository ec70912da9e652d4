/*
 * The rcmd() and rexec() families connect, and ask for names, within libc and past every hook: they
 * are refused. rresvport() only binds, and is left alone. gethostid() asks nobody.
 */
#include "audit.h"
#include "real.h"

#include <base/log.h>
#include <errno.h>
#include <fcntl.h>
#include <names/local.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define HOSTID_PATH "/etc/hostid"

/* One line for each of them. */
static int refuse(const char *function, const char *host, atomic_bool *told)
{
	if (!atomic_exchange(told, true))
		log_warn("%s[%d]: %s(\"%s\") refused: libc would go past the proxy in it",
		         program_invocation_short_name, (int)getpid(), function, host ? host : "");
	audit_note(DEED_REFUSED, function, "libc would go past the proxy in it");
	errno = EACCES;
	return -1;
}

int hook_rcmd(char **host, unsigned short port, const char *local, const char *remote,
              const char *cmd, int *err_fd)
{
	static atomic_bool told;

	(void)port, (void)local, (void)remote, (void)cmd, (void)err_fd;
	return refuse("rcmd", host ? *host : NULL, &told);
}

int hook_rcmd_af(char **host, unsigned short port, const char *local, const char *remote,
                 const char *cmd, int *err_fd, sa_family_t family)
{
	static atomic_bool told;

	(void)port, (void)local, (void)remote, (void)cmd, (void)err_fd, (void)family;
	return refuse("rcmd_af", host ? *host : NULL, &told);
}

int hook_rexec(char **host, int port, const char *user, const char *password, const char *cmd,
               int *err_fd)
{
	static atomic_bool told;

	(void)port, (void)user, (void)password, (void)cmd, (void)err_fd;
	return refuse("rexec", host ? *host : NULL, &told);
}

int hook_rexec_af(char **host, int port, const char *user, const char *password, const char *cmd,
                  int *err_fd, sa_family_t family)
{
	static atomic_bool told;

	(void)port, (void)user, (void)password, (void)cmd, (void)err_fd, (void)family;
	return refuse("rexec_af", host ? *host : NULL, &told);
}

/* "May this user of that host log in here": libc asks for the names of both ends. Denied. */
int hook_ruserok(const char *host, int superuser, const char *remote, const char *local)
{
	static atomic_bool told;

	(void)superuser, (void)remote, (void)local;
	return refuse("ruserok", host, &told);
}

int hook_ruserok_af(const char *host, int superuser, const char *remote, const char *local,
                    sa_family_t family)
{
	static atomic_bool told;

	(void)superuser, (void)remote, (void)local, (void)family;
	return refuse("ruserok_af", host, &told);
}

int hook_iruserok(uint32_t ip, int superuser, const char *remote, const char *local)
{
	static atomic_bool told;

	(void)ip, (void)superuser, (void)remote, (void)local;
	return refuse("iruserok", NULL, &told);
}

int hook_iruserok_af(const void *ip, int superuser, const char *remote, const char *local,
                     sa_family_t family)
{
	static atomic_bool told;

	(void)ip, (void)superuser, (void)remote, (void)local, (void)family;
	return refuse("iruserok_af", NULL, &told);
}

/* What the administrator has set by sethostid(). */
static bool read_host_id(int32_t *id)
{
	int fd = open(HOSTID_PATH, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	do
		n = real->read(fd, id, sizeof(*id));
	while (n < 0 && errno == EINTR);
	real->close(fd);
	return n == (ssize_t)sizeof(*id);
}

/* libc makes it of the address that the machine's own name has, its halves exchanged. */
long hook_gethostid(void)
{
	struct utsname host;
	struct endpoint ep;
	int saved = errno;
	uint32_t ip;
	int32_t id;

	if (!read_host_id(&id)) {
		id = 0;
		if (uname(&host) == 0 &&
		    local_find(host.nodename, strlen(host.nodename), AF_INET, &ep, 1) > 0) {
			memcpy(&ip, ep.ip, sizeof(ip));
			id = (int32_t)(ip << 16 | ip >> 16);
		}
	}
	errno = saved;
	return id;
}
