#include "early.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

int early_tcp = -1, early_udp = -1, early_fd = -1, early_res = -1, early_errno;

void (*early_at_end)(void);

__attribute__((destructor)) static void early_fini(void)
{
	if (early_at_end)
		early_at_end();
}

__attribute__((constructor)) static void early_init(int argc, char **argv)
{
	struct sockaddr_in web = { .sin_family = AF_INET, .sin_port = htons(80) };

	early_tcp = socket(AF_INET, SOCK_STREAM, 0);
	early_udp = socket(AF_INET, SOCK_DGRAM, 0);
	if (argc < 2 || strcmp(argv[1], "connect-of-a-constructor") != 0)
		return;
	web.sin_addr.s_addr = inet_addr("203.0.113.10");
	early_fd = socket(AF_INET, SOCK_STREAM, 0);
	early_res = connect(early_fd, (struct sockaddr *)&web, sizeof(web));
	early_errno = errno;
}
