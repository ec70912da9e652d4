"""node: http, fetch and net, whose connects are non-blocking and whose look-ups come from threads."""

import textwrap

from harness import matrix

PAGE = textwrap.dedent(
    """
    const http = require('http'), net = require('net');
    const host = process.argv[1];
    const get = (path, options) => new Promise((resolve, reject) => {
      http.get({ host, path, ...options }, (answer) => {
        let text = '';
        answer.on('data', (data) => { text += data; });
        answer.on('end', () => resolve(text));
      }).on('error', reject);
    });
    (async () => {
      process.stdout.write(await get('/http'));
      process.stdout.write(await (await fetch(`http://${host}/fetch`)).text());
      const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
      for (let n = 0; n < 2; n++) process.stdout.write(await get(`/kept/${n}`, { agent }));
      agent.destroy();
      const paths = Array.from({ length: 10 }, (_, n) => `/at-once/${n}`);
      process.stdout.write((await Promise.all(paths.map((path) => get(path)))).join(''));
      net.connect(9, host).on('error', (e) => console.log((e.errors || [e])[0].code));
    })().catch((e) => { console.error(e); process.exit(1); });
    """
)


@matrix(needs=["node"])
def node(cell, host):
    paths = ["/http", "/fetch", "/kept/0", "/kept/1", *(f"/at-once/{n}" for n in range(10))]
    want = "".join(f"you asked {host} for {path}\n" for path in paths)
    cell.run(["node", "-e", PAGE, host], out=want + "ECONNREFUSED\n")
