#include <errno.h>
#include <launch/search.h>
#include <limits.h>
#include <string.h>

void search_init(struct search *s, const char *file, const char *path)
{
	s->file = file;
	s->at = path ? path : SEARCH_DEFAULT_PATH;
	s->err = -ENOENT;
	if (!file[0]) {
		s->at = NULL;
	} else if (strchr(file, '/')) {
		s->at = ""; /* an empty element before the name: the name itself */
	} else if (strlen(file) > NAME_MAX) {
		s->at = NULL;
		s->err = -ENAMETOOLONG;
	}
}

bool search_next(struct search *s, char *buf, size_t cap)
{
	size_t file_len = strlen(s->file);

	while (s->at) {
		const char *element = s->at;
		size_t len = strcspn(element, ":"), slash = len > 0;

		s->at = element[len] ? element + len + 1 : NULL;
		if (len + slash + file_len >= cap)
			continue;
		memcpy(buf, element, len);
		if (slash)
			buf[len] = '/';
		memcpy(buf + len + slash, s->file, file_len + 1);
		return true;
	}
	return false;
}

bool search_goes_on(struct search *s, int err)
{
	switch (-err) {
	case EACCES:
		s->err = -EACCES; /* which says more than that another place has no such file */
		return true;
	case ENOENT:
	case ESTALE:
	case ENOTDIR:
	case ENODEV:
	case ETIMEDOUT:
		/* The sole place of a name with a slash says why itself. */
		if (strchr(s->file, '/'))
			s->err = err;
		return true;
	default:
		s->err = err;
		s->at = NULL;
		return false;
	}
}
