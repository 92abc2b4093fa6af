import { expect, test } from 'vitest'
import { demoTerminals } from '../../simulators/demo/demo-terminals.ts'
import { key, terminalCode } from '../protocol/terminal-stage.ts'
import { tcpHost } from './terminal-host.ts'

const declinedEnding = 51

test('a terminal of the demo sells, is declined now and then, takes back and settles', async () => {
  const isDeclined = (amountMinor: number) => amountMinor % 100 === declinedEnding
  const far = await tcpHost((report) =>
    report.kind === 'purchase' && isDeclined(report.amountMinor) ? { kind: 'answered', code: '51' } : undefined,
  )
  const terminals = [{ terminalCode, key }]
  const shops = demoTerminals({ host: '127.0.0.1', port: far.port, terminals, pauseSeconds: [0.005, 0.01] })
  const [one] = shops.terminals
  const { journal } = one!
  const did = (act: string) => journal.next((entry) => entry.event === 'did' && entry.act === act, { since: 0 })
  await Promise.all(['approved', 'declined', 'reversed', 'settled'].map(did))
  await shops.close()
  const heard = far.heard.length
  expect(far.heard[0]).toMatchObject({ kind: 'login', terminalCode })
  await new Promise((turn) => setImmediate(turn))
  expect(far.heard).toHaveLength(heard)
})

test('a terminal of the demo that stands beside a cabinet takes deposits, and nothing else', async () => {
  const far = await tcpHost()
  const terminals = [{ terminalCode, key, depositMinor: 200_000 }]
  const shops = demoTerminals({ host: '127.0.0.1', port: far.port, terminals, pauseSeconds: [0.005, 0.01] })
  const { journal, till } = shops.terminals[0]!
  await journal.next(() => till.sales.filter(({ state }) => state === 'held').length === 3, { since: 0 })
  await shops.close()
  expect(new Set(till.sales.map(({ kind, amountMinor }) => `${kind} ${amountMinor}`))).toEqual(
    new Set(['authorisation 200000']),
  )
})

test('terminals of the demo dial nobody else', () => {
  const terminals = [{ terminalCode, key: 'short' }]
  expect(() => demoTerminals({ host: '127.0.0.1', port: 1, terminals })).toThrow('64 hex digits')
})
