/** A SIM card's number has 19 or 20 digits (ITU-T E.118); 22 characters are the most that cabinets have been seen to say. */
const charactersMax = 22

/**
 * The one spelling of a SIM card's number (ICCID), for whatever it is heard, typed or compared as (docs/protocol.md 0x69, 5.1).
 * Modems say the number as the card stores it, filled up with `F` (or 0xFF) to whole bytes, in small or capital letters
 * (some Chinese numbers have letters), and what they print around it comes along: `+CCID:`, quotes, blanks, `\r\nOK`.
 * Which of it is said changes with a modem's firmware; the card is the same.
 * @returns null where there is no number: nothing, filler or zeros only, an error, too much
 */
export function iccidOf(text: string): string | null {
  for (const line of text.toUpperCase().split(/[\r\n\0]+/)) {
    const number = line
      .replace(/^.*CCID\W*/, '')
      .replace(/OK\W*$/, '')
      .replace(/[^0-9A-Z]/g, '')
      .replace(/F+$/, '')
    if (/^(?!0*$)\d[0-9A-Z]*$/.test(number)) return number.length <= charactersMax ? number : null
  }
  return null
}
