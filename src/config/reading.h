/* How the values of keys.def are read: one function a row, one complaint for all. */
#ifndef CONFIG_READING_H
#define CONFIG_READING_H

#include <config/config.h>

#define LIST_SEPARATORS ", \t\n\v\f\r"

struct reading {
	struct config *cfg;
	const char *variable; /* whose value is read */
	bool have_proxy, have_no_proxy, have_password;
	uint8_t user_len, password_len; /* of SOCKSIFY_USER and SOCKSIFY_PASSWORD */
	char user[SOCKS5_CRED_MAX + 1], password[SOCKS5_CRED_MAX + 1];
};

/* Readers return 0 or -EINVAL; @value is not empty. */
typedef int reader(struct reading *r, const char *value);

/* Note what is wrong with a value, quoted; the first complaint is kept. Returns -EINVAL. */
int reading_complain(struct reading *r, const char *value, const struct complaint *why);

/* The same for a value that must not be shown. */
int reading_complain_secret(struct reading *r, const char *problem, const char *expects);

/* The same for a list: the item at @why->at is quoted, and what follows it is not. */
int reading_complain_item(struct reading *r, const char *value, const struct complaint *why);

/* An item of a list is left out, which is harmless; the first such warning is kept. */
void reading_pass_over_item(struct reading *r, const char *value, const struct complaint *why);

/* The text, not printable octets escaped, and "..." where it is cut. @cap is at least 8. */
char *reading_quote(const char *text, size_t len, char *buf, size_t cap);

/* read_proxy.c */
reader read_proxy, read_all_proxy, read_user, read_password, read_password_file;
/* User and password of the variables, where the URL has none; after all rows are read. */
void reading_credentials(struct reading *r);

/* password.c */
void reading_set_password(struct proxy *px, const char *from, size_t len);

/* read_value.c */
reader read_no_proxy, read_foreign_no_proxy, read_loopback, read_dns, read_timeout, read_log,
	read_log_file, read_exec, read_io_uring, read_pool, read_names, read_audit;

#endif
