/* asker NAME: prints its first address. Linked statically with another libc by a story. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = { .ai_family = AF_INET }, *list;
	char text[INET_ADDRSTRLEN];

	if (argc != 2 || getaddrinfo(argv[1], NULL, &hints, &list) != 0)
		return 1;
	puts(inet_ntop(AF_INET, &((struct sockaddr_in *)list->ai_addr)->sin_addr, text,
	               sizeof(text)));
	freeaddrinfo(list);
	return 0;
}
