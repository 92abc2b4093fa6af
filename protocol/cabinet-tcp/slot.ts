import type { Bank, BankId, Slots } from '../cabinet.ts'
import { type Body, flags, hex, i8, u8, u16 } from '../field.ts'

/** TCP-A's slot record, 10 bytes (docs/protocol.md 2.6). `bars` runs from 0 to 4. */
export const slotA = { slot: u8, bankId: hex(8), bars: u8 }

/** TCP-B's slot record, 17 bytes (2.6). The cable bits are advisory; a return arrives before `inserted` is set. */
export const slotB = {
  slot: u8,
  bankId: hex(8),
  levelPercent: u8,
  millivolts: u16,
  milliamps: u16,
  celsius: i8,
  status: flags(
    'inserted',
    'locked',
    'bankError',
    'chargingSwitch',
    'charging',
    'typeCError',
    'lightningError',
    'microUsbError',
  ),
  sohPercent: u8,
}

/** Eight zero bytes: no power bank (2.6). */
export const noBank: BankId = '0'.repeat(16)
/** Eight bytes of ones: a chip that was not read. */
const unreadBank: BankId = 'F'.repeat(16)

const isReadable = (bankId: BankId) => bankId !== noBank && bankId !== unreadBank

/** An id of all zeros or all ones is nobody's. */
export const bankOrNull = (bankId: BankId): BankId | null => (isReadable(bankId) ? bankId : null)

/** TCP-A's bars as percent (section 6); beyond the scale the level is not known. */
export function bankA(record: Body<typeof slotA>): Bank {
  const { slot, bankId, bars } = record
  return bars > 4 ? { slot, bankId } : { slot, bankId, levelPercent: bars * 25 }
}

/** A percentage beyond 100 is none and is left out. */
export function bankB(record: Body<typeof slotB>): Bank {
  const { slot, bankId, levelPercent, millivolts, milliamps, celsius, status, sohPercent } = record
  const bank: Bank = {
    slot,
    bankId,
    millivolts,
    milliamps,
    celsius,
    faults: {
      bank: status.bankError,
      typeC: status.typeCError,
      lightning: status.lightningError,
      microUsb: status.microUsbError,
    },
    charging: status.charging,
    locked: status.locked,
    inserted: status.inserted,
  }
  if (levelPercent <= 100) bank.levelPercent = levelPercent
  if (sohPercent <= 100) bank.sohPercent = sohPercent
  return bank
}

/** Records list occupied slots only (2.6, 0x64): one that names no bank is of a slot whose bank was not read. */
export function slotsOf<R extends { slot: number; bankId: BankId }>(
  records: readonly R[],
  bank: (record: R) => Bank,
): Pick<Slots, 'banks' | 'unreadable'> {
  const unreadable = records.filter(({ bankId }) => !isReadable(bankId)).map(({ slot }) => slot)
  const banks = records.filter(({ bankId }) => isReadable(bankId)).map(bank)
  return unreadable.length > 0 ? { banks, unreadable } : { banks }
}

/** For examples: what TCP-B says of a full bank that was just put in. */
export const measured: Omit<Body<typeof slotB>, 'slot' | 'bankId'> = {
  levelPercent: 100,
  millivolts: 4130,
  milliamps: 0,
  celsius: 27,
  status: {
    inserted: true,
    locked: true,
    bankError: false,
    chargingSwitch: false,
    charging: false,
    typeCError: false,
    lightningError: false,
    microUsbError: false,
  },
  sohPercent: 100,
}

/** The device's half of `bankA`. */
export const recordA = (bank: Bank): Body<typeof slotA> => ({
  slot: bank.slot,
  bankId: bank.bankId,
  bars: Math.round((bank.levelPercent ?? 0) / 25),
})

/** The device's half of `bankB`; what our words leave out is at rest. The charging switch has no word: it follows `charging`. */
export const recordB = (bank: Bank): Body<typeof slotB> => ({
  slot: bank.slot,
  bankId: bank.bankId,
  levelPercent: bank.levelPercent ?? 0,
  millivolts: bank.millivolts ?? 0,
  milliamps: bank.milliamps ?? 0,
  celsius: bank.celsius ?? 0,
  status: {
    inserted: bank.inserted ?? true,
    locked: bank.locked ?? true,
    bankError: bank.faults?.bank ?? false,
    chargingSwitch: bank.charging ?? false,
    charging: bank.charging ?? false,
    typeCError: bank.faults?.typeC ?? false,
    lightningError: bank.faults?.lightning ?? false,
    microUsbError: bank.faults?.microUsb ?? false,
  },
  sohPercent: bank.sohPercent ?? 100,
})

/** The records of a list, those of unreadable slots too, by rising slot. */
export function recordsOf<R extends { slot: number }>(
  { banks = [], unreadable = [] }: Partial<Slots>,
  record: (bank: Bank) => R,
): R[] {
  const unread = unreadable.map((slot) => record({ slot, bankId: noBank }))
  return [...banks.map(record), ...unread].sort((a, b) => a.slot - b.slot)
}
