#include "asker.h"

#include "port_tcp.h"
#include "port_udp.h"

void asker_answer(const struct asker *a, const uint8_t *answer, size_t len)
{
	if (asker_is_udp(a))
		port_udp_answer(a, answer, len);
	else
		port_tcp_answer(a, answer, len);
}
