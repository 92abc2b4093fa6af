import { hash, randomBytes, randomInt } from 'node:crypto'
import type { Bank, BankId } from '../../protocol/cabinet.ts'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'

/** How many banks a box remembers to have let go, newest last. */
const goneMax = 256
/** Invented serial numbers: so many series of so many. */
const serialsFrom = 30_000_000
const seriesCount = 60_000
const seriesLength = 1_000
/** What a bank weighs in before the cabinet has read it (docs/protocol.md 2.6: level 0 together with 2010 mV). */
const unread = { levelPercent: 0, millivolts: 2010, inserted: false, charging: false }

/** Where a cabinet dials and how often it says that it lives (0x63, 0x6A). */
export interface ServerAddress {
  host: string
  port: string
  /** 1–255 on the wire; tests may run a cabinet faster. */
  heartbeatSeconds: number
}

/** One access point (0x73, 0x74). */
interface Apn {
  valid: boolean
  operator: string
  apn: string
  user: string
  password: string
}

/** Which power banks fit: those of the TCP cabinets (eight bytes of identity) or those of the MQTT ones (four). */
export type Family = 'tcp' | 'mqtt'

/** What a cabinet is made of, whatever wire it speaks. Changed by the functions of this file and by what it is told. */
export interface Box {
  family: Family
  boxId: string
  /** How many slots there are, numbered from 1. */
  slots: number
  banks: Map<number, Bank>
  /** Slots whose lock does not move. */
  jammed: Set<number>
  /** Banks that went out by command or by hand: what people may bring back. */
  gone: BankId[]
  /** 0–15. */
  volume: number
  server: ServerAddress
  /** Said by 0x63, in force from the next start on. */
  nextServer?: ServerAddress
  iccid: string
  version: string
  apns: Map<number, Apn>
}

/** What a box is made from. Banks go into the slots from 1 on, charged to 80–100 %. */
export interface BoxSettings {
  /** TCP unless told. */
  family?: Family
  boxId: string
  slots: number
  banks?: readonly BankId[]
  server?: Partial<ServerAddress>
}

/**
 * A box with its banks in it.
 * @throws RangeError slots outside 1–255, more banks than slots, or a bank twice
 */
export function makeBox({ family = 'tcp', boxId, slots, banks = [], server }: BoxSettings): Box {
  if (!Number.isInteger(slots) || slots < 1 || slots > 255) throw new RangeError(`${slots} slots: 1–255 are possible`)
  const box: Box = {
    family,
    boxId,
    slots,
    banks: new Map(),
    jammed: new Set(),
    gone: [],
    volume: 5,
    server: { host: '127.0.0.1', port: '9066', heartbeatSeconds: 30, ...server },
    iccid: `8970199${digitsOf(boxId, 13)}`,
    version: 'V1.0.2',
    apns: new Map([[0, { valid: true, operator: '25001', apn: 'internet', user: '', password: '' }]]),
  }
  for (const [at, bankId] of banks.entries()) place(box, bankId, undefined, 100 - ((at * 3) % 5) * 5)
  return box
}

// A SIM number that is always the same for the same cabinet.
const digitsOf = (text: string, count: number) =>
  BigInt(`0x${hash('md5', text)}`)
    .toString()
    .slice(0, count)

/**
 * Bank ids that look real and are always the same for the same cabinet: `DCHA…` in TCP-B, `RL1H…` in TCP-A, serial numbers
 * of eight digits over MQTT.
 * @param count how many, 0–255
 */
export function bankIdsOf(boxId: string, dialect: 'A' | 'B' | 'mqtt', count: number): BankId[] {
  if (dialect === 'mqtt') {
    const series = serialsFrom + (Number.parseInt(hash('md5', boxId).slice(0, 8), 16) % seriesCount) * seriesLength
    return Array.from({ length: count }, (_, at) => mqtt.bankIdOf(series + at + 1))
  }
  const maker = Buffer.from(dialect === 'B' ? 'DCHA' : 'RL1H').toString('hex')
  const batch = hash('md5', boxId).slice(0, 6)
  return Array.from({ length: count }, (_, at) => `${maker}${batch}${byte(at + 1)}`.toUpperCase())
}

/** A bank nobody has seen before: `SIMB` and four random bytes, or a random serial number. */
export const strangersBank = ({ family }: Box): BankId =>
  family === 'mqtt'
    ? mqtt.bankIdOf(randomInt(serialsFrom, serialsFrom + seriesCount * seriesLength))
    : `53494D42${randomBytes(4).toString('hex').toUpperCase()}`

/** What somebody puts in who has no other wish: the bank that went out last, or one nobody has seen. */
export const nextBank = (box: Box): BankId => box.gone.at(-1) ?? strangersBank(box)

/**
 * A bank as people write it: 16 hex digits, its label of four letters and eight hex digits (`DCHA54000016`), or over MQTT
 * its serial number (`40818048`).
 * @throws RangeError none of them
 */
export function bankIdOf(text: string): BankId {
  if (/^\d{1,10}$/.test(text)) return mqtt.bankIdOf(Number(text))
  if (/^[0-9a-f]{16}$/i.test(text)) return text.toUpperCase()
  if (!/^[\x21-\x7e]{4}[0-9a-f]{8}$/i.test(text))
    throw new RangeError(`"${text}" is no bank: DCHA54000016 is one, and 40818048`)
  return Buffer.from(text.slice(0, 4), 'latin1').toString('hex').toUpperCase() + text.slice(4).toUpperCase()
}

const byte = (value: number) => value.toString(16).padStart(2, '0')

/** A bank with a given charge, at rest or charging (docs/protocol.md 2.6: 3680–4140 mV, 27–44 °C). */
function bankAt(slot: number, bankId: BankId, levelPercent: number): Bank {
  const charging = levelPercent < 100
  return {
    slot,
    bankId,
    levelPercent,
    millivolts: 3680 + Math.round(levelPercent * 4.6),
    milliamps: 0,
    celsius: charging ? 33 : 28,
    sohPercent: 100,
    faults: { bank: false, typeC: false, lightning: false, microUsb: false },
    charging,
    locked: true,
    inserted: true,
  }
}

/** Slots with nothing in them, ascending; a jammed one takes nothing. */
export const freeSlots = (box: Box): number[] =>
  Array.from({ length: box.slots }, (_, at) => at + 1).filter((slot) => !box.banks.has(slot) && !box.jammed.has(slot))

/** What the slots hold, ascending, as an inventory lists it (0x64). */
export const banksOf = (box: Box): Bank[] => [...box.banks.values()].sort((one, other) => one.slot - other.slot)

const shapes: Record<Family, RegExp> = { tcp: /^[0-9A-F]{16}$/, mqtt: /^(?!0{8})[0-9A-F]{8}$/ }

/** Whether a bank is of the kind that these slots take. */
export const fits = ({ family }: Box, bankId: BankId): boolean => shapes[family].test(bankId)

/**
 * Puts a bank into a slot, the first free one unless told.
 * @param levelPercent its charge; full unless told
 * @throws RangeError no such slot, the slot is taken or jammed, no free slot, or the bank is already in
 */
export function place(box: Box, bankId: BankId, slot = freeSlots(box)[0], levelPercent = 100): Bank {
  if (slot === undefined) throw new RangeError('no free slot')
  if (!fits(box, bankId)) throw new RangeError(`${bankId} is no bank of this kind of cabinet`)
  if (!freeSlots(box).includes(slot)) throw new RangeError(`slot ${slot} takes nothing`)
  if (banksOf(box).some((bank) => bank.bankId === bankId)) throw new RangeError(`bank ${bankId} is already in`)
  const bank = bankAt(slot, bankId, levelPercent)
  box.banks.set(slot, bank)
  box.gone = box.gone.filter((gone) => gone !== bankId)
  return bank
}

/** Takes what a slot holds, if anything; the lock is not asked. */
export function take(box: Box, slot: number): Bank | undefined {
  const bank = box.banks.get(slot)
  if (!bank) return undefined
  box.banks.delete(slot)
  box.gone = [...box.gone, bank.bankId].slice(-goneMax)
  return bank
}

/** Other metal in its place: another SIM, and other banks in the same slots. @param boxId its name, the same unless told */
export function replace(box: Box, boxId: string = box.boxId): void {
  box.boxId = boxId
  box.iccid = `8970199${digitsOf(randomBytes(8).toString('hex'), 13)}`
  box.gone = []
  for (const { slot, levelPercent = 0 } of box.banks.values())
    box.banks.set(slot, bankAt(slot, strangersBank(box), levelPercent))
}

/** Some minutes on the charger: every bank below full gains as much. */
export function charge(box: Box, percent: number): void {
  for (const [slot, bank] of box.banks)
    if (bank.levelPercent !== 100)
      box.banks.set(slot, bankAt(slot, bank.bankId, Math.min(100, (bank.levelPercent ?? 0) + percent)))
}

/** A bank as the return frame tells it: over TCP before the cabinet has read it (2.6), over MQTT afterwards (5.5, 0x40). */
export const asReturned = ({ family }: Box, bank: Bank): Bank => (family === 'mqtt' ? bank : { ...bank, ...unread })
