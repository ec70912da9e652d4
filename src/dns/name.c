#include <dns/message.h>
#include <dns/name.h>

/* What the upper two bits of a label's first octet say (RFC 1035 section 4.1.4). */
#define LABEL_BITS    0xc0
#define LABEL_PLAIN   0x00
#define LABEL_POINTER 0xc0

/* Add one label to the text. False where the name would be too long for the wire. */
static bool add_label(struct dns_name *name, const uint8_t *label, size_t len)
{
	/* In text a dot for each length octet but the first; on the wire the root's too. */
	size_t before = name->len > 0 ? name->len + 1u : 0;

	if (before + len + 2 > DNS_WIRE_MAX)
		return false;
	if (memchr(label, '.', len) || memchr(label, '\0', len))
		name->plain = false;
	if (before > 0)
		name->text[before - 1] = '.';
	memcpy(name->text + before, label, len);
	name->len = (uint8_t)(before + len);
	return true;
}

bool dns_get_name(struct reader *r, struct dns_name *out)
{
	struct reader at = *r; /* goes to where pointers lead, while @r stays behind the first */
	size_t start = at.pos; /* of the run of labels that is being read */
	bool followed = false;

	*out = (struct dns_name){ .plain = true };
	for (;;) {
		const uint8_t *label;
		uint8_t len = get_u8(&at);

		if (at.over)
			break;
		if ((len & LABEL_BITS) == LABEL_POINTER) {
			size_t to = (size_t)(len & ~LABEL_BITS & 0xff) << 8 | get_u8(&at);

			/*
			 * The next run begins and ends before this one: what is read once only
			 * cannot loop.
			 */
			if (at.over || to >= start || to < DNS_HEADER_LEN)
				break;
			if (!followed)
				r->pos = at.pos;
			followed = true;
			at.len = start;
			start = to;
			at.pos = to;
			continue;
		}
		if ((len & LABEL_BITS) != LABEL_PLAIN)
			break;
		if (len == 0) {
			if (!followed)
				r->pos = at.pos;
			return true;
		}
		label = get_octets(&at, len);
		if (!label || !add_label(out, label, len))
			break;
	}
	r->over = true;
	*out = (struct dns_name){ .plain = false };
	return false;
}

bool dns_skip_name(struct reader *r)
{
	size_t start = r->pos;

	for (;;) {
		uint8_t len = get_u8(r);

		if (r->over)
			return false;
		if ((len & LABEL_BITS) == LABEL_POINTER) {
			get_u8(r);
			return !r->over;
		}
		if (len == 0)
			return true;
		if ((len & LABEL_BITS) != LABEL_PLAIN || r->pos + len - start >= DNS_WIRE_MAX)
			break;
		get_octets(r, len);
	}
	r->over = true;
	return false;
}

static bool is_root(const char *text, size_t len)
{
	return len == 0 || (len == 1 && text[0] == '.');
}

bool dns_put_name(struct writer *w, const struct dns_name *name)
{
	size_t len = name->len, at = 0;

	if (!is_root(name->text, len) && !endpoint_name_is_valid(name->text, len))
		w->over = true;
	if (len > 0 && name->text[len - 1] == '.')
		len--;
	/* Each dot is a length octet; one more stands before the first label, and the root's. */
	if (!name->plain || w->over || w->cap - w->pos < (len > 0 ? len + 2 : 1)) {
		w->over = true;
		return false;
	}
	while (at < len) {
		const char *label = name->text + at;
		const char *dot = memchr(label, '.', len - at);
		size_t n = dot ? (size_t)(dot - label) : len - at;

		put_u8(w, (uint8_t)n);
		put_octets(w, label, n);
		at += n + 1;
	}
	put_u8(w, 0);
	return true;
}

bool dns_name_set(struct dns_name *out, const char *text, size_t len)
{
	if (is_root(text, len)) {
		*out = (struct dns_name){ .plain = true };
		return true;
	}
	if (!endpoint_name_is_valid(text, len))
		return false;
	if (text[len - 1] == '.')
		len--;
	*out = (struct dns_name){ .len = (uint8_t)len, .plain = true };
	memcpy(out->text, text, len);
	return true;
}
