// SPDX-License-Identifier: MIT
// So many calls at once, in order, with pause and resume: all that LinvoDB3
// asks of bagpipe.

'use strict'

module.exports = class Bagpipe {
  constructor (limit) {
    this.limit = limit
    this.active = 0
    this.paused = false
    this.queue = []
  }

  push (method, ...args) {
    // The callback may be left out.
    const given = typeof args[args.length - 1] === 'function' ? args.pop() : null
    const done = given || (() => {})
    this.queue.push({ method, args, done })
    this.next()
    return this
  }

  pause () {
    this.paused = true
  }

  resume () {
    this.paused = false
    this.next()
  }

  next () {
    while (!this.paused && this.active < this.limit && this.queue.length) {
      const { method, args, done } = this.queue.shift()
      this.active++
      method(...args, (...results) => {
        this.active--
        done(...results)
        this.next()
      })
    }
  }
}
