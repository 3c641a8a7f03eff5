// SPDX-License-Identifier: MIT
// Rows of tally and of others on stdin, side by side on stdout. What was
// stopped may have left half a line.
import fs from 'node:fs'

const rows = fs.readFileSync(0, 'utf8').split('\n')
  .filter((line) => line.startsWith('{') && line.endsWith('}'))
  .map((line) => JSON.parse(line))
const ours = rows.filter((row) => row.who === 'tally' && row.workload)
const theirs = rows.filter((row) => row.who !== 'tally' && row.workload)

function stores (row) {
  return [row.a, row.b].filter(Boolean).join(' to ')
}

function number (value, unit) {
  return value === undefined ? '' : `${Number(value.toPrecision(3))}${unit}`
}

function ratio (mine, other) {
  return mine && other ? number(other / mine, '') : ''
}

function spent (row) {
  return row.not_done_after ? `not done after ${row.not_done_after}`
    : number(row.seconds, '')
}

function faster (mine, other) {
  return other.not_done_after
    ? `over ${ratio(mine.seconds, other.not_done_after)}`
    : ratio(mine.seconds, other.seconds)
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
      spent(mine), other.who, spent(other), faster(mine, other),
      number(bytes(mine), ''),
      number(bytes(other), ''), ratio(bytes(mine), bytes(other)),
      number(mine.round_trips, ''), number(other.round_trips, ''),
      number(mine.anonymous && mine.anonymous / 1e6, ''),
      number(other.anonymous && other.anonymous / 1e6, '')])
  }
}
for (const line of lines) console.log(`| ${line.join(' | ')} |`)

let failed = false
for (const row of rows.filter((row) => !row.workload)) {
  console.log(row.failed ? `${row.who} failed, exit ${row.failed}`
    : `${row.who} was not done after ${row.not_done_after} s: rows are missing`)
  failed ||= Boolean(row.failed)
}
process.exit(failed ? 1 : 0)
