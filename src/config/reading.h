/* How the values of keys.def are read: one function a row, one complaint for all. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include <config/config.h>

struct reading {
	struct config *cfg;
	const char *variable; /* whose value is read */
	bool have_proxy, have_no_proxy, have_password;
	uint8_t user_len, password_len; /* of SOCKSIFY_USER and SOCKSIFY_PASSWORD */
	char user[SOCKS5_CRED_MAX], password[SOCKS5_CRED_MAX];
};

/* Readers return 0 or -EINVAL; @value is not empty. */
typedef int reader(struct reading *r, const char *value);

/* Note what is wrong with a value, quoted; the first complaint is kept. Returns -EINVAL. */
int reading_complain(struct reading *r, const char *value, const struct complaint *why);

/* The same for a value that must not be shown. */
int reading_complain_secret(struct reading *r, const char *problem, const char *expects);

/* Something odd but harmless; the first one is kept. */
void reading_warn(struct reading *r, const char *value, const struct complaint *why);

/* read_proxy.c */
reader read_proxy, read_all_proxy, read_user, read_password, read_password_file;
/* User and password of the variables, where the URL has none. */
void reading_credentials(struct reading *r);

/* read_value.c */
reader read_no_proxy, read_foreign_no_proxy, read_loopback, read_timeout, read_log, read_log_file,
	read_exec, read_pool, read_names;

#endif
