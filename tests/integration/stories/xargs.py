"""xargs -P: many at once, each a process of its own."""

from harness import Failed, matrix


@matrix(needs=["xargs", "curl"])
def xargs_in_parallel(cell, host):
    numbers = [str(n) for n in range(12)]
    result = cell.run(
        ["xargs", "-P", "6", "-I{}", "curl", "-sS", f"http://{host}/{{}}"],
        stdin="\n".join(numbers).encode(),
    )
    want = [f"you asked {host} for /{n}" for n in sorted(numbers)]
    if sorted(result.out.decode().splitlines()) != sorted(want):
        raise Failed("other pages came than were asked for")
