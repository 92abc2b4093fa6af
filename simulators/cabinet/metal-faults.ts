/** Faults of what is done to the metal, and of what is said of that. */
import type { Bank, Command, Report } from '../../protocol/cabinet.ts'
import { durationOf } from '../options.ts'
import { commandKinds, type Overrides, type Reach, type Reply } from './behaviours.ts'
import { type Box, banksOf } from './box.ts'
import type { Fault, Maker } from './fault.ts'

/** Longer than any server waits for an answer (docs/protocol.md 4: 15 s). */
export const lateMilliseconds = 20_000
/** What a cabinet of the MQTT family says of a bank that it let go and still reads (docs/protocol.md 5.5). */
const stillReadable = 0x12
/** Of one that it could not push out. */
const cannotPop = 0x04

type Movement = Extract<Command, { kind: 'eject' | 'force_eject' }>
type Any = (command: Command, usual: () => Promise<Reply>, reach: Reach) => Promise<Reply>

const every = (take: Any): Overrides => Object.fromEntries(commandKinds.map((kind) => [kind, take]))
const movements = (take: (command: Movement, usual: () => Promise<Reply>, reach: Reach) => Promise<Reply>) => ({
  eject: take,
  force_eject: take,
})

/** Another bank of the same make: one that this cabinet does not hold. */
function another(bankId: string | null) {
  if (bankId === null) return null
  const [from, kept] = [bankId.length >> 1, bankId.length >> 3]
  return bankId.slice(0, from) + 'E'.repeat(from - kept) + bankId.slice(-kept)
}

/** The bank a movement asks for: the one in that slot, or over MQTT the one of that number. */
function asked({ banks }: Box, { slot }: Movement): Bank | undefined {
  return banks.get(slot)
}

const answer = (kind: Movement['kind'], slot: number, bankId: string | null, result: number): Report => ({
  kind,
  slot,
  bankId,
  ok: result === 1,
  result,
})

export const silent: Maker = () => ({ on: every(async () => undefined) })

export const mute: Maker = () => ({ on: every(async (_, usual) => void (await usual())) })

export const late: Maker = () => ({
  on: every(async (_, usual, { wait }) => {
    const reply = await usual()
    await wait(lateMilliseconds)
    return reply
  }),
})

export const wrongId: Maker = () => ({
  on: movements(async (_, usual) => {
    const reply = await usual()
    return reply && 'bankId' in reply ? { ...reply, bankId: another(reply.bankId) } : reply
  }),
})

const refuse = (command: Movement, box: Box, result: number): Report => {
  const named = command.kind === 'eject' ? command.bankId : undefined
  return answer(command.kind, command.slot, named ?? asked(box, command)?.bankId ?? null, result)
}

export const jam: Maker = () => ({ on: movements(async (command, _, { box }) => refuse(command, box, 0)) })

/** Refuses a movement as a cabinet does whose lock moved and whose bank did not. */
export const cannotPush = (command: Movement, box: Box): Report =>
  refuse(command, box, box.family === 'mqtt' ? cannotPop : 0)

export const dropAfterCommand: Maker = () => ({
  on: movements(async (_, usual, { drop }) => {
    await usual()
    drop()
    return undefined
  }),
})

/** The lock opens and the bank stays in its contacts, for so long or for ever. */
function lingering(milliseconds: number | null, result: number): Fault {
  return {
    on: movements(async (command, usual, reach) => {
      const { box } = reach
      const bank = asked(box, command)
      if (!bank || box.jammed.has(bank.slot)) return await usual()
      await reach.work(command.kind)
      const open = { ...bank, locked: milliseconds === null }
      box.banks.set(bank.slot, open)
      if (milliseconds !== null)
        reach.later(milliseconds, () => {
          if (box.banks.get(bank.slot)?.bankId === bank.bankId) reach.leave(bank.slot)
        })
      return answer(command.kind, bank.slot, bank.bankId, result)
    }),
  }
}

export const slowCustomer: Maker = (after = '20s') => lingering(durationOf(after), 1)
export const notTaken: Maker = () => lingering(null, 1)
export const stillReadableFirst: Maker = (after = '20s') => lingering(durationOf(after), stillReadable)

export const wrongBank: Maker = () => ({
  on: movements(async (command, usual, reach) => {
    const { box } = reach
    const other = banksOf(box).find(({ slot }) => slot !== asked(box, command)?.slot)
    if (!other) return await usual()
    await reach.work(command.kind)
    reach.leave(other.slot)
    // Asked by slot it says that slot; asked by number it says where it was.
    const slot = box.family === 'mqtt' ? other.slot : command.slot
    return answer(command.kind, slot, other.bankId, 1)
  }),
})

export const obeyLate: Maker = (after = '40s') => {
  const milliseconds = durationOf(after)
  return {
    on: movements(async (_, usual, { wait }) => {
      await wait(milliseconds)
      return await usual()
    }),
  }
}

export const stallDown: Maker = (after = '40s') => ({ stallMilliseconds: durationOf(after) })
