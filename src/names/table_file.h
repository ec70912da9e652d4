/*
 * What a table looks like in memory and in its file, for the files of this room. Host byte order: a
 * file lives in the memory of one machine.
 *
 *	head      counters, magic
 *	slots     offset of the record of each slot, 0 is none; in the order in which they are given
 *	buckets   offset of the newest record of each chain, 0 is none
 *	peers     what proxied sockets are connected to, see peers.c
 *	direct    addresses of names that go past the proxy, see direct.c
 *	records   names, each with the offset of the next one in its chain
 *	end       a page that says whether the file is as long as it was, see table_check()
 *
 * The head's page, with the first slots in it, and the end have memory from the start; all else
 * gets it as it is used, see table_back.c. A session with three names takes 28 KiB.
 */
#ifndef NAMES_TABLE_FILE_H
#define NAMES_TABLE_FILE_H

#include <fcntl.h>
#include <limits.h>
#include <names/direct.h>
#include <names/peers.h>
#include <names/pool.h>
#include <names/table.h>
#include <stdatomic.h>
#include <sys/types.h>

#define TABLE_MAGIC   "socksify"
#define TABLE_VERSION 3

/* Of all users; the system's to make. */
#define TABLE_SHARED_FOLDER "/dev/shm"

/* What the file counts its memory in, whatever a page of the machine is. */
#define TABLE_PAGE 4096u

/*
 * An area grows by as much as it has, at most by so many octets at once: 4,096 slots, some 400
 * names.
 */
#define TABLE_STEP 16384u

#define TABLE_OPEN_FLAGS (O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)

/*
 * What is used from its beginning on, and has memory from its beginning up to a mark in the head.
 */
enum table_area_id { TABLE_SLOTS, TABLE_PEERS, TABLE_DIRECT, TABLE_RECORDS, TABLE_AREAS };

struct table_area {
	uint32_t at, len; /* octets; at from head */
};

struct table_geometry {
	uint32_t slots, buckets; /* counts, powers of two */
	uint32_t records;        /* octets */
};

struct table_head {
	char magic[8];
	uint32_t version;
	struct table_geometry geometry;
	uint64_t seed;  /* of the hash */
	uint32_t first; /* slot to be given, at random; after the last one comes 1 */
	uint8_t pool[POOL_ID_LEN];
	_Alignas(64) _Atomic uint32_t given; /* slots */
	_Atomic uint32_t records_used;       /* octets */
	_Atomic uint32_t peers_noted;
	_Atomic uint32_t bucket_parts;        /* a bit for each that has memory */
	_Atomic uint32_t backed[TABLE_AREAS]; /* octets that have memory */
	_Atomic uint32_t direct_noted;
};

struct table_record {
	uint32_t hash, slot;
	_Atomic uint32_t next;
	_Atomic uint8_t len;
	char name[]; /* and its NUL */
};

#define PEER_WORDS 11 /* the cookie's two, then a struct peer's */

struct table_peer {
	_Atomic uint32_t turn; /* 0: never written; odd: being written; grows with each note */
	_Atomic uint32_t words[PEER_WORDS];
};

#define DIRECT_WAYS   3
#define DIRECT_WORDS  4 /* of an address */
#define DIRECT_LEVELS 6

struct table_direct {
	_Alignas(64) _Atomic uint32_t turns[DIRECT_WAYS]; /* as a table_peer's */
	_Atomic uint32_t words[DIRECT_WAYS][DIRECT_WORDS];
};

#define TABLE_DIRECT_LEN (((1u << DIRECT_LEVELS) - 1) * TABLE_PAGE)

/* A table leaves its file for memory of its own at most once. */
enum table_home { TABLE_IN_FILE, TABLE_LEAVES_FILE, TABLE_PRIVATE };

/* One process's view. Lies in front of the mapping of the file, in memory of its own. */
struct table {
	struct table_geometry
		geometry; /* this and first as checked; the head's may be damaged later */
	_Atomic uint32_t first;
	_Atomic enum table_home home;
	uint32_t buckets_at, end_at;
	uint32_t part_shift; /* the buckets of a part, which gets memory at once: 2^this */
	struct table_area areas[TABLE_AREAS];
	struct table_head *head;
	struct table_peer *peers; /* PEERS_KNOWN */
	struct table_direct *direct;
	_Atomic uint32_t *buckets, *slots;
	size_t map_len; /* of all, this struct included */
	dev_t dev;
	ino_t ino;
	char path[PATH_MAX]; /* "" for a table that never had a file */
};

/* table_file.c */

/* Map the table at @path, made if it is not there. Returns 0 or why it cannot be the session's. */
int table_file_open(const char *path, struct table **out);

/* A table in anonymous memory that children share. NULL where there is none. */
struct table *table_file_private(void);

/*
 * Put an empty private table in the place of one that lost its file: at the same addresses, at one
 * stroke. Returns -ESTALE where this was done, 0 where another thread has done it, -EAGAIN where
 * one is just at it, or another error: all is as it was.
 */
int table_file_leave(struct table *t);

/* table_back.c */

/* How many octets of an area may be touched. */
uint32_t table_backed(const struct table *t, enum table_area_id id);

/* Let the first @need octets of an area, not more than it has, be touched. Returns 0 or -ENOSPC. */
int table_back(struct table *t, enum table_area_id id, uint32_t need);

/* A bucket that may not be touched is empty. */
bool table_bucket_is_backed(const struct table *t, uint32_t bucket);
int table_back_bucket(struct table *t, uint32_t bucket);

/*
 * Have @len octets at @at backed by memory. Returns 0 or -ENOSPC.
 *
 * @fd  the file where it is open, else -1
 */
int table_back_at(const struct table *t, int fd, size_t at, size_t len);

/* openat(2) and fallocate(2), whatever signals come. Return a negative errno. */
int table_open_file(int dir, const char *path, int flags);
int table_allocate(int fd, size_t at, size_t len);

#endif
