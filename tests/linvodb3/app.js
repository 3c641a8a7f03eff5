// SPDX-License-Identifier: MIT
// A LinvoDB3 application with one model, synced by LinvoDB3's own addon.
'use strict';

const path = require ('path');
const LinvoDB = require ('linvodb3');
const setupSync = require ('linvodb3/addons/linvo-sync.js');

class App {
  // options: folder, key, url (a function), traffic (a list to add to).
  constructor (name, options) {
    this.options = options;
    this.errors = [];
    this.user = { _id: name };
    this.model = new LinvoDB ('todo', {}, {
      filename: path.join (options.folder, name) });
    setupSync (this.model, this, { debounce: 5 });
  }

  // What the addon calls.
  async request (method, body, callback) {
    const request = JSON.stringify ({ authKey: this.options.key, ...body });

    if (method === 'datastorePut' && this.hold_put)
      await this.hold_put ();
    fetch (`${this.options.url ()}/api/${method}`, {
      method: 'POST', body: request,
      headers: { 'Content-Type': 'application/json' }
    }).then (async response => {
      const text = await response.text (), reply = JSON.parse (text);

      // The addon changes what it is given.
      this.options.traffic.push ({ method, request: JSON.parse (request),
                      status: response.status, reply: JSON.parse (text) });
      if (reply.error)
        this.errors.push (reply.error);
      callback (reply.error ? new Error (reply.error.message) : null,
                reply.result);
    }).catch (callback);
  }

  sync () {
    return new Promise (resolve => this.model.triggerSync (resolve));
  }

  call (method, ...args) {
    return new Promise ((resolve, reject) => this.model[method] (
      ...args, (err, result) => err ? reject (err) : resolve (result)));
  }

  // The time is the application's business.
  insert (doc, now = Date.now ()) {
    const date = new Date (now);

    return this.call ('insert', { ...doc, _mtime: date, _ctime: date });
  }

  async edit (id, fields, now = Date.now ()) {
    const doc = await this.call ('findOne', { _id: id });

    Object.assign (doc, fields, { _mtime: new Date (now) });
    await new Promise ((resolve, reject) => doc.save (
      err => err ? reject (err) : resolve ()));
  }

  async docs () {
    return JSON.parse (JSON.stringify (await this.call ('find', {})));
  }
}

// ---- what there is ----------------------------------------------------------

const lines = text => text.split ('\n').filter (Boolean).map (JSON.parse);

// What was deleted for good is one that says no more than that.
function plain (docs) {
  const result = {};

  for (const { _id, _mtime, _ctime, ...rest } of docs)
    if (JSON.stringify (rest) !== '{"removed":true}')
      result[_id] = rest;
  return result;
}

module.exports = { App, lines, plain };
