// SPDX-License-Identifier: MIT
// Stands in for LinvoDB's own bagpipe, which is a git address: at most so many
// calls at once, the others wait; it can pause and resume.
class Bagpipe {
  constructor (limit) {
    this.limit = limit;
    this.queue = [];
    this.active = 0;
    this.paused = false;
  }

  push (method, ...args) {
    this.queue.push ({ method, args });
    this._next ();
    return this;
  }

  pause () {
    this.paused = true;
  }

  resume () {
    this.paused = false;
    this._next ();
  }

  _next () {
    while (!this.paused && this.active < this.limit && this.queue.length) {
      const { method, args } = this.queue.shift ();
      const last = args[args.length - 1];
      const callback = typeof last === 'function' ? args.pop () : () => {};

      this.active++;
      method (...args, (...result) => {
        this.active--;
        callback (...result);
        this._next ();
      });
    }
  }
}

module.exports = Bagpipe;
