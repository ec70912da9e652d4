/* The res_query() family, under all its names, in a network of the test's own. */
#include "alone.h"
#include "proxy.h"
#include "routes.h"

#include <arpa/nameser.h>
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define T_HTTPS  65
#define THREADS  16
#define SERVERS  "nameserver 203.0.113.5\nnameserver 192.0.2.53\nnameserver 127.0.0.1\n"
#define HUGE_LEN 1024

enum shape { BY_QUERY, BY_DOMAIN, BY_SEND, BY_NQUERY, BY_NDOMAIN, BY_NSEND };

static const struct {
	const char *name;
	enum shape shape;
} forms[] = {
	{ "res_query", BY_QUERY },
	{ "__res_query", BY_QUERY },
	{ "res_search", BY_QUERY },
	{ "__res_search", BY_QUERY },
	{ "res_querydomain", BY_DOMAIN },
	{ "__res_querydomain", BY_DOMAIN },
	{ "res_send", BY_SEND },
	{ "__res_send", BY_SEND },
	{ "res_nquery", BY_NQUERY },
	{ "__res_nquery", BY_NQUERY },
	{ "res_nsearch", BY_NQUERY },
	{ "__res_nsearch", BY_NQUERY },
	{ "res_nquerydomain", BY_NDOMAIN },
	{ "__res_nquerydomain", BY_NDOMAIN },
	{ "res_nsend", BY_NSEND },
	{ "__res_nsend", BY_NSEND },
};

#define FORMS ((int)(sizeof(forms) / sizeof(forms[0])))

static struct __res_state state;
static unsigned char answer[HUGE_LEN];

static bool sends(int form)
{
	return forms[form].shape == BY_SEND || forms[form].shape == BY_NSEND;
}

static int send_it(int form, const char *name, int class, int type, unsigned char *buf, int len)
{
	int (*send)(const unsigned char *, int, unsigned char *, int);
	int (*nsend)(struct __res_state *, const unsigned char *, int, unsigned char *, int);
	unsigned char msg[512];
	int n = res_mkquery(ns_o_query, name, class, type, NULL, 0, NULL, msg, sizeof(msg));

	ck_assert_int_gt(n, 0);
	*(void **)&send = dlsym(RTLD_DEFAULT, forms[form].name);
	*(void **)&nsend = dlsym(RTLD_DEFAULT, forms[form].name);
	return forms[form].shape == BY_SEND ? send(msg, n, buf, len)
	                                    : nsend(&state, msg, n, buf, len);
}

/* The name in two halves. */
static int ask_domain(int form, const char *name, int class, int type, unsigned char *buf, int len)
{
	int (*query)(const char *, const char *, int, int, unsigned char *, int);
	int (*nquery)(struct __res_state *, const char *, const char *, int, int, unsigned char *,
	              int);
	const char *dot = strchr(name, '.');
	char first[256];

	ck_assert_ptr_nonnull(dot);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - name), name);
	*(void **)&query = dlsym(RTLD_DEFAULT, forms[form].name);
	*(void **)&nquery = dlsym(RTLD_DEFAULT, forms[form].name);
	return forms[form].shape == BY_DOMAIN
	               ? query(first, dot + 1, class, type, buf, len)
	               : nquery(&state, first, dot + 1, class, type, buf, len);
}

static int ask_in(int form, const char *name, int class, int type, unsigned char *buf, int len)
{
	int (*query)(const char *, int, int, unsigned char *, int);
	int (*nquery)(struct __res_state *, const char *, int, int, unsigned char *, int);

	*(void **)&query = dlsym(RTLD_DEFAULT, forms[form].name);
	*(void **)&nquery = dlsym(RTLD_DEFAULT, forms[form].name);
	ck_assert_ptr_nonnull(*(void **)&query);
	switch (forms[form].shape) {
	case BY_QUERY:
		return query(name, class, type, buf, len);
	case BY_NQUERY:
		return nquery(&state, name, class, type, buf, len);
	case BY_DOMAIN:
	case BY_NDOMAIN:
		return ask_domain(form, name, class, type, buf, len);
	case BY_SEND:
	case BY_NSEND:
		break;
	}
	return send_it(form, name, class, type, buf, len);
}

static int ask(int form, const char *name, int type)
{
	memset(answer, 0xa5, sizeof(answer));
	h_errno = state.res_h_errno = -7;
	return ask_in(form, name, ns_c_in, type, answer, sizeof(answer));
}

/* The first record of an answer: its data. Its owner is what was asked. */
static const unsigned char *record(const unsigned char *buf, int n, const char *name, int type)
{
	ns_msg msg;
	ns_rr rr;

	ck_assert_int_eq(ns_initparse(buf, n, &msg), 0);
	ck_assert_int_ge(ns_msg_count(msg, ns_s_an), 1);
	ck_assert_int_eq(ns_parserr(&msg, ns_s_qd, 0, &rr), 0);
	ck_assert_str_eq(ns_rr_name(rr), name);
	ck_assert_int_eq(ns_parserr(&msg, ns_s_an, 0, &rr), 0);
	ck_assert_int_eq(ns_rr_type(rr), type);
	ck_assert_str_eq(ns_rr_name(rr), name);
	return ns_rr_rdata(rr);
}

#define ck_assert_a(n, name, ip)                                                           \
	do {                                                                               \
		char text_[INET_ADDRSTRLEN];                                               \
		inet_ntop(AF_INET, record(answer, n, name, ns_t_a), text_, sizeof(text_)); \
		ck_assert_str_eq(text_, ip);                                               \
	} while (0)

static int rcode_of(const unsigned char *buf)
{
	return buf[3] & 15;
}

/* The failure as each form tells it: the query ones by h_errno, the others by the message. */
static void check_failure(int form, int n, int rcode, int herr)
{
	if (sends(form)) {
		ck_assert_int_ge(n, 12);
		ck_assert_int_eq(rcode_of(answer), rcode);
		ck_assert_int_eq(answer[6] << 8 | answer[7], 0);
		ck_assert_int_eq(h_errno, -7);
		return;
	}
	ck_assert_int_eq(n, -1);
	ck_assert_int_eq(h_errno, herr);
	if (forms[form].shape == BY_NQUERY || forms[form].shape == BY_NDOMAIN)
		ck_assert_int_eq(state.res_h_errno, herr);
}

static int open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

START_TEST(addresses_are_placeholders)
{
	int before = alone_questions(), n;
	struct sockaddr_storage six;
	struct sockaddr_in four;
	socklen_t len;
	char name[32];

	snprintf(name, sizeof(name), "Form%d.Example.test", _i);
	errno = E2BIG;
	n = ask(_i, name, ns_t_a);
	if (!sends(_i)) /* res_mkquery() is none of ours */
		ck_assert_int_eq(errno, E2BIG);
	four = look_up(name, PORT);
	ck_assert(is_placeholder(&four));
	ck_assert_mem_eq(record(answer, n, name, ns_t_a), &four.sin_addr, 4);
	ck_assert_int_eq(rcode_of(answer), 0);
	n = ask(_i, name, ns_t_aaaa);
	six = under_look_up(name, AF_INET6, PORT, &len);
	ck_assert_mem_eq(record(answer, n, name, ns_t_aaaa),
	                 &((struct sockaddr_in6 *)&six)->sin6_addr, 16);
	check_proxied(&four);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(other_types_are_empty)
{
	static const int types[] = { ns_t_mx, ns_t_txt, ns_t_srv, T_HTTPS, ns_t_soa,
		                     ns_t_ns, ns_t_any, ns_t_ptr, 44,      ns_t_cname };
	int before = alone_questions();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		check_failure(_i, ask(_i, "_any._tcp.example.test", types[i]), ns_r_noerror,
		              NO_DATA);
		check_failure(_i, ask(_i, "0.192.in-addr.arpa", types[i]), ns_r_noerror, NO_DATA);
		check_failure(_i, ask(_i, "two words.test", types[i]), ns_r_nxdomain,
		              HOST_NOT_FOUND);
	}
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(what_is_nobodys_name_does_not_exist)
{
	int before = alone_questions();

	check_failure(_i, ask(_i, "192.0.2.1", ns_t_a), ns_r_nxdomain, HOST_NOT_FOUND);
	check_failure(_i, ask(_i, "a:b.test", ns_t_a), ns_r_nxdomain, HOST_NOT_FOUND);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(what_no_message_can_say_is_not_asked)
{
	char name[300];

	memset(name, 'x', sizeof(name));
	name[64] = '.';
	strcpy(name + 65, "test");
	if (!sends(_i)) {
		check_failure(_i, ask(_i, name, ns_t_a), 0, NO_RECOVERY);
		check_failure(_i, ask(_i, "a..test", ns_t_a), 0, NO_RECOVERY);
		memset(name, 'x', sizeof(name));
		for (int i = 50; i < 300; i += 50)
			name[i] = '.';
		name[sizeof(name) - 1] = '\0';
		check_failure(_i, ask(_i, name, ns_t_a), 0, NO_RECOVERY);
	}
}
END_TEST

START_TEST(local_names_are_local)
{
	int before = alone_questions();

	ck_assert_a(ask(_i, "listed.port.test", ns_t_a), "listed.port.test", "192.0.2.90");
	check_failure(_i, ask(_i, "listed.port.test", ns_t_aaaa), ns_r_noerror, NO_DATA);
	check_failure(_i, ask(_i, "listed.port.test", ns_t_mx), ns_r_noerror, NO_DATA);
	ck_assert_a(ask(_i, "any.localhost", ns_t_a), "any.localhost", "127.0.0.1");
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

static void reverse_name(const struct sockaddr_in *sa, char name[40])
{
	const uint8_t *ip = (const uint8_t *)&sa->sin_addr;

	snprintf(name, 40, "%u.%u.%u.%u.in-addr.arpa", ip[3], ip[2], ip[1], ip[0]);
}

static void check_ptr(int form, const char *ip, const char *want)
{
	struct sockaddr_in sa = at(ip, 0);
	char name[40], text[256];
	const unsigned char *data;
	int n;

	reverse_name(&sa, name);
	n = ask(form, name, ns_t_ptr);
	if (!want) {
		check_failure(form, n, ns_r_nxdomain, HOST_NOT_FOUND);
		return;
	}
	data = record(answer, n, name, ns_t_ptr);
	ck_assert_int_gt(dn_expand(answer, answer + n, data, text, sizeof(text)), 0);
	ck_assert_str_eq(text, want);
}

START_TEST(a_placeholder_has_its_name)
{
	int before = alone_questions();
	struct sockaddr_in sa = look_up("Back.Example.test", PORT);
	char name[40];

	check_ptr(_i, text_of(&sa), "Back.Example.test");
	check_ptr(_i, "192.0.2.90", "listed.port.test");
	check_ptr(_i, "198.19.255.254", NULL);
	check_ptr(_i, "169.254.1.1", NULL);
	reverse_name(&sa, name);
	check_failure(_i, ask(_i, name, ns_t_soa), ns_r_noerror, NO_DATA);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(the_proxy_is_asked_for_other_names)
{
	char unknown[16];

	snprintf(unknown, sizeof(unknown), "203.0.113.%d", PROXY_PTR_UNKNOWN);
	check_ptr(_i, "203.0.113.77", "h77.test");
	check_ptr(_i, unknown, NULL);
	check_failure(_i, ask(_i, "77.113.0.203.in-addr.arpa", ns_t_mx), ns_r_noerror, NO_DATA);
}
END_TEST

START_TEST(a_short_buffer_gets_the_beginning)
{
	unsigned char whole[HUGE_LEN], buf[HUGE_LEN];
	int n = ask_in(_i, "short.example.test", ns_c_in, ns_t_a, whole, sizeof(whole));

	ck_assert_int_gt(n, 12 + 16);
	for (int len = 12; len <= n + 1; len++) {
		memset(buf, 0xa5, sizeof(buf));
		ck_assert_int_eq(ask_in(_i, "short.example.test", ns_c_in, ns_t_a, buf, len), n);
		ck_assert_int_eq((buf[2] & 2) != 0, len < n); /* TC */
		ck_assert_int_eq(buf[len], 0xa5);
		ck_assert_mem_eq(buf + 3, whole + 3, (size_t)(len < n ? len : n) - 3);
	}
	for (int len = -1; len < 12; len++) {
		h_errno = errno = 0;
		ck_assert_int_eq(ask_in(_i, "short.example.test", ns_c_in, ns_t_a, buf, len), -1);
		ck_assert_int_eq(errno, EINVAL);
		ck_assert_int_eq(h_errno, sends(_i) ? 0 : TRY_AGAIN);
	}
}
END_TEST

START_TEST(other_classes_and_transfers_are_refused)
{
	int before = alone_questions();

	h_errno = -7;
	check_failure(_i, ask_in(_i, "version.bind", ns_c_chaos, ns_t_txt, answer, sizeof(answer)),
	              ns_r_refused, NO_RECOVERY);
	h_errno = -7;
	check_failure(_i, ask_in(_i, "example.test", ns_c_in, ns_t_axfr, answer, sizeof(answer)),
	              ns_r_refused, NO_RECOVERY);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(the_root_has_no_addresses)
{
	ck_assert_int_eq(res_query(".", ns_c_in, ns_t_a, answer, sizeof(answer)), -1);
	ck_assert_int_eq(h_errno, NO_DATA);
	ck_assert_int_eq(res_query("", ns_c_in, ns_t_ns, answer, sizeof(answer)), -1);
	ck_assert_int_eq(h_errno, NO_DATA);
}
END_TEST

/* By alone.c's resolv.conf a lone name has no domain; with one, libc would append it. */
START_TEST(search_domains_are_not_appended)
{
	int before = alone_questions(), n;

	strcpy(state.defdname, "domain.test");
	state.dnsrch[0] = state.defdname;
	state.dnsrch[1] = NULL;
	n = res_nsearch(&state, "lone", ns_c_in, ns_t_a, answer, sizeof(answer));
	record(answer, n, "lone", ns_t_a);
	n = res_nquerydomain(&state, "whole.test.", NULL, ns_c_in, ns_t_a, answer, sizeof(answer));
	record(answer, n, "whole.test", ns_t_a);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(a_message_that_is_no_question_is_not_sent)
{
	unsigned char msg[512], out[512];
	int before = alone_questions();
	int n = res_mkquery(ns_o_query, "x.test", ns_c_in, ns_t_a, NULL, 0, NULL, msg, sizeof(msg));

	ck_assert_int_gt(n, 0);
	for (int len = -1; len < 12; len++) {
		errno = 0;
		ck_assert_int_eq(res_send(msg, len, out, sizeof(out)), -1);
		ck_assert_int_eq(errno, EINVAL);
	}
	for (int len = 12; len < n; len++) {
		ck_assert_int_ge(res_send(msg, len, out, sizeof(out)), 12);
		ck_assert_int_eq(rcode_of(out), ns_r_formerr);
	}
	msg[2] |= 0x80; /* an answer */
	ck_assert_int_eq(res_send(msg, n, out, sizeof(out)), -1);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

START_TEST(names_under_a_rule_are_asked_of_the_server)
{
	int before = alone_questions(), n;
	struct sockaddr_in sa;
	char name[32], want[32];

	snprintf(name, sizeof(name), "a%d.direct.test", 120 + _i);
	snprintf(want, sizeof(want), "192.0.2.%d", 120 + _i);
	n = ask(_i, name, ns_t_a);
	ck_assert_int_gt(alone_questions(), before);
	ck_assert_a(n, name, want);
	sa = at(want, PORT);
	check_direct(&sa);
	before = alone_questions();
	n = ask(_i, "none.direct.test", ns_t_mx);
	check_failure(_i, n, ns_r_nxdomain, HOST_NOT_FOUND);
	ck_assert_int_gt(alone_questions(), before);
}
END_TEST

START_TEST(a_rule_with_a_port_leaves_the_placeholder)
{
	int before = alone_questions();
	struct sockaddr_in sa;
	int n = ask(_i, "a99.port.test", ns_t_a);

	sa = look_up("a99.port.test", 80);
	ck_assert_mem_eq(record(answer, n, "a99.port.test", ns_t_a), &sa.sin_addr, 4);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

static void *ask_many(void *arg)
{
	int id = (int)(intptr_t)arg;
	struct __res_state own = { 0 };
	unsigned char buf[HUGE_LEN];
	char name[32];

	for (int i = 0; i < 200; i++) {
		int n;

		snprintf(name, sizeof(name), "t%d.n%d.test", id, i);
		n = i % 2 ? res_query(name, ns_c_in, ns_t_a, buf, sizeof(buf))
		          : res_nquery(&own, name, ns_c_in, ns_t_a, buf, sizeof(buf));
		record(buf, n, name, ns_t_a);
	}
	return NULL;
}

START_TEST(threads_ask_at_once)
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_many, (void *)(intptr_t)i),
		                 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}
END_TEST

START_TEST(old_names_of_libresolv_serve)
{
	struct hostent *(*by_name)(const char *), *(*by_name2)(const char *, int);
	struct hostent *he;

	*(void **)&by_name = dlsym(RTLD_DEFAULT, "res_gethostbyname");
	*(void **)&by_name2 = dlsym(RTLD_DEFAULT, "res_gethostbyname2");
	he = by_name("old.example.test");
	ck_assert_ptr_nonnull(he);
	ck_assert_int_eq(he->h_addr_list[0][0] & 0xff, 198);
	he = by_name2("old.example.test", AF_INET6);
	ck_assert_ptr_nonnull(he);
	ck_assert_int_eq(he->h_length, 16);
}
END_TEST

/* SOCKSIFY_DNS=tunnel */

START_TEST(the_server_is_asked_through_the_proxy)
{
	int before = alone_questions(), through = under_requests("dns.");
	int open = open_descriptors(), n;
	char name[32];

	snprintf(name, sizeof(name), "a%d.example.test", 30 + _i);
	n = ask(_i, name, ns_t_a);
	record(answer, n, name, ns_t_a);
	ck_assert_int_eq(answer[n - 1], 30 + _i);
	check_failure(_i, ask(_i, "six.example.test", ns_t_mx), ns_r_noerror, NO_DATA);
	check_failure(_i, ask(_i, "none.example.test", ns_t_a), ns_r_nxdomain, HOST_NOT_FOUND);
	ck_assert_int_eq(under_requests("dns."), through + 3);
	/* The second and the third server: both can't tell, the last one's word is passed on. */
	check_failure(_i, ask(_i, "fail.example.test", ns_t_a), ns_r_servfail, TRY_AGAIN);
	ck_assert_int_eq(under_requests("dns."), through + 5);
	ck_assert_int_eq(alone_questions(), before);
	ck_assert_int_eq(open_descriptors(), open);
}
END_TEST

START_TEST(a_server_that_closes_is_an_error)
{
	int open = open_descriptors(), through = under_requests("dns.");

	ck_assert_int_eq(ask(_i, "gone.example.test", ns_t_a), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	if (!sends(_i))
		ck_assert_int_eq(h_errno, TRY_AGAIN);
	ck_assert_int_eq(under_requests("dns."), through + 2);
	ck_assert_int_eq(open_descriptors(), open);
}
END_TEST

START_TEST(no_descriptor_is_an_error)
{
	struct rlimit limit, none;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(ask(_i, "a7.example.test", ns_t_a), -1);
	ck_assert_int_eq(errno, EMFILE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (!sends(_i))
		ck_assert_int_eq(h_errno, TRY_AGAIN);
}
END_TEST

START_TEST(what_is_local_is_not_tunnelled)
{
	int through = under_requests("dns."), before = alone_questions(), n;
	struct sockaddr_in sa = look_up("kept.example.test", PORT);

	ck_assert_a(ask(_i, "listed.port.test", ns_t_a), "listed.port.test", "192.0.2.90");
	check_ptr(_i, text_of(&sa), "kept.example.test");
	check_ptr(_i, "198.19.255.254", NULL);
	ck_assert_int_eq(alone_questions(), before);
	n = ask(_i, "a8.direct.test", ns_t_a);
	ck_assert_a(n, "a8.direct.test", "192.0.2.8");
	ck_assert_int_gt(alone_questions(), before);
	ck_assert_int_eq(under_requests("dns."), through);
}
END_TEST

/* What was learned of a name that goes direct at one port: its address does, there. */
START_TEST(a_tunnelled_answer_is_noted)
{
	struct sockaddr_in sa = at("192.0.2.99", PORT);
	int n = ask(_i, "a99.port.test", ns_t_a);

	ck_assert_a(n, "a99.port.test", "192.0.2.99");
	check_direct(&sa);
	sa.sin_port = htons(80);
	check_proxied(&sa);
}
END_TEST

/* A scheme that leaves names to libc. */
START_TEST(all_names_are_the_servers)
{
	int before = alone_questions(), n = ask(_i, "a66.example.test", ns_t_a);

	ck_assert_a(n, "a66.example.test", "192.0.2.66");
	check_failure(_i, ask(_i, "none.example.test", ns_t_txt), ns_r_nxdomain, HOST_NOT_FOUND);
	ck_assert_int_ge(alone_questions(), before + 2);
}
END_TEST

START_TEST(nothing_is_answered)
{
	int before = alone_questions();

	check_failure(_i, ask(_i, "a67.example.test", ns_t_a), ns_r_servfail, TRY_AGAIN);
	ck_assert_int_eq(alone_questions(), before);
}
END_TEST

static void add_answers(TCase *tc)
{
	tcase_add_loop_test(tc, addresses_are_placeholders, 0, FORMS);
	tcase_add_loop_test(tc, other_types_are_empty, 0, FORMS);
	tcase_add_loop_test(tc, what_is_nobodys_name_does_not_exist, 0, FORMS);
	tcase_add_loop_test(tc, what_no_message_can_say_is_not_asked, 0, FORMS);
	tcase_add_loop_test(tc, local_names_are_local, 0, FORMS);
	tcase_add_loop_test(tc, a_placeholder_has_its_name, 0, FORMS);
	tcase_add_loop_test(tc, the_proxy_is_asked_for_other_names, 0, FORMS);
	tcase_add_loop_test(tc, a_short_buffer_gets_the_beginning, 0, FORMS);
	tcase_add_loop_test(tc, other_classes_and_transfers_are_refused, 0, FORMS);
	tcase_add_loop_test(tc, names_under_a_rule_are_asked_of_the_server, 0, FORMS);
	tcase_add_loop_test(tc, a_rule_with_a_port_leaves_the_placeholder, 0, FORMS);
	tcase_add_test(tc, the_root_has_no_addresses);
	tcase_add_test(tc, search_domains_are_not_appended);
	tcase_add_test(tc, a_message_that_is_no_question_is_not_sent);
	tcase_add_test(tc, threads_ask_at_once);
	tcase_add_test(tc, old_names_of_libresolv_serve);
}

static void add_tunnel(TCase *tc)
{
	tcase_add_loop_test(tc, the_server_is_asked_through_the_proxy, 0, FORMS);
	tcase_add_loop_test(tc, a_server_that_closes_is_an_error, 0, FORMS);
	tcase_add_loop_test(tc, no_descriptor_is_an_error, 0, FORMS);
	tcase_add_loop_test(tc, what_is_local_is_not_tunnelled, 0, FORMS);
	tcase_add_loop_test(tc, a_tunnelled_answer_is_noted, 0, FORMS);
}

static void add_libc(TCase *tc)
{
	tcase_add_loop_test(tc, all_names_are_the_servers, 0, FORMS);
}

static void add_broken(TCase *tc)
{
	tcase_add_loop_test(tc, nothing_is_answered, 0, FORMS);
}

static const struct mode {
	const char *name, *variable, *value, *servers;
	void (*add)(TCase *tc);
} modes[] = {
	{ "answer", "SOCKSIFY_DNS", "answer", NULL, add_answers },
	{ "tunnel", "SOCKSIFY_DNS", "tunnel", SERVERS, add_tunnel },
	{ "by-libc", "UNDER_SCHEME", "socks5", NULL, add_libc },
	{ "broken", "SOCKSIFY_DNS", "no such word", NULL, add_broken },
};

static const struct mode *mode;

static void prepare(void)
{
	open_listener();
	ck_assert_int_eq(res_ninit(&state), 0);
}

static Suite *make(void)
{
	Suite *s = suite_create("res");
	TCase *tc = tcase_create(mode->name);

	tcase_add_unchecked_fixture(tc, prepare, NULL);
	tcase_set_timeout(tc, 60);
	mode->add(tc);
	suite_add_tcase(s, tc);
	return s;
}

/* Over alone.c's file, which is nobody else's. */
static bool write_servers(const char *text)
{
	int fd = open("/etc/resolv.conf", O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 2 && i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strcmp(argv[1], modes[i].name) == 0)
			mode = &modes[i];
	if (!mode) {
		fprintf(stderr, "usage: test MODE\n");
		return 99;
	}
	if (!under_is_second_run()) {
		if (!alone_begin() || (mode->servers && !write_servers(mode->servers))) {
			fprintf(stderr, "no namespaces of one's own here\n");
			return 77; /* meson's "skipped" */
		}
		setenv("SOCKSIFY_NO_PROXY", ".direct.test .port.test:7001", 1);
		setenv(mode->variable, mode->value, 1);
	}
	return under_main(argc, argv, UNDER_IPV4, make);
}
