#include <launch/explain.h>

#include <base/errtext.h>
#include <elf.h>
#include <stdio.h>

/* One line whatever a file is called, or its first line names. */
static void make_line(char *buf)
{
	for (char *at = buf; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 0x7f)
			*at = '?';
}

/* "busybox", or of a script "its interpreter /bin/busybox"; what ld.so loads. */
static void name_culprit(const char *name, const struct target *t, char *buf, size_t cap)
{
	if (t->program[0])
		snprintf(buf, cap, "%s: its interpreter %s", name, t->program);
	else if (t->loads && t->why != TARGET_WHY_AUDIT)
		snprintf(buf, cap, "%s: its program %s", name, t->loads);
	else
		snprintf(buf, cap, "%s", name);
}

static void say_why(const struct target *t, char *buf, size_t cap)
{
	switch (t->why) {
	case TARGET_WHY_STATIC:
		snprintf(buf, cap, "is static");
		break;
	case TARGET_WHY_LOADER:
		snprintf(buf, cap, "is of another libc (its loader is %s)",
		         t->loader[0] ? t->loader : "one with a long name");
		break;
	case TARGET_WHY_MACHINE:
		snprintf(buf, cap, "is for another kind of machine");
		break;
	case TARGET_WHY_GO:
		snprintf(buf, cap, "is a Go program, which calls the kernel itself");
		break;
	case TARGET_WHY_AUDIT:
		snprintf(buf, cap, "loads an audit library, with a libc of its own");
		break;
	case TARGET_WHY_UNREADABLE:
		snprintf(buf, cap, "can't be looked into (%s)", err_text(t->err));
		break;
	case TARGET_WHY_CAPS:
		snprintf(buf, cap, "has capabilities%s",
		         t->kind == TARGET_UNREACHABLE ? ", which no_new_privs voids" : "");
		break;
	case TARGET_WHY_NONE:
		if (t->is_native)
			snprintf(buf, cap, "does not find libsocksify.so where it would run");
		else
			snprintf(buf, cap,
			         "is a %s-bit program, and no such libsocksify.so is installed",
			         t->class == ELFCLASS32 ? "32" : "64");
		break;
	case TARGET_WHY_SETUID:
	case TARGET_WHY_SETGID:
	case TARGET_WHY_IDS:
		snprintf(buf, cap, "would gain privileges");
		break;
	}
	make_line(buf);
}

void explain_cause(const struct target *t, char *buf, size_t cap)
{
	char why[EXPLAIN_MAX * 3 / 8];

	say_why(t, why, sizeof(why));
	if (t->program[0])
		snprintf(buf, cap, "its interpreter %s %s", t->program, why);
	else if (t->loads && t->why != TARGET_WHY_AUDIT)
		snprintf(buf, cap, "its program %s %s", t->loads, why);
	else
		snprintf(buf, cap, "%s", why);
	make_line(buf);
}

void explain_reach(const struct target *t, const char *name, enum explain_fate fate, char *buf,
                   size_t cap)
{
	static const char *const fates[] = {
		[EXPLAIN_CLOSED] =
			", so it runs without a network (SOCKSIFY_EXEC=allow: past the proxy)",
		[EXPLAIN_REFUSED] = ", and SOCKSIFY_EXEC=refuse",
		[EXPLAIN_STUCK] = ", and no socksify is there to run it without a network",
		[EXPLAIN_OPEN] = ", so it goes past the proxy (SOCKSIFY_EXEC=allow)",
	};
	char culprit[EXPLAIN_MAX / 2], why[EXPLAIN_MAX * 3 / 8];

	name_culprit(name, t, culprit, sizeof(culprit));
	say_why(t, why, sizeof(why));
	snprintf(buf, cap, "%s %s: the library can't get into it%s", culprit, why, fates[fate]);
	make_line(buf);
}

/* How sudo(8) makes one of a user who gains nothing; NULL where it can't. */
static const char *way_out(const struct target *t, const char *owner, char *buf, size_t cap)
{
	char flag = t->why == TARGET_WHY_SETGID ? 'g' : 'u';
	unsigned id = t->why == TARGET_WHY_SETGID ? t->gid : t->uid;

	switch (t->why) {
	case TARGET_WHY_CAPS:
		return "sudo";
	case TARGET_WHY_SETUID:
		if (t->uid == 0)
			return "sudo";
		break;
	case TARGET_WHY_SETGID:
		break;
	case TARGET_WHY_NONE:
	case TARGET_WHY_STATIC:
	case TARGET_WHY_LOADER:
	case TARGET_WHY_MACHINE:
	case TARGET_WHY_GO:
	case TARGET_WHY_AUDIT:
	case TARGET_WHY_UNREADABLE:
	case TARGET_WHY_IDS:
		return NULL;
	}
	if (owner)
		snprintf(buf, cap, "sudo -%c %s", flag, owner);
	else
		snprintf(buf, cap, "sudo -%c \\#%u", flag, id);
	return buf;
}

void explain_gain(const struct target *t, const char *name, const char *owner, char *buf,
                  size_t cap)
{
	char culprit[EXPLAIN_MAX / 2], text[80];
	const char *sudo = way_out(t, owner, text, sizeof(text));

	name_culprit(name, t, culprit, sizeof(culprit));
	if (sudo)
		snprintf(buf, cap,
		         "%s is %s, so it would gain privileges, and the library can't get into "
		         "it; run '%s socksify %s ...' instead",
		         culprit,
		         t->why == TARGET_WHY_CAPS     ? "a file with capabilities"
		         : t->why == TARGET_WHY_SETUID ? "set-uid"
		                                       : "set-gid",
		         sudo, name);
	else
		snprintf(buf, cap,
		         "%s: the real and the effective user or group differ, so the library "
		         "can't get into it; start socksify as one user of one group",
		         culprit);
	make_line(buf);
}
