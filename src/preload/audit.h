/*
 * What this program notes of itself for "socksify --audit" (base/deed.h), each thing once. Where
 * no audit is on, which is nearly always, a call looks at the configuration and returns. May be
 * called wherever log_line() may, by the child of vfork(2) too; errno stays.
 */
#ifndef PRELOAD_AUDIT_H
#define PRELOAD_AUDIT_H

#include "path.h"

#include <base/deed.h>

bool audit_is_on(void);

/* @subject  a destination, a program, a kind of socket; @why: in words, or "" */
void audit_note(enum deed_kind kind, const char *subject, const char *why);

void audit_destination(enum deed_kind kind, const struct endpoint *dst, const char *why);

/* A path that is ROUTE_DIRECT: by which rule, but for the proxy itself; loopback apart. */
void audit_direct(const struct path *p);

#endif
