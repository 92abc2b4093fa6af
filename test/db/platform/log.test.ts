import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { jsonLog, type LogOptions } from '../../../db/platform/log.ts'
import { tempDataDir } from '../../postgres.ts'

/** A log into a file, and what it holds. */
function kept(options: LogOptions = {}) {
  const destination = join(tempDataDir(), 'log')
  const text = () => readFileSync(destination, 'utf8')
  return {
    log: jsonLog({ ...options, destination }),
    text,
    lines: () =>
      text()
        .trim()
        .split('\n')
        .map((x) => JSON.parse(x)),
  }
}

test('an event is one line of JSON that says when', () => {
  const { log, lines } = kept()
  log('cabinet.connected', { stationId: 7, address: '10.0.0.1', big: 2n ** 64n })
  log('cabinet.dropped')
  expect(lines()).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      event: 'cabinet.connected',
      stationId: 7,
      address: '10.0.0.1',
      big: '18446744073709551616',
    },
    { level: 'info', time: expect.anything(), event: 'cabinet.dropped' },
  ])
})

test('no secret reaches the log, at the top or inside', () => {
  const { log, text } = kept()
  const hidden = 'hidden-value'
  log('user.created', {
    token: hidden,
    phone: hidden,
    accessToken: hidden,
    station: { key: hidden, apiKey: hidden, pan: hidden, plan: 'basic' },
    headers: [{ authorization: hidden }, { body: { password: hidden, secret: hidden } }],
  })
  expect(text()).not.toContain(hidden)
  expect(text()).toContain('basic')
})

test('an error is told with its code and where it came from', () => {
  const { log, lines } = kept()
  log('report.failed', { error: Object.assign(new Error('away'), { code: 'ECONNREFUSED' }) })
  expect(lines()[0]).toMatchObject({ level: 'error', error: { name: 'Error', message: 'away', code: 'ECONNREFUSED' } })
  expect(lines()[0].error.stack).toContain('log.test.ts')
})

test('a log of errors only keeps only those', () => {
  const { log, lines } = kept({ level: 'error' })
  log('cabinet.connected')
  log('report.failed', { error: new Error('away') })
  expect(lines()).toHaveLength(1)
})
