// SPDX-License-Identifier: MIT
// Two stores of one process, and two of which one is behind a WebSocket. A
// document is a row; what is no text, number or boolean goes in as JSON, since
// a cell holds nothing else.
//
// createLocalSynchronizer gives each answer a few milliseconds and never asks
// again, so from about a thousand rows on it may never be done: whoever has
// more brings a synchronizer with a time-out of its own, as here.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import WebSocket from 'ws'
import { createMergeableStore } from 'tinybase/mergeable-store'
import { createCustomSynchronizer } from 'tinybase/synchronizers'
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client'
import { deadline, documents, median, relay, row, seconds, traffic, version,
  within } from './common.mjs'
import { edit, fill, hashes } from './tinybase-store.mjs'

const who = `TinyBase ${version('tinybase')}`
const changed = 50

function pause (ms) {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

// ---- in process ------------------------------------------------------------

const receivers = new Map()

function join (store, name) {
  function send (to, ...message) {
    setImmediate(() => {
      for (const [other, receive] of receivers) {
        if (other !== name && (!to || to === other)) receive(name, ...message)
      }
    })
  }
  return createCustomSynchronizer(store, send,
    (receive) => receivers.set(name, receive), () => receivers.delete(name),
    deadline)
}

await within(who, 'in-process', async () => row(who, 'in-process', {
  seconds: await median(async () => {
    const one = createMergeableStore('one')
    const two = createMergeableStore('two')
    fill(one)
    const near = join(one, 'one')
    const far = join(two, 'two')
    const spent = await seconds(async () => {
      await Promise.all([near.startSync(), far.startSync()])
      while (hashes(one) !== hashes(two)) await pause(2)
    })
    near.destroy()
    far.destroy()
    return spent
  })
}))

// ---- over a WebSocket ------------------------------------------------------

// The server, and the store that is there.
const far = fork(new URL('./tinybase-server.mjs', import.meta.url))
process.on('exit', () => far.kill())
const [port] = await once(far, 'message')
const url = `ws://127.0.0.1:${await relay(port)}/items`

async function ask (what) {
  far.send(what)
  return (await once(far, 'message'))[0]
}

async function measured (workload, store) {
  await within(who, workload, async () => {
    const before = { ...traffic }
    let synchronizer
    const spent = await seconds(async () => {
      synchronizer = await createWsSynchronizer(store, new WebSocket(url),
        deadline)
      await synchronizer.startSync()
      while (await ask({ hashes: true }) !== hashes(store)) await pause(2)
    })
    row(who, workload, {
      runs: 1,
      seconds: spent,
      bytes_sent: traffic.sent - before.sent,
      bytes_received: traffic.received - before.received
    })
    if (workload === 'first-pull') await ask({ listen: true })
    synchronizer.destroy()
  })
}

const store = createMergeableStore('near')
await ask({ fill: true })
await measured('first-pull', store)
await measured('nothing', store)
edit(store, 0, changed)
await ask({ edit: [changed, changed] })
await measured('lost', store)
process.exit(0)
