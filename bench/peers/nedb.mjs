// SPDX-License-Identifier: MIT
import { anyIds, batches, documents, folder, median, n, reads, require, row,
  seconds, singles, version } from './common.mjs'

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
