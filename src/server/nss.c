#include "nss.h"

#include "pool.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define THREADS   16
#define LANE      8 /* of them, for one source: a name may hang for long */
#define NAMES_MAX 4096

struct nss_job {
	struct pool_job job;
	struct nss *nss;
	struct query *query;
	struct nss_job *prev, *next; /* of those under way */
	/* For the thread. */
	int err; /* what getaddrinfo(3) or getnameinfo(3) says */
	int system_err;
	uint16_t port;
	size_t n;
	union address addrs[CHANNEL_ADDRESSES_MAX];
	bool reverse; /* from the first of the addresses to the name */
	char name[ENDPOINT_NAME_MAX + 1];
};

struct nss {
	struct pool *pool;
	struct nss_job *jobs;
};

/* In a thread */

static void keep(struct nss_job *j, const struct addrinfo *list)
{
	for (; list && j->n < CHANNEL_ADDRESSES_MAX; list = list->ai_next) {
		union address *a = &j->addrs[j->n];

		if (list->ai_family == AF_INET && list->ai_addrlen >= sizeof(a->in)) {
			memcpy(&a->in, list->ai_addr, sizeof(a->in));
			a->in.sin_port = htons(j->port);
			j->n++;
		} else if (list->ai_family == AF_INET6 && list->ai_addrlen >= sizeof(a->in6)) {
			memcpy(&a->in6, list->ai_addr, sizeof(a->in6));
			a->in6.sin6_port = htons(j->port);
			j->n++;
		}
	}
}

static void look_up(struct pool_job *job)
{
	struct nss_job *j = LOOP_OWNER(job, struct nss_job, job);
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;

	errno = 0;
	j->err = getaddrinfo(j->name, NULL, &hints, &list);
	j->system_err = errno;
	if (j->err != 0)
		return;
	keep(j, list);
	freeaddrinfo(list);
}

static void look_name_up(struct pool_job *job)
{
	struct nss_job *j = LOOP_OWNER(job, struct nss_job, job);

	errno = 0;
	j->err = getnameinfo(&j->addrs[0].sa, address_len(&j->addrs[0]), j->name, sizeof(j->name),
	                     NULL, 0, NI_NAMEREQD);
	j->system_err = errno;
}

/* Nobody waits for it any more; the query is not ours then. */
static void look_up_dropped(struct pool_job *job)
{
	free(LOOP_OWNER(job, struct nss_job, job));
}

/* In the loop */

static int failure(const struct nss_job *j)
{
	switch (j->err) {
	case EAI_NONAME:
		return -ENOENT;
	case 0:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		return -ENODATA;
	case EAI_AGAIN:
		return -ETIMEDOUT;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		return j->system_err == EMFILE || j->system_err == ENFILE || j->system_err == ENOMEM
		               ? -j->system_err
		               : -EHOSTUNREACH;
	default:
		return -EHOSTUNREACH;
	}
}

static void answer(struct nss_job *j, int err, const char *why)
{
	struct query *q = j->query;
	struct nss_job kept;

	DL_DELETE(j->nss->jobs, j);
	q->job = NULL;
	/* The answer outlives the job. */
	kept.n = j->n;
	memcpy(kept.addrs, j->addrs, j->n * sizeof(kept.addrs[0]));
	if (j->reverse && err == 0) {
		memcpy(kept.name, j->name, sizeof(kept.name));
		q->name = kept.name;
	}
	free(j);
	q->answered(q, kept.addrs, kept.n, err, why);
}

static void looked_up(struct pool_job *job)
{
	struct nss_job *j = LOOP_OWNER(job, struct nss_job, job);

	if (j->reverse ? j->err == 0 : j->n > 0)
		answer(j, 0, NULL);
	else
		answer(j, failure(j), gai_strerror(j->err ? j->err : EAI_NODATA));
}

/* NULL, the query answered, where memory is short. */
static struct nss_job *job_new(struct nss *n, struct query *q, void (*run)(struct pool_job *job))
{
	struct nss_job *j = calloc(1, sizeof(*j));

	q->job = NULL;
	if (!j) {
		q->answered(q, NULL, 0, -ENOMEM, "out of memory");
		return NULL;
	}
	j->nss = n;
	j->query = q;
	j->job.run = run;
	j->job.done = looked_up;
	j->job.drop = look_up_dropped;
	return j;
}

static void submit(struct nss *n, struct nss_job *j, const struct source_key *from)
{
	struct query *q = j->query;
	int err = pool_submit(n->pool, &j->job, from);

	if (err < 0) {
		free(j);
		q->answered(q, NULL, 0, err == -EAGAIN ? -ENOMEM : err,
		            err == -ENOBUFS ? "too many names are being looked up"
		                            : "no thread to look it up with");
		return;
	}
	q->job = j;
	DL_APPEND(n->jobs, j);
}

void nss_ask(struct nss *n, struct query *q, const char *name, uint16_t port,
             const struct source_key *from)
{
	struct nss_job *j = job_new(n, q, look_up);

	if (!j)
		return;
	j->port = port;
	memcpy(j->name, name, strnlen(name, sizeof(j->name) - 1));
	submit(n, j, from);
}

void nss_ask_name(struct nss *n, struct query *q, const union address *of,
                  const struct source_key *from)
{
	struct nss_job *j = job_new(n, q, look_name_up);

	if (!j)
		return;
	j->reverse = true;
	j->addrs[0] = *of;
	submit(n, j, from);
}

void nss_cancel(struct nss *n, struct query *q)
{
	struct nss_job *j = q->job;

	if (j && pool_take_back(n->pool, &j->job))
		answer(j, -ECANCELED, "cancelled");
}

/* The words behind "hosts:", those in brackets left out. */
static void load_modules_of(char *text)
{
	char name[64], *word, *rest = NULL;
	bool inside = false;

	for (word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
		bool bracket = inside || word[0] == '[';

		inside = bracket && !strchr(word, ']');
		if (bracket || strchr(word, '/'))
			continue;
		/* It stays loaded, so that libc finds it; what is not there libc does without. */
		snprintf(name, sizeof(name), "libnss_%s.so.2", word);
		(void)dlopen(name, RTLD_NOW | RTLD_NODELETE);
	}
}

void nss_prepare(void)
{
	FILE *f = fopen("/etc/nsswitch.conf", "re");
	char *line = NULL, *at;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) >= 0) {
		line[strcspn(line, "#")] = '\0';
		at = line + strspn(line, " \t");
		if (strncmp(at, "hosts:", 6) == 0)
			load_modules_of(at + 6);
	}
	free(line);
	if (f)
		(void)fclose(f);
}

int nss_new(struct nss **out, struct loop *loop)
{
	const struct pool_params params = {
		.loop = loop,
		.threads = THREADS,
		.lane_threads = LANE,
		.jobs = NAMES_MAX,
		.lane_jobs = NAMES_MAX,
	};
	struct nss *n = calloc(1, sizeof(*n));
	int err = n ? pool_new(&n->pool, &params) : -ENOMEM;

	*out = err == 0 ? n : NULL;
	if (err < 0)
		free(n);
	return err;
}

void nss_free(struct nss *n)
{
	struct nss_job *list, *j;

	if (!n)
		return;
	/*
	 * From here on a job is the pool's, which frees it in whatever thread has it last: so the
	 * queries are taken out of them first.
	 */
	list = n->jobs;
	n->jobs = NULL;
	while ((j = list)) {
		struct query *q = j->query;

		DL_DELETE(list, j);
		q->job = NULL;
		q->answered(q, NULL, 0, -ECANCELED, "the server ends");
	}
	pool_free(n->pool);
	free(n);
}
