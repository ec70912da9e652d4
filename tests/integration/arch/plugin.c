/* Opened with RTLD_DEEPBIND: whose connect() is it. */
#include <sys/socket.h>

int plugin_join(const struct sockaddr *at, socklen_t len)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd < 0 || connect(fd, at, len) < 0 ? -1 : fd;
}
