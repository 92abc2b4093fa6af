import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import { afterEach, describe, expect, test } from 'vitest'
import { open } from '../../protocol/cabinet-tcp/frame.ts'
import { cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { banks, boxId, key, pair, server, stranger, unixSeconds } from './answering-server.ts'

const running: Cabinet[] = []
const start: typeof pair = (...settings) => {
  const made = pair(...settings)
  running.push(made.cab)
  return made
}
afterEach(() => Promise.all(running.splice(0).map((cab) => cab.close())))

const frames = (cab: Cabinet, kind: string) =>
  cab.journal.entries.flatMap((entry) => (entry.event === 'said' && entry.report.kind === kind ? [entry.frame] : []))

describe.each(['A', 'B'] as const)('dialect %s', (dialect) => {
  test('a cabinet logs in, beats, lends and takes back', async () => {
    const { cab, first } = start({ dialect })
    await cab.loggedIn
    expect(cab.online).toBe(true)
    expect(first.greeting).toMatchObject({ dialect, boxId })

    const answered = cab.next('heartbeat')
    cab.heartbeat()
    await answered

    first.tell({ kind: 'eject', slot: 2 })
    expect(await first.next('eject')).toEqual({ kind: 'eject', slot: 2, bankId: banks[1], ok: true, result: 1 })
    first.tell({ kind: 'inventory' })
    expect((await first.next('inventory')).banks.map(({ slot }) => slot)).toEqual([1, 3])

    const taken = cab.next('returned')
    expect(cab.insert(banks[1]!)).toBe(2)
    expect(await taken).toMatchObject({ slot: 2, result: 1 })
    expect((await first.next('returned')).bank).toMatchObject({ slot: 2, bankId: banks[1] })
  })

  test('it answers every command there is', async () => {
    const { first } = start({ dialect })
    await first.next('login')
    const address = { host: '127.0.0.1', port: '9066', heartbeatSeconds: 30 }
    const apn = { index: 1, valid: true, operator: '25001', apn: 'live', user: 'u', password: 'p' }
    first.tell({ kind: 'server_address' })
    expect(await first.next('server_address')).toMatchObject(address)
    first.tell({ kind: 'set_volume', level: 9 })
    expect(await first.next('set_volume')).toMatchObject({ ok: true })
    first.tell({ kind: 'volume' })
    expect(await first.next('volume')).toMatchObject({ level: 9 })
    first.tell({ kind: 'set_apn', ...apn })
    expect(await first.next('set_apn')).toMatchObject({ ok: true })
    first.tell({ kind: 'apn', index: 1 })
    expect(await first.next('apn')).toEqual({ kind: 'apn', ...apn })
    first.tell({ kind: 'iccid' })
    expect((await first.next('iccid')).iccid).toMatch(/^\d{20}$/)
    first.tell({ kind: 'software_version' })
    expect(await first.next('software_version')).toMatchObject({ version: 'V1.0.2' })
    first.tell({ kind: 'force_eject', slot: 1 })
    expect(await first.next('force_eject')).toMatchObject({ slot: 1, bankId: banks[0], ok: true })
  })

  test('an eject of an empty, jammed or missing slot is refused and moves nothing', async () => {
    const { cab, first } = start({ dialect })
    await cab.loggedIn
    cab.jam(1)
    for (const slot of [1, 4, 9]) first.tell({ kind: 'eject', slot })
    expect(await first.next('eject')).toMatchObject({ slot: 1, bankId: banks[0], ok: false, result: 0 })
    expect(await first.next('eject')).toMatchObject({ slot: 4, bankId: null, ok: false })
    expect(await first.next('eject')).toMatchObject({ slot: 9, bankId: null, ok: false })
    expect(cab.box.banks.size).toBe(3)
    expect(cab.journal.entries.filter((entry) => entry.event === 'did' && entry.act === 'ejected')).toEqual([])
  })

  test('a bank pulled by hand is reported, and so is a slot that closed on nothing', async () => {
    const { cab, first } = start({ dialect })
    await cab.loggedIn
    expect(cab.pull(3)).toBe(banks[2])
    expect(await first.next('abnormal')).toEqual({ kind: 'abnormal', event: 1, slot: 3, bankId: banks[2] })
    cab.emptyReturn(4)
    expect(await first.next('abnormal')).toEqual({ kind: 'abnormal', event: 2, slot: 4, bankId: null })
    expect(() => cab.pull(3)).toThrow(RangeError)
  })

  test('a return nobody acknowledged is said again after the next login, and once it is, no more', async () => {
    const { cab, first, redialled } = start({ dialect })
    await cab.loggedIn
    first.answers = false
    cab.insert(stranger)
    await first.next('returned')
    let next = redialled()
    const before = cab.journal.now
    cab.drop()
    const second = await next
    expect((await second.next('returned')).bank).toMatchObject({ slot: 4, bankId: stranger })
    await cab.next('returned', before)
    next = redialled()
    cab.drop()
    const third = await next
    await cab.loggedIn
    third.tell({ kind: 'inventory' })
    await third.next('inventory')
    expect(third.heard.map(({ kind }) => kind)).toEqual(['login', 'inventory'])
  })

  test('a bank put in while the link is down is said at the next login', async () => {
    const { cab, redialled } = start({ dialect })
    await cab.loggedIn
    const next = redialled()
    cab.drop()
    cab.insert(stranger)
    expect((await (await next).next('returned')).bank.bankId).toBe(stranger)
  })

  test('a silent server is dialled anew after the third heartbeat it owes', async () => {
    const { cab, first, redialled } = start({ dialect, server: { heartbeatSeconds: 0.01 } })
    await cab.loggedIn
    const next = redialled()
    first.answers = false
    await next
    const owed = cab.journal.entries.findLast((entry) => entry.event === 'closed')
    expect(owed).toMatchObject({ reason: 'the server is silent' })
    await cab.loggedIn
  })

  test('a probe is answered once, by a server that answers answers too', async () => {
    const { cab, first } = start({ dialect })
    await cab.loggedIn
    const answered = cab.next('heartbeat')
    cab.heartbeat()
    await answered
    const [probe] = frames(cab, 'heartbeat')
    await first.next('heartbeat')
    first.stream.write(probe)
    await first.next('heartbeat')
    first.tell({ kind: 'volume' })
    await first.next('volume')
    expect(frames(cab, 'heartbeat')).toHaveLength(2)
  })

  test('movements are made one after the other, queries in between', async () => {
    const { cab, first } = start({
      dialect,
      on: { eject: (_, usual) => held.promise.then(usual) },
    })
    const held = Promise.withResolvers<void>()
    await cab.loggedIn
    first.tell({ kind: 'eject', slot: 1 })
    first.tell({ kind: 'force_eject', slot: 2 })
    first.tell({ kind: 'inventory' })
    expect((await first.next('inventory')).banks).toHaveLength(3)
    held.resolve()
    await first.next('force_eject')
    expect(first.heard.slice(-2).map(({ kind }) => kind)).toEqual(['eject', 'force_eject'])
  })

  test('a new address is dialled from the next start on', async () => {
    const dialled: string[] = []
    const [one, farOne] = duplexPair()
    const [two, farTwo] = duplexPair()
    const ends = [one, two]
    const cab = cabinet(
      ({ host, port }) => {
        dialled.push(`${host}:${port}`)
        return ends.shift()!
      },
      { dialect, boxId, key, slots: 1, bootSeconds: 0, server: { host: '127.0.0.1', port: '1' } },
    )
    running.push(cab)
    const [first, second] = [server(farOne), server(farTwo)]
    await cab.loggedIn
    first.tell({ kind: 'set_server_address', host: '127.0.0.1', port: '2', heartbeatSeconds: 60 })
    await first.next('set_server_address')
    first.tell({ kind: 'restart' })
    await first.next('restart')
    await second.next('login')
    expect(dialled).toEqual(['127.0.0.1:1', '127.0.0.1:2'])
    expect(cab.box.server.heartbeatSeconds).toBe(60)
  })

  test('a refused login is tried again', async () => {
    const { redialled, cab } = start({ dialect: 'A' }, { accepts: false })
    expect(await (await redialled()).next('login')).toMatchObject({ boxId })
    expect(cab.online).toBe(false)
  })
})

test('a TCP-B login says the time of the answer before, and how long the power is on', async () => {
  const { cab, redialled } = start()
  await cab.loggedIn
  const next = redialled()
  cab.drop()
  await (await next).next('login')
  const said = frames(cab, 'login').map((frame) => open(frame).payload)
  expect(said.map((payload) => payload.readUInt32BE(25))).toEqual([0, unixSeconds])
  expect(said[1]!.readUInt32BE(0)).toBeGreaterThanOrEqual(said[0]!.readUInt32BE(0))
  expect(said[1]!.readUInt32BE(0)).toBeLessThan(60_000)
})

test('a TCP-A cabinet says 55667788 and 11223344 as captured ones do', async () => {
  const { cab } = start({ dialect: 'A' })
  await cab.loggedIn
  const [login] = frames(cab, 'login')
  expect(login?.toString('hex', 5, 13)).toBe('1122334455667788')
})

test('a return is told before the bank has been read, the inventory after', async () => {
  const { cab, first } = start()
  await cab.loggedIn
  cab.insert(stranger, 4, 60)
  expect((await first.next('returned')).bank).toMatchObject({ levelPercent: 0, millivolts: 2010, inserted: false })
  first.tell({ kind: 'inventory' })
  expect((await first.next('inventory')).banks[3]).toMatchObject({ levelPercent: 60, inserted: true, charging: true })
})

test('half open: the old link stays, a second one logs in', async () => {
  const { cab, first, redialled } = start()
  await cab.loggedIn
  const next = redialled()
  cab.halfOpen()
  const second = await next
  await cab.loggedIn
  first.tell({ kind: 'eject', slot: 1 })
  second.tell({ kind: 'inventory' })
  expect((await second.next('inventory')).banks).toHaveLength(3)
  expect(first.stream.destroyed).toBe(false)
  expect(cab.box.banks.size).toBe(3)
})

test('bytes that are no frames end the link, a frame signed with another key does not', async () => {
  const { cab, first, redialled } = start()
  await cab.loggedIn
  const unread = cab.journal.next((entry) => entry.event === 'unreadable')
  first.stream.write(Buffer.from('0007610200DEADBEEF', 'hex'))
  expect(await unread).toMatchObject({ reason: 'bad token' })
  const next = redialled()
  first.stream.write('kjgh\r\n')
  await (await next).next('login')
})

test('a cabinet of one link says so when the login is never answered', async () => {
  const [device, far] = duplexPair()
  const cab = cabinet(device, { dialect: 'B', boxId, key, slots: 4 })
  const waiting = expect(cab.loggedIn).rejects.toThrow('before the login was answered')
  const closed = once(device, 'close')
  far.end()
  await closed
  await waiting
  await cab.close()
})

test('a box that cannot be is refused', () => {
  const [device] = duplexPair()
  const made = (settings: object) => () => cabinet(device, { dialect: 'B', boxId, key, slots: 4, ...settings })
  expect(made({ slots: 0 })).toThrow(RangeError)
  expect(made({ slots: 2, banks })).toThrow('no free slot')
  expect(made({ banks: [banks[0], banks[0]] })).toThrow('already in')
  expect(made({ banks: ['dcha'] })).toThrow('no bank')
  expect(made({ key: undefined })).toThrow('needs its key')
})
