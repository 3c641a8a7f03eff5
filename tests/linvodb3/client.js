// SPDX-License-Identifier: MIT
// tally as a client of a LinvoDB server, beside a LinvoDB3 application.  Usage:
// node client.js FOLDER, with TALLY in the environment.
'use strict';

const assert = require ('assert');
const { execFile } = require ('child_process');
const fs = require ('fs');
const path = require ('path');
const { App, lines, plain } = require ('./app.js');
const Server = require ('./server.js');

const [folder] = process.argv.slice (2);
const token = 'token-of-ann';
const server = new Server ([token]);

// The server answers in this very process: nothing may block it.
function run (args, input = '') {
  return new Promise (resolve => {
    const child = execFile (
      process.env.TALLY, ['-c', path.join (folder, 'tally.ini'), ...args],
      { encoding: 'utf8' }, (error, stdout, stderr) => resolve ({
        code: error ? error.code : 0, stdout, stderr }));

    // Who does not read it may be gone before it is written.
    child.stdin.on ('error', () => {});
    child.stdin.end (input);
  });
}

async function well (...args) {
  const { code, stdout, stderr } = await run (...args);

  assert.strictEqual (code, 0, stderr);
  return stdout;
}

function configure () {
  fs.writeFileSync (path.join (folder, 'token'), token);
  fs.writeFileSync (path.join (folder, 'tally.ini'), `
[store a]
driver = linvo
path = tally-a
[store b]
driver = sqlite
path = tally-b
[transport far]
driver = http
url = ${server.url}
token_file = token
retries = 0
dialect = linvo
[sync a]
store = a
transport = far
collections = todo
[sync b]
store = b
transport = far
collections = todo
`.replace (/\[sync (.)\]/g, '[sync link-$1]'));
}

// A process may stamp a little ahead of the wall: what is written elsewhere is
// later only when that has passed.
async function put (store, doc) {
  await well (['put', store, 'todo'], JSON.stringify (doc));
  for (const { time } of lines (await well (['explain', store, 'todo',
                                             doc._id, '--json'])))
    while (Date.now () <= Date.parse (time))
      ;
}

async function sync (link, expected = {}) {
  const [report] = lines (await well (['sync', `link-${link}`, '--json']));

  for (const [key, value] of Object.entries (expected))
    assert.strictEqual (report[key], value, `${link}: ${key}`);
  return report;
}

const tally_docs = async store => plain (lines (
  await well (['export', store, 'todo'])));

async function agree (what, app, expected) {
  for (let round = 0; round < 2; round++) {
    await app.sync ();
    await sync ('a');
    await sync ('b');
  }
  await app.sync ();
  await sync ('a');
  assert.deepStrictEqual (plain (await app.docs ()), expected,
                          `${what}: the application`);
  for (const store of ['a', 'b'])
    assert.deepStrictEqual (await tally_docs (store), expected,
                            `${what}: ${store}`);
  assert.deepStrictEqual (
    plain (server.docs (token, 'todo').values ()), expected,
    `${what}: the server`);
  console.log (`ok client: ${what}`);
}

async function main () {
  await server.start ();
  configure ();
  const app = new App ('app', { folder, key: token, traffic: [],
                                url: () => server.url });

  await app.insert ({ _id: 't1', title: 'milk', n: 1 });
  await put ('a', { _id: 't2', title: 'tea', n: 1.50 });
  await put ('b', { _id: 't3', title: 'bread', n: 1 });
  await agree ('inserts', app, {
    t1: { title: 'milk', n: 1 }, t2: { title: 'tea', n: 1.5 },
    t3: { title: 'bread', n: 1 } });

  // Different fields of one document: both edits stay.
  await put ('a', { _id: 't1', title: 'oat milk', n: 1 });
  await put ('b', { _id: 't1', title: 'milk', n: 2 });
  await app.edit ('t3', { title: 'rye bread' });
  await put ('b', { _id: 't3', title: 'bread', n: 3 });
  await app.sync ();
  await sync ('a', { pushed: 1, pulled: 1, conflicts: 0, strategy: 'full' });
  await sync ('b', { merged: 2, conflicts: 0 });
  await agree ('edits of different fields', app, {
    t1: { title: 'oat milk', n: 2 }, t2: { title: 'tea', n: 1.5 },
    t3: { title: 'rye bread', n: 3 } });

  // The same field: the later stays, and the other is in the journal.
  await put ('a', { _id: 't2', title: 'of a', n: 1.5 });
  await app.edit ('t2', { title: 'of the application' });
  await app.sync ();
  await sync ('a', { merged: 1, conflicts: 1 });
  await agree ('edits of one field', app, {
    t1: { title: 'oat milk', n: 2 },
    t2: { title: 'of the application', n: 1.5 },
    t3: { title: 'rye bread', n: 3 } });
  assert.match (await well (['conflicts', 'a', '--json']), /"of a"/);

  const puts = server.puts;
  await sync ('a', { pulled: 0, pushed: 0, merged: 0, round_trips: 1 });
  await sync ('b', { pulled: 0, pushed: 0, merged: 0, round_trips: 1 });
  await app.sync ();
  assert.strictEqual (server.puts, puts);
  console.log ('ok client: nothing moves twice');

  await app.edit ('t3', { removed: true });
  await well (['rm', 'a', 'todo', 't1']);
  await agree ('deletes', app, {
    t2: { title: 'of the application', n: 1.5 },
    t3: { title: 'rye bread', n: 3, removed: true } });
  assert ((await app.docs ()).some (doc => doc._id === 't1' && doc.removed));

  await put ('b', { _id: 't1', title: 'milk again' });
  await agree ('what was deleted is made again', app, {
    t1: { title: 'milk again' },
    t2: { title: 'of the application', n: 1.5 },
    t3: { title: 'rye bread', n: 3, removed: true } });

  // A server that lost everything is given it again.
  server.reset ();
  await sync ('b');
  await agree ('a server that lost everything', app, {
    t1: { title: 'milk again' },
    t2: { title: 'of the application', n: 1.5 },
    t3: { title: 'rye bread', n: 3, removed: true } });

  // One bad document keeps no other back, on either side.
  server.refuses = doc => doc._id === 'bad';
  for (const _id of ['bad', 'good', 'fine'])
    await put ('a', { _id });
  let result = await run (['sync', 'link-a', '--json']);
  assert.strictEqual (result.code, 6, result.stderr);
  assert.match (result.stderr, /not that one/);
  assert (server.docs (token, 'todo').has ('good'));
  assert (server.docs (token, 'todo').has ('fine'));
  server.refuses = null;
  await sync ('a');
  assert (server.docs (token, 'todo').has ('bad'));
  server.docs (token, 'todo').set ('far', {
    _id: 'far', _mtime: new Date (Date.now () + 86400000).toISOString () });
  server.docs (token, 'todo').set ('near', {
    _id: 'near', _mtime: new Date ().toISOString () });
  result = await run (['sync', 'link-b', '--json']);
  assert.strictEqual (result.code, 5, result.stderr);
  assert.match (result.stderr, /"far".*clock/);
  assert ('near' in await tally_docs ('b'));
  server.docs (token, 'todo').delete ('far');
  console.log ('ok client: documents that are refused');

  for (const args of [['sync', 'link-a', '--dry-run'],
                      ['sync', 'link-a', '--dry-run', '--plan',
                       path.join (folder, 'plan')],
                      ['verify', 'a', 'far']]) {
    const { code, stderr } = await run (args);

    assert.strictEqual (code, 6, stderr);
    assert.match (stderr, /dialect/);
  }
  assert.match (await well (['check']), /transport far: ok/);
  assert.match (await well (['pair', 'a', 'far', '--collections', 'todo',
                             '--json']), /"collection":"todo"/);
  server.keys = [];
  assert.strictEqual ((await run (['sync', 'link-a'])).code, 6);
  await server.stop ();
  assert.strictEqual ((await run (['sync', 'link-a'])).code, 5);
  console.log ('ok client: what does not work says so');
}

main ().then (() => process.exit (0), err => {
  console.error ('not ok client:', err);
  process.exit (1);
});
