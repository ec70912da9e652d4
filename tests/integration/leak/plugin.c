/*
 * A library with a connect() of its own making; door_plugin() is 0 once it has fetched a page. The
 * loader calls la_version() of it as an audit library (rtld-audit(7)), which sends a datagram.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int door_plugin(const char *address, const char *request);
unsigned la_version(unsigned version);

int door_plugin(const char *address, const char *request)
{
	struct sockaddr_in web = { .sin_family = AF_INET, .sin_port = htons(80) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), ok;
	char page[16];

	web.sin_addr.s_addr = inet_addr(address);
	ok = connect(fd, (struct sockaddr *)&web, sizeof(web)) == 0 &&
	     write(fd, request, strlen(request)) > 0 && read(fd, page, sizeof(page)) > 0;
	close(fd);
	return ok ? 0 : -1;
}

unsigned la_version(unsigned version)
{
	struct sockaddr_in web = { .sin_family = AF_INET, .sin_port = htons(4433) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	web.sin_addr.s_addr = inet_addr("203.0.113.10");
	sendto(fd, "audited", 7, 0, (struct sockaddr *)&web, sizeof(web));
	close(fd);
	return version;
}
