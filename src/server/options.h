/* The command line of socksifyd. */
#ifndef SERVER_OPTIONS_H
#define SERVER_OPTIONS_H

#include "acl.h"
#include "address.h"
#include "events.h"
#include "values.h"

#include <stdbool.h>
#include <stddef.h>

#define OPTIONS_LISTEN_MAX 64
#define OPTIONS_FILES_MAX  8
#define OPTIONS_BAD        2 /* exit status for a command line that makes no sense */

/* What identd's word counts, for SOCKS4. */
enum options_ident {
	OPTIONS_IDENT_OFF,     /* it isn't asked */
	OPTIONS_IDENT_ASK,     /* where it answers */
	OPTIONS_IDENT_REQUIRE, /* and it must */
};

struct options {
	union address listen[OPTIONS_LISTEN_MAX];
	size_t n_listen;
	struct acl allow, allow_to;
	const char *users; /* borrowed from argv; NULL: none are demanded */
	const char *rules; /* borrowed from argv; NULL: none, all is allowed */
	bool test_config;  /* no server: see whether it could start */
	bool hash;         /* no server: make a hash, for this name or NULL */
	const char *hash_name;
	const char *hosts; /* borrowed from argv; NULL: none */
	bool resolver_system;
	char *nameservers; /* "ADDR:PORT,..."; NULL: those of resolv.conf */
	unsigned commands; /* enum policy_cmd: what a client may ask for */
	struct value_ports bind_ports;
	struct value_ports udp_ports;
	bool udp_asked;        /* answers only from those that the client has sent to */
	bool udp_no_fragments; /* they are dropped */
	/* What BND says in place of our own address: IPv4, IPv6; AF_UNSPEC: nothing. */
	union address public_address[2];
	const char *user; /* borrowed from argv, as it was said; NULL: whom privileges.h chooses */
	bool no_sandbox;
	int handshake_ms;
	int connect_ms;
	int bind_ms;
	enum options_ident ident;
	int ident_ms;
	int idle_ms; /* 0: tunnels may be idle for ever */
	int drain_ms;
	bool relay_copies; /* no splice(2) */
	int threads;
	int max_clients; /* 0: as many as there are descriptors for */
	int max_source;  /* -1: not said; 0: no limit */
	int max_user;    /* 0: no limit */
	enum events_level log;
};

/*
 * Read the command line. Prints help, version and complaints itself.
 * Returns -1 to go on, else the status to exit with.
 */
int options_parse(struct options *o, int argc, char **argv);
/* The files that are read again while the server runs. Borrowed; returns how many. */
size_t options_files(const struct options *o, const char *out[OPTIONS_FILES_MAX]);
/* Is there an --allow, and no listener that it could apply to. */
bool options_allow_is_idle(const struct options *o);
void options_fini(struct options *o);

#endif
