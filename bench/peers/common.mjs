// SPDX-License-Identifier: MIT
// Documents, clocks and rows for all peers.

import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { createRequire } from 'node:module'

export const require = createRequire(import.meta.url)
export const n = Number(process.env.N || 100000)
export const runs = Number(process.env.RUNS || 1)
export const bulk = 1000
export const singles = 200
export const reads = Math.min(n, 10000)
export const lookups = 10000
export const scans = 5

// Seconds that one workload may take.
export const deadline = Number(process.env.DEADLINE || 300)

// The documents of `bench`, one a line.
export const documents = fs.readFileSync(process.env.DOCUMENTS, 'utf8')
  .split('\n').filter(Boolean).slice(0, n).map((line) => JSON.parse(line))

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'tally-peers-'))
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }))

export function folder (name) {
  const made = path.join(scratch, name)
  fs.rmSync(made, { recursive: true, force: true })
  return made
}

export function batches () {
  const made = []
  for (let i = 0; i < documents.length; i += bulk) {
    made.push(documents.slice(i, i + bulk).map((doc) => ({ ...doc })))
  }
  return made
}

// The same ids in the same random order each time.
export function anyIds (count) {
  let state = 7n
  const ids = []
  for (let i = 0; i < count; i++) {
    state = (state * 6364136223846793005n + 1442695040888963407n) &
      0xffffffffffffffffn
    ids.push(documents[Number((state >> 33n) % BigInt(documents.length))]._id)
  }
  return ids
}

export function anyDocument (i) {
  return documents[(i * 7919 + 13) % documents.length]
}

export async function seconds (work) {
  const began = process.hrtime.bigint()
  await work()
  return Number(process.hrtime.bigint() - began) / 1e9
}

export async function cpuSeconds (work) {
  const before = process.cpuUsage()
  await work()
  const used = process.cpuUsage(before)
  return (used.user + used.system) / 1e6
}

export async function median (work) {
  const all = []
  for (let i = 0; i < runs; i++) all.push(await work(i))
  all.sort((a, b) => a - b)
  return all[Math.floor(all.length / 2)]
}

export function version (name) {
  // Not every package lets its package.json be asked for.
  const file = path.join(import.meta.dirname, 'node_modules', name,
    'package.json')
  return JSON.parse(fs.readFileSync(file, 'utf8')).version
}

export function row (who, workload, figures) {
  console.log(JSON.stringify({ who, workload, documents: n, runs, ...figures }))
}

// A row also for work that is not done in time; it is left where it is then,
// and no other can be trusted to be alone.
export async function within (who, workload, work) {
  let timer
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, deadline * 1000, true)
  })
  if (await Promise.race([work(), late])) {
    row(who, workload, { not_done_after: deadline })
    process.exit(0)
  }
  clearTimeout(timer)
}

// ---- what goes over the wire -----------------------------------------------

export const traffic = { sent: 0, received: 0, requests: 0 }

// A port from which all goes on to another one, and is counted.
export async function relay (port) {
  const server = net.createServer((near) => {
    const far = net.connect(port, '127.0.0.1')
    near.on('data', (data) => {
      traffic.sent += data.length
      traffic.requests += (data.toString('latin1')
        .match(/^(GET|PUT|POST|HEAD|DELETE) \S+ HTTP\/1\.1\r$/gm) || []).length
      far.write(data)
    })
    far.on('data', (data) => {
      traffic.received += data.length
      near.write(data)
    })
    for (const [a, b] of [[near, far], [far, near]]) {
      a.on('end', () => b.end())
      a.on('error', () => b.destroy())
    }
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return server.address().port
}
