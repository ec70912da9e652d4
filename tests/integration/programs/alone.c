/*
 * alone ADDRESS PORT: linked statically. Tells which sockets can be made, tries to connect, and
 * computes something.
 *
 * alone exec PROGRAM ARGS...: nothing but that.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char *told(int result)
{
	if (result >= 0)
		return "ok";
	return errno == EACCES ? "EACCES" : strerror(errno);
}

/* Two ends of a socket in the file system, and an octet between them. */
static const char *local(void)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX, .sun_path = "alone.socket" };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0), near = socket(AF_UNIX, SOCK_STREAM, 0), far;
	char octet = 0;

	if (bind(listener, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(listener, 1) < 0 ||
	    connect(near, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		return strerror(errno);
	far = accept(listener, NULL, NULL);
	unlink(sa.sun_path);
	if (write(near, "x", 1) != 1 || read(far, &octet, 1) != 1 || octet != 'x')
		return "nothing came";
	return "ok";
}

int main(int argc, char **argv)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	unsigned sum = 0;
	int tcp;

	if (argc > 2 && strcmp(argv[1], "exec") == 0) {
		execvp(argv[2], argv + 2);
		return 1;
	}
	if (argc != 3 || inet_pton(AF_INET, argv[1], &sin.sin_addr) != 1)
		return 2;
	sin.sin_port = htons((uint16_t)atoi(argv[2]));
	printf("unix %s\n", local());
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	printf("tcp %s\n", told(tcp));
	printf("udp %s\n", told(socket(AF_INET, SOCK_DGRAM, 0)));
	if (tcp >= 0)
		connect(tcp, (struct sockaddr *)&sin, sizeof(sin));
	for (unsigned i = 1; i <= 100; i++)
		sum += i;
	printf("sum %u\n", sum);
	return 0;
}
