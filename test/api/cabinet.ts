import { onTestFinished } from 'vitest'
import type { AppContext } from '../../api/context.ts'
import * as commands from '../../db/devices/commands.ts'
import { COMMAND_CHANNEL } from '../../db/postgres/channels.ts'
import type { Db } from '../../db/postgres/connect.ts'
import { open } from '../../db/powerbank/cabinets.ts'
import { handle } from '../../gateway/cabinet/reports.ts'
import type { Bank, Command, Report } from '../../protocol/cabinet.ts'
import { expire } from '../db/world.ts'

/** What a cabinet says to a command; null: nothing. */
type Answers = { [K in Command['kind']]?: (command: Extract<Command, { kind: K }>) => Report | null }

export interface CabinetOptions {
  orgUnitId: number | null
  slots?: number
  /** Slots that hold an active power bank at first. */
  banks?: number[]
  /** How full they are, by slot; 80 unless told. */
  levels?: Record<number, number>
  status?: string
  answers?: Answers
  /** How loud it speaks, on its own scale; 9 unless told. */
  volume?: number
  /** Never dials, and so hears nothing. */
  isOffline?: boolean
}

const node = `test:${process.pid}`
let boxes = 0
let deviceIds = 0

/** A new id as cabinets have them. */
export const newDeviceId = () => `44434841${(0x54000000 + ++deviceIds).toString(16).toUpperCase()}`

/** The metal: what it holds and remembers, and what it says when it does whatever it is told. */
function metal(slots: number, level: number) {
  const held = new Map<number, Bank>()
  const state = { level, host: 'old.example.org', port: '9066', heartbeatSeconds: 30, iccid: '89701012345678901234' }
  const inventory = (): Report => ({ kind: 'inventory', slots, banks: [...held.values()] })
  function take(slot: number) {
    const bankId = held.get(slot)?.bankId ?? null
    held.delete(slot)
    return { slot, bankId, ok: true, result: 1 }
  }
  const willing: Required<Answers> = {
    eject: ({ slot }) => ({ kind: 'eject', ...take(slot) }),
    force_eject: ({ slot }) => ({ kind: 'force_eject', ...take(slot) }),
    inventory,
    restart: () => ({ kind: 'restart' }),
    iccid: () => ({ kind: 'iccid', iccid: state.iccid }),
    volume: () => ({ kind: 'volume', level: state.level }),
    set_volume: ({ level }) => {
      state.level = level
      return { kind: 'set_volume', ok: true }
    },
    server_address: () => ({ kind: 'server_address', ...state }),
    set_server_address: ({ host, port, heartbeatSeconds }) => {
      Object.assign(state, { host, port, heartbeatSeconds })
      return { kind: 'set_server_address' }
    },
    apn: () => null,
    set_apn: () => null,
    software_version: () => ({ kind: 'software_version', version: '1.0.2' }),
  }
  return { held, inventory, willing }
}

/** What production does when a deadline has passed, now. */
async function giveUpOn(db: Db, id: number) {
  await db.sql`update device_commands set deadline = now() - interval '1 second' where id = ${id}`
  await db.transaction(expire)
}

/** Takes what waits for a station and answers it, until the test is over. */
async function listen(
  db: Db,
  stationId: number,
  answers: Required<Answers>,
  say: (report: Report) => Promise<unknown>,
) {
  const heard: Command[] = []
  const worked: Command[] = []
  let news = Promise.withResolvers<void>()
  async function deliver() {
    for (const { id, epoch, kind, args } of await commands.waiting(db.sql, node, [stationId])) {
      const [claimed] = await commands.claim(db.sql, node, [{ id, epoch, hex: `0007${id.toString(16)}` }])
      if (!claimed) continue
      // The row was written by the API under test from protocol's own words.
      const command = { kind, ...args } as Command
      // Before the answer: whoever waits for its commit may look at once.
      heard.push(command)
      const report = (answers[command.kind] as (told: Command) => Report | null)(command)
      if (report) await say(report)
      // A silent movement stays in doubt, as it would; a silent question is given up at once, so that tests need not wait.
      else if (kind !== 'eject' && kind !== 'force_eject') await giveUpOn(db, id)
      worked.push(command)
      news.resolve()
    }
  }
  let round = Promise.resolve()
  const unlisten = await db.listen(COMMAND_CHANNEL, (payload) => {
    if (Number(payload) === stationId) round = round.then(deliver)
  })
  onTestFinished(async () => {
    await unlisten()
    await round
  })
  /** Resolves once the cabinet has heard a command of this kind, and its answer was worked. */
  async function heardOf(wanted: Command['kind']) {
    while (!worked.some(({ kind }) => kind === wanted)) {
      await news.promise
      news = Promise.withResolvers()
    }
  }
  return { heard, heardOf }
}

/**
 * A station with a cabinet behind it, on the gateway's verbs and its real handlers, without a socket: it takes what
 * waits for it and answers as told. By default it does whatever it is asked.
 */
export async function cabinet({ db }: AppContext, options: CabinetOptions) {
  const { orgUnitId, slots = 8, levels = {}, status = 'active', isOffline = false } = options
  const boxId = `BOX${String(++boxes).padStart(8, '0')}`
  const [station] = await db.sql<{ id: number }[]>`
    insert into stations (org_unit_id, box_id, slots_declared, status)
    values (${orgUnitId}, ${boxId}, ${slots}, ${status}) returning id`
  const stationId = station!.id
  const { held, inventory, willing } = metal(slots, options.volume ?? 9)
  const say = (report: Report) => db.transaction((tx) => handle(tx, stationId, report, 'AA'))

  const banks: Record<number, { id: number; bankId: string }> = {}
  for (const slot of options.banks ?? []) {
    const bankId = newDeviceId()
    const [bank] = await db.sql<{ id: number }[]>`
      insert into powerbanks (org_unit_id, serial_number, device_id, status)
      values (${orgUnitId}, ${bankId}, ${bankId}, 'active') returning id`
    held.set(slot, {
      slot,
      bankId,
      levelPercent: levels[slot] ?? 80,
      millivolts: 4000,
      milliamps: 0,
      celsius: 25,
      sohPercent: 99,
    })
    banks[slot] = { id: bank!.id, bankId }
  }
  const address = '192.0.2.1:5000'
  if (!isOffline) await db.transaction((tx) => open(tx, { stationId, node, dialect: 'B', address, vsn: 2 }))
  await say(inventory())
  const notificationListener = isOffline ? null : await listen(db, stationId, { ...willing, ...options.answers }, say)

  return {
    stationId,
    boxId,
    /** By the slot they were loaded into. */
    banks,
    heard: notificationListener?.heard ?? [],
    heardOf: async (kind: Command['kind']) => notificationListener?.heardOf(kind),
    say,
    inventory,
    /** Puts a bank that is out into a slot and says so, and lists the slots if it is asked for them then. */
    insert: async (bankId: string, slot: number) => {
      const bank: Bank = { slot, bankId, levelPercent: 40 }
      held.set(slot, bank)
      await say({ kind: 'returned', bank })
      const asked = await db.sql`
        select 1 from device_commands where device_id = ${stationId} and kind = 'inventory' and status in ('queued', 'sent')`
      if (asked.length > 0) await say(inventory())
    },
    giveUpOn: (commandId: number) => giveUpOn(db, commandId),
    drop: () => db.sql`update device_sessions set node = null, disconnected_at = now() where device_id = ${stationId}`,
  }
}
