// SPDX-License-Identifier: MIT
// Writes a LinvoDB3 model with the real linvodb3: node write-linvodb3.js FOLDER
// makes FOLDER/notes.db, with some of it in a table and some in the log.
const LinvoDB = require ('linvodb3');
const levelup = require ('levelup');
const leveldown = require ('leveldown');

LinvoDB.dbPath = process.argv[2];
const Notes = new LinvoDB ('notes', {});
const day = ms => new Date (ms);

const fail = err => { if (err) throw err; };

Notes.insert ([
  { _id: 't1', title: 'milk', done: false, removed: true,
    _ctime: day (1700000000000), _mtime: day (1700000002000) },
  { _id: 't2', title: 'tea', due: day (1700000005000), like: /^t/i,
    _ctime: day (1700000000000), _mtime: day (1700000000000) },
  { _id: 't3', title: 'bread', n: 0.1,
    _ctime: day (1700000001000), _mtime: day (1700000001000) },
  { _id: 'gone', title: 'gone' },
  { _id: 'ü/3', title: 'caf\u00e9', deep: { list: [1, null, { a: true }] } }
], err => {
  fail (err);
  Notes.remove ({ _id: 'gone' }, {}, err => {
    fail (err);
    Notes.update ({ _id: 't3' }, { $set: { n: 2.5 } }, {}, err => {
      fail (err);
      Notes.store.close (() => {
        // Opened again, what was in the log is in a table.
        const db = levelup (leveldown (process.argv[2] + '/notes.db'));

        db.put ('late', '{"_id":"late","title":"in the log",'
          + '"_mtime":{"$$date":1700000009000}}', err => {
          fail (err);
          db.close (() => process.exit (0));
        });
      });
    });
  });
});
