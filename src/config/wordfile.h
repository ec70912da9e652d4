/* Small tables of /etc, hosts(5) and networks(5): words on lines, "#" before a comment. */
#ifndef CONFIG_WORDFILE_H
#define CONFIG_WORDFILE_H

#include <stddef.h>
#include <sys/stat.h>

/* A file that is larger is none of people's making; its octets can be counted in 32 bits. */
#define WORDFILE_SIZE_MAX (256u << 20)

/*
 * A regular file whole, and a NUL after it; the caller's to free. No descriptor stays open.
 *
 * @seen  what fstat(2) said before it was read
 *
 * Returns NULL with errno set.
 */
char *wordfile_read(const char *path, struct stat *seen, size_t *len);
/* The same from a descriptor, which stays the caller's. */
char *wordfile_read_fd(int fd, struct stat *seen, size_t *len);

/*
 * The next line without its end and comment, from @at on, which moves to the line after it; at
 * @end there is none. The octet at @stop may be written.
 */
struct wordfile_line {
	char *at, *stop;
};
struct wordfile_line wordfile_next_line(char **at, char *end);

/* The next word of a line, NUL-terminated in place, or NULL at the line's end. */
char *wordfile_next_word(struct wordfile_line *line, size_t *len);

/* How many lines and words there can be at most. */
void wordfile_count(const char *text, size_t len, size_t *lines, size_t *words);

#endif
