import { expect, test } from 'vitest'
import { waitingAnswers, waitingMax } from '../../../gateway/terminal/waiting.ts'
import { money, overdue, transactions } from '../../db/paygo/till.ts'
import { testDb } from '../../postgres.ts'
import {
  figures,
  lineTo,
  newTerminal,
  pan,
  type Registered,
  reversalOf,
  sale,
  secondKey,
  signedOn,
  terminalGateway,
} from './terminal-stage.ts'

const { db } = await testDb()
const bothHave = (taken: number, held = 0) => ({ books: { taken, held }, acquirer: { taken, held } })
const quick = { acquirer: { ACQUIRER_SECONDS: 0.3, ACQUIRER_LATE_SECONDS: 1.5 } }

/** A gateway, and a terminal that is signed on at it. */
async function shop(settings: Parameters<typeof terminalGateway>[1] = {}) {
  const gateway = await terminalGateway(db, settings)
  const terminal = await newTerminal(db)
  return { gateway, terminal, line: await signedOn(gateway, terminal) }
}
const statusesOf = async ({ id }: Registered) => (await transactions(db, id)).map(({ status }) => status)

test('a purchase is approved, and its answer names no card', async () => {
  const { terminal, line } = await shop()
  const said = sale()
  line.say(said)
  const frame = (await line.frame())!
  const answer = line.codec.decode(frame)
  expect(answer).toMatchObject({
    mti: '0210',
    stan: said.stan,
    code: '00',
    rrn: expect.stringMatching(/^\d{12}$/),
    approval: expect.stringMatching(/^\w{6}$/),
    isSigned: true,
  })
  expect(frame.toString('hex')).not.toContain(pan)
  expect(await transactions(db, terminal.id)).toMatchObject([{ status: 'completed', bookedMinor: 15_000 }])
  expect(await money(db, terminal.id)).toEqual(bothHave(15_000))
})

test('what the acquirer declines is declined with its code', async () => {
  const { terminal, line } = await shop()
  for (const [ending, code] of [
    [5, '05'],
    [51, '51'],
    [54, '54'],
    [61, '61'],
  ] as const)
    expect(await line.ask(sale({ amountMinor: 10_000 + ending }))).toMatchObject({ mti: '0210', code })
  expect(await money(db, terminal.id)).toEqual(bothHave(0))
})

test('a line goes on while the acquirer thinks, and one that is silent costs 68 and nothing else', async () => {
  const { gateway, terminal, line } = await shop(quick)
  const doubtful = sale({ amountMinor: 10_068 })
  line.say(doubtful)
  // Answered at once, though what was said before it is not.
  expect(await line.ask({ kind: 'heartbeat' })).toMatchObject({ mti: '0810', code: '00' })
  const sure = sale()
  expect(await line.ask(sure)).toMatchObject({ stan: sure.stan, code: '00' })
  expect(await line.hear()).toMatchObject({ mti: '0210', stan: doubtful.stan, code: '68' })
  await expect.poll(() => statusesOf(terminal)).toEqual(['cancelled', 'completed'])
  await expect.poll(() => money(db, terminal.id)).toEqual(bothHave(15_000))
  expect(gateway.said('settlement.failed')).toEqual([])
})

test('an answer that comes too late is reversed, one that comes twice counts once', async () => {
  const { terminal, line } = await shop(quick)
  expect(await line.ask(sale({ amountMinor: 10_069 }))).toMatchObject({ code: '68' })
  expect(await line.ask(sale({ amountMinor: 10_070 }))).toMatchObject({ code: '00' })
  await expect.poll(() => money(db, terminal.id)).toEqual(bothHave(10_070))
})

test('the same again hears the stored answer, also over another line; something else under its STAN is 94', async () => {
  const { gateway, terminal, line } = await shop()
  const said = sale()
  const first = await line.ask(said)
  expect(await line.ask({ ...said, isRepeat: true })).toEqual(first)
  line.socket.destroy()
  const again = await signedOn(gateway, terminal)
  expect(await again.ask({ ...said, isRepeat: true })).toEqual(first)
  expect(await again.ask({ ...said, amountMinor: 1 })).toMatchObject({ code: '94' })
  expect(await money(db, terminal.id)).toEqual(bothHave(15_000))
})

test('the line is lost before the answer: who asks again waits for it, who reverses is right', async () => {
  const { gateway, terminal, line } = await shop(quick)
  const said = sale({ amountMinor: 10_069 })
  line.say(said)
  await expect.poll(() => statusesOf(terminal)).toEqual(['pending'])
  line.socket.destroy()
  const again = await signedOn(gateway, terminal)
  // Twice, at once: one answer is said for each that still listens for it.
  again.say({ ...said, isRepeat: true })
  expect(await again.hear()).toMatchObject({ mti: '0210', stan: said.stan, code: '68' })
  const back = reversalOf(said)
  expect(await again.ask(back)).toMatchObject({ mti: '0410', code: '00' })
  expect(await again.ask({ ...back, isRepeat: true })).toMatchObject({ mti: '0410', code: '00' })
  await expect.poll(() => money(db, terminal.id)).toEqual(bothHave(0))
})

test('a reversal ends the waiting of what it reverses, and beats a purchase that comes after it', async () => {
  const { terminal, line } = await shop({ acquirer: { ACQUIRER_SECONDS: 2, ACQUIRER_LATE_SECONDS: 3 } })
  const slow = sale({ amountMinor: 10_068 })
  line.say(slow)
  await expect.poll(() => statusesOf(terminal)).toEqual(['pending'])
  line.say(reversalOf(slow, { reason: '17' }))
  const heard = [await line.hear(), await line.hear()]
  expect(heard).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ mti: '0210', stan: slow.stan, code: '21' }),
      expect.objectContaining({ mti: '0410', code: '00' }),
    ]),
  )
  const late = sale()
  expect(await line.ask(reversalOf(late))).toMatchObject({ mti: '0410', code: '00' })
  expect(await line.ask(late)).toMatchObject({ mti: '0210', code: '21' })
  expect(await money(db, terminal.id)).toMatchObject({ books: { taken: 0 } })
})

test('a deposit is held, taken by an advice, released by a reversal', async () => {
  const { terminal, line } = await shop()
  const deposit = sale({ kind: 'authorisation', amountMinor: 50_000 })
  const held = await line.ask(deposit)
  expect(held).toMatchObject({ mti: '0110', code: '00' })
  expect(await money(db, terminal.id)).toEqual(bothHave(0, 50_000))
  const { rrn } = held as { rrn: string }
  expect(await line.ask(sale({ kind: 'advice', amountMinor: 20_000, rrn }))).toMatchObject({ mti: '0230', code: '00' })
  await expect.poll(() => money(db, terminal.id)).toEqual(bothHave(20_000))
  const second = sale({ kind: 'authorisation', amountMinor: 50_000 })
  expect(await line.ask(second)).toMatchObject({ code: '00' })
  expect(await line.ask(reversalOf(second, { isAdvice: true }))).toMatchObject({ mti: '0430', code: '00' })
  await expect.poll(() => money(db, terminal.id)).toEqual(bothHave(20_000))
})

test('a batch closes when both have counted the same, and stays open while they differ', async () => {
  const { line } = await shop()
  await line.ask(sale())
  const taken = sale({ amountMinor: 5_000 })
  await line.ask(taken)
  await line.ask(reversalOf(taken))
  const ours = figures({ debits: 2, debitsMinor: 20_000, debitsReversed: 1, debitsReversedMinor: 5_000 })
  const totals = (claimed: typeof ours) => ({ kind: 'totals' as const, localDate: sale().localDate, totals: claimed })
  expect(await line.ask(totals(figures({ debits: 2, debitsMinor: 20_000 })))).toMatchObject({
    mti: '0510',
    code: '95',
    isInBalance: false,
    totals: ours,
  })
  expect(await line.ask(totals(ours))).toMatchObject({ mti: '0510', code: '00', isInBalance: true })
  expect(await line.ask(totals(figures()))).toMatchObject({ code: '00' })
})

test('what another process settles is said as soon as it is written', async () => {
  const { terminal, line } = await shop(quick)
  const other = await terminalGateway(db)
  const said = sale({ amountMinor: 10_068 })
  line.say(said)
  await expect.poll(() => statusesOf(terminal)).toEqual(['pending'])
  const again = await signedOn(other, terminal)
  again.say({ ...said, isRepeat: true })
  expect(await again.hear()).toMatchObject({ stan: said.stan, code: '68' })
})

test('what a gateway had begun when it ended another one goes on with', async () => {
  const { gateway, terminal, line } = await shop()
  const other = await terminalGateway(db)
  const said = sale({ amountMinor: 10_068 })
  line.say(said)
  await expect.poll(() => statusesOf(terminal)).toEqual(['pending'])
  await gateway.close()
  const again = await signedOn(other, terminal)
  again.say({ ...said, isRepeat: true })
  await overdue(db)
  expect(await again.hear()).toMatchObject({ stan: said.stan, code: '68' })
  await expect.poll(() => money(db, terminal.id)).toEqual(bothHave(0))
})

test('two keys: an answer that comes later is signed with the key of its question', async () => {
  const { gateway, terminal, line } = await shop(quick)
  const key = await secondKey(db, terminal)
  const young = lineTo(gateway, { ...terminal, key }, { socket: line.socket })
  const hello = async () => {
    line.write(young.codec.encode({ kind: 'heartbeat', stan: '900001', sentAt: '1128203107' }))
    return young.codec.decode((await line.frame())!)
  }
  await expect.poll(hello).toMatchObject({ code: '00' })
  const slow = sale({ amountMinor: 10_068 })
  line.say(slow)
  expect(await hello()).toMatchObject({ code: '00' })
  expect(await line.hear()).toMatchObject({ stan: slow.stan, code: '68', isSigned: true })
})

test('no card is in any line of the log, whatever is wrong with what brought it', async () => {
  const { gateway, terminal, line } = await shop()
  await line.ask(sale())
  await line.ask(sale({ card: { pan, expiry: '2912' }, entryMode: '011' }))
  const forged = lineTo(gateway, { ...terminal, key: '11'.repeat(32) }).codec.encode(sale() as never)
  for (let n = 0; n < 5; n++) line.write(Buffer.from(forged))
  await line.ended
  expect(gateway.said('frame.unreadable')).toHaveLength(5)
  expect(JSON.stringify(gateway.lines)).not.toContain(pan)
  const rows = JSON.stringify([
    await db.sql`select * from transactions`,
    await db.sql`select * from terminal_messages`,
    await db.sql`select * from events`,
  ])
  expect(rows).not.toContain(pan)
})

test('a database that fails ends the line without an answer, and the same again is worked', async () => {
  const { gateway, terminal, line } = await shop()
  await db.sql`alter table terminal_messages rename to terminal_messages_away`
  const said = sale()
  line.say(said)
  await line.ended
  await db.sql`alter table terminal_messages_away rename to terminal_messages`
  expect(gateway.said('report.failed')).toHaveLength(1)
  expect(JSON.stringify(gateway.said('report.failed'))).not.toContain(pan)
  const again = await signedOn(gateway, terminal)
  expect(await again.ask({ ...said, isRepeat: true })).toMatchObject({ code: '00' })
})

test('of one terminal so many wait and no more, and none for ever', () => {
  let now = 0
  const waiting = waitingAnswers(() => now)
  const said: number[] = []
  for (let id = 1; id <= waitingMax + 1; id++) waiting.wait(1, id, () => said.push(id))
  expect(waiting.has(1, 1)).toBe(false)
  waiting.give([
    { terminalId: 1, messageId: 2, answer: { code: '00' } },
    { terminalId: 1, messageId: 1, answer: { code: '00' } },
  ])
  waiting.give([{ terminalId: 1, messageId: 2, answer: { code: '00' } }])
  expect(said).toEqual([2])
  now = 1_000
  expect(waiting.olderThan(1_000)).toHaveLength(waitingMax - 1)
  now = 200_000
  expect(waiting.olderThan(0)).toEqual([])
  expect(waiting.has(1, 3)).toBe(false)
})
