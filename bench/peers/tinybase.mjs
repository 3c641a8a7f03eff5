// SPDX-License-Identifier: MIT
// Two stores of one process. A document is a row; what is no text, number or
// boolean goes in as JSON, since a cell holds nothing else.
import { createMergeableStore } from 'tinybase'
import { createLocalSynchronizer } from 'tinybase/synchronizers/synchronizer-local'
import { documents, median, row, seconds, version } from './common.mjs'

const who = `TinyBase ${version('tinybase')}`

function cells (doc) {
  return Object.fromEntries(Object.entries(doc).map(([key, value]) =>
    [key, typeof value === 'object' ? JSON.stringify(value) : value]))
}

const table = Object.fromEntries(documents.map((doc) => [doc._id, cells(doc)]))

row(who, 'in-process', { seconds: await median(async () => {
  const one = createMergeableStore('one')
  const two = createMergeableStore('two')
  one.setTable('items', table)
  const near = createLocalSynchronizer(one)
  const far = createLocalSynchronizer(two)
  const spent = await seconds(async () => {
    await near.startSync()
    await far.startSync()
    while (two.getRowIds('items').length < documents.length) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  })
  near.destroy()
  far.destroy()
  return spent
}) })
process.exit(0)
