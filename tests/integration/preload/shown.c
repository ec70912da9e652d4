/*
 * What test_exec.c executes: tells what it was given, a line each. Built a second time without any
 * loader.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
const char *__asan_default_options(void);

/* The test takes the environment away. */
const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0:detect_leaks=0";
}
#endif

static int is_mapped(const char *name)
{
	FILE *f = fopen("/proc/self/maps", "re");
	char line[4300];
	int yes = 0;

	while (f && fgets(line, sizeof(line), f))
		yes |= strstr(line, name) != NULL;
	if (f)
		fclose(f);
	return yes;
}

static const char *socket_told(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 ? "ok" : errno == EACCES ? "EACCES" : strerror(errno);
}

int main(int argc, char **argv)
{
	int preloads = 0, names = 0, others = 0, open_fds = 0;
	const char *audit = getenv("LD_AUDIT");
	const char *preload = getenv("LD_PRELOAD"), *proxy = getenv("SOCKSIFY_PROXY");
	char exe[4096] = "";

	for (int i = 0; i < argc; i++)
		printf("%s|", argv[i]);
	printf("\n");
	for (char **at = environ; *at; at++) {
		preloads += strncmp(*at, "LD_PRELOAD=", 11) == 0;
		names += strncmp(*at, "SOCKSIFY_NAMES=", 15) == 0;
		others += strncmp(*at, "OTHER=", 6) == 0;
	}
	for (int fd = 3; fd < 256; fd++)
		open_fds += lseek(fd, 0, SEEK_CUR) >= 0;
	if (readlink("/proc/self/exe", exe, sizeof(exe) - 1) < 0)
		strcpy(exe, "-");
	printf("preload %s\n", preload ? preload : "-");
	printf("audit %s\n", audit ? audit : "-");
	printf("preloads %d names %d others %d\n", preloads, names, others);
	printf("proxy %s\n", proxy ? proxy : "-");
	printf("mapped %d\n", is_mapped("/libsocksify.so"));
	printf("socket %s\n", socket_told());
	printf("files %d\n", open_fds);
	printf("exe %s\n", exe);
	return 0;
}
