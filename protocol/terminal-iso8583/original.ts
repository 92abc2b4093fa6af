import { MalformedBody } from '../errors.ts'
import type { Original } from '../terminal.ts'
import { de, type Element } from './layout.ts'

const { field, read, write } = de(90)
/** The acquirer's and forwarder's numbers: nobody here has one. */
const institutions = '0'.repeat(22)
/** Authorisation, purchase, advice; a repeat means the same message. */
const shape = /^(0[12]0|022)[01](\d{6})(\d{10})\d{22}$/

/** Field 90: which message is meant, by its MTI, STAN and field 7. */
export const original: Element<Original> = {
  field,
  read(message) {
    const text = read(message)
    if (text === undefined) return undefined
    const [, type, stan, sentAt] = shape.exec(text) ?? []
    if (!type || !stan || !sentAt) throw new MalformedBody('field 90 names nothing that can be reversed')
    return { mti: `${type}0`, stan, sentAt }
  },
  write: ({ mti, stan, sentAt }) => write(`${mti}${stan}${sentAt}${institutions}`),
}
