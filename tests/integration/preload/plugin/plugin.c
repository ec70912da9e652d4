/* A library that is found by its loader's RUNPATH alone: which connect() does it call? */
#include <stdint.h>
#include <sys/socket.h>

uintptr_t plugin_connect(void);

uintptr_t plugin_connect(void)
{
	return (uintptr_t)connect;
}
