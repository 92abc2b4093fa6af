import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { type CabinetSettings, cabinet } from '../../simulators/cabinet/cabinet-tcp.ts'
import { type FaultWish, faultNames } from '../../simulators/cabinet/faults.ts'
import { dialer } from '../../simulators/dial.ts'
import { banks, boxId, key, type Server, server, stranger } from './answering-server.ts'

// What each fault of the slots and of the metal puts on a TCP wire, from real sockets.

const [one, two, three] = banks as [string, string, string]

/** Time that passes when a test says so. */
function patience() {
  const waits: { milliseconds: number; over(): void }[] = []
  let begun = Promise.withResolvers<void>()
  return {
    wait: (milliseconds: number) =>
      new Promise<void>((over) => {
        waits.push({ milliseconds, over })
        begun.resolve()
      }),
    /** Resolves with how long is waited for, once something is; and lets that time pass. */
    async pass(): Promise<number> {
      while (waits.length === 0) {
        await begun.promise
        begun = Promise.withResolvers()
      }
      const { milliseconds, over } = waits.shift()!
      over()
      return milliseconds
    },
  }
}

/** A cabinet of four slots with three banks that has dialled a socket. */
async function wired(faults: FaultWish[], settings: Partial<CabinetSettings> = {}) {
  const links: Server[] = []
  const arrivals: ((link: Server) => void)[] = []
  const door = createServer({ noDelay: true }, (stream) => {
    const link = server(stream)
    links.push(link)
    arrivals.shift()?.(link)
  }).listen(0, '127.0.0.1')
  await once(door, 'listening')
  const time = patience()
  const cab = cabinet(dialer(false), {
    dialect: 'B',
    boxId,
    key,
    slots: 4,
    banks,
    redialSeconds: 0,
    bootSeconds: 0,
    wait: time.wait,
    faults,
    server: { host: '127.0.0.1', port: `${(door.address() as AddressInfo).port}`, heartbeatSeconds: 30 },
    ...settings,
  })
  onTestFinished(async () => {
    await cab.close()
    door.close()
  })
  await cab.loggedIn
  const link = links[0]!
  return {
    cab,
    link,
    time,
    /** The link that is dialled next. */
    redialled: () => new Promise<Server>((resolve) => arrivals.push(resolve)),
    /** The payload of the next list. */
    async listed(from: Server = link) {
      from.tell({ kind: 'inventory' })
      await from.next('inventory')
      return from.payloads.at(-1)!
    },
  }
}

const gone = (slot: number) => (entry: { event: string }) =>
  entry.event === 'did' && 'act' in entry && entry.act === 'ejected' && 'slot' in entry && entry.slot === slot

const record = (slot: number, bankId: string) => `0${slot}${bankId}`
/** Level, millivolts, milliamps, degrees, status, state of health of what was not read: inserted, locked, faulty. */
const notRead = '0000000000..E064'
const [zeros, ones] = ['0'.repeat(16), 'F'.repeat(16)]

test('unreadable: a record names nobody, zeros in one list and ones in the next, and its slot is inserted and locked', async () => {
  const { cab, link, listed } = await wired(['unreadable=2'])
  const [login, next] = [link.payloads[0]!, await listed()]
  expect(login).toMatch(new RegExp(record(2, zeros) + notRead))
  expect(next.slice(0, 4 + 34 + 34)).toMatch(new RegExp(`^0403${record(1, one)}.{16}${record(2, ones)}${notRead}$`))
  cab.pull(2)
  cab.insert(stranger, 2)
  await link.next('abnormal')
  expect(link.payloads.at(-1)).toMatch(new RegExp(`^${record(2, zeros)}`))
})

test('unreadable: a record of TCP-A is a slot, an id and bars', async () => {
  const { listed } = await wired(['unreadable'], { dialect: 'A' })
  expect(await listed()).toMatch(new RegExp(`^03${record(1, ones)}00${record(2, two)}`))
  expect(await listed()).toMatch(new RegExp(`^03${record(1, zeros)}00`))
})

test('jam-unreadable: the eject is refused, and from then on the slot is one that is not read', async () => {
  const { link, listed, cab } = await wired(['jam-unreadable'])
  expect(link.payloads[0]).toContain(record(1, one))
  link.tell({ kind: 'eject', slot: 1 })
  await link.next('eject')
  expect(link.payloads.at(-1)).toBe(`0100${one}010000`)
  expect(await listed()).toMatch(new RegExp(`^0403${record(1, ones)}${notRead}`))
  expect(cab.box.banks.size).toBe(3)
})

test('slow-customer: success is said at once, the bank is listed unlocked, and gone later', async () => {
  const { cab, link, listed, time } = await wired(['slow-customer=30s'])
  link.tell({ kind: 'eject', slot: 1 })
  expect(await link.next('eject')).toMatchObject({ ok: true, bankId: one })
  expect(link.payloads.at(-1)).toBe(`0101${one}010000`)
  const unlocked = '80'
  expect((await listed()).slice(4)).toMatch(new RegExp(`^${record(1, one)}.{12}${unlocked}64`))
  const taken = cab.journal.next(gone(1))
  expect(await time.pass()).toBe(30_000)
  await taken
  expect(await listed()).not.toContain(one)
})

test('not-taken: success is said, and the bank stays where it is', async () => {
  const { link, listed } = await wired(['not-taken'])
  link.tell({ kind: 'force_eject', slot: 1 })
  expect(await link.next('force_eject')).toMatchObject({ ok: true, bankId: one })
  expect(await listed()).toContain(record(1, one))
})

test('wrong-bank: the answer has the slot that was asked for, and the bank that went out of another', async () => {
  const { cab, link } = await wired(['wrong-bank'])
  link.tell({ kind: 'eject', slot: 1 })
  await link.next('eject')
  expect(link.payloads.at(-1)).toBe(`0101${two}010000`)
  expect(cab.box.gone).toEqual([two])
})

test('obey-late: nothing moves and nothing is said until long after', async () => {
  const { cab, link, time } = await wired(['obey-late=1m'])
  const heard = cab.next('eject')
  link.tell({ kind: 'eject', slot: 1 })
  await heard
  expect(cab.box.banks.size).toBe(3)
  expect(link.payloads).toHaveLength(1)
  expect(await time.pass()).toBe(60_000)
  expect(await link.next('eject')).toMatchObject({ slot: 1, ok: true })
})

test('stall-down: from an eject on nothing comes down, heartbeats go up, and then all of it is obeyed in its order', async () => {
  const { cab, link, time } = await wired(['stall-down'])
  link.tell({ kind: 'eject', slot: 1 })
  link.tell({ kind: 'inventory' })
  cab.heartbeat()
  await link.next('heartbeat')
  expect(link.heard.map(({ kind }) => kind)).toEqual(['login', 'heartbeat'])
  expect(await time.pass()).toBe(40_000)
  await link.next('inventory')
  expect(link.heard.slice(2).map(({ kind }) => kind)).toContain('eject')
  expect(cab.box.gone).toEqual([one])
})

test('stall-down: what a reset overtakes is never obeyed', async () => {
  const { cab, link, time, redialled } = await wired(['stall-down'])
  const next = redialled()
  link.tell({ kind: 'eject', slot: 1 })
  cab.heartbeat()
  await link.next('heartbeat')
  // A socket of its own kind, from createServer.
  ;(link.stream as Socket).resetAndDestroy()
  const second = await next
  await second.next('login')
  await time.pass()
  second.tell({ kind: 'inventory' })
  expect((await second.next('inventory')).banks).toHaveLength(3)
  expect(cab.journal.entries.some((entry) => entry.event === 'heard' && entry.words.kind === 'eject')).toBe(false)
})

test('answer-again: the same bytes, later', async () => {
  const { link, time } = await wired(['answer-again=1h'])
  link.tell({ kind: 'eject', slot: 1 })
  await link.next('eject')
  expect(await time.pass()).toBe(3_600_000)
  await link.next('eject')
  expect(link.payloads.at(-1)).toBe(link.payloads.at(-2))
})

test('return-again: the same bytes, later, though it was acknowledged', async () => {
  const { cab, link, time } = await wired(['return-again=20m'])
  cab.insert(stranger, 4)
  await cab.next('returned', 0)
  await link.next('returned')
  expect(await time.pass()).toBe(1_200_000)
  await link.next('returned')
  expect(link.payloads.at(-1)).toBe(link.payloads.at(-2))
})

test('odd-return: a byte more than is known, with the right checksum and token', async () => {
  const { cab, link } = await wired(['odd-return'])
  const refused = link.refusal()
  cab.insert(stranger, 4)
  expect(await refused).not.toMatch(/checksum|token/)
  expect(link.payloads.at(-1)).toMatch(new RegExp(`^${record(4, stranger)}.{16}00$`))
})

test('twin: a bank that is elsewhere is listed in the last free slot', async () => {
  const { listed } = await wired([`twin=${stranger}`])
  expect(await listed()).toContain(record(4, stranger))
})

test('one-bad-list: one list calls every bank faulty, the next none', async () => {
  const { link } = await wired(['one-bad-list'])
  const errors = async () => {
    link.tell({ kind: 'inventory' })
    return (await link.next('inventory')).banks.map(({ faults }) => faults?.bank)
  }
  expect(await errors()).toEqual([true, true, true])
  expect(await errors()).toEqual([false, false, false])
})

test('slot-zero: lists, answers and returns count from 0, and so do commands and acknowledgements', async () => {
  const { cab, link, listed } = await wired(['slot-zero'])
  expect(await listed()).toContain(`0403${record(0, one)}`)
  link.tell({ kind: 'eject', slot: 1 })
  expect(await link.next('eject')).toMatchObject({ slot: 1, bankId: two, ok: true })
  expect(cab.box.gone).toEqual([two])
  cab.insert(stranger, 4)
  await link.next('returned')
  expect(link.payloads.at(-1)).toMatch(new RegExp(`^${record(3, stranger)}`))
})

test('beyond-declared: fewer slots are said than are listed', async () => {
  const { link, listed } = await wired(['beyond-declared=2'])
  expect(link.payloads[0]).toContain(`0203${record(1, one)}`)
  expect(await listed()).toMatch(new RegExp(`^0203.*${record(3, three)}`))
})

test('replaced: other metal logs in, with other banks', async () => {
  const { cab, redialled } = await wired([])
  const next = redialled()
  cab.toggle('replaced=DCHEY02504000099')
  const login = await (await next).next('login')
  expect(login).toMatchObject({ boxId: 'DCHEY02504000099', banks: { length: 3 } })
  for (const { bankId } of login.banks!) expect(banks).not.toContain(bankId)
})

test('a fault takes a value only where it says so, and one that it can read', async () => {
  const { cab } = await wired([])
  for (const wish of ['jam=3', 'slow-customer=soon', 'unreadable=0', 'twin=nobody', 'retained'] as const)
    expect(() => cab.toggle(wish)).toThrow(RangeError)
  expect(cab.faults).toEqual([])
})

test('every fault is tried on a wire', () => {
  const files = ['faults', 'fault-bytes', 'cabinet-mqtt-faults', 'mqtt-fault-bytes']
  const texts = files.map((name) => readFileSync(new URL(`${name}.test.ts`, import.meta.url), 'utf8')).join('\n')
  expect(faultNames.filter((name) => !new RegExp(`['"\`]${name}['":=]`).test(texts))).toEqual([])
})
