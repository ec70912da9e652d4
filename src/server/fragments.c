#include "fragments.h"

#include <stdlib.h>
#include <string.h>

#define LAST   0x80 /* RFC 1928 section 7 */
#define NUMBER 0x7f

unsigned fragments_drop(struct fragments **f)
{
	unsigned n = 0;

	if (*f) {
		n = (*f)->n;
		free((*f)->data);
		free(*f);
	}
	*f = NULL;
	return n;
}

static bool is_next(const struct fragments *f, int64_t now_ms, unsigned number,
                    const struct endpoint *dst, size_t len)
{
	return now_ms < f->due_ms && number == f->n + 1u && len <= FRAGMENTS_MAX - f->len &&
	       endpoint_equal(&f->dst, dst);
}

static struct fragments *begin(int64_t now_ms, const struct endpoint *dst)
{
	struct fragments *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->dst = *dst;
	f->due_ms = now_ms + FRAGMENTS_MS;
	return f;
}

static bool append(struct fragments *f, const uint8_t *data, size_t len)
{
	size_t cap = f->cap;
	uint8_t *grown;

	if (f->len + len > cap || !f->data) {
		cap = f->len + len > 2 * cap ? f->len + len : 2 * cap;
		if (cap > FRAGMENTS_MAX)
			cap = FRAGMENTS_MAX;
		grown = realloc(f->data, cap > 0 ? cap : 1);
		if (!grown)
			return false;
		f->data = grown;
		f->cap = (uint32_t)cap;
	}
	if (len > 0)
		memcpy(f->data + f->len, data, len);
	f->len += (uint32_t)len;
	f->n++;
	return true;
}

enum fragments_res fragments_add(struct fragments **f, int64_t now_ms, uint8_t frag,
                                 const struct endpoint *dst, const uint8_t *data, size_t len,
                                 uint64_t *dropped)
{
	unsigned number = frag & NUMBER;

	if (*f && !is_next(*f, now_ms, number, dst, len))
		*dropped += fragments_drop(f);
	if (!*f && number == 1 && len <= FRAGMENTS_MAX)
		*f = begin(now_ms, dst);
	if (!*f) {
		*dropped += 1;
		return FRAGMENTS_USELESS;
	}
	if (!append(*f, data, len)) {
		*dropped += fragments_drop(f) + 1;
		return FRAGMENTS_USELESS;
	}
	return frag & LAST ? FRAGMENTS_WHOLE : FRAGMENTS_KEPT;
}
