#include "name.h"

#include <base/endpoint.h>
#include <strings.h>

bool name_is_localhost(const char *name, size_t len)
{
	static const char word[] = "localhost";
	const size_t word_len = sizeof(word) - 1;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len < word_len || strncasecmp(name + len - word_len, word, word_len) != 0)
		return false;
	return len == word_len || name[len - word_len - 1] == '.';
}

bool name_is_askable(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] <= ' ' || name[i] == 0x7f || name[i] == '\\')
			return false;
	return endpoint_name_is_valid(name, len);
}
