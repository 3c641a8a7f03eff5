// SPDX-License-Identifier: MIT
// Puts, reads and replication; that over HTTP with a server of its own
// process, through a relay which counts bytes and requests.
import fs from 'node:fs'
import { spawn } from 'node:child_process'
import { anyIds, batches, documents, folder, median, n, reads, relay, require,
  row, seconds, singles, traffic, version } from './common.mjs'

const PouchDB = require('pouchdb')
PouchDB.plugin(require('pouchdb-adapter-memory'))
const who = `PouchDB ${version('pouchdb')}`
const changed = 50

function open (name) {
  const path = folder(name)
  return new PouchDB(path)
}

async function fill (db) {
  for (const batch of batches()) await db.bulkDocs(batch)
}

// ---- a store ---------------------------------------------------------------

row(who, 'bulk-put', { seconds: await median(async (i) => {
  const db = open(`bulk${i}`)
  const all = batches()
  return seconds(async () => {
    for (const batch of all) await db.bulkDocs(batch)
  })
}) })

const single = open('single')
row(who, 'single-put', { seconds: await median(async (i) => (await seconds(async () => {
  for (let k = 0; k < singles; k++) {
    await single.put({ ...documents[k], _id: `${i}-${k}` })
  }
})) / singles) })

const full = open('points')
await fill(full)
row(who, 'point-get', { seconds: await median(async () => (await seconds(async () => {
  for (const id of anyIds(reads)) await full.get(id)
})) * n / reads) })

row(who, 'in-process', { seconds: await median(async (i) => {
  const one = new PouchDB(`one${i}`, { adapter: 'memory' })
  const two = new PouchDB(`two${i}`, { adapter: 'memory' })
  await fill(one)
  return seconds(() => one.replicate.to(two, { batch_size: 1000 }))
}) })

// ---- over HTTP -------------------------------------------------------------

const path = folder('server')
fs.mkdirSync(path, { recursive: true })
const server = spawn(process.execPath,
  [new URL('./pouchdb-server.mjs', import.meta.url).pathname, path],
  { stdio: ['ignore', 'pipe', 'inherit'] })
const port = await new Promise((resolve) => {
  server.stdout.once('data', (data) => resolve(Number(data)))
})
process.on('exit', () => server.kill())

const url = `http://127.0.0.1:${await relay(port)}/`

async function measured (workload, work) {
  const before = { ...traffic }
  let memory = 0
  const watch = setInterval(() => {
    const status = fs.readFileSync('/proc/self/status', 'utf8')
    memory = Math.max(memory, 1024 * Number(/RssAnon:\s+(\d+)/.exec(status)[1]))
  }, 50)
  const spent = await seconds(work)
  clearInterval(watch)
  row(who, workload, {
    runs: 1,
    seconds: spent,
    bytes_sent: traffic.sent - before.sent,
    bytes_received: traffic.received - before.received,
    round_trips: traffic.requests - before.requests,
    anonymous: memory
  })
}

const options = { batch_size: 1000 }
const hub = new PouchDB(`${url}hub`)
await fill(hub)
const device = open('device')
await measured('first-pull', () => device.replicate.from(hub, options))
const giver = open('giver')
await fill(giver)
const taker = new PouchDB(`${url}taker`)
await measured('first-push', () => giver.replicate.to(taker, options))

await device.sync(hub, options)
await measured('nothing', () => device.sync(hub, options))

async function edit (db, from, version) {
  const ids = documents.slice(from, from + changed).map((doc) => doc._id)
  for (const id of ids) {
    const doc = await db.get(id)
    await db.put({ ...doc, amount: version, title: `version ${version}` })
  }
}

await edit(device, 0, 1)
await edit(hub, changed, 1)
await measured('changed', () => device.sync(hub, options))
await edit(device, 0, 2)
await edit(hub, changed, 2)
await measured('lost', () =>
  device.sync(hub, { ...options, checkpoint: false }))
process.exit(0)
