/*
 * What a table looks like in memory and in its file, for the files of this room. Host byte order: a file
 * lives in the memory of one machine.
 *
 *	head      counters, magic
 *	peers     what proxied sockets are connected to, see peers.c
 *	buckets   offset of the newest record of each chain, 0 is none
 *	slots     offset of the record of each slot, 0 is none
 *	records   names, each with the offset of the next one in its chain
 *
 * Head, peers and buckets are backed by memory from the start; of slots and records only as much as *_grown says.
 */
#ifndef NAMES_TABLE_FILE_H
#define NAMES_TABLE_FILE_H

#include <limits.h>
#include <names/peers.h>
#include <names/table.h>
#include <stdatomic.h>
#include <sys/types.h>

#define TABLE_MAGIC   "socksify"
#define TABLE_VERSION 1

/* Slots and records grow by so many octets at once: 4,096 slots, some 400 names. */
#define TABLE_STEP 16384u

struct table_geometry {
	uint32_t slots, buckets; /* counts; buckets a power of two */
	uint32_t records;        /* octets */
};

struct table_head {
	char magic[8];
	uint32_t version;
	struct table_geometry geometry;
	uint64_t seed; /* of the hash */
	_Alignas(64) _Atomic uint32_t next_slot;
	_Atomic uint32_t records_used;
	_Atomic uint32_t slots_grown, records_grown; /* octets */
};

struct table_record {
	uint32_t hash, slot;
	_Atomic uint32_t next;
	_Atomic uint8_t len;
	char name[]; /* and its NUL */
};

#define PEER_WORDS 9

struct table_peer {
	_Atomic uint64_t cookie;
	_Atomic uint32_t turns; /* odd while it is written */
	_Atomic uint32_t words[PEER_WORDS];
};

/* One process's view. Lies in front of the mapping of the file, in memory of its own. */
struct table {
	struct table_geometry geometry; /* as checked; the head's own may be damaged later */
	struct table_head *head;
	struct table_peer *peers; /* PEERS_KNOWN */
	_Atomic uint32_t *buckets, *slots;
	size_t slots_at, records_at; /* offsets from head */
	size_t size;                 /* from head to the end of the records */
	size_t map_len;              /* of all, this struct included */
	dev_t dev;
	ino_t ino;
	char path[PATH_MAX]; /* "" for a private table */
};

/* Map the table at @path, made if it is not there. Returns 0 or why it cannot be the session's. */
int table_file_open(const char *path, struct table **out);

/* A table in anonymous memory that children share. NULL where there is none. */
struct table *table_file_private(void);

/*
 * Have @len octets at @at backed by memory, so that touching them is no SIGBUS on a full tmpfs.
 * Returns 0 or -ENOSPC.
 */
int table_file_back(const struct table *t, size_t at, size_t len);

#endif
