// SPDX-License-Identifier: MIT
// What both sides do with a store.
import { documents } from './common.mjs'

function cells (doc) {
  return Object.fromEntries(Object.entries(doc).map(([key, value]) =>
    [key, typeof value === 'object' ? JSON.stringify(value) : value]))
}

export function fill (store) {
  store.setTable('items', Object.fromEntries(documents.map((doc) =>
    [doc._id, cells(doc)])))
}

// So many documents from one on, in two fields.
export function edit (store, from, count) {
  for (const { _id } of documents.slice(from, from + count)) {
    store.setPartialRow('items', _id, { amount: 1, title: 'another' })
  }
}

// Equal when the stores are.
export function hashes (store) {
  return JSON.stringify(store.getMergeableContentHashes())
}
