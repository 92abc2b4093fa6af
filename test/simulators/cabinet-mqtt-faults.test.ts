import { describe, expect, test } from 'vitest'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import { kindOf } from '../../simulators/cabinet/journal.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { banks, imei, pair, stranger } from './broker.ts'

const ejected = (cab: Cabinet) =>
  cab.journal.entries.filter((entry) => entry.event === 'did' && entry.act === 'ejected')

describe('a command that says when it was given', () => {
  const when = { unixSeconds: 1_790_000_000, ttlSeconds: 15 }
  const late = { unixSeconds: () => when.unixSeconds + 16 }

  test('is obeyed while it holds and dropped afterwards, by serial number and by hole', async () => {
    let now = when.unixSeconds + 15
    const { cab, far } = await pair({ unixSeconds: () => now })
    await cab.loggedIn
    await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! }, when)
    expect(await far.next('eject')).toMatchObject({ ok: true })
    now += 1
    await far.tell({ kind: 'eject', slot: 2, bankId: banks[1]! }, when)
    expect(await far.next('eject')).toMatchObject({ slot: 2, bankId: banks[1], ok: false, result: 0x88 })
    await far.tell({ kind: 'force_eject', slot: 3 }, when)
    expect(await far.next('force_eject')).toMatchObject({ slot: 3, ok: false, result: 0x88 })
    expect(ejected(cab)).toHaveLength(1)
  })

  test('is obeyed however old by firmware that does not look', async () => {
    const { cab, far } = await pair({ ...late, faults: ['ignores-ttl'] })
    await cab.loggedIn
    await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! }, when)
    expect(await far.next('eject')).toMatchObject({ ok: true })
  })

  test('is the only one that firmware which insists on it obeys', async () => {
    const { cab, far } = await pair({ faults: ['wants-timestamp'] })
    await cab.loggedIn
    await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! })
    expect(await far.next('eject')).toMatchObject({ ok: false, result: 0x87 })
    expect(ejected(cab)).toEqual([])
  })
})

test('a redelivered answer comes twice, its mark set, and moved one bank', async () => {
  const { cab, far } = await pair({ faults: ['redelivery'] })
  await cab.loggedIn
  await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! })
  const answers = [await far.frames.next(isEject), await far.frames.next(isEject)]
  expect(answers.map(({ dup }) => dup)).toEqual([false, true])
  expect(answers[1]!.payload).toEqual(answers[0]!.payload)
  expect(ejected(cab)).toHaveLength(1)
  cab.insert(stranger, 6)
  const returns = [await far.next('returned'), await far.next('returned')]
  expect(returns[1]).toEqual(returns[0])
  await cab.next('returned', 0)
})

const isEject = ({ report }: { report: { kind: string } }) => report.kind === 'eject'

test('answers and returns may come twice, with a wrong check byte, with another bank, or not at all', async () => {
  const { cab, far } = await pair({ faults: ['twice'] })
  await cab.loggedIn
  await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! })
  expect(await far.next('eject')).toEqual(await far.next('eject'))
  cab.toggle('twice')
  cab.toggle('bad-checksum')
  cab.insert(stranger, 6)
  const { payload } = await far.frames.next(({ report }) => report.kind === 'returned')
  expect(mqtt.warnings(payload)).toEqual([expect.stringContaining('check byte')])
  cab.toggle('bad-checksum')
  cab.toggle('wrong-id')
  await far.tell({ kind: 'eject', slot: 2, bankId: banks[1]! })
  expect(await far.next('eject')).toMatchObject({ ok: true, bankId: '026EEEE1' })
  cab.toggle('wrong-id')
  cab.toggle('silent')
  await far.tell({ kind: 'eject', slot: 3, bankId: banks[2]! })
  await cab.next('eject', 0)
  expect(ejected(cab)).toHaveLength(2)
})

test('it says over HTTP what it holds after power-on and when told, and with http-return its returns', async () => {
  const { cab, far } = await pair({ uploadSeconds: 0, faults: ['http-return'] })
  await cab.loggedIn
  const [uploadPath] = mqtt.uploadPaths
  const first = await far.call(uploadPath)
  expect(mqtt.readUpload(first.query)).toEqual({ uuid: imei, signal: 'CSQ:27' })
  expect(mqtt.codec().decode(first.body)).toMatchObject({ kind: 'inventory', banks: { length: 3 } })
  await far.say({ cmd: 'upload_all' })
  await far.call(uploadPath)
  cab.insert(stranger, 4)
  const said = await far.call(mqtt.returnPaths[0])
  expect(mqtt.readReturn(said.query)).toEqual({ uuid: imei, bankId: stranger, slot: 4 })
  await cab.upload()
  expect(far.calls.all.every(({ query }) => mqtt.isSigned(query))).toBe(true)
})

test('a cabinet that never hears its heartbeats come back reboots again and again', async () => {
  const { cab, far } = await pair({ heartbeatSeconds: 0.02, faults: ['unheard-echo'] })
  for (let n = 0, since = 0; n < 2; n++)
    since = (await cab.journal.next((entry) => kindOf(entry) === 'restarted', { since })).number + 1
  expect(far.calls.all.length).toBeGreaterThanOrEqual(2)
})
