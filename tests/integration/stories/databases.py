"""psql, redis-cli and mariadb: each with its real server, an answer too long for one packet, and an error."""

from harness import Failed, matrix

LONG = 300_000


def is_long(result):
    if result.out.strip() != b"x" * LONG:
        raise Failed(f"the long answer came as {len(result.out)} octets")


@matrix(at="store", needs=["psql", "postgres"])
def psql(cell, host):
    argv = ["psql", "-X", "-h", host, "-U", "story", "-d", "postgres", "-A", "-t", "-c"]
    # libpq keeps an address of its own for "inet_server_addr", and asks the socket for its port.
    cell.run([*argv, "select 6*7, inet_server_port()"], out="42|5432\n")
    is_long(cell.run([*argv, f"select repeat('x', {LONG})"]))
    cell.run([*argv, "select nothing"], status=1)


@matrix(at="store", needs=["psql", "postgres"])
def psql_with_a_time_out(cell, host):
    cell.run(
        ["psql", "-X", "-A", "-t", f"host={host} user=story dbname=postgres connect_timeout=20"],
        stdin=b"select 1;\n\\c\nselect 2;\n",
        env={"PGCONNECT_TIMEOUT": "20"},
        out='1\nYou are now connected to database "postgres" as user "story".\n2\n',
    )


@matrix(at="store", needs=["redis-cli", "redis-server"])
def redis_cli(cell, host):
    argv = ["redis-cli", "-h", host]
    key = f"{cell.proxy}-{cell.way}-{cell.user}-{host}"
    cell.run([*argv, "set", key, "told"], out="OK\n")
    cell.run([*argv], stdin=f"append {key} -twice\nget {key}\n".encode(), out="10\ntold-twice\n")
    is_long(cell.run([*argv, "-x", "echo"], stdin=b"x" * LONG))
    cell.run([*argv, "del", key], out="1\n")


@matrix(at="store", needs=["mariadb", "mariadbd"])
def mariadb(cell, host):
    argv = ["mariadb", "--no-defaults", "-h", host, "-u", "root", "-N", "-B", "-e"]
    cell.run([*argv, "select 6*7"], out="42\n")
    is_long(cell.run([*argv, f"select repeat('x', {LONG})"]))
    cell.run([*argv, "select nothing"], status=1)
