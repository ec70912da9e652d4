/* A library with a connect() of its own making; door_plugin() is 0 once it has fetched a page. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int door_plugin(const char *address, const char *request);

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
