#include <errno.h>
#include <names/local.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/utsname.h>
#include <unit.h>

#include "folder.h"

static const char hosts[] = "127.0.0.1 localhost\n"
			    "192.0.2.7 printer printer.lan\n"
			    "2001:db8::7 printer.lan\n"
			    "127.0.0.2 dev.localhost\n";

static void write_hosts(const char *text)
{
	char draft[128];
	FILE *f;

	/* As editors and administrators' tools do it: another file under the same name. */
	snprintf(draft, sizeof(draft), "%s.new", table_path);
	f = fopen(draft, "we");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	fclose(f);
	ck_assert_int_eq(rename(draft, table_path), 0);
}

static void begin(const char *text)
{
	folder_init();
	write_hosts(text);
	local_set_hosts_path(table_path);
}

static void end(void)
{
	folder_fini();
	local_set_hosts_path("/etc/hosts");
}

static int find(const char *name, int family, char *found)
{
	struct endpoint out[LOCAL_MAX];
	int n;

	errno = ERANGE;
	n = local_find(name, strlen(name), family, out, LOCAL_MAX);
	ck_assert_int_eq(errno, ERANGE);
	*found = '\0';
	for (int i = 0; i < n; i++)
		sprintf(found + strlen(found), "%s ", ENDPOINT_TEXT(&out[i]));
	return n;
}

static const struct {
	const char *name;
	int family, n;
	const char *found;
} rows[] = {
	{ "localhost", AF_UNSPEC, 1, "127.0.0.1:0 " },
	{ "localhost", AF_INET6, 1, "[::1]:0 " },
	{ "LocalHost.", AF_INET, 1, "127.0.0.1:0 " },
	{ "x.y.localhost", AF_UNSPEC, 2, "127.0.0.1:0 [::1]:0 " },
	{ "x.LOCALHOST.", AF_INET, 1, "127.0.0.1:0 " },
	{ "dev.localhost", AF_INET, 1, "127.0.0.2:0 " },
	{ "printer", AF_UNSPEC, 1, "192.0.2.7:0 " },
	{ "printer", AF_INET6, 0, "" },
	{ "Printer.LAN", AF_UNSPEC, 2, "192.0.2.7:0 [2001:db8::7]:0 " },
	{ "xlocalhost", AF_UNSPEC, -1, "" },
	{ ".localhost", AF_UNSPEC, -1, "" },
	{ "localhost.example", AF_UNSPEC, -1, "" },
	{ "example.org", AF_UNSPEC, -1, "" },
	{ "", AF_UNSPEC, -1, "" },
	{ ".", AF_UNSPEC, -1, "" },
};

START_TEST(name_is_local_or_not)
{
	char found[512];

	begin(hosts);
	ck_assert_int_eq(find(rows[_i].name, rows[_i].family, found), rows[_i].n);
	ck_assert_str_eq(found, rows[_i].found);
	end();
}
END_TEST

START_TEST(own_name_is_local_without_being_listed)
{
	struct endpoint out[2];
	struct utsname host;
	char listed[128], found[512];

	ck_assert_int_eq(uname(&host), 0);
	begin("");
	ck_assert_int_ge(local_find(host.nodename, strlen(host.nodename), AF_UNSPEC, out, 2), 1);
	ck_assert(endpoint_is_loopback(&out[0]));
	ck_assert_int_eq(local_find(host.nodename, strlen(host.nodename), AF_UNSPEC, out, 1), 1);
	snprintf(listed, sizeof(listed), "192.0.2.9 %s\n", host.nodename);
	write_hosts(listed);
	ck_assert_int_eq(find(host.nodename, AF_INET, found), 1);
	ck_assert_str_eq(found, "192.0.2.9:0 ");
	end();
}
END_TEST

START_TEST(changed_file_is_read_again)
{
	char found[512];

	begin(hosts);
	ck_assert_int_eq(find("printer", AF_UNSPEC, found), 1);
	write_hosts("192.0.2.8 printer\n");
	ck_assert_int_eq(find("printer", AF_UNSPEC, found), 1);
	ck_assert_str_eq(found, "192.0.2.8:0 ");
	unlink(table_path);
	ck_assert_int_eq(find("printer", AF_UNSPEC, found), -1);
	ck_assert_int_eq(find("localhost", AF_INET, found), 1);
	write_hosts(hosts);
	ck_assert_int_eq(find("printer", AF_UNSPEC, found), 1);
	ck_assert_str_eq(found, "192.0.2.7:0 ");
	end();
}
END_TEST

START_TEST(missing_file_leaves_localhost)
{
	char found[512];

	folder_init();
	local_set_hosts_path(table_path);
	ck_assert_int_eq(find("printer", AF_UNSPEC, found), -1);
	ck_assert_int_eq(find("localhost", AF_UNSPEC, found), 2);
	end();
}
END_TEST

static atomic_bool stop;

static void *reader(void *arg)
{
	struct endpoint out[4];

	(void)arg;
	while (!stop) {
		int n = local_find("printer", 7, AF_INET, out, 4);

		if (n != 1 || out[0].ip[0] != 192)
			return &stop; /* a reader saw half a file */
	}
	return NULL;
}

START_TEST(threads_read_while_the_file_changes)
{
	pthread_t threads[8];
	void *res;

	begin(hosts);
	stop = false;
	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, reader, NULL), 0);
	for (int i = 0; i < 200; i++)
		write_hosts(i % 2 ? "192.0.2.8 printer\n" : hosts);
	stop = true;
	for (int i = 0; i < 8; i++) {
		pthread_join(threads[i], &res);
		ck_assert_msg(!res, "%s", (char *)res);
	}
	end();
}
END_TEST

UNIT_MAIN("names/local", { name_is_local_or_not, ROWS(rows) },
          { own_name_is_local_without_being_listed, 0 }, { changed_file_is_read_again, 0 },
          { missing_file_leaves_localhost, 0 }, { threads_read_while_the_file_changes, 0 })
