import { afterEach, expect, test } from 'vitest'
import type { CabinetSettings } from '../../simulators/cabinet/cabinet-tcp.ts'
import type { FaultName, FaultWish } from '../../simulators/cabinet/faults.ts'
import type { Cabinet } from '../../simulators/cabinet/simulated-cabinet.ts'
import { banks, pair, stranger } from './answering-server.ts'

const running: Cabinet[] = []
afterEach(() => Promise.all(running.splice(0).map((cab) => cab.close())))

const promise = (fault: FaultName, name: string, work: () => Promise<void>) => {
  test(`${fault}: ${name}`, work)
}
async function start(fault: FaultWish, settings: Partial<CabinetSettings> = {}) {
  const made = pair({ faults: [fault], ...settings })
  running.push(made.cab)
  await made.cab.loggedIn
  return made
}
const ejected = (cab: Cabinet) =>
  cab.journal.entries.filter((entry) => entry.event === 'did' && entry.act === 'ejected').length

promise('silent', 'a command is heard, nothing moves, nothing is said', async () => {
  const { cab, first } = await start('silent')
  const asked = cab.next('eject')
  first.tell({ kind: 'eject', slot: 1 })
  await asked
  cab.insert(stranger)
  await first.next('returned')
  expect(first.heard.map(({ kind }) => kind)).toEqual(['login', 'returned'])
  expect(cab.box.banks.has(1)).toBe(true)
})

promise('mute', 'the bank goes out and nobody is told', async () => {
  const { cab, first } = await start('mute')
  first.tell({ kind: 'eject', slot: 1 })
  await cab.journal.next((entry) => entry.event === 'did' && entry.act === 'ejected')
  cab.insert(stranger)
  await first.next('returned')
  expect(first.heard.map(({ kind }) => kind)).toEqual(['login', 'returned'])
})

promise('late', 'the bank goes out at once and the answer comes after the server has given up', async () => {
  const waited = Promise.withResolvers<number>()
  const later = Promise.withResolvers<void>()
  const wait = (milliseconds: number) => {
    waited.resolve(milliseconds)
    return later.promise
  }
  const { cab, first } = await start('late', { wait })
  first.tell({ kind: 'eject', slot: 1 })
  expect(await waited.promise).toBeGreaterThan(15_000)
  expect(ejected(cab)).toBe(1)
  expect(first.heard).toHaveLength(1)
  later.resolve()
  expect(await first.next('eject')).toMatchObject({ slot: 1, ok: true })
})

promise('twice', 'what was done once is said twice', async () => {
  const { cab, first } = await start('twice')
  first.tell({ kind: 'eject', slot: 1 })
  expect(await first.next('eject')).toEqual(await first.next('eject'))
  cab.insert(stranger)
  expect(await first.next('returned')).toEqual(await first.next('returned'))
  expect(ejected(cab)).toBe(1)
})

promise('wrong-id', 'the right bank goes out under a name that is not in the cabinet', async () => {
  const { cab, first } = await start('wrong-id')
  first.tell({ kind: 'eject', slot: 1 })
  const { ok, bankId } = await first.next('eject')
  expect(ok).toBe(true)
  expect(banks).not.toContain(bankId)
  expect(cab.box.gone).toEqual([banks[0]])
})

promise('half-frame', 'a return breaks off, the link hangs, and after the next login it comes whole', async () => {
  const { cab, first, redialled } = await start('half-frame')
  cab.insert(stranger)
  cab.heartbeat()
  const next = redialled()
  cab.drop()
  const second = await next
  expect((await second.next('returned')).bank.bankId).toBe(stranger)
  expect(first.reads.at(-1)).toBe(0)
  expect(first.heard.map(({ kind }) => kind)).toEqual(['login'])
})

promise('bad-checksum', 'answers cannot be read, login and heartbeat can', async () => {
  const { cab, first } = await start('bad-checksum')
  const refused = first.refusal()
  first.tell({ kind: 'inventory' })
  expect(await refused).toBe('bad checksum')
  cab.heartbeat()
  await first.next('heartbeat')
})

promise('bad-token', 'answers are not believed, login and heartbeat are', async () => {
  const { cab, first } = await start('bad-token')
  const refused = first.refusal()
  first.tell({ kind: 'inventory' })
  expect(await refused).toBe('bad token')
  cab.heartbeat()
  await first.next('heartbeat')
})

promise('glued', 'a return, an inventory and a heartbeat come in one read', async () => {
  const { cab, first } = await start('glued')
  cab.insert(stranger)
  await first.next('heartbeat')
  expect(first.heard.map(({ kind }) => kind)).toEqual(['login', 'returned', 'inventory', 'heartbeat'])
  expect(first.reads).toEqual([1, 3])
})

promise('jam', 'an eject is refused and the bank stays', async () => {
  const { cab, first } = await start('jam')
  first.tell({ kind: 'eject', slot: 1 })
  expect(await first.next('eject')).toEqual({ kind: 'eject', slot: 1, bankId: banks[0], ok: false, result: 0 })
  first.tell({ kind: 'force_eject', slot: 4 })
  expect(await first.next('force_eject')).toMatchObject({ slot: 4, bankId: null, ok: false })
  expect(cab.box.banks.size).toBe(3)
})

promise('drop-after-command', 'the bank is out, the answer is lost, the next login tells', async () => {
  const { cab, first, redialled } = await start('drop-after-command')
  const next = redialled()
  first.tell({ kind: 'eject', slot: 1 })
  const login = await (await next).next('login')
  expect(login.banks?.map(({ slot }) => slot)).toEqual([2, 3])
  expect(first.heard.map(({ kind }) => kind)).toEqual(['login'])
  expect(ejected(cab)).toBe(1)
})

promise('flap', 'every link ends after the third frame behind its login', async () => {
  const { cab, first, redialled } = await start('flap')
  const next = redialled()
  for (const slot of [1, 2]) first.tell({ kind: 'eject', slot })
  cab.heartbeat()
  const second = await next
  await second.next('login')
  expect(first.heard.map(({ kind }) => kind).sort()).toEqual(['eject', 'eject', 'heartbeat', 'login'])
})

test('a fault is turned on and off while the cabinet runs', async () => {
  const { cab, first } = await start('silent')
  cab.toggle('silent')
  expect(cab.faults).toEqual([])
  first.tell({ kind: 'eject', slot: 1 })
  expect(await first.next('eject')).toMatchObject({ ok: true })
  cab.toggle('jam')
  first.tell({ kind: 'eject', slot: 2 })
  expect(await first.next('eject')).toMatchObject({ ok: false })
})

test("a test's own behaviour goes in front of faults and may call them", async () => {
  const { first } = await start('jam', { on: { eject: ({ slot }, usual) => (slot === 1 ? undefined : usual()) } })
  for (const slot of [1, 2]) first.tell({ kind: 'eject', slot })
  expect(await first.next('eject')).toMatchObject({ slot: 2, ok: false })
})

promise('redelivery', 'an answer is said again after the link it was lost with, and moved one bank', async () => {
  const { cab, first, redialled } = await start('redelivery')
  let next = redialled()
  first.tell({ kind: 'eject', slot: 1 })
  const answer = await first.next('eject')
  const second = await next
  expect(await second.next('eject')).toEqual(answer)
  expect(ejected(cab)).toBe(1)
  next = redialled()
  // In memory an acknowledgement would be there before the link is gone.
  second.answers = false
  cab.insert(stranger)
  expect(await (await next).next('returned')).toEqual(await second.next('returned'))
})
