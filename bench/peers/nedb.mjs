// SPDX-License-Identifier: MIT
import { anyDocument, anyIds, batches, cpuSeconds, documents, folder, lookups,
  median, n, reads, require, row, scans, seconds, singles, version } from './common.mjs'

const Nedb = require('@seald-io/nedb')
const who = `NeDB ${version('@seald-io/nedb')}`

async function open (name) {
  const db = new Nedb({ filename: folder(name) })
  await db.loadDatabaseAsync()
  return db
}

row(who, 'bulk-put', { seconds: await median(async (i) => {
  const db = await open(`bulk${i}`)
  const all = batches()
  return seconds(async () => {
    for (const batch of all) await db.insertAsync(batch)
  })
}) })

const db = await open('single')
row(who, 'single-put', { seconds: await median(async (i) => (await seconds(async () => {
  for (let k = 0; k < singles; k++) {
    await db.insertAsync({ ...documents[k], _id: `${i}-${k}` })
  }
})) / singles) })

const full = await open('points')
for (const batch of batches()) await full.insertAsync(batch)
row(who, 'point-get', { seconds: await median(async () => (await seconds(async () => {
  for (const id of anyIds(reads)) await full.findOneAsync({ _id: id })
})) * n / reads) })

// In memory, where it is fastest; 10,000 lookups and one scan, as tally's.
const memory = new Nedb()
for (const batch of batches()) await memory.insertAsync(batch)
async function scan () {
  for (let i = 0; i < scans; i++) {
    await memory.findAsync({ title: anyDocument(i).title })
  }
}
async function lookUp () {
  for (let i = 0; i < lookups; i++) {
    await memory.findAsync({ amount: anyDocument(i).amount })
  }
}
row(who, 'scan', {
  seconds: await median(async () => await seconds(scan) / scans),
  cpu_seconds: await median(async () => await cpuSeconds(scan) / scans)
})
await memory.ensureIndexAsync({ fieldName: 'amount' })
row(who, 'lookup', {
  lookups,
  seconds: await median(() => seconds(lookUp)),
  cpu_seconds: await median(() => cpuSeconds(lookUp))
})
