import { expect, test } from 'vitest'
import { banks, pair, stranger } from './broker.ts'

// What each fault of the slots and of the metal puts on a broker, in bytes: the command and its data.

const [one, two] = banks as [string, string]
type Far = Awaited<ReturnType<typeof pair>>['far']

/** The frame of the next answer to `check`, in hex. */
async function listed(far: Far): Promise<string> {
  const before = far.payloads.length
  await far.say({ cmd: 'check' })
  await expect.poll(() => far.payloads.length).toBeGreaterThan(before)
  return far.payloads.at(-1)!
}

/** The 15 bytes of a hole in a list with one board. */
const holeOf = (list: string, hole: number) => list.slice(2 + 12 + (hole - 1) * 30, 2 + 12 + hole * 30)

async function faulty(...faults: NonNullable<Parameters<typeof pair>[0]>['faults'] & object) {
  const made = await pair({ faults })
  await made.cab.loggedIn
  return made
}

test('unreadable: no serial number in one list, all ones in the next, in a hole that is silent and pressed', async () => {
  const { far, cab } = await faulty('unreadable')
  expect(holeOf(await listed(far), 1)).toBe('010300000000000000FFFF00001900')
  expect(holeOf(await listed(far), 1)).toBe('0103000000FFFFFFFFFFFF00001900')
  await cab.upload()
  expect(far.calls.all.at(-1)!.body.toString('hex')).toContain('010300000000000000ffff00001900')
  expect(holeOf(await listed(far), 5)).toBe('050000000000000000000100000080')
  cab.pull(1)
  cab.insert(stranger, 1)
  await far.next('abnormal')
  expect(far.payloads.at(-1)).toBe('4001010400000000' + '1119FF')
})

test('jam-unreadable: "cannot pop", and from then on a hole that is stuck and not read', async () => {
  const { far } = await faulty('jam-unreadable')
  expect(holeOf(await listed(far), 1)).toContain(one)
  await far.tell({ kind: 'eject', slot: 1, bankId: one })
  await far.next('eject')
  expect(far.payloads.at(-1)).toBe(`3101${one}0400`)
  expect(holeOf(await listed(far), 1)).toMatch(/^01040000000{8}|^0104000000F{8}/)
})

test('slow-customer and still-readable: success or state 0x12, and the bank is in its hole until it is taken', async () => {
  for (const [fault, state] of [
    ['slow-customer=50ms', '01'],
    ['still-readable=50ms', '12'],
  ] as const) {
    const { far, cab } = await faulty(fault)
    const taken = cab.journal.next((entry) => entry.event === 'did' && entry.act === 'ejected')
    await far.tell({ kind: 'eject', slot: 1, bankId: one })
    await far.next('eject')
    expect(far.payloads.at(-1)).toBe(`3101${one}${state}00`)
    await taken
    expect(holeOf(await listed(far), 1)).toBe('010000000000000000000100000080')
  }
})

test('wrong-bank: another hole opens, and it and its bank are named', async () => {
  const { far, cab } = await faulty('wrong-bank')
  await far.tell({ kind: 'eject', slot: 1, bankId: one })
  await far.next('eject')
  expect(far.payloads.at(-1)).toBe(`3102${two}0100`)
  expect(cab.box.gone).toEqual([two])
})

test('stall-down: an eject and what comes behind it are obeyed late, in their order', async () => {
  const { far, cab } = await faulty('stall-down=50ms')
  await far.tell({ kind: 'eject', slot: 1, bankId: one })
  cab.heartbeat()
  await far.next('heartbeat')
  expect(far.payloads.at(-1)).toMatch(/^7A/)
  expect(await far.next('eject')).toMatchObject({ ok: true })
})

test('answer-again and return-again: the same bytes once more', async () => {
  const { far, cab } = await faulty('answer-again=10ms', 'return-again=10ms')
  await far.tell({ kind: 'eject', slot: 1, bankId: one })
  expect(await far.next('eject')).toEqual(await far.next('eject'))
  cab.insert(stranger, 6)
  expect(await far.next('returned')).toEqual(await far.next('returned'))
  expect(far.payloads.at(-1)).toBe(far.payloads.at(-2))
})

test('odd-return: a byte more than is known, its length and check byte right', async () => {
  const { far, cab } = await faulty('odd-return')
  cab.insert(stranger, 6)
  await cab.next('returned', 0)
  expect(far.payloads.at(-1)).toBe(`40010604${stranger}01196400`)
  expect(far.malformed).toHaveLength(1)
})

test('twin: a bank that is elsewhere is in the last empty hole', async () => {
  const { far } = await faulty('twin=93198088')
  expect(holeOf(await listed(far), 6)).toMatch(/^0601..E2..058E1708/)
})

test('soc-255: no charge is read', async () => {
  const { far } = await faulty('soc-255')
  expect(holeOf(await listed(far), 1)).toMatch(new RegExp(`^01..00E200${one}FF`))
})

test('dead-board: the first header has no holes behind it, and the second board goes on where its holes begin', async () => {
  const { cab, far } = await pair({ faults: ['dead-board'], holesPerBoard: 2 })
  await cab.loggedIn
  const list = await listed(far)
  expect(list.slice(0, 2 + 12 + 12 + 2)).toBe('10' + '01040000040F' + '02040000040F' + '03')
})

test('clock-off: a pop-up that says when it was given is too old at once', async () => {
  const { far } = await faulty('clock-off')
  await far.tell(
    { kind: 'eject', slot: 1, bankId: one },
    { unixSeconds: Math.floor(Date.now() / 1000), ttlSeconds: 15 },
  )
  await far.next('eject')
  expect(far.payloads.at(-1)).toBe(`3101${one}8800`)
})

test('retained: returns have the flag, answers do not', async () => {
  const { far, cab } = await faulty('retained')
  await far.tell({ kind: 'eject', slot: 1, bankId: one })
  cab.insert(stranger, 6)
  expect(await far.frames.next(({ report }) => report.kind === 'eject')).toMatchObject({ retain: false })
  expect(await far.frames.next(({ report }) => report.kind === 'returned')).toMatchObject({ retain: true })
})

test('replaced: other metal asks for its broker under its own name, with other banks', async () => {
  const { far, cab } = await pair()
  await cab.loggedIn
  const again = cab.journal.next((entry) => entry.event === 'asked', { since: cab.journal.now })
  cab.toggle('replaced=001010010000022')
  await again
  expect(far.calls.all.at(-1)!.query.get('uuid')).toBe('001010010000022')
})
