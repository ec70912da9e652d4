// Children without an environment, in every way that node has of starting one; and a cluster.
//
// Usage: wiped.js starts|cluster HOST
const { execFileSync, execSync, spawnSync, spawn, exec, execFile, fork } = require('child_process');
const cluster = require('cluster');
const http = require('http');
const { promisify } = require('util');

const host = process.argv[3];
const curl = (n) => ['-sS', `http://${host}/${n}`];

function get(path) {
  return new Promise((resolve, reject) => {
    http.get({ host, path }, (answer) => {
      let text = '';
      answer.on('data', (data) => { text += data; });
      answer.on('end', () => resolve(text));
    }).on('error', reject);
  });
}

const done = (child) => new Promise((resolve) => { child.on('exit', resolve); });
const said = (child) => new Promise((resolve) => { child.on('message', resolve); });

async function starts() {
  const env = {};
  const print = (text) => process.stdout.write(text);
  print(spawnSync('/usr/bin/curl', curl(0), { env }).stdout);
  print(execFileSync('curl', curl(1), { env }));
  print(execSync(['curl', ...curl(2)].join(' '), { env }));
  await done(spawn('/usr/bin/curl', curl(3), { env, stdio: 'inherit' }));
  await done(spawn('curl', curl(4), { env, stdio: 'inherit', detached: true, cwd: '/' }));
  print((await promisify(exec)(['curl', ...curl(5)].join(' '), { env })).stdout);
  print((await promisify(execFile)('curl', curl(6), { env })).stdout);
  // Many under way at once.
  const all = Array.from({ length: 10 }, (_, n) => promisify(execFile)('curl', curl(7 + n), { env }));
  print((await Promise.all(all)).map((one) => one.stdout).join(''));
  print(await said(fork(__filename, ['child', host], { env })));
}

async function child() {
  process.send(await get('/fork'));
  process.disconnect();
}

// What the workers fetch is asked of them on loopback, so that they share a listener, too.
async function workers() {
  if (cluster.isWorker) {
    http.createServer(async (request, answer) => answer.end(await get(request.url)))
      .listen(8090, '127.0.0.1');
    return;
  }
  for (const name of Object.keys(process.env)) delete process.env[name];
  for (let n = 0; n < 2; n++) {
    await new Promise((resolve) => { cluster.fork().on('listening', resolve); });
  }
  for (let n = 0; n < 6; n++) {
    process.stdout.write(await new Promise((resolve, reject) => {
      http.get({ port: 8090, host: '127.0.0.1', path: `/${n}`, agent: false }, (answer) => {
        let text = '';
        answer.on('data', (data) => { text += data; });
        answer.on('end', () => resolve(text));
      }).on('error', reject);
    }));
  }
  cluster.disconnect();
}

const parts = { starts, child, cluster: workers };
parts[process.argv[2]]().catch((e) => { console.error(e); process.exit(1); });
