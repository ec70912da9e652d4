#include <launch/environ.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* ld.so(8): "The items of the list can be separated by spaces or colons". */
#define SEPARATORS " :"

/* Counts what it has no room for, too. */
struct sink {
	char *buf;
	size_t cap, len;
};

static void sink_put(struct sink *s, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++, s->len++)
		if (s->len < s->cap)
			s->buf[s->len] = from[i];
}

/* By its last part, of which no other library's name may be the end. */
static bool is_ours(const char *entry, size_t len)
{
	static const char name[] = "libsocksify.so";
	size_t name_len = sizeof(name) - 1;

	return len >= name_len && memcmp(entry + len - name_len, name, name_len) == 0 &&
	       (len == name_len || entry[len - name_len - 1] == '/');
}

int environ_preload(char *buf, size_t cap, const char *old, const char *lib,
                    bool (*serves)(const char *entry, size_t len, const void *arg), const void *arg,
                    size_t *need)
{
	struct sink out = { buf, cap, 0 };
	size_t lib_len = strlen(lib);
	bool there = false;

	if (lib_len == 0 || strcspn(lib, SEPARATORS) != lib_len)
		return -EINVAL;
	if (!old)
		old = "";
	for (const char *at = old; *(at += strspn(at, SEPARATORS));) {
		size_t len = strcspn(at, SEPARATORS);
		bool same = len == lib_len && memcmp(at, lib, len) == 0;
		bool ours = same || is_ours(at, len);

		if (!ours || !there) {
			if (out.len > 0)
				sink_put(&out, at - 1, 1);
			if (!ours || same || (serves && serves(at, len, arg)))
				sink_put(&out, at, len);
			else
				sink_put(&out, lib, lib_len);
		}
		there = there || ours;
		at += len;
	}
	if (!there) {
		if (out.len > 0)
			sink_put(&out, ":", 1);
		sink_put(&out, lib, lib_len);
	}
	sink_put(&out, "", 1);
	if (need)
		*need = out.len;
	return out.len <= cap ? 0 : -ENAMETOOLONG;
}

void environ_unpreload(char *value)
{
	char *out = value;

	for (char *at = value; *(at += strspn(at, SEPARATORS));) {
		size_t len = strcspn(at, SEPARATORS);

		if (!is_ours(at, len)) {
			/* A separator stood before each entry but the first. */
			if (out > value)
				*out++ = at[-1];
			memmove(out, at, len);
			out += len;
		}
		at += len;
	}
	*out = '\0';
}
