import { expect, test } from 'vitest'
import * as commands from '../../db/paygo/terminal-commands.ts'
import type { CommandType } from '../../db/paygo/words.ts'
import { testDb } from '../postgres.ts'
import { shop } from './shop.ts'

const { db } = await testDb()

/** A terminal that is signed on, and whoever tells it things. */
async function desk() {
  const made = await shop(db)
  const { id: terminalId } = made.registered
  await made.play('wait login code=00 within 5s')
  const commandOf = async (id: number) => (await commands.get(db.sql, terminalId, id))!
  return {
    ...made,
    tell: async (type: CommandType, data: Record<string, unknown> = {}) =>
      (await db.transaction((tx) => commands.enqueue(tx, null, { terminalId, type, data }))).id,
    becomes: async (id: number, status: string) => {
      await expect.poll(async () => (await commandOf(id)).status, { timeout: 5_000 }).toBe(status)
      return await commandOf(id)
    },
    /** Its time is over. */
    overdue: (id: number) => db.sql`update device_commands set deadline = now() where id = ${id}`,
  }
}

test('every command there is reaches a terminal, and what it says of it comes back', async () => {
  const { tell, becomes, play, gateway } = await desk()
  const port = gateway.ports.terminal!
  const all: [CommandType, Record<string, unknown>][] = [
    ...([
      ['ping', {}],
      ['set_volume', { volume: 40 }],
      ['maintenance_on', {}],
      ['maintenance_off', {}],
    ] as const),
    ...([
      ['update_config', { currency: 643 }],
      ['print_receipt', { text: 'Спасибо' }],
    ] as const),
    ...([
      ['payment', { status: 'completed' }],
      ['update_software', { version: '1.1.0' }],
    ] as const),
  ].map(([type, data]) => [type, { ...data }])
  for (const [type, data] of all) await becomes(await tell(type, data), 'completed')
  await play('wait restarted', 'wait login', 'expect volume 40', 'expect software 1.1.0')
  const { result } = await becomes(await tell('ping'), 'completed')
  expect(JSON.parse(`${result}`)).toEqual({ volume: 40, condition: 'working', software: '1.1.0' })
  await tell('set_server_address', { host: '127.0.0.1', port })
  await play('wait moved', 'wait closed', 'wait login')
  await tell('restart')
  await play('wait restart', 'wait restarted', 'wait login')
})

test('late-0610: it is said again, done once, and a late answer is still an answer', async () => {
  const { tell, becomes, play, overdue, terminal } = await desk()
  await play('fault late-0610=1500ms')
  const id = await tell('print_receipt', { text: 'once' })
  await play('wait print_receipt')
  await overdue(id)
  await play('wait print_receipt isRepeat=true within 5s')
  await becomes(id, 'completed')
  expect(terminal.journal.entries.filter((entry) => entry.event === 'did' && entry.act === 'printed')).toHaveLength(1)
})

test('no-0610: it is said again once, and given up', async () => {
  const { tell, becomes, play, overdue } = await desk()
  await play('fault no-0610')
  const id = await tell('set_volume', { volume: 7 })
  await play('wait set_volume volume=7')
  await overdue(id)
  await play('wait set_volume isRepeat=true within 5s')
  await overdue(id)
  await becomes(id, 'expired')
  await play('expect volume 50', 'never set_volume for 100ms')
})

test('answer-again: once counts, and never for the next command', async () => {
  const { tell, becomes, play } = await desk()
  await play('fault answer-again=100ms')
  const first = await becomes(await tell('set_volume', { volume: 7 }), 'completed')
  await play('fault answer-again', 'fault no-0610')
  const next = await tell('set_volume', { volume: 8 })
  await play('wait set_volume volume=8', 'sleep 200ms')
  await becomes(next, 'executing')
  expect(await becomes(first.id, 'completed')).toEqual(first)
})

test('no-paper: the command is failed, with what the terminal says', async () => {
  const { tell, becomes, play } = await desk()
  await play('fault no-paper')
  expect(await becomes(await tell('print_receipt'), 'failed')).toMatchObject({
    result: expect.stringContaining('нет бумаги'),
  })
})
