import { MalformedBody } from '../errors.ts'
import type { Codec, Command, Greeting, Report, ResponseCode, Secrets, Verdict } from '../terminal.ts'
import type { Fingerprint } from './card.ts'
import { outcome, spoken } from './define.ts'
import { answerTo, definitionOf, isAnswer, isRepeat, mtiText, told } from './dialect.ts'
import { fieldAt } from './fields.ts'
import { type Carrier, headOf, open, sealed, swapped } from './frame.ts'
import { de, decodeBody, encodeBody, type Layout } from './layout.ts'
import { hmacOf, type Ring, ringOf, type Sign } from './mac.ts'
import { forget, join, type Message, noMac, type Part, partOf, rawOf, spanOf, split } from './message.ts'
import { network } from './network.ts'

/** Never parsed, always refused: a PIN block and replacement amounts (docs/protocol.md 7.5). */
const unsupported = [52, 95]
/** What is said back of a message that nobody has defined, or that could not be believed. */
const bareEcho = [11, 41]
const signOn = '001'

/** The fields that may stay in memory and in the log once a message is read: what its layout names, but no card. */
const stays = new Map<unknown, ReadonlySet<number>>()
function mayStay(definition: ReturnType<typeof definitionOf>): ReadonlySet<number> {
  let found = stays.get(definition)
  if (!found) {
    const layout: Layout = definition?.up ?? spoken
    found = new Set(Object.values(layout).flatMap(({ field }) => (field.isSecret ? [] : [field.number])))
    stays.set(definition, found)
  }
  return found
}

function echoed(message: Message, numbers: readonly number[]): Part[] {
  const parts: Part[] = []
  for (const number of numbers) {
    const part = partOf(message, fieldAt(number)!)
    if (part) parts.push(part)
  }
  return parts
}

/** Who hears a refusal, and by what. */
interface Refused {
  terminalCode: string
  carrier: Carrier
}

/** A refusal on the spot: the MTI, 11, 39 and 41, and nothing more. Without 41 a frame would be shorter than any may be. */
function refusal(message: Message, code: ResponseCode, ring: Ring | null, tpdu: Buffer | null, to: Refused) {
  const { terminalCode, carrier } = to
  const name = spanOf(message, 41) >= 0 ? [] : encodeBody({ terminalCode: de(41) }, { terminalCode })
  const parts = [...echoed(message, bareEcho), ...name, ...encodeBody(outcome, { code })]
  const head = headOf(tpdu && swapped(tpdu), carrier)
  return sealed(join(answerTo(message.mti), parts, head, ring?.sign), carrier)
}

/** Refuses a message whose bytes are gone once it is thrown: nobody knows what in them is a card. */
function malformed(message: Message, why: string, answer?: Buffer): MalformedBody {
  const error = new MalformedBody(why)
  // To an answer there is no answer.
  if (answer && !isAnswer(message.mti)) error.answer = answer
  return error
}

function understood(message: Message, terminalCode: string, fingerprint: Fingerprint): Report | ResponseCode {
  const definition = definitionOf(message.mti)
  if (!definition || isAnswer(message.mti) !== (definition.initiator === 'host')) return '12'
  for (const number of unsupported) if (spanOf(message, number) >= 0) return '40'
  try {
    const body = decodeBody(definition.up as Layout, message)
    // Every layout has it.
    if (body.terminalCode !== terminalCode) return '58'
    const report = definition.means(body, fingerprint)
    if (typeof report !== 'string' && isRepeat(message.mti) && report.kind !== 'result') report.isRepeat = true
    return report
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    return '30'
  }
}

function said(verdict: Exclude<Verdict, { kind: 'silent' }>) {
  if (verdict.kind !== 'answered') return { code: verdict.kind === 'accepted' ? '00' : '58' }
  const { code, rrn, approval, totals } = verdict
  const settlement = code === '00' ? '1' : code === '95' ? '2' : undefined
  return { code, rrn, approval: code === '00' ? approval : undefined, settlement, ...totals }
}

const two = (value: number) => String(value).padStart(2, '0')
/** MMDDhhmmss in UTC. */
function moment(unixSeconds: number): string {
  const at = new Date(unixSeconds * 1_000)
  return [at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()]
    .map(two)
    .join('')
}

/** A message whose MAC is right, and which is well formed. @throws MalformedBody */
function believed(frame: Buffer, ring: ReturnType<typeof ringOf>, to: Refused) {
  const { tpdu, message: bytes } = open(frame, to.carrier)
  const message = split(bytes)
  if (!(message.hasMac && ring.accepts(bytes)))
    throw malformed(message, message.fault ?? 'bad MAC', refusal(message, 'A0', null, tpdu, to))
  if (message.fault) throw malformed(message, message.fault, refusal(message, '30', ring, tpdu, to))
  return { message, tpdu }
}

/** With which of two keys a frame was signed; another one may be in use by the time it is answered. */
const signers = new WeakMap<Buffer, Sign>()

function keep(frame: Buffer): Buffer {
  // Not from the pool: it may be kept for half a minute, and would keep kilobytes of others alive.
  const copy = Buffer.allocUnsafeSlow(frame.length)
  copy.set(frame)
  const signer = signers.get(frame)
  if (signer) signers.set(copy, signer)
  return copy
}

/** The translator of a terminal that is known already. */
export function codec(terminalCode: string, carrier: Carrier, { keys, cardKey }: Secrets): Codec {
  const ring = ringOf(keys)
  const fingerprint = hmacOf(cardKey, 'hex')
  let lastTpdu: Buffer | null = null

  function decode(frame: Buffer): Report {
    const { message, tpdu } = believed(frame, ring, { terminalCode, carrier })
    lastTpdu = tpdu && Buffer.from(tpdu)
    if (keys.length > 1) signers.set(frame, ring.current())
    const report = understood(message, terminalCode, fingerprint)
    if (report === '12' && isAnswer(message.mti)) throw malformed(message, 'an answer to nothing')
    forget(message, mayStay(definitionOf(message.mti)))
    if (typeof report !== 'string') return report
    const stan = rawOf(message, fieldAt(11)!)?.toString('hex')
    return { kind: 'unacceptable', mti: mtiText(message.mti), code: report, ...(stan !== undefined && { stan }) }
  }

  return {
    decode(frame) {
      try {
        return decode(frame)
      } catch (error) {
        frame.fill(0)
        throw error
      }
    },
    encode(command: Command, when) {
      if (!when) throw new RangeError('a command to a terminal says when it was sent')
      const body = told.from(command, moment(when.unixSeconds), terminalCode)
      const mti = told.mti + (command.isRepeat ? 1 : 0)
      const head = headOf(lastTpdu && swapped(lastTpdu), carrier)
      return sealed(join(mti, encodeBody(told.down, body), head, ring.sign), carrier)
    },
    answer(frame, verdict) {
      if (verdict.kind === 'silent') return null
      const { tpdu, message: bytes } = open(frame, carrier)
      const message = split(bytes)
      if (isAnswer(message.mti)) return null
      const asked = definitionOf(message.mti)
      const definition = asked?.initiator === 'terminal' ? asked : undefined
      const parts = encodeBody((definition?.down ?? outcome) as Layout, said(verdict))
      const head = headOf(tpdu && swapped(tpdu), carrier)
      const all = [...echoed(message, definition?.echo ?? bareEcho), ...parts]
      return sealed(join(answerTo(message.mti), all, head, signers.get(frame) ?? ring.sign), carrier)
    },
    keep,
  }
}

/**
 * Who dials, from the first message of a connection: it must be a sign-on. Its MAC is not looked at yet: its key is only known
 * once the terminal has been looked up. One that nobody knows is decoded without keys, which answers A0.
 * @throws MalformedBody not a sign-on
 */
export function greet(frame: Buffer, carrier: Carrier = 'tcp'): Greeting {
  try {
    const message = split(open(frame, carrier).message)
    if (message.fault !== null && message.fault !== noMac) throw new MalformedBody(message.fault)
    const isNetwork = definitionOf(message.mti) === network && !isAnswer(message.mti)
    const { networkCode, terminalCode } = isNetwork ? decodeBody(network.up, message) : {}
    if (networkCode !== signOn || terminalCode === undefined) throw new MalformedBody('the first message is no sign-on')
    return { terminalCode, codec: (secrets) => codec(terminalCode, carrier, secrets) }
  } catch (error) {
    frame.fill(0)
    throw error
  }
}
