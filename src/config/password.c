/*
 * A password file. Each program of a session reads it for itself, so what can be read but once, a
 * pipe such as <(pass show proxy), is refused rather than taken from the first of them.
 */
#include "reading.h"

#include <base/errtext.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUOTE_MAX 200

void reading_set_password(struct proxy *px, const char *from, size_t len)
{
	memcpy(px->password, from, len);
	px->password[len] = '\0';
	px->password_len = (uint8_t)len;
	px->has_password = true;
}

static const char *quote_path(const struct config *cfg, char *buf)
{
	return reading_quote(cfg->password_file, strlen(cfg->password_file), buf, QUOTE_MAX);
}

static int complain(struct config *cfg, int err, const char *problem)
{
	char quoted[QUOTE_MAX];

	if (!cfg->complaint[0])
		snprintf(cfg->complaint, sizeof(cfg->complaint),
		         "SOCKSIFY_PASSWORD_FILE=\"%s\": %s; expected a regular file whose first "
		         "line is the password",
		         quote_path(cfg, quoted), problem);
	cfg->broken = true;
	return err;
}

/* Up to @cap octets. Returns how many, or a negative errno. */
static ssize_t read_some(int fd, char *buf, size_t cap)
{
	size_t len = 0;

	while (len < cap) {
		ssize_t n = read(fd, buf + len, cap - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (ssize_t)len;
}

static ssize_t read_file(struct config *cfg, char *buf, size_t cap)
{
	char quoted[QUOTE_MAX];
	struct stat st;
	ssize_t n;
	int fd;

	do
		/* Nobody waits for the writer of a FIFO. */
		fd = open(cfg->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return complain(cfg, -errno, err_text(errno));
	n = fstat(fd, &st) < 0 ? -errno : 0;
	if (n == 0 && !S_ISREG(st.st_mode))
		n = complain(cfg, -EINVAL,
		             S_ISDIR(st.st_mode) ? "it is a folder" : "it is no regular file");
	if (n == 0)
		n = read_some(fd, buf, cap);
	close(fd);
	if (n < 0)
		return complain(cfg, (int)n, err_text((int)n));
	if ((st.st_mode & (S_IRGRP | S_IROTH)) && !cfg->warning[0])
		snprintf(cfg->warning, sizeof(cfg->warning),
		         "SOCKSIFY_PASSWORD_FILE=\"%s\" can be read by other users; chmod 600 "
		         "keeps it from them",
		         quote_path(cfg, quoted));
	return n;
}

/* Octets of the first line, or a negative errno. */
static int first_line(struct config *cfg, const char *buf, size_t len)
{
	const char *end = len > 0 ? memchr(buf, '\n', len) : NULL;

	if (end)
		len = (size_t)(end - buf);
	if (len > 0 && buf[len - 1] == '\r')
		len--;
	if (len == 0)
		return complain(cfg, -EINVAL, "its first line is empty");
	if (len > SOCKS5_CRED_MAX)
		return complain(cfg, -EINVAL, "its first line is over 255 octets");
	/* Any octet may be part of a password; but this is no text, or one in UTF-16. */
	if (memchr(buf, '\0', len))
		return complain(cfg, -EINVAL, "its first line holds a NUL");
	return (int)len;
}

int config_read_password(struct config *cfg)
{
	/* The longest line, and one octet more to see that it is over; or its CR and LF. */
	char buf[SOCKS5_CRED_MAX + 2];
	ssize_t n;

	if (!cfg->password_file[0])
		return 0;
	n = read_file(cfg, buf, sizeof(buf));
	if (n >= 0)
		n = first_line(cfg, buf, (size_t)n);
	if (n > 0)
		reading_set_password(&cfg->proxy, buf, (size_t)n);
	explicit_bzero(buf, sizeof(buf));
	return n < 0 ? (int)n : 0;
}
