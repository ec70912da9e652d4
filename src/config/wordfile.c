#include "wordfile.h"

#include <config/ascii.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* The octets of @fd up to its end and a NUL; the size that fstat told is but a hint. */
static char *read_all(int fd, size_t hint, size_t *len)
{
	size_t cap = hint + 2, n = 0;
	char *buf = malloc(cap), *more;

	while (buf) {
		ssize_t got = read(fd, buf + n, cap - 1 - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			break;
		if (got == 0) {
			buf[n] = '\0';
			*len = n;
			return buf;
		}
		n += (size_t)got;
		if (n > WORDFILE_SIZE_MAX) {
			errno = EFBIG;
			break;
		}
		if (n < cap - 1)
			continue;
		more = realloc(buf, cap *= 2);
		if (!more)
			break;
		buf = more;
	}
	free(buf);
	return NULL;
}

char *wordfile_read_fd(int fd, struct stat *seen, size_t *len)
{
	/* Looked at before it is read: a change that comes between shows as one later. */
	if (fstat(fd, seen) < 0)
		return NULL;
	if (!S_ISREG(seen->st_mode)) {
		errno = S_ISDIR(seen->st_mode) ? EISDIR : EINVAL;
		return NULL;
	}
	if (seen->st_size > (off_t)WORDFILE_SIZE_MAX) {
		errno = EFBIG;
		return NULL;
	}
	return read_all(fd, (size_t)seen->st_size, len);
}

char *wordfile_read(const char *path, struct stat *seen, size_t *len)
{
	char *text;
	int fd, err;

	do
		/* A FIFO without a writer must not hold up whoever asks for a name. */
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return NULL;
	text = wordfile_read_fd(fd, seen, len);
	err = errno;
	close(fd);
	errno = err;
	return text;
}

struct wordfile_line wordfile_next_line(char **at, char *end)
{
	char *nl = memchr(*at, '\n', (size_t)(end - *at)), *hash;
	struct wordfile_line line = { *at, nl ? nl : end };

	*at = nl ? nl + 1 : end;
	hash = memchr(line.at, '#', (size_t)(line.stop - line.at));
	if (hash)
		line.stop = hash;
	return line;
}

char *wordfile_next_word(struct wordfile_line *line, size_t *len)
{
	char *p = line->at, *word;

	while (p < line->stop && ascii_is_space(*p))
		p++;
	word = p;
	while (p < line->stop && !ascii_is_space(*p))
		p++;
	*len = (size_t)(p - word);
	*p = '\0';
	line->at = p < line->stop ? p + 1 : p;
	return *len > 0 ? word : NULL;
}

void wordfile_count(const char *text, size_t len, size_t *lines, size_t *words)
{
	bool inside = false;

	*lines = 1;
	*words = 0;
	for (size_t i = 0; i < len; i++) {
		bool word = !ascii_is_space(text[i]);

		*lines += text[i] == '\n';
		*words += word && !inside;
		inside = word;
	}
}
