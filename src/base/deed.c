#include <base/deed.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PID_DIGITS 20

static const char *const words[DEED_KINDS] = {
	[DEED_REFUSED] = "refused", [DEED_NOT_RUN] = "not-run", [DEED_CLOSED] = "closed",
	[DEED_OPEN] = "open",       [DEED_DIRECT] = "direct",   [DEED_ASKED] = "asked",
	[DEED_FAILED] = "failed",   [DEED_PROXIED] = "proxied", [DEED_LOOPBACK] = "loopback",
};

/* The least of a line, and what no field can make longer than DEED_MAX. */
_Static_assert(sizeof("loopback") + PID_DIGITS + 1 + DEED_PROGRAM_MAX + 1 + DEED_SUBJECT_MAX + 1 +
                               DEED_WHY_MAX + 1 <=
                       DEED_MAX,
               "a line of fields at their longest");

static bool is_print(char c)
{
	return c >= 0x20 && c < 0x7f;
}

static size_t width(char c)
{
	return is_print(c) ? 1 : 4;
}

static bool fits(const char *text, size_t max)
{
	for (size_t n = 0; *text; text++) {
		n += width(*text);
		if (n > max)
			return false;
	}
	return true;
}

/* At most @max octets, "..." included where not all of it fits. */
static char *put_field(char *at, const char *text, size_t max)
{
	static const char digits[] = "0123456789abcdef", more[] = "...";
	bool whole = fits(text, max);
	const char *const end = at + max - (whole ? 0 : sizeof(more) - 1);

	for (; *text && width(*text) <= (size_t)(end - at); text++) {
		if (is_print(*text)) {
			*at++ = *text;
			continue;
		}
		*at++ = '\\';
		*at++ = 'x';
		*at++ = digits[(unsigned char)*text >> 4];
		*at++ = digits[(unsigned char)*text & 15];
	}
	return whole ? at : stpcpy(at, more); /* its NUL makes way for what follows */
}

static char *put_number(char *at, unsigned long n)
{
	char digits[PID_DIGITS];
	size_t len = 0;

	do {
		digits[len++] = (char)('0' + n % 10);
		n /= 10;
	} while (n > 0);
	while (len > 0)
		*at++ = digits[--len];
	return at;
}

size_t deed_put(const struct deed *r, char out[DEED_MAX])
{
	char *at = stpcpy(out, words[r->kind]);

	*at++ = '\t';
	at = put_number(at, r->pid);
	*at++ = '\t';
	at = put_field(at, r->program[0] ? r->program : "?", DEED_PROGRAM_MAX);
	*at++ = '\t';
	at = put_field(at, r->subject[0] ? r->subject : "?", DEED_SUBJECT_MAX);
	*at++ = '\t';
	at = put_field(at, r->why, DEED_WHY_MAX);
	*at++ = '\n';
	return (size_t)(at - out);
}

/* Up to the next tab, which becomes a NUL, or the line's end; NULL where it is not in order. */
static char *take_field(char **at, size_t max)
{
	char *field = *at, *end = field;

	while (is_print(*end))
		end++;
	if ((*end != '\t' && *end != '\0') || (size_t)(end - field) > max)
		return NULL;
	*at = *end ? end + 1 : NULL;
	*end = '\0';
	return field;
}

static bool take_number(const char *text, unsigned long *out)
{
	unsigned long n = 0;

	if (!text[0])
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (n > (ULONG_MAX - 9) / 10)
			return false;
		n = n * 10 + (unsigned long)(*text - '0');
	}
	*out = n;
	return *text == '\0';
}

static bool take_kind(const char *word, enum deed_kind *out)
{
	for (int i = 0; i < DEED_KINDS; i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		*out = (enum deed_kind)i;
		return true;
	}
	return false;
}

bool deed_get(char *line, size_t len, struct deed *out)
{
	static const size_t max[] = { sizeof("loopback"), PID_DIGITS, DEED_PROGRAM_MAX,
		                      DEED_SUBJECT_MAX, DEED_WHY_MAX };
	char *fields[sizeof(max) / sizeof(max[0])], *at = line;

	if (memchr(line, '\0', len))
		return false;
	line[len] = '\0';
	for (size_t i = 0; i < sizeof(max) / sizeof(max[0]); i++) {
		if (!at)
			return false;
		fields[i] = take_field(&at, max[i]);
		if (!fields[i])
			return false;
	}
	out->program = fields[2];
	out->subject = fields[3];
	out->why = fields[4];
	return !at && out->program[0] && out->subject[0] && take_kind(fields[0], &out->kind) &&
	       take_number(fields[1], &out->pid);
}

/* A write beyond the program's own limit of files would raise SIGXFSZ. */
static bool may_append(int fd, size_t len)
{
	struct rlimit limit;
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & (S_IRWXG | S_IRWXO)) != 0 || st.st_size < 0 ||
	    (size_t)st.st_size + len > DEED_FILE_MAX)
		return false;
	return getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
	       (rlim_t)st.st_size + len <= limit.rlim_cur;
}

int deed_append(const char *path, const struct deed *r)
{
	int saved = errno, cancel, fd, err;
	char line[DEED_MAX];
	size_t len = deed_put(r, line);
	ssize_t n;

	/* Cancelled in the middle, a thread would leave the file open. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	do {
		fd = open(path,
		          O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	} while (fd < 0 && errno == EINTR);
	err = fd < 0 ? -errno : 0;
	if (fd >= 0 && may_append(fd, len)) {
		do {
			n = write(fd, line, len);
		} while (n < 0 && errno == EINTR);
	}
	if (fd >= 0)
		close(fd);
	pthread_setcancelstate(cancel, NULL);
	errno = saved;
	return err;
}
