/*
 * Two octets that say to how many octets an answer is cut; then any octets as an answer. What was
 * cut stays a message, a name is passed over as it is read, and libc reads no other name.
 */
#include <arpa/nameser.h>
#include <dns/message.h>
#include <fuzz.h>
#include <string.h>

#define PLACES 512 /* at which a name is tried: enough for every kind of pointer */

static void check_names(const uint8_t *buf, size_t len)
{
	for (size_t at = DNS_HEADER_LEN; at < len && at < PLACES; at++) {
		uint8_t ours[DNS_WIRE_MAX], theirs[NS_MAXCDNAME];
		struct reader get, skip;
		struct dns_name name;
		struct writer w;
		int used;

		reader_init(&get, buf, len);
		get.pos = at;
		skip = get;
		if (!dns_get_name(&get, &name)) {
			REQUIRE(get.over && !name.plain && name.len == 0);
			continue;
		}
		REQUIRE(dns_skip_name(&skip) && skip.pos == get.pos);
		used = ns_name_unpack(buf, buf + len, buf + at, theirs, sizeof(theirs));
		REQUIRE(used == (int)(get.pos - at));
		writer_init(&w, ours, sizeof(ours));
		REQUIRE(dns_put_name(&w, &name) == name.plain);
		REQUIRE(memcmp(ours, theirs, w.pos) == 0);
	}
}

static void check_cut(const uint8_t *data, size_t len, size_t cap)
{
	uint8_t *buf = malloc(len), *again;
	size_t left, same;

	REQUIRE(buf);
	memcpy(buf, data, len);
	left = dns_cut(buf, len, cap);
	REQUIRE(left <= len && left <= cap && left >= DNS_HEADER_LEN);
	REQUIRE(buf[0] == data[0] && buf[1] == data[1]);
	if (len > cap) {
		ns_msg msg;

		REQUIRE(buf[2] & 2);
		REQUIRE(dns_answer_count(buf) == 0);
		REQUIRE(dns_rcode(buf) == dns_rcode(data));
		REQUIRE(ns_initparse(buf, (int)left, &msg) == 0);
	}
	/* Of exactly that size: what was cut fits, and is left alone. */
	again = malloc(left);
	REQUIRE(again);
	memcpy(again, buf, left);
	same = dns_cut(again, left, cap);
	REQUIRE(same == left && memcmp(again, buf, left) == 0);
	free(again);
	free(buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct endpoint all[8], one;
	size_t cap, found;

	if (size < 2)
		return 0;
	cap = (size_t)(data[0] << 8 | data[1]);
	if (cap < DNS_HEADER_LEN)
		cap = DNS_HEADER_LEN;
	data += 2;
	size -= 2;
	found = dns_get_addresses(data, size, all, 8);
	for (size_t i = 0; i < found; i++)
		REQUIRE((all[i].kind == ENDPOINT_IPV4 || all[i].kind == ENDPOINT_IPV6) &&
		        all[i].port == 0);
	REQUIRE(dns_get_addresses(data, size, &one, 1) == (found > 0));
	REQUIRE(found == 0 || endpoint_equal(&one, &all[0]));
	if (size < DNS_HEADER_LEN || size > DNS_MESSAGE_MAX)
		return 0;
	REQUIRE(found <= dns_answer_count(data));
	check_names(data, size);
	check_cut(data, size, cap);
	return 0;
}
