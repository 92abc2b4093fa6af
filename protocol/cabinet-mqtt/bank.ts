import type { BankId } from '../cabinet.ts'

/** What a serial number can be: four bytes, and 0 is none (docs/protocol.md 5.5). */
export const snMax = 0xffffffff

/** A bank's serial number, as its label and the commands have it in decimal, in our words. */
export const bankIdOf = (sn: number): BankId => sn.toString(16).toUpperCase().padStart(8, '0')

/** The same, where 0 says that there is no bank, and all ones that it was not read. */
export const bankOrNull = (sn: number): BankId | null => (sn === 0 || sn === snMax ? null : bankIdOf(sn))

/**
 * The serial number of a bank.
 * @throws RangeError an id that is none of this family's: eight upper-case hex digits, not all zero
 */
export function snOf(bankId: BankId): number {
  if (!/^[0-9A-F]{8}$/.test(bankId) || /^0+$/.test(bankId))
    throw new RangeError(`${bankId} is no bank of an MQTT cabinet`)
  return Number.parseInt(bankId, 16)
}

/** The device's half of `bankOrNull`. @throws RangeError as `snOf` */
export const snOrNone = (bankId: BankId | null): number => (bankId === null ? 0 : snOf(bankId))
