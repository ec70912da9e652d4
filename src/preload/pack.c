#include "pack.h"

#include <errno.h>
#include <string.h>

void pack_init(struct pack *p, char *buf, size_t len)
{
	*p = (struct pack){ .at = buf, .end = buf + len };
}

void *pack_take(struct pack *p, size_t size, size_t align)
{
	size_t skip = -(uintptr_t)p->at & (align - 1), room = (size_t)(p->end - p->at);
	char *start = p->at + skip;

	if (p->full || skip > room || size > room - skip) {
		p->full = true;
		return NULL;
	}
	p->at = start + size;
	return start;
}

char *pack_text(struct pack *p, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = pack_take(p, size, 1);

	return copy ? memcpy(copy, text, size) : NULL;
}

/* The room ends where the list begins. */
static void put_front(struct pack *p, char *text)
{
	char *front = (char *)p->list - sizeof(*p->list);

	if (p->full || (size_t)((char *)p->list - p->at) < sizeof(*p->list)) {
		p->full = true;
		return;
	}
	p->list = (char **)(void *)front;
	*p->list = text;
	p->end = front;
}

void pack_list_begin(struct pack *p)
{
	size_t odd = (uintptr_t)p->end & (_Alignof(char *) - 1);

	p->listed = 0;
	if (odd > (size_t)(p->end - p->at)) {
		p->full = true;
		return;
	}
	p->end -= odd;
	p->list = (char **)(void *)p->end;
	put_front(p, NULL);
}

void pack_list_add(struct pack *p, const char *text)
{
	char *copy = pack_text(p, text);

	if (!copy)
		return;
	put_front(p, copy);
	if (!p->full)
		p->listed++;
}

char **pack_list_end(struct pack *p)
{
	if (p->full)
		return NULL;
	for (size_t i = 0, j = p->listed; i + 1 < j; i++) {
		char *first = p->list[i];

		p->list[i] = p->list[--j];
		p->list[j] = first;
	}
	return p->list;
}

int pack_host(struct pack *p, const char *name, int family, const struct endpoint *eps, size_t n,
              struct hostent *ret)
{
	size_t ip_len = family == AF_INET6 ? 16 : 4;
	char **list = pack_take(p, (n + 1) * sizeof(*list), _Alignof(char *));
	uint8_t *ips = pack_take(p, n * ip_len, _Alignof(struct in6_addr));

	ret->h_name = pack_text(p, name);
	if (p->full)
		return ERANGE;
	for (size_t i = 0; i < n; i++)
		list[i] = (char *)memcpy(ips + i * ip_len, eps[i].ip, ip_len);
	list[n] = NULL;
	ret->h_addrtype = family;
	ret->h_length = (int)ip_len;
	ret->h_addr_list = list;
	return 0;
}

int pack_line(const struct hosts_line *line, struct hostent *ret, char *buf, size_t len)
{
	int family = line->ep.kind == ENDPOINT_IPV6 ? AF_INET6 : AF_INET;
	struct pack p;

	pack_init(&p, buf, len);
	pack_list_begin(&p);
	for (const char *name = line->names; (name = hosts_next_name(name));)
		pack_list_add(&p, name);
	ret->h_aliases = pack_list_end(&p);
	return pack_host(&p, line->names, family, &line->ep, 1, ret);
}
