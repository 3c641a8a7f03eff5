// SPDX-License-Identifier: MIT
// Loads a file with the real @seald-io/nedb and prints its documents by _id:
// node read-nedb.js FILE.
const Datastore = require ('@seald-io/nedb');

(async () => {
  const db = new Datastore ({ filename: process.argv[2],
                              corruptAlertThreshold: 0 });

  await db.loadDatabaseAsync ();
  for (const doc of await db.findAsync ({}).sort ({ _id: 1 }))
    console.log (JSON.stringify (doc));
})();
