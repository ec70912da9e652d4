#include "privileges.h"

#include "events.h"
#include "options.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OWN_USER "socksifyd"

/* Where systemd takes the users of DynamicUser= from, and no distribution has others. */
#define DYNAMIC_FIRST 61184u
#define DYNAMIC_LAST  65519u
#define DYNAMIC_COUNT (DYNAMIC_LAST - DYNAMIC_FIRST + 1)

/* The choice */

/* Is the id one of this user namespace. Where nothing tells, setresuid(2) will. */
static bool is_mapped(const char *map, unsigned id)
{
	FILE *f = fopen(map, "re");
	unsigned first, outside, count;
	bool found = !f;

	while (f && !found && fscanf(f, "%u %u %u", &first, &outside, &count) == 3)
		found = id >= first && id - first < count;
	if (f)
		(void)fclose(f);
	return found;
}

static bool are_mapped(uid_t uid, gid_t gid)
{
	return is_mapped("/proc/self/uid_map", uid) && is_mapped("/proc/self/gid_map", gid);
}

static bool is_nobodys(unsigned id)
{
	char path[64];

	snprintf(path, sizeof(path), "/run/systemd/dynamic-uid/%u", id);
	if (access(path, F_OK) == 0)
		return false;
	/* Another server that chose it for itself runs under it. */
	errno = 0;
	if (getpriority(PRIO_USER, id) != -1 || errno != ESRCH)
		return false;
	return !getpwuid(id) && !getgrgid(id);
}

/* From anywhere in the range on, so that two servers hardly ever look at the same one. */
static bool find_nobodys(unsigned *id)
{
	unsigned start = 0;

	if (getrandom(&start, sizeof(start), GRND_NONBLOCK) < 0)
		start = (unsigned)getpid();
	for (unsigned i = 0; i < DYNAMIC_COUNT; i++) {
		*id = DYNAMIC_FIRST + (start % DYNAMIC_COUNT + i) % DYNAMIC_COUNT;
		if (!are_mapped(*id, *id))
			continue;
		if (is_nobodys(*id))
			return true;
	}
	return false;
}

static int bad(const char *user, const char *expected)
{
	fprintf(stderr, "socksifyd: --user \"%s\": expected %s\n", user, expected);
	return OPTIONS_BAD;
}

/* Digits alone, and an id: setresuid(2) takes -1 for "as it is". Returns what follows, or NULL. */
static const char *read_id(const char *text, unsigned *id)
{
	uint64_t n = 0;
	const char *at = text;

	for (; *at >= '0' && *at <= '9'; at++) {
		n = n * 10 + (uint64_t)(*at - '0');
		if (n >= UINT32_MAX)
			return NULL;
	}
	*id = (unsigned)n;
	return at > text ? at : NULL;
}

/* 0, or a status. */
static int read_user(struct privileges *p, const char *user)
{
	static const char expected[] = "the name of a user, a uid, or UID:GID";
	const struct passwd *pw;
	const char *rest = read_id(user, &p->uid);

	if (rest && *rest == ':') {
		rest = read_id(rest + 1, &p->gid);
		if (!rest || *rest)
			return bad(user, expected);
	} else if (rest && !*rest) {
		pw = getpwuid(p->uid);
		p->gid = pw ? pw->pw_gid : p->uid;
	} else {
		errno = 0;
		pw = getpwnam(user);
		if (!pw && errno != 0 && errno != ENOENT && errno != ESRCH) {
			fprintf(stderr, "socksifyd: --user \"%s\": %s\n", user, strerror(errno));
			return 1;
		}
		if (!pw)
			return bad(user, "the name of a user that there is, a uid, or UID:GID");
		p->uid = pw->pw_uid;
		p->gid = pw->pw_gid;
	}
	if (p->uid == 0 || p->gid == 0)
		return bad(user, "a user and a group that are not root's");
	return 0;
}

static void choose(struct privileges *p)
{
	const struct passwd *pw = getpwnam(OWN_USER);
	unsigned id;

	if (pw && pw->pw_uid != 0 && pw->pw_gid != 0 && are_mapped(pw->pw_uid, pw->pw_gid)) {
		p->drop = true;
		p->uid = pw->pw_uid;
		p->gid = pw->pw_gid;
	} else if (find_nobodys(&id)) {
		p->drop = true;
		p->uid = id;
		p->gid = id;
	}
}

int privileges_plan(struct privileges *p, const char *user)
{
	int status;

	*p = (struct privileges){ .demanded = user != NULL, .uid = geteuid(), .gid = getegid() };
	if (geteuid() != 0) {
		if (!user)
			return 0;
		fprintf(stderr,
		        "socksifyd: --user \"%s\": only root can take another user on; started by "
		        "uid %u it runs as that\n",
		        user, (unsigned)geteuid());
		return 1;
	}
	if (!user) {
		choose(p);
		return 0;
	}
	status = read_user(p, user);
	p->drop = status == 0;
	return status;
}

/* The end of it */

static int set_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	for (size_t i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(keep >> (32 * i));
		data[i].permitted = data[i].effective;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

static int get_capabilities(uint64_t *have)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0 } };

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*have = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* What could come back by an exec. Without CAP_SETPCAP there is little in it, and no exec. */
static void drop_inheritance(void)
{
	for (unsigned long cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
}

static int change_user(const struct privileges *p)
{
	if (setgroups(0, NULL) < 0 && (errno != EPERM || getgroups(0, NULL) != 0))
		return -errno;
	if (setresgid(p->gid, p->gid, p->gid) < 0 || setresuid(p->uid, p->uid, p->uid) < 0)
		return -errno;
	return 0;
}

/* 0 or a negative errno. */
static int close_doors(void)
{
	const struct rlimit none = { 0, 0 };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static bool is_gone(const struct privileges *p)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;
	uint64_t caps = 0;

	if (get_capabilities(&caps) < 0 || caps != 0)
		return false;
	if (!p->drop)
		return true;
	if (setresuid(0, 0, 0) == 0 || seteuid(0) == 0 || setresgid(0, 0, 0) == 0 ||
	    getgroups(0, NULL) != 0)
		return false;
	return getresuid(&r, &e, &s) == 0 && r == p->uid && e == p->uid && s == p->uid &&
	       getresgid(&rg, &eg, &sg) == 0 && rg == p->gid && eg == p->gid && sg == p->gid;
}

/* Whoever started us may count on it, and a change of user wipes it. */
static void keep_death_signal(int number, pid_t parent)
{
	if (number == 0 || prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) < 0)
		return;
	if (getppid() != parent)
		(void)raise(number);
}

static int complain(const char *what, int err)
{
	fprintf(stderr, "socksifyd: %s%s%s\n", what, err < 0 ? ": " : "",
	        err < 0 ? strerror(-err) : "");
	return 1;
}

static int take_user(struct privileges *p)
{
	int err = p->drop ? change_user(p) : -EINVAL;

	if (err == 0)
		return 0;
	if (p->demanded) {
		fprintf(stderr, "socksifyd: --user: uid %u and gid %u: %s\n", (unsigned)p->uid,
		        (unsigned)p->gid,
		        err == -EINVAL ? "not of this user namespace" : strerror(-err));
		return 1;
	}
	/* Half a change is not undone: the group may have been given up. */
	p->drop = false;
	p->uid = geteuid();
	p->gid = getegid();
	event_warn("no other user can be taken on, it goes on as root without capabilities",
	           err == -EINVAL ? "this user namespace has none to choose" : strerror(-err));
	return 0;
}

int privileges_drop(struct privileges *p)
{
	const pid_t parent = getppid();
	int err, status, death_signal = 0;

	(void)prctl(PR_GET_PDEATHSIG, &death_signal, 0, 0, 0);
	drop_inheritance();
	status = geteuid() == 0 ? take_user(p) : 0;
	if (status != 0)
		return status;
	err = set_capabilities(0);
	if (err == 0)
		err = close_doors();
	keep_death_signal(death_signal, parent);
	if (err < 0)
		return complain("privileges can't be given away", err);
	return is_gone(p) ? 0 : complain("privileges were given away, and can be had back", 0);
}

int privileges_keep_reading(void)
{
	uint64_t have = 0;
	int err = get_capabilities(&have);

	if (err < 0)
		return err;
	drop_inheritance();
	err = set_capabilities(have & (uint64_t)1 << CAP_DAC_READ_SEARCH);
	return err < 0 ? err : close_doors();
}
