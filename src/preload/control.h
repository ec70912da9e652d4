/*
 * Control data of a message as the kernel walks it: <sys/socket.h>'s macros are the C library's,
 * some of whose releases end before a last header that the kernel still takes.
 */
#ifndef PRELOAD_CONTROL_H
#define PRELOAD_CONTROL_H

#include <stddef.h>
#include <sys/socket.h>

/*
 * The one after @c, or the first where @c is NULL. NULL at the end, and where the kernel would say
 * EINVAL of the whole message.
 */
static inline const struct cmsghdr *control_next(const struct msghdr *msg, const struct cmsghdr *c)
{
	const char *from = msg->msg_control;
	size_t at = c ? (size_t)((const char *)c - from) + CMSG_ALIGN(c->cmsg_len) : 0;

	if (!from || at > msg->msg_controllen || msg->msg_controllen - at < sizeof(*c))
		return NULL;
	c = (const struct cmsghdr *)(const void *)(from + at);
	return c->cmsg_len < sizeof(*c) || c->cmsg_len > msg->msg_controllen - at ? NULL : c;
}

static inline const unsigned char *control_data(const struct cmsghdr *c)
{
	return (const unsigned char *)c + CMSG_LEN(0);
}

#endif
