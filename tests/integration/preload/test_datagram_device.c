/* Sockets that choose the device: no question leaves by it. */
#include "ask.h"

#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* To be answered, whatever the socket was told of devices; connected and not. */
static void check_answered(int fd, int n)
{
	union address a;
	socklen_t len = ask_at(FIRST, &a);

	ask_send(fd, BY_SENDTO, n, &a, len);
	ask_take(fd, BY_RECVFROM, n, &a, len);
	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	ask_send(fd, BY_WRITE, n + 1, NULL, 0);
	ask_take(fd, BY_RECVFROM, n + 1, &a, len);
}

#define N_CHOICES 3

/* The ways in which a program chooses a device: none is where a question leaves. */
static void choose(int fd, int way)
{
	int index = (int)if_nametoindex("away"), big = (int)htonl((uint32_t)index), r = -1;

	if (way == 0)
		r = setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "away", 4);
	else if (way == 1)
		r = setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof(index));
	else
		r = setsockopt(fd, IPPROTO_IP, IP_UNICAST_IF, &big, sizeof(big));
	ck_assert_int_eq(r, 0);
}

/* As if it had no privileges; @with: it has them again. */
static void set_privileges(bool with)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	ck_assert_int_eq(syscall(SYS_capget, &head, caps), 0);
	for (int i = 0; i < 2; i++)
		caps[i].effective = with ? caps[i].permitted : 0;
	ck_assert_int_eq(syscall(SYS_capset, &head, caps), 0);
}

START_TEST(a_device_of_its_own_is_no_way_out)
{
	int way = _i / 2, fd = ask_socket(AF_INET, 0);

	if (!ask_has_wire())
		return;
	choose(fd, way);
	set_privileges(_i % 2);
	check_answered(fd, way);
	/* And when it is connected already. */
	choose(fd, way);
	check_answered(fd, way + 2);
	set_privileges(true);
	close(fd);
}
END_TEST

/* Control data that chooses where to send from. */
START_TEST(control_data_is_no_way_out)
{
	union {
		char octets[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { { 0 } };
	uint8_t msg[ASK_MSG_MAX];
	struct iovec iov = { msg, ask_put(msg, 8) };
	union address a;
	struct mmsghdr vec = { .msg_hdr = { .msg_iov = &iov,
		                            .msg_iovlen = 1,
		                            .msg_name = &a,
		                            .msg_namelen = ask_at(FIRST, &a),
		                            .msg_control = control.octets,
		                            .msg_controllen = sizeof(control) } };
	struct cmsghdr *c = CMSG_FIRSTHDR(&vec.msg_hdr);
	struct in_pktinfo info = { .ipi_ifindex = (int)if_nametoindex("away") };
	int fd = ask_socket(AF_INET, 0), ttl = 9;

	if (info.ipi_ifindex == 0)
		return;
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(ttl)),
		               .cmsg_level = IPPROTO_IP,
		               .cmsg_type = IP_TTL };
	memcpy(CMSG_DATA(c), &ttl, sizeof(ttl));
	c = (struct cmsghdr *)(control.octets + CMSG_SPACE(sizeof(ttl)));
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(info)),
		               .cmsg_level = IPPROTO_IP,
		               .cmsg_type = IP_PKTINFO };
	memcpy(CMSG_DATA(c), &info, sizeof(info));
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(sendmsg(fd, &vec.msg_hdr, 0), iov.iov_len);
		ask_take(fd, BY_RECVFROM, 8, &a, sizeof(a.in));
		ck_assert_int_eq(sendmmsg(fd, &vec, 1, 0), 1);
		ask_take(fd, BY_RECVFROM, 8, &a, sizeof(a.in));
		ck_assert_ptr_eq(vec.msg_hdr.msg_control, control.octets);
		ck_assert_uint_eq(vec.msg_hdr.msg_controllen, sizeof(control));
		/* Then by a connected socket. */
		ck_assert_int_eq(ask_join(fd, FIRST), 0);
		vec.msg_hdr.msg_name = NULL;
		vec.msg_hdr.msg_namelen = 0;
	}
	close(fd);
}
END_TEST

/* Its scope binds a socket to a device, at connect(). */
START_TEST(a_link_local_server_is_answered)
{
	union address a, have;
	socklen_t len = ask_address(&a, AF_INET6, "fe80::53", 53), n = sizeof(have);
	int fd = ask_socket(AF_INET6, 0);

	a.in6.sin6_scope_id = if_nametoindex("away");
	if (fd < 0 || a.in6.sin6_scope_id == 0)
		return;
	ask_send(fd, BY_SENDTO, 1, &a, len);
	ask_take(fd, BY_RECVFROM, 1, &a, len);
	ck_assert_int_eq(connect(fd, &a.sa, len), 0);
	ask_send(fd, BY_SEND, 2, NULL, 0);
	ask_take(fd, BY_RECVMSG, 2, &a, len);
	ck_assert_int_eq(getpeername(fd, &have.sa, &n), 0);
	ck_assert_address(have, n, a, len);
	close(fd);
	fd = ask_socket(AF_INET6, 0);
	a.in6.sin6_scope_id = 0;
	ck_assert_int_eq(connect(fd, &a.sa, len), -1);
	close(fd);
}
END_TEST

START_TEST(tcp_that_is_bound_to_a_device_is_answered)
{
	int fd = ask_stream(AF_INET, 0, 0);

	if (!ask_has_wire())
		return;
	choose(fd, _i);
	ck_assert_int_eq(ask_join(fd, FIRST), 0);
	choose(fd, _i);
	ask_by_stream(fd, FIRST);
	close(fd);
}
END_TEST

/* Only the privileged may free it. */
START_TEST(tcp_that_can_not_be_freed_is_refused)
{
	int fd = ask_stream(AF_INET, 0, 0), err;

	if (!ask_has_wire())
		return;
	choose(fd, 0);
	set_privileges(false);
	err = ask_join(fd, FIRST);
	set_privileges(true);
	ck_assert_int_eq(err, EACCES);
	close(fd);
}
END_TEST

static Suite *make(void)
{
	Suite *s = suite_create("datagram device");
	TCase *tc = tcase_create("datagram device");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, NULL, ask_packets);
	suite_add_tcase(s, tc);
	tcase_add_loop_test(tc, a_device_of_its_own_is_no_way_out, 0, 2 * N_CHOICES);
	tcase_add_test(tc, control_data_is_no_way_out);
	tcase_add_test(tc, a_link_local_server_is_answered);
	tcase_add_loop_test(tc, tcp_that_is_bound_to_a_device_is_answered, 0, N_CHOICES);
	tcase_add_test(tc, tcp_that_can_not_be_freed_is_refused);
	return s;
}

int main(int argc, char **argv)
{
	return ask_main(argc, argv, make);
}
