"""openssl s_client: OpenSSL's own BIO connects; the certificate tells whom it has reached."""

from harness import Failed, matrix


@matrix(needs=["openssl"])
def openssl_s_client(cell, host):
    check = "-verify_hostname" if host.endswith(".test") else "-verify_ip"
    authority = cell.kit.scratch + "/web.pem"
    argv = ["openssl", "s_client", "-connect", f"{host}:443", "-quiet", check, host]
    result = cell.run(
        [*argv, "-verify_return_error", "-CAfile", authority],
        stdin=f"GET /x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode(),
    )
    if not result.out.endswith(f"\r\n\r\nyou asked {host} for /x\n".encode()):
        raise Failed("the page did not come")
