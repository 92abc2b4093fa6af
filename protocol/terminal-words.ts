import type { Command, Original, Presented, Saying, Totals } from './terminal.ts'
import { commandKinds } from './terminal.ts'
import { type AnyShape, may, object, of, oneOf, type Shape, set, spelt, text, whole } from './words.ts'

type Says = { [K in Saying<Presented>['kind']]: Extract<Saying<Presented>, { kind: K }> }

const digits = (count: number) => spelt(new RegExp(`^\\d{${count}}$`), `text of ${count} digits`)
const stan = digits(6)
const sentAt = spelt(/^\d{10}$/, 'text MMDDhhmmss, in UTC')
const terminalCode = spelt(/^[A-Z0-9]{8}$/, 'text of eight A-Z and 0-9')
const spoken = { stan, sentAt, isRepeat: may(set) }
const code = spelt(/^[A-Z0-9]{2}$/, 'text of two characters, 00 for done')

const sequence = may(digits(3))
/** How a card is presented. */
const card = oneOf(
  { pan: spelt(/^\d{8,19}$/, 'text of 8 to 19 digits'), expiry: spelt(/^\d{4}$/, 'text YYMM'), sequence },
  { track2: spelt(/^\d+[D=]\d+$/, 'text of digits with D or = between'), sequence },
  { chip: spelt(/^(?:[\dA-Fa-f]{2})+$/, 'text in hex, BER-TLV'), sequence },
)

const sale = {
  ...spoken,
  amountMinor: whole,
  localTime: spelt(/^\d{6}$/, 'text hhmmss'),
  localDate: spelt(/^\d{4}$/, 'text MMDD'),
  entryMode: digits(3),
  condition: digits(2),
  card,
  merchant: may(text),
}

const originalShape: Shape<Original> = { mti: digits(4), stan, sentAt }
const original = of(originalShape)

const figures: Shape<Totals> = {
  credits: whole,
  creditsReversed: whole,
  debits: whole,
  debitsReversed: whole,
  creditsMinor: whole,
  creditsReversedMinor: whole,
  debitsMinor: whole,
  debitsReversedMinor: whole,
}

const says: { [K in keyof Says]: Shape<Says[K]> } = {
  login: { terminalCode, ...spoken },
  sign_off: spoken,
  heartbeat: spoken,
  authorisation: sale,
  purchase: sale,
  advice: { ...sale, rrn: may(text), approval: may(text), original: may(original) },
  reversal: { ...spoken, amountMinor: whole, original, reason: may(digits(2)), isAdvice: may(set) },
  totals: { ...spoken, localDate: sale.localDate, totals: of(figures) },
  result: { stan, sentAt, code, text: may(text) },
}

const tells: Shape<Command> = { stan, data: may(object), isRepeat: may(set) }

/** Whose message it is: the workbench takes it with every word, and makes one up where none is given. */
const whose = { terminalCode: may(terminalCode) }
const withCode = (shapes: Record<string, AnyShape>): Record<string, AnyShape> =>
  Object.fromEntries(Object.entries(shapes).map(([kind, shape]) => [kind, { ...shape, ...whose }]))

/** What a terminal says, by kind. */
export const terminalReportWords = withCode(says)
/** What we tell a terminal to do, by kind. */
export const terminalCommandWords = withCode(Object.fromEntries(commandKinds.map((kind) => [kind, tells])))
