/*
 * How it works: a name is put in three steps, each one atomic, in an order in which a process may
 * die between any two of them:
 *
 *	1. a slot number and room for a record are taken by compare-and-swap of a counter
 *	2. the record is written, its offset stored in the slot: address -> name holds from here on
 *	3. the record becomes the head of its chain likewise: name -> slot holds from here on
 *
 * Who dies before 3 leaves a slot that nobody was told of. Who loses the race in 3 looks for his
 * name among the records that came in between, and takes that slot; his own stays behind as an
 * orphan.
 *
 * A new table's first slot is any one, by lot. So where a table was removed while a program that
 * was to look at it again only slept, and another was made in its place, an address of the old one
 * has no name in the new one but by chance: the names put into the new one, out of 131,071.
 *
 * The file can be damaged at any time by whatever runs as the same user, so an offset is checked
 * each time that it is read, and a chain is followed no longer than there are slots.
 */
#include <names/table.h>

#include "table_file.h"
#include <config/ascii.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>

#define NAME_MAX_LEN 255

struct table *table_open(const char *path, int *private_why)
{
	struct table *t = NULL;
	int err = -EINVAL, cancel;

	/* open(2) and close(2) are cancellation points, and the caller may hold a lock. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (path)
		err = table_file_open(path, &t);
	if (err < 0)
		t = table_file_private();
	pthread_setcancelstate(cancel, &cancel);
	if (private_why)
		*private_why = err;
	return t;
}

void table_close(struct table *t)
{
	if (t)
		munmap(t, t->map_len);
}

/* Of the name in lower case, eight octets a step; begun with the table's own seed. */
static uint32_t hash_name(const struct table *t, const char *name, size_t len)
{
	const uint64_t odd = 0x9e3779b97f4a7c15u; /* 2^64 divided by the golden ratio */
	uint64_t h = t->head->seed ^ len * odd;
	size_t i = 0;

	for (; len - i > 8; i += 8) {
		h = (h ^ ascii_lower8(ascii_load8(name + i, 8))) * odd;
		h ^= h >> 32;
	}
	/* The last eight, some of them for the second time; or all that there are. */
	if (len >= 8)
		i = len - 8;
	h = (h ^ ascii_lower8(ascii_load8(name + i, len - i))) * odd;
	h ^= h >> 32;
	return (uint32_t)(h ^ h >> 16);
}

/* The record at an offset, or NULL where no whole one can be. */
static struct table_record *record_at(const struct table *t, uint32_t at, size_t *len)
{
	uint32_t begin = t->areas[TABLE_RECORDS].at, limit = table_backed(t, TABLE_RECORDS);
	const size_t fixed = offsetof(struct table_record, name) + 1;
	struct table_record *rec;
	size_t left;

	if (at < begin || at % _Alignof(struct table_record) != 0 || at - begin >= limit)
		return NULL;
	left = limit - (at - begin);
	if (left < fixed)
		return NULL;
	rec = (struct table_record *)(void *)((char *)t->head + at);
	*len = atomic_load_explicit(&rec->len, memory_order_relaxed);
	return *len > 0 && left - fixed >= *len ? rec : NULL;
}

/* How many slots there are: 0 is none. */
static uint32_t slots_of(const struct table *t)
{
	return t->geometry.slots - 1;
}

/* Slots lie in the order in which they are given: from the first to the highest, then from 1 up. */
static uint32_t slot_index(const struct table *t, uint32_t slot)
{
	uint32_t first = atomic_load_explicit(&t->first, memory_order_relaxed);

	return slot >= first ? slot - first : slot + slots_of(t) - first;
}

static uint32_t slot_at(const struct table *t, uint32_t index)
{
	uint32_t first = atomic_load_explicit(&t->first, memory_order_relaxed);
	uint32_t above = t->geometry.slots - first;

	return index < above ? first + index : index - above + 1;
}

/* The record of a slot, by offset; 0 where the slot was not given. */
static uint32_t slot_load(const struct table *t, uint32_t slot)
{
	uint32_t index;

	if (slot == 0 || slot > slots_of(t))
		return 0;
	index = slot_index(t, slot);
	if (index >= table_backed(t, TABLE_SLOTS) / 4)
		return 0;
	return atomic_load_explicit(&t->slots[index], memory_order_acquire);
}

/* Look for a name in the chain from @at up to, not including, @stop. Returns its slot, or 0. */
static uint32_t chain_find(const struct table *t, uint32_t at, uint32_t stop, uint32_t hash,
                           const char *name, size_t len)
{
	for (uint32_t steps = 0; at != 0 && at != stop && steps < t->geometry.slots; steps++) {
		size_t rec_len;
		const struct table_record *rec = record_at(t, at, &rec_len);
		uint32_t slot;

		if (!rec)
			return 0;
		slot = rec->slot;
		if (rec->hash == hash && rec_len == len && ascii_equal(rec->name, name, len) &&
		    slot_load(t, slot) == at)
			return slot;
		at = atomic_load_explicit(&rec->next, memory_order_acquire);
	}
	return 0;
}

static uint32_t bucket_of(const struct table *t, uint32_t hash)
{
	return hash & (t->geometry.buckets - 1);
}

/* The newest record of a chain. */
static uint32_t bucket_load(const struct table *t, uint32_t bucket)
{
	if (!table_bucket_is_backed(t, bucket))
		return 0;
	return atomic_load_explicit(&t->buckets[bucket], memory_order_acquire);
}

uint32_t table_find(const struct table *t, const char *name, size_t len)
{
	uint32_t hash;

	if (len == 0 || len > NAME_MAX_LEN)
		return 0;
	hash = hash_name(t, name, len);
	return chain_find(t, bucket_load(t, bucket_of(t, hash)), 0, hash, name, len);
}

/*
 * Take @size units, of @octets each, of a counter that may reach @limit, once there is memory for
 * them.
 */
static int take(struct table *t, _Atomic uint32_t *counter, uint32_t size, uint32_t limit,
                enum table_area_id id, uint32_t octets, uint32_t *got)
{
	uint32_t now = atomic_load(counter);
	int err;

	do {
		if (now > limit || limit - now < size)
			return -ENOSPC;
		err = table_back(t, id, (now + size) * octets);
		if (err < 0)
			return err;
	} while (!atomic_compare_exchange_weak(counter, &now, now + size));
	*got = now;
	return 0;
}

static int take_record(struct table *t, size_t len, uint32_t *at)
{
	const uint32_t align = _Alignof(struct table_record);
	uint32_t size = (uint32_t)(offsetof(struct table_record, name) + len + 1);
	int err;

	err = take(t, &t->head->records_used, (size + align - 1) / align * align,
	           t->geometry.records, TABLE_RECORDS, 1, at);
	*at += t->areas[TABLE_RECORDS].at;
	/* Only a damaged counter is out of step. */
	return err < 0 || *at % align == 0 ? err : -ENOSPC;
}

/* Step 2: write the record at @at and give it a slot. */
static int publish(struct table *t, uint32_t at, uint32_t hash, const char *name, size_t len,
                   uint32_t *slot)
{
	struct table_record *rec = (struct table_record *)(void *)((char *)t->head + at);
	uint32_t index, free_slot;
	int err;

	rec->hash = hash;
	atomic_store_explicit(&rec->len, (uint8_t)len, memory_order_relaxed);
	memcpy(rec->name, name, len);
	rec->name[len] = '\0';
	do {
		err = take(t, &t->head->given, 1, slots_of(t), TABLE_SLOTS, 4, &index);
		if (err < 0)
			return err;
		*slot = slot_at(t, index);
		rec->slot = *slot;
		free_slot = 0;
		/* Taken already only where the counter was damaged: never give it twice. */
	} while (!atomic_compare_exchange_strong(&t->slots[index], &free_slot, at));
	return 0;
}

int table_put(struct table *t, const char *name, size_t len, uint32_t *slot)
{
	_Atomic uint32_t *bucket;
	struct table_record *rec;
	uint32_t hash, at = 0, number, head, searched, found;
	int err;

	if (len == 0 || len > NAME_MAX_LEN || memchr(name, '\0', len))
		return -EINVAL;
	hash = hash_name(t, name, len);
	number = bucket_of(t, hash);
	head = bucket_load(t, number);
	found = chain_find(t, head, 0, hash, name, len);
	if (found) {
		*slot = found;
		return 0;
	}
	if (atomic_load(&t->head->given) >= slots_of(t))
		return -ENOSPC;
	err = table_back_bucket(t, number);
	if (err == 0)
		err = take_record(t, len, &at);
	if (err == 0)
		err = publish(t, at, hash, name, len, slot);
	if (err < 0)
		return err;
	rec = (struct table_record *)(void *)((char *)t->head + at);
	bucket = &t->buckets[number];
	searched = head;
	for (;;) {
		atomic_store_explicit(&rec->next, head, memory_order_relaxed);
		if (atomic_compare_exchange_strong(bucket, &head, at))
			return 0;
		found = chain_find(t, head, searched, hash, name, len);
		if (found) {
			*slot = found;
			return 0;
		}
		searched = head;
	}
}

const char *table_name(const struct table *t, uint32_t slot, size_t *len)
{
	size_t n;
	const struct table_record *rec = record_at(t, slot_load(t, slot), &n);

	if (!rec || rec->slot != slot || rec->name[n] != '\0')
		return NULL;
	if (len)
		*len = n;
	return rec->name;
}

uint32_t table_count(const struct table *t)
{
	uint32_t given = atomic_load(&t->head->given);

	return given < slots_of(t) ? given : slots_of(t);
}

bool table_is_full(const struct table *t)
{
	return t->geometry.slots == pool_slots() && table_count(t) == slots_of(t);
}
