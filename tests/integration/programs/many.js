// many.js net|fetch HOST COUNT: so many connects from one loop, then a page over each.
//
// The same is done with a server of its own first: what runs for the first time is compiled, which holds
// the loop up, and how long it stands when that is done is nobody's fault but ours.
const http = require('http');
const net = require('net');

const TICK = 5;
const [how, far, words] = process.argv.slice(2);
const count = Number(words);
let at, stall, ticks, before, wall, started;
let host, port;

function look() {
  const now = performance.now();
  stall = Math.max(stall, now - at - TICK);
  at = now;
}

function connected(done) {
  before ??= ticks;
  if (done === count) {
    wall = performance.now() - started;
    look();
  }
}

function page(socket, n) {
  return new Promise((resolve) => {
    let text = '';
    socket.on('data', (data) => { text += data; });
    socket.on('end', () => resolve(text.endsWith(`\r\n\r\nyou asked ${host} for /${n}\n`)));
    socket.write(`GET /${n} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  });
}

async function byNet() {
  let done = 0;
  const sockets = await Promise.all(Array.from({ length: count }, () => new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, family: 4 }, () => {
      connected(++done);
      resolve(socket);
    });
    socket.on('error', reject);
  })));
  return Promise.all(sockets.map(page));
}

async function byFetch() {
  let done = 0;
  return Promise.all(Array.from({ length: count }, async (_, n) => {
    const answer = await fetch(`http://${host}:${port}/${n}`, { headers: { connection: 'close' } });
    connected(++done);
    return await answer.text() === `you asked ${host} for /${n}\n`;
  }));
}

const breath = () => new Promise((resolve) => { setTimeout(resolve, 10 * TICK); });

async function measure(where, there) {
  [host, port] = [where, there];
  await breath();
  [at, stall, ticks, before] = [performance.now(), 0, 0, undefined];
  started = at;
  return (await (how === 'net' ? byNet() : byFetch())).filter(Boolean).length;
}

const ticker = setInterval(() => { look(); ticks++; }, TICK);
const own = http.createServer((request, answer) => {
  const asked = request.headers.host.split(':')[0];
  answer.end(`you asked ${asked} for ${request.url}\n`);
});
own.listen(0, '127.0.0.1', async () => {
  const near = net.isIP(far) ? '127.0.0.1' : 'localhost';
  for (let n = 0; n < 3; n++) await measure(near, own.address().port);
  const alone = stall;
  own.close();
  const right = await measure(far, 80);
  clearInterval(ticker);
  console.log(`${right} right`);
  console.log(JSON.stringify({ wall_ms: wall, stall_ms: stall, own_ms: alone, ticks: before }));
});
