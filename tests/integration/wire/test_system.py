"""Names by libc: --resolver system, in a mount namespace with files of the test's own in /etc."""

import os
import signal
import subprocess
import tempfile
import unittest

from wire import (PATIENCE, SOCKSIFYD, Dns, Peer, Server, greet, needs_netns, read_reply4, read_reply5,
                  request5, reset, socks4a, socks5, until)

HOSTS = """
127.0.0.1 sys.test two.test
::1 six.test two.test
"""


@needs_netns
class System(unittest.TestCase):
    def etc(self, name, text):
        """A file that takes the place of one in /etc."""
        file = tempfile.NamedTemporaryFile("w")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        os.chmod(file.name, 0o644)
        return ["mount", "--bind", file.name, "/etc/" + name]

    def serve(self, *options, dns=None, hosts=None, modules=""):
        mounts = [self.etc("hosts", HOSTS),
                  self.etc("nsswitch.conf", f"hosts: {modules} files{' dns' if dns else ''} # all\n"),
                  self.etc("resolv.conf",
                           f"nameserver {dns.address}\noptions attempts:1\n" if dns else "")]
        script = " && ".join([*(" ".join(one) for one in mounts), 'exec "$@"'])
        wrapper = ["unshare", "-m", "sh", "-c", script, "sh"]
        probe = subprocess.run([*wrapper, "true"], capture_output=True, text=True, check=False)
        if probe.returncode:
            self.skipTest(f"no mount namespace: {probe.stderr}")
        server = Server("--resolver", "system", *options, wrapper=wrapper, hosts=hosts)
        self.addCleanup(server.stop)
        return server

    def ask(self, server, name, port):
        with server.connect() as c:
            return request5(c, name, port)[0]

    def test_names_are_those_of_nsswitch_conf(self):
        server = self.serve()
        with Peer() as peer, Peer("::1") as six:
            self.assertEqual(self.ask(server, b"sys.test", peer.port), 0)
            self.assertEqual(self.ask(server, b"SYS.test", peer.port), 0)
            self.assertEqual(self.ask(server, b"six.test", six.port), 0)
            # Both families are raced.
            self.assertEqual(self.ask(server, b"two.test", peer.port), 0)
            self.assertEqual(self.ask(server, b"two.test", six.port), 0)
            with server.connect() as c:
                c.sendall(socks4a("sys.test", peer.port))
                self.assertEqual(read_reply4(c)[0], 0x5a)

    def test_a_name_that_is_not_there_is_04(self):
        server = self.serve()
        self.assertEqual(self.ask(server, b"none.test", 80), 4)
        server.line("^failed .*target=none.test:80 stage=resolve reply=04 ")

    def test_modules_are_loaded_before_the_sandbox_would_not_let_them(self):
        # One that libc brings along, and that knows nobody.
        server = self.serve(modules="hesiod [!UNAVAIL=continue success=return] no_such_module")
        with open(f"/proc/{server.process.pid}/maps", encoding="utf-8") as f:
            loaded = f.read()
        if "libnss_hesiod" not in loaded:
            libc = subprocess.run(["ldconfig", "-p"], capture_output=True, text=True, check=False)
            self.assertNotIn("libnss_hesiod", libc.stdout)
            self.skipTest("this libc has no module to load")
        with Peer() as peer:
            self.assertEqual(self.ask(server, b"sys.test", peer.port), 0)
            self.assertEqual(self.ask(server, b"none.test", peer.port), 4)

    def test_hosts_comes_first_and_localhost_is_never_asked(self):
        server = self.serve(hosts="127.0.0.2 sys.test\n")
        with Peer("127.0.0.2") as given, Peer() as peer:
            self.assertEqual(self.ask(server, b"sys.test", given.port), 0)
            self.assertEqual(self.ask(server, b"localhost", peer.port), 0)

    def test_names_by_libcs_dns(self):
        with Dns({("a.test", "A"): ["127.0.0.1"]}, at=("127.0.0.31", 53)) as dns, Peer() as peer:
            server = self.serve(dns=dns)
            self.assertEqual(self.ask(server, b"a.test", peer.port), 0)
            self.assertEqual(self.ask(server, b"b.test", peer.port), 4)
            self.assertIn(("a.test", "AAAA"), dns.asked)

    def test_names_that_hang_hold_up_no_other_source_and_not_the_end(self):
        silent = [(f"n{n}.test", kind) for n in range(40) for kind in ("A", "AAAA")]
        zone = {("a.test", "A"): ["127.0.0.1"], **{key: [] for key in silent}}
        with Dns(zone, silent=silent, at=("127.0.0.32", 53)) as dns, Peer() as peer:
            server = self.serve("--connect-timeout", "0.5", dns=dns)
            crowd = [server.connect() for _ in range(40)]
            for n, c in enumerate(crowd):
                greet(c)
                c.sendall(socks5(b"n%d.test" % n, 80))
            until(lambda: dns.held, "names are asked")
            with server.connect(source_address=("127.0.0.9", 0)) as c:
                self.assertEqual(request5(c, b"a.test", peer.port)[0], 0)
                peer.accept().close()
            reset(crowd.pop())
            for c in crowd:
                with c:
                    self.assertEqual(read_reply5(c)[0], 6)
            # Threads of libc's are still at it.
            server.signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_nameservers_are_libcs_own(self):
        done = subprocess.run(
            [SOCKSIFYD, "--resolver", "system", "--nameserver", "127.0.0.1"], capture_output=True,
            text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--resolver system", done.stderr)


if __name__ == "__main__":
    unittest.main()
