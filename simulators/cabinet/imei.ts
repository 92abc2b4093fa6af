/** A type allocation of the range that is kept for tests (00), so that no module in the field has such a number. */
const testTac = '00101001'
/** Serial numbers in a type allocation. */
export const imeiSerialMax = 999_999

/** The last digit of an IMEI (Luhn). @param digits the fourteen before it */
function checkDigit(digits: string): number {
  const sum = [...digits].reduce((sum, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2)
    return sum + (value > 9 ? value - 9 : value)
  }, 0)
  return (10 - (sum % 10)) % 10
}

/**
 * The IMEI of a simulated cabinet.
 * @throws RangeError a serial number outside 0–999999
 */
export function imeiOf(serial: number): string {
  if (!Number.isInteger(serial) || serial < 0 || serial > imeiSerialMax) throw new RangeError(`${serial} is no serial`)
  const digits = testTac + String(serial).padStart(6, '0')
  return digits + checkDigit(digits)
}
