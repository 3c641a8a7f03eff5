// SPDX-License-Identifier: MIT
// Two LinvoDB3 applications and a tally client on one collection of a tally
// server: they insert, edit and delete at the same time, and all agree in the
// end.  Usage: node sync.js STORE FOLDER, with TALLY in the environment.
'use strict';

const assert = require ('assert');
const { execFileSync, spawn } = require ('child_process');
const fs = require ('fs');
const path = require ('path');
const { App, lines, plain } = require ('./app.js');

const [kind, folder] = process.argv.slice (2);
const tally = process.env.TALLY;
const store = `${kind}:${path.join (folder, 'hub')}`;
const tokens = { ann: 'token-of-ann', bob: 'token-of-bob' };
const traffic = [];
let url, server;
const app = (name, key) => new App (name, { folder, key, traffic,
                                            url: () => url });

// ---- the server and tally's own client ------------------------------------

async function start () {
  const args = ['serve', store, '--listen', '127.0.0.1:0', '--tokens',
                path.join (folder, 'tokens')];

  server = spawn (tally, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  url = await new Promise ((resolve, reject) => {
    server.stdout.once ('data', line => resolve (String (line).trim ()
                                                 .split (' ').pop ()));
    server.once ('exit', code => reject (new Error (`serve: exit ${code}`)));
  });
}

async function stop () {
  const ended = new Promise (resolve => server.once ('exit', resolve));

  server.kill ('SIGTERM');
  assert.strictEqual (await ended, 0);
}

function run (args, input) {
  return execFileSync (tally, args,
                       { input: input || '', encoding: 'utf8',
                         stdio: ['pipe', 'pipe', 'pipe'] });
}

const here = account => `sqlite:${path.join (folder, account + '.db')}`;

function pair (account = 'ann') {
  fs.writeFileSync (path.join (folder, account + '.token'), tokens[account]);
  run (['pair', here (account), url, '--token-file',
        path.join (folder, account + '.token'), '--collections', 'todo']);
}

// A process may stamp a little ahead of the wall: what is written elsewhere is
// later only when that has passed.
function put (doc) {
  run (['put', here ('ann'), 'todo'], JSON.stringify (doc));
  for (const { time } of lines (run (['explain', here ('ann'), 'todo', doc._id,
                                      '--json'])))
    while (Date.now () <= Date.parse (time))
      ;
}

const remove = id => run (['rm', here ('ann'), 'todo', id]);
const ours = (account = 'ann') => lines (run (['export', here (account),
                                               'todo']));

// ---- two at once --------------------------------------------------------

// Both look before either has put: the addon does not put what has the time
// that it saw there.
async function put_at_once (a, b, edit) {
  const puts = new Map ();
  const both = new Promise (resolve => {
    for (const app of [a, b])
      app.hold_put = () => new Promise (release => {
        puts.set (app, release);
        if (puts.size === 2)
          resolve ();
      });
  });
  const ended = [];

  for (const app of [a, b])
    await edit (app);
  for (const app of [a, b])
    ended.push (app.sync ());
  await both;
  for (const [i, app] of [a, b].entries ()) {
    app.hold_put = null;
    puts.get (app) ();
    await ended[i];
  }
}

// ---- comparing --------------------------------------------------------------

async function agree (what, apps, expected) {
  for (let round = 0; round < 2; round++) {
    for (const app of apps)
      await app.sync ();
    pair ();
  }
  for (const app of apps) {
    await app.sync ();
    assert.deepStrictEqual (plain (await app.docs ()), expected,
                            `${what}: an application`);
  }
  assert.deepStrictEqual (plain (ours ()), expected, `${what}: tally`);
  console.log (`ok ${kind}: ${what}`);
}

// ---- what goes over the wire ------------------------------------------------

const keys = value => Object.keys (value).sort ().join ();

// As recorded: the same members, and of the same kinds.
function check_traffic (recorded) {
  const known = {};

  for (const line of lines (fs.readFileSync (recorded, 'utf8')))
    known[line.url.split ('/').pop ()] = { request: keys (line.request),
                                           reply: keys (line.response) };
  assert.strictEqual (Object.keys (known).length, 3);
  for (const { method, request, status, reply } of traffic) {
    assert.strictEqual (status, 200);
    assert.strictEqual (keys (request), known[method].request);
    if (reply.error) {
      assert.strictEqual (keys (reply), 'error');
      assert.strictEqual (keys (reply.error), 'code,message');
      assert (Number.isInteger (reply.error.code) && reply.error.code > 0);
      continue;
    }
    assert.strictEqual (keys (reply), known[method].reply);
    if (method === 'datastoreMeta')
      for (const row of reply.result) {
        assert.deepStrictEqual (row.map (x => typeof x),
                                ['string', 'number']);
        assert (Number.isInteger (row[1]));
      }
    else if (method === 'datastoreGet')
      for (const doc of reply.result) {
        assert.strictEqual (typeof doc._id, 'string');
        assert.strictEqual (new Date (doc._mtime).toISOString (), doc._mtime);
      }
    else
      assert.deepStrictEqual (reply.result, { success: true });
  }
  console.log (`ok ${kind}: ${traffic.length} requests as recorded`);
}

// ---- the story --------------------------------------------------------------

async function main () {
  fs.writeFileSync (path.join (folder, 'tokens'),
                    `${tokens.ann} ann\n${tokens.bob} bob\n`);
  await start ();

  const a = app ('a', tokens.ann), b = app ('b', tokens.ann);
  const all = [a, b];

  await a.insert ({ _id: 't1', title: 'milk', done: false });
  await a.insert ({ _id: 't2', title: 'tea', n: 1 });
  await b.insert ({ _id: 't3', title: 'bread' });
  put ({ _id: 't4', title: 'salt' });
  await agree ('inserts', all, {
    t1: { title: 'milk', done: false }, t2: { title: 'tea', n: 1 },
    t3: { title: 'bread' }, t4: { title: 'salt' } });

  await a.edit ('t1', { done: true });
  await b.edit ('t4', { title: 'sea salt' });
  put ({ _id: 't2', title: 'green tea', n: 1 });
  put ({ _id: 't3', title: 'bread', n: 2 });
  await agree ('edits', all, {
    t1: { title: 'milk', done: true }, t2: { title: 'green tea', n: 1 },
    t3: { title: 'bread', n: 2 }, t4: { title: 'sea salt' } });

  // Between pulls: the later of two wins, wherever it was made.
  put ({ _id: 't3', title: 'bread', n: 3 });
  await b.edit ('t3', { title: 'rye bread' });
  await agree ('edits of one document', all, {
    t1: { title: 'milk', done: true }, t2: { title: 'green tea', n: 1 },
    t3: { title: 'rye bread', n: 2 }, t4: { title: 'sea salt' } });

  const now = Date.now ();
  await put_at_once (a, b, one => one.edit (
    't4', { title: `of ${one.user._id}` }, now));
  await agree ('edits in one millisecond', all, {
    t1: { title: 'milk', done: true }, t2: { title: 'green tea', n: 1 },
    t3: { title: 'rye bread', n: 2 }, t4: { title: 'of a' } });

  await stop ();
  await start ();
  await a.edit ('t1', { removed: true });
  remove ('t2');
  await agree ('deletes, after a restart', all, {
    t1: { title: 'milk', done: true, removed: true },
    t3: { title: 'rye bread', n: 2 }, t4: { title: 'of a' } });
  assert ((await a.docs ()).some (doc => doc._id === 't2' && doc.removed));

  await b.edit ('t1', { removed: false });
  await b.edit ('t2', { title: 'tea again', removed: false });
  await agree ('what was deleted is wanted again', all, {
    t1: { title: 'milk', done: true, removed: false },
    t2: { title: 'tea again', removed: false },
    t3: { title: 'rye bread', n: 2 }, t4: { title: 'of a' } });

  // Once all agree nothing moves.
  const before = traffic.length;
  await a.sync ();
  await b.sync ();
  assert.deepStrictEqual (traffic.slice (before).map (x => x.method),
                          ['datastoreMeta', 'datastoreMeta']);
  console.log (`ok ${kind}: nothing moves twice`);

  const c = app ('c', tokens.bob);
  await c.insert ({ _id: 't1', title: 'of bob' });
  await c.sync ();
  await c.sync ();
  pair ('bob');
  assert.deepStrictEqual (plain (await c.docs ()), { t1: { title: 'of bob' } });
  assert.deepStrictEqual (plain (ours ('bob')), { t1: { title: 'of bob' } });
  await a.sync ();
  assert.strictEqual (plain (await a.docs ()).t1.title, 'milk');
  console.log (`ok ${kind}: accounts stay apart`);

  assert.deepStrictEqual ([...a.errors, ...b.errors, ...c.errors], []);
  const d = app ('d', 'wrong-token');
  const log = console.error;
  console.error = () => {};
  await d.insert ({ _id: 'x' });
  await d.sync ();
  await a.insert ({ _id: 'far', title: 'ahead' }, Date.now () + 86400000);
  await a.insert ({ _id: 'near', title: 'right' });
  await a.sync ();
  console.error = log;
  assert.strictEqual (d.errors[0].code, 401);
  assert.strictEqual (a.errors[0].code, 409);
  assert.match (a.errors[0].message, /"far".*clock/);
  await b.sync ();
  assert.strictEqual (plain (await b.docs ()).near.title, 'right');
  assert.strictEqual (plain (await b.docs ()).far, undefined);
  console.log (`ok ${kind}: errors`);

  const code = async (method, init) => (await fetch (
    `${url}/api/${method}`, init)).status;
  const post = { method: 'POST', body: '{}' };
  assert.strictEqual (await code ('datastoreMeta', post), 200);
  assert.strictEqual (await code ('datastoreMeta'), 405);
  assert.strictEqual (await code ('datastoreOther', post), 404);
  assert.strictEqual (await code ('datastoreMeta', {
    ...post, headers: { Origin: 'http://page.example' } }), 403);
  console.log (`ok ${kind}: other requests`);

  await stop ();
  check_traffic (process.env.RECORDED);
}

main ().then (() => process.exit (0), err => {
  console.error (`not ok ${kind}:`, err);
  if (server)
    server.kill ('SIGKILL');
  process.exit (1);
});
