// SPDX-License-Identifier: MIT
// Runs functions that end with a callback, so many at once, in their order;
// a paused one only takes them in.
'use strict';

module.exports = class Bagpipe {
  constructor (limit) {
    this.limit = limit;
    this.active = 0;
    this.paused = false;
    this.queue = [];
  }

  push (method, ...rest) {
    const callback = typeof rest.at (-1) === 'function' ? rest.pop ()
                                                        : () => {};
    this.queue.push ({ method, args: rest, callback });
    this.next ();
    return this;
  }

  pause () {
    this.paused = true;
  }

  resume () {
    this.paused = false;
    this.next ();
  }

  next () {
    while (!this.paused && this.active < this.limit && this.queue.length) {
      const job = this.queue.shift ();

      this.active++;
      job.method (...job.args, (...results) => {
        this.active--;
        job.callback (...results);
        this.next ();
      });
    }
  }
};
