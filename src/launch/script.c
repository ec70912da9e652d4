#include "script.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

int script_interpreter(const uint8_t head[SCRIPT_HEAD], const char **name)
{
	const char *text = (const char *)head, *at = text + 2, *last;
	const char *newline = memchr(text, '\n', SCRIPT_HEAD);
	const char *end = newline ? newline : text + SCRIPT_HEAD - 1;

	if (text[0] != '#' || text[1] != '!')
		return 0;
	while (at < end && is_blank(*at))
		at++;
	for (last = at; last < end && !is_blank(*last) && *last;)
		last++;
	if (at == end)
		return -ENOEXEC;
	/* "" is the working directory to the kernel, and no program. */
	if (last == at)
		return -EACCES;
	/* The name may go on beyond what is looked at. */
	if (!newline && last == end && !is_blank(*last) && *last)
		return -ENOEXEC;
	*name = at;
	return (int)(last - at);
}
