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
	{ "ipv4only.arpa", AF_UNSPEC, 2, "192.0.0.170:0 192.0.0.171:0 " },
	{ "IPv4Only.arpa.", AF_INET, 2, "192.0.0.170:0 192.0.0.171:0 " },
	{ "ipv4only.arpa", AF_INET6, 0, "" },
	{ "x.ipv4only.arpa", AF_UNSPEC, -1, "" },
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

static const struct {
	const char *ip, *name;
} addresses[] = {
	{ "127.0.0.1", "localhost" },
	{ "::1", "localhost" },
	{ "127.9.9.9", "localhost" },
	{ "::ffff:127.9.9.9", "localhost" },
	{ "127.0.0.2", "dev.localhost" },
	{ "192.0.2.7", "printer" },
	{ "::ffff:192.0.2.7", "printer" },
	{ "2001:db8::7", "printer.lan" },
	{ "192.0.0.170", "ipv4only.arpa" },
	{ "192.0.0.171", "ipv4only.arpa" },
	{ "192.0.0.172", NULL },
	{ "192.0.2.8", NULL },
	{ "::", NULL },
};

START_TEST(address_is_known_or_not)
{
	struct endpoint ep = { .port = 80 };
	char name[LOCAL_NAME_MAX] = "untouched";

	begin(hosts);
	ck_assert_int_eq(endpoint_parse_ip(&ep, addresses[_i].ip), 0);
	errno = ERANGE;
	ck_assert_int_eq(local_name_of(&ep, name), addresses[_i].name != NULL);
	ck_assert_int_eq(errno, ERANGE);
	ck_assert_str_eq(name, addresses[_i].name ? addresses[_i].name : "untouched");
	end();
}
END_TEST

START_TEST(longest_name_fits)
{
	char line[300] = "192.0.2.1 ", name[LOCAL_NAME_MAX];
	struct endpoint ep;

	memset(line + 10, 'a', 255);
	line[265] = '.';
	begin(line);
	endpoint_set_ipv4(&ep, (uint8_t[]){ 192, 0, 2, 1 }, 0);
	ck_assert(local_name_of(&ep, name));
	ck_assert_uint_eq(strlen(name), 255);
	end();
}
END_TEST

static const struct {
	const char *name;
	int family;
	const char *canonical;
} canonical[] = {
	{ "PRINTER.lan", AF_UNSPEC, "Printer" },     { "printer.lan.", AF_INET, "Printer" },
	{ "printer.lan", AF_INET6, "printer.LAN6" }, { "printer", AF_INET6, NULL },
	{ "x.localhost", AF_UNSPEC, NULL },          { "example.org", AF_UNSPEC, NULL },
};

START_TEST(canonical_name_is_first_on_the_first_line_of_the_family)
{
	const char *name = canonical[_i].name, *found;

	begin("192.0.2.7 Printer printer.lan\n2001:db8::7 printer.LAN6 printer.lan\n");
	found = local_canonical(name, strlen(name), canonical[_i].family);
	if (canonical[_i].canonical)
		ck_assert_str_eq(found, canonical[_i].canonical);
	else
		ck_assert_ptr_null(found);
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
	ck_assert_ptr_null(local_hosts());
	ck_assert_ptr_null(local_canonical("localhost", 9, AF_UNSPEC));
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
          { address_is_known_or_not, ROWS(addresses) }, { longest_name_fits, 0 },
          { canonical_name_is_first_on_the_first_line_of_the_family, ROWS(canonical) },
          { own_name_is_local_without_being_listed, 0 }, { changed_file_is_read_again, 0 },
          { missing_file_leaves_localhost, 0 }, { threads_read_while_the_file_changes, 0 })
