import { expect, test } from 'vitest'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import { mqttCabinet } from '../../simulators/cabinet/cabinet-mqtt.ts'
import { jsonLine, kindOf } from '../../simulators/cabinet/journal.ts'
import { wireLine } from '../../simulators/cabinet/screen.ts'
import { play, readScript } from '../../simulators/cabinet/script.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { asker, dialer } from '../../simulators/dial.ts'
import { banks, imei, pair, server, stranger } from './broker.ts'

const [connect] = mqtt.connectPaths
const ejected = (cab: Cabinet) =>
  cab.journal.entries.filter((entry) => entry.event === 'did' && entry.act === 'ejected')
/** When that has happened so many times, from the first day on. */
async function times(cab: Cabinet, kind: string, count: number) {
  let since = 0
  for (let n = 0; n < count; n++) since = (await cab.journal.next((one) => kindOf(one) === kind, { since })).number + 1
}

test('a cabinet asks for its broker, logs in, beats, lends by serial number and takes back', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  const { query, body } = await far.call(connect)
  expect(mqtt.readConnect(query)).toEqual({ uuid: imei, deviceId: '0', iccid: cab.box.iccid, mobile: '' })
  expect(mqtt.readVersions(String(body))).toEqual({ hardware: 'V6086', software: '20240904-RBMG-3.0.0.0' })
  expect(cab.online).toBe(true)

  cab.heartbeat()
  await cab.next('heartbeat', 0)

  await far.tell({ kind: 'inventory' })
  expect(await far.next('inventory')).toMatchObject({ slots: 6, banks: banks.map((bankId) => ({ bankId })) })
  await far.tell({ kind: 'eject', slot: 2, bankId: banks[1]! })
  expect(await far.next('eject')).toEqual({ kind: 'eject', slot: 2, bankId: banks[1], ok: true, result: 1 })
  expect([...cab.box.banks.keys()]).toEqual([1, 3])

  expect(cab.insert(banks[1]!, 5, 40)).toBe(5)
  const taken = await far.frames.next(({ report }) => report.kind === 'returned')
  expect(taken).toMatchObject({ qos: 1, dup: false, topic: mqtt.topics(imei).update, payload: { length: 15 } })
  expect(taken.report).toMatchObject({ bank: { slot: 5, bankId: banks[1], levelPercent: 40 } })
  expect(await cab.next('returned', 0)).toMatchObject({ slot: 5, result: 1 })
})

test('the bank is ejected wherever it is now, and one that is not in is refused as not found', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  cab.pull(1)
  cab.insert(banks[0]!, 6)
  await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! })
  expect(await far.next('eject')).toMatchObject({ slot: 6, bankId: banks[0], ok: true })
  await far.tell({ kind: 'eject', slot: 1, bankId: stranger })
  expect(await far.next('eject')).toMatchObject({ slot: 0, bankId: stranger, ok: false, result: 0xfc })
  expect(ejected(cab)).toHaveLength(1)
})

test('a hole is opened by its number, and one that is empty or jammed stays as it is', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  cab.jam(2)
  for (const slot of [1, 2, 4]) await far.tell({ kind: 'force_eject', slot })
  expect(await far.next('force_eject')).toMatchObject({ slot: 1, ok: true, result: 1 })
  expect(await far.next('force_eject')).toMatchObject({ slot: 2, ok: false, result: 0 })
  expect(await far.next('force_eject')).toMatchObject({ slot: 4, ok: false, result: 0 })
  expect([...cab.box.banks.keys()]).toEqual([2, 3])
})

test('what this family has no frame for is done or happens without a word', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  await far.tell({ kind: 'set_volume', level: 9 })
  await cab.next('set_volume', 0)
  cab.pull(3)
  cab.emptyReturn(4)
  expect(await far.next('abnormal')).toEqual({ kind: 'abnormal', event: 2, slot: 4, bankId: null })
  await cab.next('abnormal', 0)
  expect(cab.box.volume).toBe(9)
  expect(far.frames.all).toHaveLength(1)
})

test('with a username and a password it needs nobody to ask', async () => {
  const far = await server()
  const login = { username: 'cabinet', password: far.passwordOf(0) }
  const address = { host: '127.0.0.1', port: `${far.ports.mqtt}` }
  const settings = { boxId: imei, slots: 2, server: address, login }
  const cab = mqttCabinet({ dial: dialer(false), ask: asker(false) }, settings)
  await cab.loggedIn
  expect(far.calls.all).toEqual([])
  expect(far.clients[0]!.id).toBe(imei)
  await expect(cab.upload()).rejects.toThrow(RangeError)
  await cab.close()
})

test('a bootstrap that is refused is asked again', async () => {
  const { cab, far } = await pair()
  far.code = 500
  await cab.journal.next((entry) => entry.event === 'closed', { since: 0 })
  // To a script a refused one did not happen, unless it is asked for.
  await play(cab, readScript('wait bootstrap answer=500'))
  await expect(play(cab, readScript('wait bootstrap within 1ms'))).rejects.toThrow('bootstrap: refused: 500 no')
  far.code = 200
  await play(cab, readScript('wait bootstrap'))
  await cab.loggedIn
  const reasons = cab.journal.entries.flatMap((entry) => (entry.event === 'closed' ? [entry.reason] : []))
  expect(new Set(reasons)).toEqual(new Set(['bootstrap: refused: 500 no']))
})

test('a link that breaks is dialled again with the same password, and one that no longer fits is asked anew', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  cab.drop()
  await times(cab, 'login', 4)
  expect(far.calls.all).toHaveLength(1)
  far.revoke()
  const since = cab.journal.now
  cab.drop()
  await cab.journal.next((entry) => entry.event === 'closed' && /refused/.test(entry.reason), { since })
  await cab.next('login', since)
  expect(far.calls.all).toHaveLength(2)
})

test('a reboot begins with asking for the broker, by command or by hand', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  let since = cab.journal.now
  await far.tell({ kind: 'restart' })
  await cab.next('login', since)
  since = cab.journal.now
  cab.restart()
  await cab.next('login', since)
  expect(far.calls.all.map(({ path }) => path)).toEqual([connect, connect, connect])
  expect(cab.journal.entries.filter((entry) => kindOf(entry) === 'restarted')).toHaveLength(2)
})

test('after two heartbeats that did not come back it reboots', async () => {
  const { cab, far } = await pair({ heartbeatSeconds: 0.02 })
  await times(cab, 'heartbeat', 4)
  far.echoes = false
  const { number: since } = await cab.journal.next((entry) => kindOf(entry) === 'restarted')
  far.echoes = true
  await cab.next('login', since)
  expect(far.calls.all).toHaveLength(2)
})

test('old firmware asks elsewhere, tells the five fullest banks unless asked for all, and says a board for a hole', async () => {
  const seven = [...banks, '026ED583', '026ED584', '026ED585', '026ED586']
  const { cab, far } = await pair({ firmware: 'old', holesPerBoard: 4, slots: 8, banks: seven, returnFrameBytes: 13 })
  await cab.loggedIn
  await far.call(mqtt.connectPaths[1])
  const emptiest = [...cab.box.banks.values()].toSorted((one, other) => one.levelPercent! - other.levelPercent!)
  await far.tell({ kind: 'eject', slot: 6, bankId: seven[5]! })
  expect(await far.next('eject')).toMatchObject({ slot: 2, bankId: seven[5], ok: true })
  cab.insert(seven[5]!, 6)
  expect((await far.frames.next(({ report }) => report.kind === 'returned')).payload).toHaveLength(13)
  await far.say({ cmd: 'check_all' })
  expect((await far.next('inventory')).banks).toHaveLength(7)
  const since = cab.journal.now
  await far.say({ cmd: 'check' })
  const told = await cab.said('inventory', since)
  expect(told.banks).toHaveLength(5)
  expect(told.slots).toBeUndefined()
  // Its holes do not run on from 1, so nobody takes it for the whole.
  cab.heartbeat()
  await cab.next('heartbeat', since)
  expect(far.malformed).toHaveLength(1)
  expect(told.banks).not.toContainEqual(expect.objectContaining({ bankId: emptiest[0]!.bankId }))
})

test.for([false, true])(
  'a return nobody acknowledged is said again until somebody does; marked: %s',
  async (isPersistent) => {
    const { cab, far } = await pair({ isPersistent })
    await cab.loggedIn
    far.acknowledges = false
    cab.insert(stranger)
    await far.next('returned')
    far.acknowledges = true
    cab.drop()
    const again = await far.frames.next(({ report }) => report.kind === 'returned')
    expect(again.dup).toBe(isPersistent)
    await cab.next('returned', 0)
    const since = cab.journal.now
    cab.drop()
    await cab.next('login', since)
    cab.heartbeat()
    await cab.next('heartbeat', since)
    expect(far.frames.all.filter(({ report }) => report.kind === 'returned')).toHaveLength(2)
  },
)

test('a persistent session brings what was said while the cabinet was away, a clean one does not', async () => {
  for (const isPersistent of [true, false]) {
    const { cab, far } = await pair({ isPersistent, redialSeconds: 0.2 })
    await cab.loggedIn
    cab.drop()
    await cab.journal.next((entry) => entry.event === 'closed')
    await far.tell({ kind: 'set_volume', level: 12 })
    const since = cab.journal.now
    await cab.next('login', since)
    cab.heartbeat()
    await cab.next('heartbeat', since)
    expect(cab.box.volume).toBe(isPersistent ? 12 : 5)
    await cab.close()
  }
})

test('a half-open link gives way to another at the broker', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  const since = cab.journal.now
  cab.halfOpen()
  await cab.next('login', since)
  expect(far.clients).toHaveLength(2)
  await far.tell({ kind: 'inventory' })
  await far.next('inventory')
})

test('what is no command is kept as unreadable, and what we have no word for is told', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  await far.say({ cmd: 'dance' })
  await far.say({ cmd: 'popup', data: 'three', io: '0' })
  await times(cab, 'unreadable', 2)
  await far.say({ cmd: 'load_ad' })
  await times(cab, 'load_ad', 1)
  expect(cab.box.banks.size).toBe(3)
})

test('every frame is a line in words, banks by their serial numbers', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  await far.tell({ kind: 'eject', slot: 1, bankId: banks[0]! })
  await far.next('eject')
  cab.heartbeat()
  await cab.next('heartbeat', 0)
  await far.say({ cmd: 'load_ad' })
  await times(cab, 'load_ad', 1)
  const text = cab.journal.entries.map((entry) => wireLine(entry, { dialect: 'mqtt' })).join('\n')
  for (const part of [
    'bootstrap over HTTP: 200',
    '← popup_sn',
    '40818048',
    '→ 0x31 popup_sn_result',
    '← 0x7A',
    'load_ad',
  ])
    expect(text.replace(/ {2,}/g, ' ')).toContain(part)
})

test('no password is in the journal, in lines of JSON or in words', async () => {
  const { cab, far } = await pair()
  await cab.loggedIn
  await far.say({ cmd: 'setWifi', username: 'Cafe', password: 'network-secret' })
  await times(cab, 'setWifi', 1)
  const text = cab.journal.entries.map((entry) => jsonLine(entry) + wireLine(entry, { dialect: 'mqtt' })).join()
  expect(text).toContain('setWifi')
  for (const secret of [
    far.passwordOf(1),
    'network-secret',
    Buffer.from('network-secret').toString('hex').toUpperCase(),
  ])
    expect(text).not.toContain(secret)
})

test('a cabinet that cannot be is refused', () => {
  const doors = { dial: dialer(false), ask: asker(false) }
  const box = { boxId: imei, slots: 2 }
  expect(() => mqttCabinet(doors, { ...box, boxId: 'SIM0000000000001' })).toThrow(RangeError)
  expect(() => mqttCabinet(doors, { ...box, banks: ['4443484154000016'] })).toThrow('no bank of this kind')
  expect(() => mqttCabinet(doors, { ...box, faults: ['bad-token'] })).toThrow('a fault of TCP')
  expect(() => mqttCabinet({ dial: doors.dial }, box)).toThrow('HTTP or a login')
})
