// SPDX-License-Identifier: MIT
// A server, which only hands on, and a store that is its client, as all are;
// says its port, and does what it is told.
import { once } from 'node:events'
import WebSocket, { WebSocketServer } from 'ws'
import { createMergeableStore } from 'tinybase/mergeable-store'
import { createWsSynchronizer } from 'tinybase/synchronizers/synchronizer-ws-client'
import { createWsServer } from 'tinybase/synchronizers/synchronizer-ws-server'
import { deadline } from './common.mjs'
import { edit, fill, hashes } from './tinybase-store.mjs'

const sockets = new WebSocketServer({ host: '127.0.0.1', port: 0 })
createWsServer(sockets)
await once(sockets, 'listening')
const { port } = sockets.address()
const store = createMergeableStore('far')
const synchronizer = await createWsSynchronizer(store,
  new WebSocket(`ws://127.0.0.1:${port}/items`), deadline)

process.on('message', async (asked) => {
  if (asked.fill) fill(store)
  if (asked.edit) edit(store, ...asked.edit)
  // Whoever begins to listen asks first, and waits in vain when nobody is
  // there: so it only answers until the other one has come.
  if (asked.fill) await synchronizer.startAutoSave()
  if (asked.listen) await synchronizer.startAutoLoad()
  process.send(hashes(store))
})
process.on('disconnect', () => process.exit(0))
process.send(port)
