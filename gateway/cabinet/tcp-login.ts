import { crc32 } from 'node:zlib'
import { enqueue } from '../../db/devices/commands.ts'
import { Refused } from '../../db/devices/refused.ts'
import type { QuarantineReason } from '../../db/devices/words.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { identify as find, open } from '../../db/powerbank/cabinets.ts'
import type { Rules } from '../../db/powerbank/decide/snapshot.ts'
import { askInventory } from '../../db/powerbank/looks.ts'
import type { Greeting, Report } from '../../protocol/cabinet.ts'
import { greet, mayMatter, newFramer } from '../../protocol/cabinet-tcp/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { type Connection, finish, write } from '../connection.ts'
import { entropy } from '../conversation.ts'
import { type Newcomer, writeDown } from '../login.ts'
import type { Session } from '../sessions.ts'
import type { TcpHandlers } from '../tcp/tcp-connection.ts'
import { cabinet } from './cabinet.ts'
import { handle } from './reports.ts'

type Login = Extract<Report, { kind: 'login' }>

/** Cabinets of the dialects A and B, over TCP. */
export const tcpCabinet = (rules: Rules): TcpHandlers => ({
  ...cabinet(rules, mayMatter),
  newFramer,
  identify: (connection, frame) => identify(connection, frame, rules),
  recognise,
})

/** A cabinet says who it is: looked up, its token verified. */
async function identify(connection: Connection, frame: Buffer, rules: Rules): Promise<Newcomer | null> {
  const { node, address } = connection
  const greeting = greet(frame)
  const { boxId, dialect, vsn, needsKey } = greeting
  const known = await node.limiter.run(() => find(node.db.sql, boxId, node.keysSecret))
  if (!known) return refuse(connection, greeting, frame, 'unknown_box_id')
  const { stationId, keys } = known
  if (needsKey && keys.length === 0) return refuse(connection, greeting, frame, 'no_key')
  // A key that could be sidestepped by speaking the dialect without one would protect nothing; nor would a credential.
  if (!needsKey && (keys.length > 0 || known.isOnBroker)) return refuse(connection, greeting, frame, 'bad_token')
  const codec = greeting.codec({ keys })
  const report = believed(() => codec.decode(frame))
  if (!report) return refuse(connection, greeting, frame, 'bad_token')
  return {
    deviceId: stationId,
    serial: boxId,
    codec,
    keys,
    bind: needsKey ? greeting.codec : null,
    loginPrint: needsKey ? crc32(frame) : 0,
    async enter(tx) {
      const opened = await open(tx, { stationId, node: node.name, dialect, address, vsn })
      await handle(tx, stationId, report, frame.toString('hex').toUpperCase(), rules)
      await ask(tx, stationId, { inventory: report.banks === undefined, iccid: known.isSimStale })
      return opened
    },
  }
}

async function recognise({ connection: { node }, serial, deviceId }: Session): Promise<readonly string[] | null> {
  const known = await find(node.db.sql, serial, node.keysSecret)
  return known?.stationId === deviceId ? known.keys : null
}

/**
 * What is asked after a login (docs/protocol.md 0x60): what it holds, unless the login has just listed it, and its SIM,
 * once a day: a card is moved while the cabinet is off. A full queue of commands must not keep a cabinet out.
 */
async function ask(tx: Tx, stationId: number, wanted: { inventory: boolean; iccid: boolean }) {
  try {
    if (wanted.inventory) await askInventory(tx, stationId, 'login')
    if (wanted.iccid) await enqueue(tx, { deviceId: stationId, kind: 'iccid', requestedBy: null, origin: 'login' })
  } catch (error) {
    if (!(error instanceof Refused && error.code === 'too_many_commands')) throw error
  }
}

/** The login's own token is verified by hearing it; a body `greet` could read fails here for its token only. */
function believed(hear: () => Report): Login | null {
  try {
    const report = hear()
    return report.kind === 'login' ? report : null
  } catch (error) {
    if (error instanceof MalformedBody) return null
    throw error
  }
}

/** An unauthorised device: written down for an operator, answered where its dialect has a no (TCP-A: result 0), and let go. */
async function refuse(connection: Connection, greeting: Greeting, frame: Buffer, reason: QuarantineReason) {
  const { boxId, dialect, slots } = greeting
  const { node, address } = connection
  await writeDown(node, { boxId, dialect, reason, address, slots })
  const answer = greeting.codec({ keys: [] }).answer(frame, { kind: 'refused' }, entropy())
  if (answer) write(connection, answer)
  finish(connection, reason)
  return null
}
