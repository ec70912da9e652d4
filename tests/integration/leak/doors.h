/*
 * Doors: ways in which a program could reach the network, one function each. leak.py goes through
 * them with and without the library, while a watcher sees what leaves.
 */
#ifndef LEAK_DOORS_H
#define LEAK_DOORS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Of the world (world.py): a web server, which only the proxy reaches, and the name server. */
#define WEB4        "203.0.113.10"
#define WEB6        "2001:db8:113::10"
#define NAMESERVER  "192.0.2.53"
#define WEB_NAME    "web.test"
#define NOBODY4     "203.0.113.77"
#define NOBODY6     "2001:db8:113::77"
#define MULTICAST4  "239.255.7.7"
#define MULTICAST6  "ff1e::7:7"
#define DOORS_WAIT  20 /* seconds for one door */
#define DOORS_LACKS 77 /* exit status: this machine has no such door */

/* What a door came to: a negative errno if it was refused, or one of these. */
enum door_end {
	DOOR_THROUGH = 1, /* the web server's page came */
	DOOR_ANSWERED,    /* an answer, for which nothing needs to be sent */
	DOOR_SENT,        /* taken by the kernel; who knows where it went */
	DOOR_LACKS,       /* this kernel or libc has no such door: see door_lacks() */
	DOOR_ANY_ERROR,   /* as ->want: through, or refused for whatever reason */
};

enum door_bare {
	SENDS_NOTHING, /* even without the library: no packet can show that it's a door */
	ROOT_SENDS,    /* an ordinary user is refused by the kernel */
	NOBODY_SENDS,  /* of use for an ordinary user alone */
	ALL_SEND,
	ALL_ASK, /* and the first is a question to the name server */
};

struct door {
	const char *name;
	int (*run)(char **args);
	enum door_bare bare;
	int want; /* what it comes to under the library */
	/*
	 * What leak.py has to do for it, or NULL. "group": the arguments are multicast groups;
	 * "inherits": it starts with sockets, whose numbers are the arguments; "receives": the
	 * path of a UNIX socket, at which there are some; "set-uid": the path of a set-uid
	 * program; "static", "ring", "unnamed": not on every machine; "beyond": past any
	 * library, so to be closed; "inherits-limit" and the like: what is known to leak.
	 */
	const char *needs;
};

/* Rows with a name of NULL at their ends. */
extern const struct door doors_tcp[], doors_udp[], doors_kinds[], doors_names[], doors_ring[],
	doors_loading[], doors_children[], doors_handed[], doors_stray[];

/* This program's own file, and one beside it. */
extern char door_self[], door_beside[];

/* The program loader's path, or NULL. */
const char *door_loader(void);

/* Say why there is no such door; returns DOOR_LACKS. */
int door_lacks(const char *why);

/* Returns the length of what it made of an address in text, with a port. */
socklen_t door_address(struct sockaddr_storage *sa, const char *text, int port);

/* -errno of a call that failed with -1, else @end. */
int door_end(long res, int end);

/* Fetch a page over what connect() said @res of; closes @fd. DOOR_THROUGH, or a negative errno. */
int door_fetch(int fd, long res);

/* The same, once @sent octets of door_request are on their way. */
int door_fetch_rest(int fd, ssize_t sent);
extern const char door_request[];
extern const size_t door_request_len;

/* Of a child with status @status: what this door came to. */
int door_of_status(int status);
int door_of_child(int pid);

#endif
