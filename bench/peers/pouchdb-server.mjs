// SPDX-License-Identifier: MIT
// express-pouchdb over a LevelDB folder; says its port.
import { require } from './common.mjs'

const express = require('express')
const PouchDB = require('pouchdb')
const app = express()
const options = { mode: 'minimumForPouchDB', inMemoryConfig: true }

app.use('/', require('express-pouchdb')(
  PouchDB.defaults({ prefix: process.argv[2] + '/' }), options))
const server = app.listen(0, '127.0.0.1', () => {
  console.log(server.address().port)
})
