/* The proxy, and who we are there. */
#include "reading.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int read_proxy(struct reading *r, const char *value)
{
	struct complaint why;

	if (r->have_proxy)
		return 0;
	r->have_proxy = true;
	return url_parse(value, &r->cfg->proxy, &why) < 0 ? reading_complain(r, value, &why) : 0;
}

int read_all_proxy(struct reading *r, const char *value)
{
	char quoted[200];

	if (r->have_proxy || !url_is_foreign(value))
		return read_proxy(r, value);
	if (r->cfg->warning[0] == '\0')
		snprintf(r->cfg->warning, sizeof(r->cfg->warning),
		         "%s=\"%s\" is passed over: it is no SOCKS proxy", r->variable,
		         url_redact(value, quoted, sizeof(quoted)));
	return 0;
}

int read_user(struct reading *r, const char *value)
{
	size_t len = strlen(value);

	if (len > sizeof(r->user))
		return reading_complain_secret(r, "it is over 255 octets", "at most 255 octets");
	memcpy(r->user, value, len);
	r->user_len = (uint8_t)len;
	return 0;
}

int read_password(struct reading *r, const char *value)
{
	size_t len = strlen(value);

	if (len > sizeof(r->password))
		return reading_complain_secret(r, "it is over 255 octets", "at most 255 octets");
	memcpy(r->password, value, len);
	r->password_len = (uint8_t)len;
	r->have_password = true;
	return 0;
}

static void set_password(struct proxy *px, const char *from, size_t len)
{
	memcpy(px->password, from, len);
	px->password[len] = '\0';
	px->password_len = (uint8_t)len;
	px->has_password = true;
}

void reading_credentials(struct reading *r)
{
	struct proxy *px = &r->cfg->proxy;
	bool wanted;

	if (px->user_len == 0 && r->user_len > 0) {
		memcpy(px->user, r->user, r->user_len);
		px->user[r->user_len] = '\0';
		px->user_len = r->user_len;
	}
	wanted = px->protocol == SOCKS_V5 && !px->has_password;
	if (wanted && r->have_password && px->user_len > 0)
		set_password(px, r->password, r->password_len);
	if (wanted && px->user_len == 0 && (r->have_password || r->cfg->password_file[0]) &&
	    !r->cfg->warning[0])
		snprintf(r->cfg->warning, sizeof(r->cfg->warning),
		         "the password is passed over: neither the URL nor SOCKSIFY_USER names a "
		         "user");
	if (!wanted || r->have_password || px->user_len == 0)
		r->cfg->password_file[0] = '\0';
}

static int complain_file(struct config *cfg, int err, const char *problem)
{
	if (!cfg->complaint[0])
		snprintf(cfg->complaint, sizeof(cfg->complaint),
		         "SOCKSIFY_PASSWORD_FILE=\"%.200s\": %s; expected a file whose first line "
		         "is the password",
		         cfg->password_file, problem);
	cfg->broken = true;
	return err;
}

/* The whole file where it is small; 0 or a negative errno. */
static int read_some(int fd, char *buf, size_t cap, size_t *len)
{
	*len = 0;
	while (*len < cap) {
		ssize_t n = read(fd, buf + *len, cap - *len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return 0;
}

/* O_NONBLOCK: nobody waits for the writer of a FIFO. */
static int read_file(struct config *cfg, char *buf, size_t cap, size_t *len)
{
	int fd = open(cfg->password_file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), err;
	struct stat st;

	if (fd < 0)
		return complain_file(cfg, -errno, strerrordesc_np(errno));
	err = fstat(fd, &st) < 0 ? -errno : 0;
	if (err == 0 && !S_ISREG(st.st_mode))
		err = complain_file(cfg, -EINVAL, "it is no regular file");
	else if (err == 0)
		err = read_some(fd, buf, cap, len);
	close(fd);
	if (err < 0)
		return complain_file(cfg, err, strerrordesc_np(-err));
	if ((st.st_mode & (S_IRGRP | S_IROTH)) && !cfg->warning[0])
		snprintf(cfg->warning, sizeof(cfg->warning),
		         "SOCKSIFY_PASSWORD_FILE=\"%.200s\" can be read by others; chmod 600 would "
		         "keep it",
		         cfg->password_file);
	return 0;
}

int config_read_password(struct config *cfg)
{
	char buf[SOCKS5_CRED_MAX + 2];
	size_t len = 0;
	const char *end;
	int err;

	if (!cfg->password_file[0])
		return 0;
	err = read_file(cfg, buf, sizeof(buf), &len);
	if (err == 0) {
		end = memchr(buf, '\n', len);
		if (end)
			len = (size_t)(end - buf);
		if (end && len > 0 && buf[len - 1] == '\r')
			len--;
		if (len == 0 || len > SOCKS5_CRED_MAX)
			err = complain_file(cfg, -EINVAL,
			                    len == 0 ? "its first line is empty"
			                             : "its first line is over 255 octets");
		else
			set_password(&cfg->proxy, buf, len);
	}
	explicit_bzero(buf, sizeof(buf));
	return err;
}
