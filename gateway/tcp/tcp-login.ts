import { randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'
import { enqueue } from '../../db/devices/commands.ts'
import { quarantine, type Unauthorised } from '../../db/devices/quarantine.ts'
import { Refused } from '../../db/devices/refused.ts'
import type { QuarantineReason } from '../../db/devices/words.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { identify, open } from '../../db/powerbank/cabinets.ts'
import { askInventory } from '../../db/powerbank/looks.ts'
import type { Greeting, Report } from '../../protocol/cabinet.ts'
import { greet } from '../../protocol/cabinet-tcp/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { accepted, handle } from '../cabinet/reports.ts'
import { type Connection, drop, finish, goOn, isOpen, settled, write } from '../connection.ts'
import { count } from '../counts.ts'
import type { GatewayNode } from '../node.ts'
import type { Session } from '../sessions.ts'

type Login = Extract<Report, { kind: 'login' }>
type Known = NonNullable<Awaited<ReturnType<typeof identify>>>

const nonceMax = 2 ** 32
/** How long a login waits for what an older socket of its cabinet has said. */
const giveWayMs = 2_000
const nowSeconds = () => Math.floor(Date.now() / 1000)

/** TCP-B's login answer carries a random number and the time (docs/protocol.md 0x60); other answers look at neither. */
export const entropy = () => ({ nonce: randomInt(nonceMax), unixSeconds: nowSeconds() })

/**
 * A cabinet says who it is: looked up, its token verified, the connection written down as the newest, its slots
 * reconciled, the commit awaited; then it is answered, and only then may commands reach it.
 * @returns the session, or null when it was not let in
 * @throws MalformedBody the frame is no login
 */
export async function login(connection: Connection, frame: Buffer): Promise<Session | null> {
  const { node, address } = connection
  const greeting = greet(frame)
  const known = await node.limiter.run(() => identify(node.db.sql, greeting.boxId, node.keysSecret))
  if (!known) return refuse(connection, greeting, frame, 'unknown_box_id')
  if (greeting.needsKey && known.keys.length === 0) return refuse(connection, greeting, frame, 'no_key')
  // A key that could be sidestepped by speaking the dialect without one would protect nothing; nor would a credential.
  if (!greeting.needsKey && (known.keys.length > 0 || known.isOnBroker))
    return refuse(connection, greeting, frame, 'bad_token')
  const codec = greeting.codec({ keys: known.keys })
  const report = believed(() => codec.decode(frame))
  if (!report) return refuse(connection, greeting, frame, 'bad_token')
  if (connection.session && connection.session.stationId !== known.stationId) {
    finish(connection, 'other_box_id')
    return null
  }
  const loginPrint = crc32(frame)
  const before = await giveWay(connection, known.stationId, loginPrint)
  const opened = await node.limiter
    .run(() => enter(node, known, greeting, address, report, frame))
    .catch((error) => {
      if (before) goOn(before)
      throw error
    })
  const session: Session = {
    connection,
    stationId: known.stationId,
    boxId: greeting.boxId,
    epoch: opened.epoch,
    needsKey: greeting.needsKey,
    codec,
    bind: greeting.codec,
    heartbeatSeconds: Math.max(1, opened.heartbeatSeconds),
    heardAt: node.clock.now,
    identifiedAt: node.clock.now,
    keys: known.keys,
    looking: null,
    isDoubtful: false,
    loginPrint,
  }
  connection.boxId = greeting.boxId
  node.counts.logins += 1
  const answer = codec.answer(frame, accepted, entropy())
  if (answer) write(connection, answer)
  count(node.counts.acknowledged, report.kind)
  // Hung up meanwhile: no command may be written into the void.
  if (!isOpen(connection)) return session
  node.sessions.register(session)
  node.dispatcher.ring(session.stationId)
  return session
}

/**
 * What an older socket of the same cabinet said is older than this login: it is worked off first, but not for long. A
 * socket that is kept busy must not keep the cabinet out.
 * @returns the older connection, which reads nothing until it is told to go on
 */
export async function giveWay(
  connection: Connection,
  stationId: number,
  loginPrint: number,
): Promise<Connection | null> {
  const { sessions, counts, log } = connection.node
  const before = sessions.get(stationId)
  if (!before || before.connection === connection) return null
  if (before.needsKey && before.loginPrint === loginPrint) {
    counts.loginsRepeated += 1
    log('login.repeated', { stationId, boxId: before.boxId, address: connection.address })
  }
  const patience = Promise.withResolvers<'late'>()
  const timer = setTimeout(patience.resolve, giveWayMs, 'late')
  const outcome = await Promise.race([settled(before.connection), patience.promise])
  clearTimeout(timer)
  if (outcome === 'late') drop(before.connection, 'superseded')
  return before.connection
}

/** The whole login in one transaction: the connection is the newest, the slots are known, the questions are queued. */
function enter(node: GatewayNode, known: Known, greeting: Greeting, address: string, report: Login, frame: Buffer) {
  const { stationId } = known
  const { dialect, vsn } = greeting
  return node.db.transaction(async (tx) => {
    const opened = await open(tx, { stationId, node: node.name, dialect, address, vsn })
    await handle(tx, stationId, report, frame.toString('hex').toUpperCase())
    await ask(tx, stationId, { inventory: report.banks === undefined, iccid: known.isSimStale })
    return opened
  })
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

/** Somebody who was not let in, counted, logged, and kept for an operator as far as they may fill the table. */
export async function writeDown(node: GatewayNode, unauthorised: Unauthorised): Promise<void> {
  const { boxId, dialect, address, reason } = unauthorised
  count(node.counts.loginsRefused, reason)
  node.logSparingly('login.refused', { boxId, dialect, address, reason })
  if (node.quarantinesLeft <= 0) return
  node.quarantinesLeft -= 1
  await node.limiter.run(() => quarantine(node.db.sql, unauthorised))
}
