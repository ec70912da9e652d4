/* A library with functions of its own that are called like libc's, and that needs libc itself. */
#include <stdlib.h>

int connect(void);
int send(void);

int connect(void)
{
	return atoi("4711");
}

int send(void)
{
	return 4712;
}
