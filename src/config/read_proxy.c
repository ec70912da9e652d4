/* The proxy, and who we are there. */
#include "reading.h"

#include <stdio.h>
#include <string.h>

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

/* Any octets; never shown. */
static int read_secret(struct reading *r, const char *value, char out[SOCKS5_CRED_MAX + 1],
                       uint8_t *out_len)
{
	size_t len = strlen(value);

	if (len > SOCKS5_CRED_MAX)
		return reading_complain_secret(r, "it is over 255 octets", "at most 255 octets");
	memcpy(out, value, len + 1);
	*out_len = (uint8_t)len;
	return 0;
}

int read_user(struct reading *r, const char *value)
{
	return read_secret(r, value, r->user, &r->user_len);
}

int read_password(struct reading *r, const char *value)
{
	r->have_password = true;
	return read_secret(r, value, r->password, &r->password_len);
}

/*
 * A password without a user is another proxy's: it stays set while people go from one to the next.
 */
void reading_credentials(struct reading *r)
{
	struct config *cfg = r->cfg;
	struct proxy *px = &cfg->proxy;
	bool wanted = px->protocol == SOCKS_V5 && !px->has_password;

	if (px->user_len == 0 && r->user_len > 0) {
		memcpy(px->user, r->user, r->user_len);
		px->user[r->user_len] = '\0';
		px->user_len = r->user_len;
	}
	if (!wanted || r->have_password || px->user_len == 0)
		cfg->password_file[0] = '\0';
	if (wanted && r->have_password && px->user_len > 0)
		reading_set_password(px, r->password, r->password_len);
}
