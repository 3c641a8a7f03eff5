// SPDX-License-Identifier: MIT
// Rows of tally and of others on stdin, side by side on stdout.
import fs from 'node:fs'

const rows = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean)
  .map((line) => JSON.parse(line))
const ours = rows.filter((row) => row.who === 'tally')
const theirs = rows.filter((row) => row.who !== 'tally')

function stores (row) {
  return [row.a, row.b].filter(Boolean).join(' to ')
}

function number (value, unit) {
  return value === undefined ? '' : `${Number(value.toPrecision(3))}${unit}`
}

function ratio (mine, other) {
  return mine && other ? number(other / mine, '') : ''
}

function bytes (row) {
  return row.bytes_sent === undefined ? undefined
    : row.bytes_sent + row.bytes_received
}

const lines = [['workload', 'documents', 'tally', 's', 'peer', 's', 'ratio',
  'bytes', 'peer bytes', 'ratio', 'trips', 'peer trips', 'MB', 'peer MB']]
for (const mine of ours) {
  for (const other of theirs) {
    if (other.workload !== mine.workload ||
        other.documents !== mine.documents) {
      if (mine.workload !== 'single-put' || other.workload !== 'single-put') {
        continue
      }
    }
    lines.push([mine.workload, String(other.documents), stores(mine),
      number(mine.seconds, ''), other.who, number(other.seconds, ''),
      ratio(mine.seconds, other.seconds), number(bytes(mine), ''),
      number(bytes(other), ''), ratio(bytes(mine), bytes(other)),
      number(mine.round_trips, ''), number(other.round_trips, ''),
      number(mine.anonymous && mine.anonymous / 1e6, ''),
      number(other.anonymous && other.anonymous / 1e6, '')])
  }
}
for (const line of lines) console.log(`| ${line.join(' | ')} |`)
