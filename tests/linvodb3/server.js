// SPDX-License-Identifier: MIT
// The server that LinvoDB3's addon was written for, as its recorded traffic
// shows it: whole documents, the later _mtime stays, and no word about what
// came too late.
'use strict';

const http = require ('http');

const time = doc => new Date (doc._mtime || 0).getTime ();

module.exports = class Server {
  constructor (keys) {
    this.keys = keys;
    this.reset ();
    this.http = http.createServer ((request, response) => {
      const parts = [];

      request.on ('data', part => parts.push (part));
      request.on ('end', () => {
        const body = JSON.parse (Buffer.concat (parts).toString ('utf8'));

        response.setHeader ('Content-Type', 'application/json');
        response.end (JSON.stringify (this.answer (
          request.url.split ('/').pop (), body)));
      });
    });
  }

  reset () {
    this.collections = {};
    this.puts = 0;
  }

  start () {
    return new Promise (resolve => this.http.listen (0, '127.0.0.1', () => {
      this.url = `http://127.0.0.1:${this.http.address ().port}`;
      resolve ();
    }));
  }

  stop () {
    this.http.closeAllConnections ();
    return new Promise (resolve => this.http.close (resolve));
  }

  docs (key, collection) {
    const name = `${key} ${collection}`;

    return this.collections[name] = this.collections[name] || new Map ();
  }

  answer (method, { authKey, collection, ids, changes }) {
    if (!this.keys.includes (authKey))
      return { error: { message: 'Session does not exist', code: 1 } };
    const docs = this.docs (authKey, collection);

    if (method === 'datastoreMeta')
      return { result: [...docs.values ()].map (doc => [doc._id,
                                                        time (doc)]) };
    if (method === 'datastoreGet')
      return { result: ids.map (id => docs.get (id)).filter (Boolean) };
    if (this.refuses && changes.some (this.refuses))
      return { error: { message: 'not that one', code: 2 } };
    for (const doc of changes) {
      this.puts++;
      if (!docs.has (doc._id) || time (docs.get (doc._id)) < time (doc))
        docs.set (doc._id, doc);
    }
    return { result: { success: true } };
  }
};
