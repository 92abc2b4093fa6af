/** Faults of what is said of the slots. */
import type { Bank, BankId, Report } from '../../protocol/cabinet.ts'
import { type Board, boards, type Hole } from '../../protocol/cabinet-mqtt/boards.ts'
import { open, seal } from '../../protocol/cabinet-mqtt/frame.ts'
import { cabinetInfo } from '../../protocol/cabinet-mqtt/inventory.ts'
import { decodeBody, encodeBody } from '../../protocol/field.ts'
import { durationOf, wholeOf } from '../options.ts'
import type { Reach } from './behaviours.ts'
import { type Box, bankIdOf, banksOf, freeSlots, replace } from './box.ts'
import type { Fault, Maker } from './fault.ts'
import { cannotPush } from './metal-faults.ts'

const notRead = 255
/** A return whose bank could not be read (docs/protocol.md 5.5, 0x40). */
const snNotRead = 0x11

type Banks = (banks: Bank[]) => Bank[]

/** A report with another list in it, if it lists. */
function relisted(report: Report, change: Banks): Report {
  if (report.kind !== 'inventory' && report.kind !== 'login') return report
  return report.banks ? { ...report, banks: change(report.banks) } : report
}

/** An MQTT cabinet's list with other boards in it. */
function reboarded(frame: Buffer, change: (list: Board[]) => Board[]): Buffer {
  const { code, data } = open(frame)
  if (code !== cabinetInfo.code) return frame
  return seal(code, encodeBody({ boards }, { boards: change(decodeBody({ boards }, data).boards) }))
}

/** A TCP record of a slot whose chip was not read: in every other list its id is all zeros, else all ones (2.6). */
const unreadBank = (bank: Bank, digit: string): Bank => ({
  ...bank,
  bankId: digit.repeat(16),
  levelPercent: 0,
  millivolts: 0,
  faults: { bank: true, typeC: false, lightning: false, microUsb: false },
  charging: false,
})

/** The same of a hole; its switch is pressed, which is bit 7 clear (5.5). */
const unreadHole = (hole: Hole, sn: number, state: Hole['state']): Hole => ({
  ...hole,
  state,
  batteryRaw: 0,
  sn,
  levelPercent: notRead,
  celsius: notRead,
  deciamps: 0,
  sensors: { ...hole.sensors, microSwitch: false },
})

/** A return of a bank that was not read. */
function unreadReturn({ slot }: Bank, family: Box['family']): Report {
  if (family === 'mqtt') return { kind: 'abnormal', event: snNotRead, slot, bankId: null }
  return { kind: 'returned', bank: { slot, bankId: '0'.repeat(16) } }
}

/** The chips of what is in these slots cannot be read. */
function unread(isUnread: (slot: number, box: Box) => boolean, state: Hole['state']): Fault {
  let lists = 0
  return {
    says(report, { box }) {
      if (report.kind === 'returned' && isUnread(report.bank.slot, box)) return unreadReturn(report.bank, box.family)
      if (box.family === 'mqtt') return report
      return relisted(report, (banks) => {
        const digit = lists++ % 2 === 0 ? '0' : 'F'
        return banks.map((bank) => (isUnread(bank.slot, box) ? unreadBank(bank, digit) : bank))
      })
    },
    out(frame, report, { box }) {
      if (box.family !== 'mqtt' || report.kind !== 'inventory') return undefined
      const sn = lists++ % 2 === 0 ? 0 : 0xffffffff
      const spoilt = (hole: Hole) =>
        box.banks.has(hole.hole) && isUnread(hole.hole, box) ? unreadHole(hole, sn, state) : hole
      return [reboarded(frame, (list) => list.map((board) => ({ ...board, holes: board.holes.map(spoilt) })))]
    },
  }
}

export const unreadable: Maker = (value) => {
  let slot = value === undefined ? undefined : wholeOf('fault unreadable', value, 1, 255)
  return unread((at, box) => {
    slot ??= banksOf(box)[0]?.slot ?? freeSlots(box)[0]
    return at === slot
  }, 'communication_error')
}

export const jamUnreadable: Maker = () => {
  const stuck = new Set<number>()
  const refuse = (command: Parameters<typeof cannotPush>[0], _: unknown, { box }: Reach) => {
    stuck.add(command.slot)
    return cannotPush(command, box)
  }
  return { ...unread((slot) => stuck.has(slot), 'stuck'), on: { eject: refuse, force_eject: refuse } }
}

export const twin: Maker = (value) => {
  let bankId: BankId | undefined = value === undefined ? undefined : bankIdOf(value)
  let slot: number | undefined
  const seen = (box: Box): Bank[] => {
    bankId ??= box.gone.at(-1)
    slot ??= freeSlots(box).at(-1)
    if (bankId === undefined || slot === undefined || box.banks.has(slot)) return []
    return [{ slot, bankId, levelPercent: 100, millivolts: 4130, milliamps: 0, celsius: 27 }]
  }
  return { says: (report, { box }) => relisted(report, (banks) => [...banks, ...seen(box)]) }
}

const moved = <T extends { slot: number }>(one: T, by: number): T => ({ ...one, slot: one.slot + by })

export const slotZero: Maker = () => ({
  hears: (words) => ('slot' in words ? moved(words, 1) : words),
  says(report) {
    if (report.kind === 'returned') return { ...report, bank: moved(report.bank, -1) }
    if ('slot' in report) return moved(report, -1)
    return relisted(report, (banks) => banks.map((bank) => moved(bank, -1)))
  },
})

export const beyondDeclared: Maker = (value) => {
  const told = value === undefined ? undefined : wholeOf('fault beyond-declared', value, 0, 255)
  return {
    says: (report, { box }) => ('slots' in report ? { ...report, slots: told ?? Math.floor(box.slots / 2) } : report),
  }
}

export const soc255: Maker = () => ({
  says: (report) => relisted(report, (banks) => banks.map(({ levelPercent: _, ...bank }) => bank)),
})

export const oneBadList: Maker = () => {
  const faults = { bank: true, typeC: false, lightning: false, microUsb: false }
  let isOver = false
  return {
    says(report) {
      if (report.kind !== 'inventory' || isOver) return report
      isOver = true
      return relisted(report, (banks) => banks.map((bank) => ({ ...bank, faults })))
    },
  }
}

export const deadBoard: Maker = () => ({
  out: (frame, { kind }) =>
    kind === 'inventory'
      ? [reboarded(frame, ([dead, ...others]) => (dead ? [{ ...dead, holes: [] }, ...others] : others))]
      : undefined,
})

export const clockOff: Maker = (by = '1h') => ({ clockSeconds: durationOf(by) / 1000 })

export const replaced: Maker = (boxId) => ({
  begins({ box, restart }) {
    replace(box, boxId)
    restart()
  },
})
