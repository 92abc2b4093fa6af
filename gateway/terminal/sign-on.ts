import { open } from '../../db/paygo/terminal-sessions.ts'
import { identify } from '../../db/paygo/terminals.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import type { Greeting, Verdict } from '../../protocol/terminal.ts'
import { type Carrier, greet } from '../../protocol/terminal-iso8583/index.ts'
import { type Connection, finish, unreadable } from '../connection.ts'
import { entropy } from '../conversation.ts'
import { count } from '../counts.ts'
import { type Newcomer, writeDown } from '../login.ts'

/** How the rows call what a terminal speaks, by what carries it. */
export const dialects: Record<Carrier, string> = { tcp: 'iso8583', mqtt: 'iso8583-mqtt' }

/** How terminals sign on here. `cardKey`: of all fingerprints of cards. */
export interface SignOn {
  carrier: Carrier
  heartbeatSeconds: number
  cardKey: string
}

/** The first message of a line; null: it is none, so the line ends. */
function greeted(connection: Connection, frame: Buffer, carrier: Carrier): Greeting | null {
  try {
    return greet(frame, carrier)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    unreadable(connection, frame, error)
    finish(connection, 'not_signed_on')
    return null
  }
}

/** Nobody knows it, or its MAC is another key's: A0, and it is written down for an operator. */
async function stranger(
  connection: Connection,
  terminalCode: string,
  { carrier, isKnown, frame, error }: { carrier: Carrier; isKnown: boolean; frame: Buffer; error: MalformedBody },
): Promise<null> {
  const { node, address } = connection
  const reason = isKnown ? 'bad_token' : 'unknown_box_id'
  // Says A0, which is all there is to say.
  unreadable(connection, frame, error)
  finish(connection, reason)
  await writeDown(node, { kind: 'terminal', boxId: terminalCode, dialect: dialects[carrier], reason, address })
  return null
}

/** What a terminal that may come in is entered with. */
const entrant = (
  { node, address }: Connection,
  { carrier, heartbeatSeconds }: SignOn,
  known: Pick<Newcomer, 'deviceId' | 'serial' | 'codec' | 'keys' | 'bind'>,
): Newcomer => ({
  ...known,
  loginPrint: 0,
  enter: (tx) =>
    open(tx, {
      ...{ terminalId: known.deviceId, node: node.name, address, heartbeatSeconds },
      dialect: dialects[carrier],
    }),
})

/**
 * A terminal says who it is (docs/protocol.md 7.7): looked up by its code, its MAC verified.
 * @returns null: it is not let in, has been told, and its line ends
 */
export async function signOn(connection: Connection, frame: Buffer, way: SignOn): Promise<Newcomer | null> {
  const { node, session } = connection
  // Signed on again on the same line: that was believed when it was heard, and its bytes are used up.
  if (session) return entrant(connection, way, session)
  const { carrier, cardKey } = way
  const greeting = greeted(connection, frame, carrier)
  if (!greeting) return null
  const { terminalCode } = greeting
  const known = await node.limiter.run(() => identify(node.db.sql, terminalCode, node.keysSecret))
  const codec = greeting.codec({ keys: known?.keys ?? [], cardKey })
  let verdict: Verdict
  try {
    const report = codec.decode(frame)
    verdict = report.kind === 'unacceptable' ? { kind: 'answered', code: report.code } : { kind: 'accepted' }
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    return stranger(connection, terminalCode, { carrier, isKnown: known !== null, frame, error })
  }
  // Without a key nothing is believed, so it is known.
  const { terminalId: deviceId, keys, isActive } = known!
  const bind: Newcomer['bind'] = ({ keys }) => greeting.codec({ keys, cardKey })
  if (isActive && verdict.kind === 'accepted')
    return entrant(connection, way, { deviceId, serial: terminalCode, codec, keys, bind })
  const reason = isActive ? 'not_signed_on' : 'disabled'
  count(node.counts.loginsRefused, reason)
  const answer = codec.answer(frame, isActive ? verdict : { kind: 'refused' }, entropy())
  if (answer) connection.transport.say(connection, answer)
  finish(connection, reason)
  return null
}
