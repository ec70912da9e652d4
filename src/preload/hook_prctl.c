/*
 * prctl(): a program that puts its own calls under a filter may be killed for one that it does not
 * expect.
 */
#include "real.h"
#include "stranger.h"

#include <sys/prctl.h>

int hook_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	if (option == PR_SET_SECCOMP)
		stranger_stop();
	return real->prctl(option, a, b, c, d);
}
