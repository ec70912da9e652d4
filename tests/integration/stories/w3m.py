"""w3m: a browser that does all by itself, with alarm() and longjmp around its look-up and connect."""

from harness import matrix


@matrix(needs=["w3m"])
def w3m(cell, host):
    cell.run(["w3m", "-dump", f"http://{host}/hello"], out=f"you asked {host} for /hello\n")
