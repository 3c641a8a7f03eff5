// SPDX-License-Identifier: MIT
import fs from 'node:fs'
import { promisify } from 'node:util'
import { anyIds, batches, documents, folder, median, n, reads, require, row,
  seconds, singles, version } from './common.mjs'

const LinvoDB = require('linvodb3')
const who = `LinvoDB3 ${version('linvodb3')}`

LinvoDB.defaults.store = { db: require('leveldown') }

async function open (name) {
  const path = folder(name)
  fs.mkdirSync(path, { recursive: true })
  LinvoDB.dbPath = path
  const model = new LinvoDB(name, {}, {})
  return {
    insert: promisify(model.insert.bind(model)),
    findOne: promisify((query, done) => model.findOne(query, done))
  }
}

row(who, 'bulk-put', { seconds: await median(async (i) => {
  const db = await open(`bulk${i}`)
  const all = batches()
  return seconds(async () => {
    for (const batch of all) await db.insert(batch)
  })
}) })

const db = await open('single')
row(who, 'single-put', { seconds: await median(async (i) => (await seconds(async () => {
  for (let k = 0; k < singles; k++) {
    await db.insert({ ...documents[k], _id: `${i}-${k}` })
  }
})) / singles) })

const full = await open('points')
for (const batch of batches()) await full.insert(batch)
row(who, 'point-get', { seconds: await median(async () => (await seconds(async () => {
  for (const id of anyIds(reads)) await full.findOne({ _id: id })
})) * n / reads) })
process.exit(0)
