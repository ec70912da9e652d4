#include "username.h"

#include <config/ascii.h>
#include <stdio.h>

int username_read(const char *text, char out[USERS_NAME_MAX + 1], const char **what,
                  const char **expected)
{
	int n = 0, high, low;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		*what = "a control character in the name";
		*expected = "printable characters, or \\xHH for any octet";
		if (c < ' ' || c == 0x7f)
			return -1;
		if (c == '\\' && text[1] == '\\') {
			text++;
		} else if (c == '\\') {
			*what = "a backslash in the name that starts no \\\\ or \\xHH";
			*expected = "\\\\ for a backslash, \\xHH for any octet";
			high = text[1] == 'x' ? ascii_hex(text[2]) : -1;
			low = high >= 0 ? ascii_hex(text[3]) : -1;
			if (low < 0)
				return -1;
			c = (unsigned char)(high << 4 | low);
			text += 3;
		}
		*what = "the name is too long";
		*expected = "at most 255 octets";
		if (n == USERS_NAME_MAX)
			return -1;
		out[n++] = (char)c;
	}
	*what = "there is no name";
	*expected = "NAME:HASH";
	out[n] = '\0';
	return n > 0 ? n : -1;
}

void username_write(char *out, const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '\\')
			out += sprintf(out, "\\\\");
		/* 0xef could be taken for the start of a byte order mark. */
		else if (c < ' ' || c == 0x7f || c == ':' || ((c == '#' || c == 0xef) && i == 0) ||
		         (c == ' ' && (i == 0 || i == len - 1)))
			out += sprintf(out, "\\x%02x", c);
		else
			*out++ = (char)c;
	}
	*out = '\0';
}
