#include <base/errtext.h>
#include <errno.h>
#include <stddef.h>

struct row {
	int err;
	const char *name;
	const char *text;
};

#define ROW(err, text)          \
	{                       \
		err, #err, text \
	}

static const struct row rows[] = {
	{ 0, "OK", "success" },
	ROW(EACCES, "permission denied"),
	ROW(EADDRINUSE, "address already in use"),
	ROW(EADDRNOTAVAIL, "address not available"),
	ROW(EAFNOSUPPORT, "address family not supported"),
	ROW(EAGAIN, "resource temporarily unavailable"),
	ROW(EALREADY, "connection already in progress"),
	ROW(EBADF, "bad file descriptor"),
	ROW(EBADMSG, "bad message"),
	ROW(ECANCELED, "operation cancelled"),
	ROW(ECONNABORTED, "connection aborted"),
	ROW(ECONNREFUSED, "connection refused"),
	ROW(ECONNRESET, "connection reset by peer"),
	ROW(EDESTADDRREQ, "destination address required"),
	ROW(EEXIST, "file exists"),
	ROW(EFAULT, "bad address"),
	ROW(EHOSTDOWN, "host is down"),
	ROW(EHOSTUNREACH, "no route to host"),
	ROW(EINPROGRESS, "operation in progress"),
	ROW(EINTR, "interrupted by a signal"),
	ROW(EINVAL, "invalid argument"),
	ROW(EIO, "input/output error"),
	ROW(EISCONN, "already connected"),
	ROW(EISDIR, "is a directory"),
	ROW(ELOOP, "too many symbolic links"),
	ROW(EMFILE, "too many open files in this process"),
	ROW(EMSGSIZE, "message too long"),
	ROW(ENAMETOOLONG, "name too long"),
	ROW(ENETDOWN, "network is down"),
	ROW(ENETRESET, "connection reset by the network"),
	ROW(ENETUNREACH, "network is unreachable"),
	ROW(ENFILE, "too many open files in the system"),
	ROW(ENOBUFS, "no buffer space"),
	ROW(ENOENT, "no such file or directory"),
	ROW(ENOEXEC, "not an executable format"),
	ROW(ENOMEM, "out of memory"),
	ROW(ENOPROTOOPT, "no such protocol option"),
	ROW(ENOSPC, "no space left"),
	ROW(ENOSYS, "no such system call"),
	ROW(ENOTCONN, "not connected"),
	ROW(ENOTDIR, "not a directory"),
	ROW(ENOTSOCK, "not a socket"),
	ROW(EOPNOTSUPP, "operation not supported"),
	ROW(EPERM, "operation not permitted"),
	ROW(EPIPE, "broken pipe"),
	ROW(EPROTO, "protocol error"),
	ROW(EPROTONOSUPPORT, "protocol not supported"),
	ROW(EPROTOTYPE, "wrong protocol type for the socket"),
	ROW(EROFS, "read-only file system"),
	ROW(ETIMEDOUT, "connection timed out"),
	ROW(ETXTBSY, "program file is being written"),
};

static const struct row unknown = { -1, "E?", "unknown error" };

static const struct row *find(int err)
{
	/* Compared with both signs, since -INT_MIN would overflow. */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].err == err || -rows[i].err == err)
			return &rows[i];
	return &unknown;
}

const char *err_name(int err)
{
	return find(err)->name;
}

const char *err_text(int err)
{
	return find(err)->text;
}
