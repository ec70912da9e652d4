/*
 * DNS questions answered in place: what the res_query() family and the loopback ports that stand
 * for name servers have in common. Asks nobody; says who is to be asked where it can't tell.
 */
#ifndef PRELOAD_RESPOND_H
#define PRELOAD_RESPOND_H

#include <base/endpoint.h>
#include <dns/message.h>

#define RESPOND_TTL_S 60 /* of a placeholder, which is good for the session */

enum respond {
	RESPOND_ANSWER,  /* it is in @out */
	RESPOND_NOTHING, /* no answer is due: it is none, or is itself an answer */
	/*
	 * The name server is to be asked by this machine itself: a rule sends the name direct, or
	 * names are libc's by the proxy's scheme. Show its answer to respond_note().
	 */
	RESPOND_DIRECT,
	/*
	 * SOCKSIFY_DNS=tunnel: the name server is to be asked through the proxy, and its answer
	 * shown to respond_note() as well.
	 */
	RESPOND_TUNNEL,
	RESPOND_PTR, /* the proxy may know the name of ->address; then respond_ptr() */
};

struct response {
	struct dns_question question;
	struct endpoint address; /* RESPOND_PTR */
	size_t len;              /* of the answer */
};

/*
 * @cap  of @out, at least DNS_UDP_MIN
 * @udp  the answer must keep to what the asker takes by UDP
 */
enum respond respond(const uint8_t *msg, size_t len, bool udp, uint8_t *out, size_t cap,
                     struct response *r);

/* Answers for one who was told otherwise, once it is known. They return the length. */
size_t respond_ptr(const uint8_t *msg, const struct response *r, bool udp, const char *name,
                   uint8_t *out, size_t cap); /* NULL: there is none, NXDOMAIN */
size_t respond_failure(const uint8_t *msg, const struct response *r, enum dns_rcode rcode,
                       uint8_t *out, size_t cap);

/*
 * What a name server said to a question that went direct or through the tunnel: addresses of a name
 * that a rule sends direct, at all ports or at one, are noted.
 */
void respond_note(const struct dns_question *q, const uint8_t *answer, size_t len);

#endif
