/*
 * Bounded cursors over octets. A cursor that ran over its end stays there: every later get yields
 * zero, every later put writes nothing, and ->over tells. So decoders check once, at the end.
 */
#ifndef BASE_CURSOR_H
#define BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What a decoder of a message says of the octets it was shown. */
enum wire_res {
	WIRE_OK,    /* one whole message */
	WIRE_SHORT, /* not yet: more octets are needed */
	WIRE_BAD,   /* no octets that may follow can make this a message */
};

struct reader {
	const uint8_t *buf; /* borrowed */
	size_t len;
	size_t pos;
	size_t need; /* with ->over: how long @len must at least be before trying again */
	bool over;
};

struct writer {
	uint8_t *buf; /* borrowed */
	size_t cap;
	size_t pos;
	bool over;
};

static inline void reader_init(struct reader *r, const void *buf, size_t len)
{
	*r = (struct reader){ .buf = buf, .len = len };
}

static inline void writer_init(struct writer *w, void *buf, size_t cap)
{
	*w = (struct writer){ .buf = buf, .cap = cap };
}

/* Borrow the next @n octets; NULL, and ->over, where there are not so many. */
static inline const uint8_t *get_octets(struct reader *r, size_t n)
{
	if (r->over)
		return NULL;
	if (r->len - r->pos < n) {
		r->over = true;
		r->need = r->pos + n;
		return NULL;
	}
	r->pos += n;
	return r->buf + (r->pos - n);
}

static inline uint8_t get_u8(struct reader *r)
{
	const uint8_t *at = get_octets(r, 1);

	return at ? at[0] : 0;
}

static inline uint16_t get_u16(struct reader *r)
{
	const uint8_t *at = get_octets(r, 2);

	return at ? (uint16_t)(at[0] << 8 | at[1]) : 0;
}

static inline void put_octets(struct writer *w, const void *from, size_t n)
{
	if (w->over || w->cap - w->pos < n) {
		w->over = true;
		return;
	}
	if (n > 0)
		memcpy(w->buf + w->pos, from, n);
	w->pos += n;
}

static inline void put_u8(struct writer *w, uint8_t v)
{
	put_octets(w, &v, 1);
}

static inline void put_u16(struct writer *w, uint16_t v)
{
	const uint8_t two[2] = { (uint8_t)(v >> 8), (uint8_t)(v & 0xff) };

	put_octets(w, two, 2);
}

#endif
