import { expect, test } from 'vitest'
import { requests, uplinks } from '../../protocol/cabinet-mqtt/index.ts'
import { A, B } from '../../protocol/cabinet-tcp/index.ts'
import { commandWords, reportWords } from '../../protocol/cabinet-words.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { explain } from '../../protocol/explain.ts'
import { definitions } from '../../protocol/terminal-iso8583/index.ts'
import { faultsOf } from '../../protocol/words.ts'
import { encodeManual, spokenIn } from '../../simulators/spoken.ts'

const wordsOf = (dialect: string, from: 'device' | 'server', words: object) =>
  spokenIn(JSON.stringify(words), dialect, from)

test('every example of a terminal is in words that the workbench takes', () => {
  const examples = definitions.flatMap(({ examples }) => examples)
  expect(examples.length).toBeGreaterThan(8)
  for (const example of examples) {
    expect(wordsOf('iso8583', 'device', example.says)).toEqual(example.says)
    if ('command' in example) expect(wordsOf('iso8583', 'server', example.command)).toEqual(example.command)
  }
})

test('what every dialect hears and says of its examples are words that the workbench takes', () => {
  let heard = 0
  const take = (shapes: object, words: { kind: string } & object) => {
    const { kind, ...fields } = JSON.parse(JSON.stringify(words))
    expect(faultsOf(shapes[kind as keyof typeof shapes], fields), kind).toEqual([])
    heard++
  }
  for (const { definitions: all } of [A, B])
    for (const definition of all)
      for (const { body, ...example } of definition.examples) {
        if ('up' in example) take(reportWords, definition.means(body))
        else if (definition.initiator === 'server') take(commandWords, definition.asks(body))
      }
  for (const { examples, means, kinds } of uplinks)
    for (const { body } of kinds.length > 0 ? examples : [])
      try {
        take(reportWords, means(body, 'current'))
      } catch (error) {
        if (!(error instanceof MalformedBody)) throw error
      }
  for (const { examples, asks } of requests)
    for (const { words } of asks ? examples : []) take(commandWords, asks!(words))
  expect(heard).toBeGreaterThan(50)
})

test.each([
  [
    '{"kind":"purchase","stan":"000001"}',
    'iso8583',
    'device',
    'purchase: sentAt, amountMinor, localTime, localDate, entryMode, condition, card are missing',
  ],
  [
    '{"kind":"heartbeat","sentAt":"1128203159","stan":1}',
    'iso8583',
    'device',
    'heartbeat: stan is no text of 6 digits',
  ],
  [
    '{"kind":"heartbeat","sentAt":"2026-11-28T20:31:59Z","stan":"000001"}',
    'iso8583',
    'device',
    'heartbeat: sentAt is no text MMDDhhmmss, in UTC',
  ],
  ['{"kind":"eject","slot":3,"hole":9}', 'B', 'server', 'eject: hole is not known here (slot, [bankId])'],
  ['{"kind":"eject","slot":"3"}', 'B', 'server', 'eject: slot is no whole number'],
  [
    '{"kind":"returned","bank":{"slot":1,"bankid":"00"}}',
    'B',
    'device',
    'returned: bank.bankId is missing; bank.bankid is not known here',
  ],
  ['{"kind":"ejct"}', 'B', 'server', '"kind" of what a server to a cabinet says: eject, '],
  ['{"kind":"__proto__"}', 'mqtt', 'server', '"kind" of what'],
  ['{"kind":', 'B', 'server', 'not JSON: '],
  ['null', 'B', 'server', 'not a JSON object'],
] as const)('%s is refused with the names of its fields', (line, dialect, from, message) => {
  expect(() => spokenIn(line, dialect, from)).toThrow(RangeError)
  expect(() => spokenIn(line, dialect, from)).toThrow(message)
})

test('the help names every word and field', () => {
  for (const word of ['eject', 'bankId', 'purchase', 'amountMinor', 'maintenance_off'])
    expect(encodeManual).toContain(word)
})

test('a bare payload of a terminal is known without being told, each example of it', () => {
  for (const { examples } of definitions)
    for (const { up, down } of examples)
      for (const hex of [up, down]) expect(explain(Buffer.from(hex, 'hex'))).toMatchObject({ dialect: 'iso8583' })
})
