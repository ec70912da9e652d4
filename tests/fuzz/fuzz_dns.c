/*
 * Any octets as a question: what is read of it can be answered, asked again, and read once more.
 */
#include <dns/message.h>
#include <fuzz.h>
#include <string.h>

#define ADDRESSES 40

static bool same_name(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len + 1u) == 0;
}

static void check_reverse(const struct dns_name *name)
{
	struct endpoint ep, back;
	struct dns_name again;

	if (!dns_reverse_get(name, &ep))
		return;
	REQUIRE(dns_reverse_is(name));
	dns_reverse_set(&again, &ep);
	REQUIRE(again.len == name->len);
	REQUIRE(dns_reverse_get(&again, &back) && endpoint_equal(&ep, &back));
}

static void check_name(const struct dns_question *q)
{
	uint8_t buf[DNS_UDP_MIN];
	struct dns_question again;
	struct dns_name name;
	size_t len;

	len = dns_put_question(buf, sizeof(buf), q->id, &q->name, q->type, q->udp_size);
	REQUIRE((len > 0) == q->name.plain);
	if (len == 0)
		return;
	REQUIRE(strlen(q->name.text) == q->name.len);
	REQUIRE(dns_name_set(&name, q->name.text, q->name.len) && same_name(&name, &q->name));
	REQUIRE(dns_get_question(buf, len, &again) == DNS_NOERROR);
	REQUIRE(same_name(&again.name, &q->name));
	REQUIRE(again.id == q->id && again.type == q->type && again.udp_size == q->udp_size);
	check_reverse(&q->name);
}

/* An answer with room for @cap octets and @n addresses, of both families. */
static void check_answer(const struct dns_question *q, const uint8_t *msg, enum dns_rcode rcode,
                         size_t cap, size_t n)
{
	static const uint8_t ip[16] = { 198, 18, 0, 7 };
	struct endpoint eps[ADDRESSES], out[ADDRESSES];
	uint8_t *buf = malloc(cap);
	struct dns_answer a;
	size_t len, found;

	REQUIRE(buf);
	dns_answer_begin(&a, q, msg, buf, cap);
	for (size_t i = 0; i < n; i++) {
		if (i % 2)
			endpoint_set_ipv6(&eps[i], ip, 0);
		else
			endpoint_set_ipv4(&eps[i], ip, 0);
		dns_answer_address(&a, &eps[i], 60);
	}
	dns_answer_ptr(&a, &q->name, 60);
	len = dns_answer_end(&a, rcode);
	REQUIRE(len <= cap);
	REQUIRE(buf[0] == msg[0] && buf[1] == msg[1]);
	REQUIRE(((unsigned)dns_rcode(buf) & 15) == ((unsigned)rcode & 15) || !q->has_edns);
	REQUIRE(dns_get_question(buf, len, &(struct dns_question){ 0 }) == -1);
	if (q->end > 0)
		REQUIRE(memcmp(buf + DNS_HEADER_LEN, msg + DNS_HEADER_LEN,
		               q->end - DNS_HEADER_LEN) == 0);

	found = dns_get_addresses(buf, len, out, ADDRESSES);
	REQUIRE(found <= n && found <= dns_answer_count(buf));
	REQUIRE(found == n || q->end == 0 || (buf[2] & 2));
	if (found == n)
		for (size_t i = 0; i < n; i++)
			REQUIRE(endpoint_equal(&out[i], &eps[i]));
	len = dns_cut(buf, len, DNS_UDP_MIN / 2);
	REQUIRE(len <= DNS_UDP_MIN / 2);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns_question q;
	int res = dns_get_question(data, size, &q);

	REQUIRE(q.udp_size >= DNS_UDP_MIN);
	REQUIRE(res >= -1 && (res != -1 || size < DNS_HEADER_LEN || (data[2] & 0x80)));
	if (res < 0)
		return 0;
	REQUIRE(q.end <= size && (q.end > 0 || res != DNS_NOERROR));
	REQUIRE(res != DNS_BADVERS || q.has_edns);
	if (q.end > 0)
		check_name(&q);
	check_answer(&q, data, (enum dns_rcode)res, DNS_UDP_MIN, 1);
	check_answer(&q, data, (enum dns_rcode)res, DNS_UDP_MIN, ADDRESSES);
	check_answer(&q, data, (enum dns_rcode)res, q.udp_size, ADDRESSES);
	return 0;
}
