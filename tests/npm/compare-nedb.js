// SPDX-License-Identifier: MIT
// Random queries and updates by NeDB and by tally, on the same documents:
//   node compare-nedb.js ANSWER SEED ROUNDS
// ANSWER is tests/npm/answer.  What differs must have a name.

const { spawn } = require ('child_process');
const readline = require ('readline');
const Datastore = require ('@seald-io/nedb');
const known = require ('./nedb-differences.js');
const random = require ('./nedb-random.js');

const [answer, seed, rounds] = [process.argv[2], Number (process.argv[3]),
  Number (process.argv[4])];
const QUERIES = 200, DOCUMENTS = 40;
const N = known.names;
const met = Object.fromEntries (Object.values (N).map (name => [name, 0]));
let compared = 0, excluded = 0, found = 0, asked = 0, failures = 0;

// ---- tally ---------------------------------------------------------------

function start (endpoint) {
  const child = spawn (answer, [endpoint],
                       { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = readline.createInterface ({ input: child.stdout });
  const waiting = [];

  lines.on ('line', line => waiting.shift ().resolve (JSON.parse (line)));
  child.on ('exit', code => waiting.forEach (w => w.reject (
    new Error (`answer ended with ${code}`))));
  return {
    ask: command => new Promise ((resolve, reject) => {
      waiting.push ({ resolve, reject });
      child.stdin.write (JSON.stringify (command) + '\n');
    }),
    stop: () => child.stdin.end ()
  };
}

// ---- values of both ------------------------------------------------------

function toNedb (value, key) {
  if (key === '$regex')
    return new RegExp (value, 'u');
  if (Array.isArray (value))
    return value.map (v => toNedb (v));
  if (value === null || typeof value !== 'object')
    return value;
  if (typeof value.$$date === 'number')
    return new Date (value.$$date);
  return Object.fromEntries (Object.entries (value)
    .map (([k, v]) => [k, toNedb (v, k)]));
}

// Text with members in order, so that equal documents are equal texts.
function text (value) {
  if (value instanceof Date)
    return `{"$$date":${value.getTime ()}}`;
  if (Array.isArray (value))
    return `[${Array.from (value, text).join (',')}]`;
  if (value === undefined)
    return 'null';
  if (value === null || typeof value !== 'object')
    return JSON.stringify (value);
  return `{${Object.keys (value).filter (k => value[k] !== undefined).sort ()
    .map (k => `${JSON.stringify (k)}:${text (value[k])}`).join (',')}}`;
}

const byId = list => new Map (list.map (d => [d._id, text (d)]));

function sortOf (sort) {
  return Object.fromEntries (sort.split (',').map (
    p => p[0] === '-' ? [p.slice (1), -1] : [p, 1]));
}

function fail (what, details) {
  failures++;
  console.log (`not ok ${what}`);
  for (const [name, value] of Object.entries (details))
    console.log (`#   ${name}: ${typeof value === 'string' ? value
      : text (value)}`);
}

function meet (names) {
  names.forEach (name => met[name]++);
  excluded++;
}

// ---- finding -------------------------------------------------------------

async function nedbFind (db, query, { sort, fields, skip, limit } = {}) {
  let cursor = db.findAsync (toNedb (query));
  if (sort)
    cursor = cursor.sort (sortOf (sort));
  if (fields)
    cursor = cursor.projection (Object.fromEntries (
      fields.split (',').map (f => [f, 1])));
  if (skip)
    cursor = cursor.skip (skip);
  if (limit)
    cursor = cursor.limit (limit);
  try {
    return { documents: (await cursor).map (d => JSON.parse (text (d))) };
  } catch (error) {
    return { error: error.message };
  }
}

const tallyFind = (tally, query, options = {}) => tally.ask (
  { do: 'find', query: JSON.stringify (query), ...options });

// Where nothing differs that has a name, the one answer is the other; an error
// of NeDB is one of all its documents.  True: it is so for all of them.
function sameFound (documents, query, ours, theirs, namesOf) {
  const mine = byId (ours.documents || []);
  const its = byId (theirs.documents || []);
  let all = true;

  if (ours.error) {
    fail ('tally finds', { query, error: ours.error });
    return false;
  }
  for (const document of documents) {
    const names = namesOf (document);
    if (theirs.error || mine.get (document._id) !== its.get (document._id)) {
      if (names.size > 0)
        meet (names);
      else if (!theirs.error)
        fail ('the same is found', { query, document,
          tally: mine.get (document._id) || 'not found',
          nedb: its.get (document._id) || 'not found' });
      all = false;
    } else
      compared++;
  }
  if (theirs.error && !documents.some (d => namesOf (d).size > 0))
    fail ('NeDB finds', { query, error: theirs.error });
  return all;
}

function sameOrder (query, ours, theirs, names, namesOf) {
  const plain = list => list.filter (d => namesOf (d).size === 0)
    .map (d => d._id).join (' ');

  if (plain (ours) !== plain (theirs))
    fail ('the same order', { query, names, tally: plain (ours),
      nedb: plain (theirs) });
  for (const document of ours)
    if (namesOf (document).size > 0)
      meet (namesOf (document));
  return ours.every (d => namesOf (d).size === 0);
}

const asksForId = query => JSON.stringify (query).includes ('"_id"');

async function checkFind (world, rng) {
  const { db, tally, documents } = world;
  const query = rng.query (documents, 2);
  const ofQuery = d => known.ofQuery (d, query, new Set ());
  const ours = await tallyFind (tally, query);
  const theirs = await nedbFind (db, query);

  asked++;
  found += (ours.documents || []).length;
  if (!sameFound (documents, query, ours, theirs, ofQuery))
    return;
  if (asksForId (query))
    met[N.index]++;
  else
    sameOrder (query, ours.documents, theirs.documents, '_id',
               () => new Set ());
  const sort = rng.sort ();
  const ofSort = d => known.ofSort (d, sort);
  const options = { sort, skip: rng.below (4), limit: rng.below (8) };
  const sorted = (await tallyFind (tally, query, { sort })).documents;
  // What ties comes by _id here, and there as it was found.
  if (asksForId (query)
      || !sameOrder (query, sorted, (await nedbFind (db, query, { sort }))
        .documents, sort, ofSort))
    return;
  sameOrder (query, (await tallyFind (tally, query, options)).documents,
             (await nedbFind (db, query, options)).documents,
             text (options), () => new Set ());
  const fields = rng.shown ();
  sameFound (ours.documents, query, await tallyFind (tally, query, { fields }),
             await nedbFind (db, query, { fields }),
             d => known.ofFields (d, fields));
}

// ---- updates -------------------------------------------------------------

async function load (world, documents) {
  world.documents = documents;
  await world.db.removeAsync ({}, { multi: true });
  await world.db.insertAsync (documents.map (d => toNedb (d)));
  const reply = await world.tally.ask (
    { do: 'put', documents: JSON.stringify (documents) });
  if (reply.error)
    throw new Error (reply.error);
}

async function nedbUpdate (db, query, update, options) {
  try {
    await db.updateAsync (toNedb (query), toNedb (update), options);
    return {};
  } catch (error) {
    return { error: error.message };
  }
}

const hasModifiers = update => Object.keys (update).some (k => k[0] === '$');

async function checkUpdate (world, rng) {
  const { db, tally, documents } = world;
  const query = rng.query (documents, 1);
  const update = rng.update (documents);
  const one = !hasModifiers (update) || rng.oneIn (5);
  const before = await tallyFind (tally, query);
  const matched = await nedbFind (db, query);
  const ofUpdate = d => known.ofUpdate (d, update);

  // What matches is what finding is about.
  if (before.error || matched.error || (one && asksForId (query))
      || text (before.documents.map (d => d._id).sort ())
         !== text (matched.documents.map (d => d._id).sort ()))
    return;
  const ours = await tally.ask ({ do: 'update', one: one ? 1 : 0,
    query: JSON.stringify (query), update: JSON.stringify (update) });
  const theirs = await nedbUpdate (db, query, update, { multi: !one });
  const now = await tallyFind (tally, {});
  const its = byId ((await nedbFind (db, {})).documents);
  const some = before.documents.some (d => ofUpdate (d).size > 0);

  asked++;
  if (!ours.error !== !theirs.error && !some)
    fail ('both can, or none', { query, update, tally: ours.error || 'can',
      nedb: theirs.error || 'can' });
  for (const document of documents) {
    const mine = text (now.documents.find (d => d._id === document._id));
    const names = ofUpdate (document);
    if (mine === its.get (document._id))
      compared++;
    else if (names.size > 0)
      meet (names);
    else if (!ours.error !== !theirs.error && some)
      excluded++;
    else
      fail ('the same comes of it', { query, update, document, tally: mine,
        nedb: its.get (document._id) });
  }
  for (const document of before.documents)
    if (!ours.error !== !theirs.error)
      ofUpdate (document).forEach (name => met[name]++);
  await load (world, now.documents);
}

async function checkUpsert (world, rng) {
  const { db, tally, documents } = world;
  const query = { ...rng.query (documents, 0), _id: 'u' };
  const update = rng.update (documents);
  const names = new Set ();

  if (!hasModifiers (update))
    return;
  for (const [key, value] of Object.entries (query))
    if (key.includes ('.') || known.isOperators (value))
      names.add (N.upsert);
  const base = Object.fromEntries (Object.entries (query).filter (
    ([key, value]) => !key.includes ('.') && !known.isOperators (value)));
  known.ofUpdate (base, update).forEach (name => names.add (name));
  const ours = await tally.ask ({ do: 'update', upsert: 1,
    query: JSON.stringify (query), update: JSON.stringify (update) });
  const theirs = await nedbUpdate (db, query, update,
                                   { upsert: true, multi: false });
  const mine = (await tallyFind (tally, { _id: 'u' })).documents;
  const its = (await nedbFind (db, { _id: 'u' })).documents;

  asked++;
  if (text (mine) === text (its) && !ours.error === !theirs.error)
    compared++;
  else if (names.size > 0)
    meet (names);
  else
    fail ('the same is inserted', { query, update, tally: ours.error || mine,
      nedb: theirs.error || its });
  await load (world, documents);
}

// ---- rounds --------------------------------------------------------------

async function round (number) {
  const rng = random.make (seed * 1000 + number);
  const world = { db: new Datastore (), tally: start (`memory:${number}`) };

  await load (world, Array.from ({ length: DOCUMENTS },
                                 (_, i) => rng.document (i)));
  if (number % 2)
    for (const fields of ['a', '-b', 'a.b,c', 'c.d', 'a.0', 'b,-c'])
      await world.tally.ask ({ do: 'index', fields });
  for (let i = 0; i < QUERIES && failures < 10; i++) {
    await checkFind (world, rng);
    if (rng.oneIn (4))
      await checkUpdate (world, rng);
    if (rng.oneIn (10))
      await checkUpsert (world, rng);
  }
  world.tally.stop ();
}

(async () => {
  for (let number = 0; number < rounds && failures < 10; number++)
    await round (number);
  console.log (`# ${asked} queries and updates, ${found} documents found`);
  console.log (`# ${compared} answers for a document the same, ${excluded} ` +
               'differ by a name:');
  for (const [name, times] of Object.entries (met)) {
    console.log (`#   ${String (times).padStart (6)} ${name}`);
    if (times === 0 && rounds >= 10) {
      fail ('each difference is met', { name });
    }
  }
  // Names that explain nearly everything would explain nothing.
  if (compared < 4 * excluded)
    fail ('most is the same', { compared, excluded });
  process.exitCode = failures > 0 ? 1 : 0;
})().catch (error => {
  console.log (`not ok: ${error.stack}`);
  process.exit (1);
});
