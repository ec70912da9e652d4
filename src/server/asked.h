/*
 * To whom an association's client has sent something, for --udp-peers=asked: whom else do answers
 * come from.
 */
#ifndef SERVER_ASKED_H
#define SERVER_ASKED_H

#include "address.h"

#include <stdbool.h>

#define ASKED_MAX 1024 /* the one that was not sent to for longest goes */

struct asked;

/* @table is the head, NULL while it is empty. Where memory is short it is not noted. */
void asked_add(struct asked **table, const union address *to);
bool asked_holds(struct asked *table, const union address *from);
void asked_free(struct asked **table);

#endif
