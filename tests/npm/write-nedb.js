// SPDX-License-Identifier: MIT
// Writes a data file with the real @seald-io/nedb: node write-nedb.js FILE.
const Datastore = require ('@seald-io/nedb');

(async () => {
  const db = new Datastore ({ filename: process.argv[2] });
  const day = ms => new Date (ms);

  await db.loadDatabaseAsync ();
  await db.ensureIndexAsync ({ fieldName: 'title', unique: true });
  await db.ensureIndexAsync ({ fieldName: ['a', 'b'], sparse: true });
  await db.ensureIndexAsync ({ fieldName: 'dropped' });
  await db.insertAsync ([
    { _id: 'n1', title: 'milk', _mtime: day (1700000002000) },
    { _id: 'n2', title: 'tea', due: day (1700000005000) },
    { _id: 'n3', title: 'bread' },
    { _id: 'gone', title: 'gone' }
  ]);
  await db.removeAsync ({ _id: 'gone' }, {});
  await db.updateAsync ({ _id: 'n3' }, { $set: { n: 2.5, title: 'rye' } }, {});
  await db.removeIndexAsync ('dropped');
})();
