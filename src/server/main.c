/* socksifyd: a SOCKS server. Options, signals, exit status. */
#include "events.h"
#include "hash.h"
#include "landlock.h"
#include "opener.h"
#include "options.h"
#include "privileges.h"
#include "sandbox.h"
#include "server.h"
#include "testconfig.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
	struct watch fd;
	struct server *server;
};

static void signals_ready(struct watch *w, uint32_t events)
{
	struct signals *s = LOOP_OWNER(w, struct signals, fd);
	struct signalfd_siginfo info;

	(void)events;
	while (read(w->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			server_reload(s->server);
		else if (s->server->draining)
			server_end(s->server);
		else
			server_drain(s->server);
	}
}

/* Those that signals_ready() takes. */
static void signals_set(sigset_t *mask)
{
	sigemptyset(mask);
	sigaddset(mask, SIGTERM);
	sigaddset(mask, SIGINT);
	sigaddset(mask, SIGHUP);
}

/*
 * From the first moment on, so that none that comes during the start is the default's to deal
 * with.
 */
static void signals_block(void)
{
	sigset_t mask;

	(void)signal(SIGPIPE, SIG_IGN);
	signals_set(&mask);
	(void)sigprocmask(SIG_BLOCK, &mask, NULL);
}

/* 0 or a negative errno. */
static int signals_start(struct signals *s, struct server *sv)
{
	sigset_t mask;

	signals_set(&mask);
	s->server = sv;
	s->fd.ready = signals_ready;
	s->fd.fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (s->fd.fd < 0)
		return -errno;
	return loop_want(&server_home(sv)->loop, &s->fd, EPOLLIN);
}

/* A socket must never become descriptor 2, which the log writes to. */
static void fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Two descriptors a tunnel: take all that we may have. */
static void raise_fd_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

/* Before any file is read, so that nothing of them is in the helper's memory. */
static int start_opener(struct opener **out, const struct options *o, const struct privileges *p)
{
	const char *files[OPTIONS_FILES_MAX];
	size_t n = options_files(o, files);
	int err;

	*out = NULL;
	/* Landlock closes these files to the server itself. */
	if (n == 0 || (!p->drop && (o->no_sandbox || landlock_version() < 0)))
		return 0;
	err = opener_new(out, files, n, !o->no_sandbox);
	if (err < 0)
		fprintf(stderr, "socksifyd: a process that opens files: %s\n", strerror(-err));
	return err < 0 ? 1 : 0;
}

static int run(struct server *sv, const struct options *o, struct opener *opener,
               struct privileges *p)
{
	struct signals signals = { .fd = { .fd = -1 } };
	struct sandbox sandbox;
	struct event e;
	int err, status = server_start(sv, o, opener);

	if (status == 0)
		status = privileges_drop(p);
	if (status != 0)
		return status;
	sandbox_enter(&sandbox, o);
	err = signals_start(&signals, sv);
	if (err < 0)
		fprintf(stderr, "socksifyd: signals can't be waited for: %s\n", strerror(-err));
	status = err < 0 ? 1 : server_begin(sv);
	if (status == 0) {
		sandbox_tell(&sandbox);
		status = server_run(sv);
	}
	loop_close(&server_home(sv)->loop, &signals.fd);
	if (status != 0)
		return status;
	event_begin(&e, "stopped");
	event_number(&e, "sessions", server_sessions(sv));
	event_end(&e);
	return 0;
}

int main(int argc, char **argv)
{
	struct privileges privileges;
	struct options options;
	struct opener *opener = NULL;
	struct server server = { 0 };
	int status;

	signals_block();
	fill_standard_fds();
	status = options_parse(&options, argc, argv);
	if (options.test_config && (status < 0 || status == OPTIONS_BAD)) {
		events_init(options.log);
		status = testconfig_run(&options, status < 0);
	}
	if (status >= 0) {
		options_fini(&options);
		return status;
	}
	if (options.hash) {
		status = hash_command(options.hash_name);
		options_fini(&options);
		return status;
	}
	events_init(options.log);
	if (options_allow_is_idle(&options))
		event_warn("--allow has no effect", "every listener is on loopback");
	raise_fd_limit();
	status = privileges_plan(&privileges, options.user);
	if (status == 0)
		status = start_opener(&opener, &options, &privileges);
	if (status == 0)
		status = run(&server, &options, opener, &privileges);
	server_stop(&server);
	opener_free(opener);
	options_fini(&options);
	return status;
}
