#include "tell.h"

#include "audit.h"
#include "session.h"

#include <base/errtext.h>
#include <base/log.h>
#include <errno.h>
#include <unistd.h>

static void tell_failure(const struct endpoint *dst, const struct dial *d, int err)
{
	char text[512];

	log_warn("%s[%d]: %s through %s: %s", program_invocation_short_name, (int)getpid(),
	         ENDPOINT_TEXT(dst), d->proxy->label, dial_explain(d, err, text, sizeof(text)));
}

/* A name that a rule sends direct. */
static void tell_direct(const struct endpoint *dst, const struct dial *d, int err)
{
	if (log_enabled(LOG_LEVEL_DEBUG))
		log_debug("%s[%d]: %s direct at %s: %s", program_invocation_short_name,
		          (int)getpid(), ENDPOINT_TEXT(dst), ENDPOINT_TEXT(&d->report.hop),
		          err_text(err));
}

void tell_dial(const struct endpoint *dst, const struct dial *d, int err)
{
	if (d->proxy)
		audit_destination(err < 0 ? DEED_FAILED : DEED_PROXIED, dst,
		                  err < 0 ? err_text(err) : "");
	if (!d->proxy)
		tell_direct(dst, d, err);
	else if (err < 0)
		tell_failure(dst, d, err);
	else if (log_enabled(LOG_LEVEL_INFO))
		log_info("%s[%d]: %s through %s: connected, after %lld ms",
		         program_invocation_short_name, (int)getpid(), ENDPOINT_TEXT(dst),
		         d->proxy->label, (long long)(d->report.ended_ms - d->report.began_ms));
}

void tell_blocking_way(const char *why, int err)
{
	static atomic_bool told;

	if (!atomic_exchange(&told, true))
		log_warn("%s[%d]: non-blocking connects wait for the proxy here: %s: %s",
		         program_invocation_short_name, (int)getpid(), why, err_text(err));
}

int tell_refused(atomic_bool *told, const char *what, const char *why)
{
	session_config(); /* another library's constructor may be before ours: the log's level */
	if (!atomic_exchange_explicit(told, true, memory_order_relaxed))
		log_warn("%s[%d]: %s is refused: %s", program_invocation_short_name, (int)getpid(),
		         what, why);
	audit_note(DEED_REFUSED, what, why);
	return -EACCES;
}
