import { quarantine, type Unauthorised } from '../db/devices/quarantine.ts'
import { within } from '../db/platform/patience.ts'
import type { Tx } from '../db/postgres/connect.ts'
import { type Connection, drop, finish, goOn, settled } from './connection.ts'
import { count } from './counts.ts'
import type { GatewayNode } from './node.ts'
import type { Session } from './sessions.ts'

/** How long a login waits for what an older socket of its device has said. */
const giveWayMs = 2_000

/** A device that was recognised and may come in; the session it gets keeps most of this. */
export interface Newcomer extends Pick<Session, 'deviceId' | 'serial' | 'codec' | 'keys' | 'bind' | 'loginPrint'> {
  /** The whole login in one transaction: its connection becomes the newest, what is asked at a login is queued. */
  enter(tx: Tx): Promise<{ epoch: number; heartbeatSeconds: number }>
}

/** For the sessions of devices that sign nothing. */
export const unsigned = { keys: [], bind: null, loginPrint: 0 } as const

/**
 * What an older socket of the same device said is older than this login: it is worked off first, but not for long. A
 * socket that is kept busy must not keep the device out.
 * @returns the older connection, which reads nothing until it is told to go on
 */
async function giveWay(connection: Connection, { deviceId, loginPrint }: Newcomer): Promise<Connection | null> {
  const { sessions, counts, log } = connection.node
  const before = sessions.get(deviceId)
  if (!before || before.connection === connection) return null
  if (loginPrint !== 0 && before.loginPrint === loginPrint) {
    counts.loginsRepeated += 1
    log('login.repeated', { deviceId, serial: before.serial, address: connection.address })
  }
  if (!(await within(giveWayMs, settled(before.connection)))) drop(before.connection, 'superseded')
  return before.connection
}

/**
 * Lets a device in: its connection is written down as the newest, the commit awaited; then it is answered, where its
 * login has an answer, and only then may commands reach it.
 */
export async function admit(
  connection: Connection,
  newcomer: Newcomer,
  answer: () => Buffer | null = () => null,
): Promise<Session> {
  const { node, handlers } = connection
  const { deviceId, serial, codec, keys, bind, loginPrint } = newcomer
  const before = await giveWay(connection, newcomer)
  const { epoch, heartbeatSeconds } = await node.limiter
    .run(() => node.db.transaction(newcomer.enter))
    .catch((error) => {
      if (before) goOn(before)
      throw error
    })
  const session: Session = {
    deviceId,
    serial,
    handlers,
    codec,
    epoch,
    heartbeatSeconds: Math.max(1, heartbeatSeconds),
    connection,
    heardAt: node.clock.now,
    identifiedAt: node.clock.now,
    keys,
    bind,
    movement: null,
    looking: null,
    isDoubtful: false,
    loginPrint,
  }
  connection.serial = serial
  node.counts.logins += 1
  const said = answer()
  if (said) connection.transport.say(connection, said)
  if (connection.ending === null && !connection.stream.destroyed) node.sessions.register(session)
  // Hung up meanwhile: no command may be written into the void. The older one owns nothing any more all the same.
  else if (before) finish(before, 'superseded')
  return session
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
