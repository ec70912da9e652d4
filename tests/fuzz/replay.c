/*
 * A main() for a fuzz target without libFuzzer: runs it over each file of the folders and files
 * given. So the seeds are ordinary tests under every compiler, and a crash that a fuzzer found can
 * be had again.
 */
#include <dirent.h>
#include <errno.h>
#include <fuzz.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data;
	long size;

	if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		if (f)
			fclose(f);
		return -1;
	}
	rewind(f);
	/* Of exactly that size, so that a sanitizer sees the octet beyond. */
	data = malloc(size ? (size_t)size : 1);
	if (!data || fread(data, 1, (size_t)size, f) != (size_t)size) {
		fprintf(stderr, "%s: cannot be read\n", path);
		free(data);
		fclose(f);
		return -1;
	}
	fclose(f);
	printf("%s\n", path);
	fflush(stdout);
	LLVMFuzzerTestOneInput(data, (size_t)size);
	free(data);
	return 1;
}

/* How many files were run, or -1. */
static int replay(const char *path)
{
	char name[PATH_MAX];
	struct dirent *entry;
	struct stat st;
	int total = 0;
	DIR *dir;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode))
		return replay_file(path);
	dir = opendir(path);
	if (!dir) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	while (total >= 0 && (entry = readdir(dir))) {
		int n;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		n = replay(name);
		total = n < 0 ? -1 : total + n;
	}
	closedir(dir);
	return total;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		/* A folder without seeds is a mistake in the build, not a test that passed. */
		if (replay(argv[i]) <= 0) {
			fprintf(stderr, "%s: no seeds\n", argv[i]);
			return EXIT_FAILURE;
		}
	}
	return argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
