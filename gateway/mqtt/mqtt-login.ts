import { type Credential, check, isGood, use } from '../../db/devices/mqtt-credentials.ts'
import type { Firmware } from '../../db/devices/words.ts'
import { open } from '../../db/powerbank/cabinets.ts'
import { askInventory } from '../../db/powerbank/looks.ts'
import { codec, isAnswered, speaks } from '../../protocol/cabinet-mqtt/index.ts'
import { about, finish, goOn, inTurn } from '../connection.ts'
import { count } from '../counts.ts'
import type { Session } from '../sessions.ts'
import { giveWay } from '../tcp/tcp-login.ts'
import type { MqttConnection } from './mqtt-connection.ts'

/** Two of them without a word and a cabinet is offline: twenty minutes (docs/protocol.md 5.6). */
export const heartbeatSeconds = 600
/** What the rows call this dialect. */
export const dialect = 'mqtt'

/** What CONNECT showed. */
export interface Shown {
  username: string
  password: Buffer
}

/**
 * A device dials the broker: its credential is looked up, the connection written down as the newest, the question for its
 * slots queued, the commit awaited; then CONNECT is answered. Its commands wait until it has subscribed to them.
 * @returns false: not let in
 */
export function login(connection: MqttConnection, shown: Shown): Promise<boolean> {
  const { node, stream } = connection
  return inTurn(connection, async () => {
    const credential = await node.limiter.run(async () =>
      stream.destroyed ? null : check(node.db.sql, shown.username, shown.password),
    )
    // After an outage those who waited longest have hung up; nobody need wait behind them.
    if (stream.destroyed) return refuse(connection, 'hung_up')
    if (!credential) return refuse(connection, 'bad_credential')
    connection.credential = credential
    connection.boxId = credential.deviceId
    const { stationId } = credential
    if (stationId === null) return refuse(connection, 'unknown_device')
    const before = await giveWay(connection, stationId, 0)
    const epoch = await enter(connection, credential, stationId).catch((error) => {
      if (before) goOn(before)
      throw error
    })
    if (epoch === null) {
      if (before) goOn(before)
      return refuse(connection, 'bad_credential')
    }
    connection.session = newSession(connection, credential, stationId, epoch)
    node.counts.logins += 1
    if (connection.ending === null && !stream.destroyed) node.sessions.register(connection.session)
    // Hung up meanwhile. The older connection owns nothing any more all the same.
    else if (before) finish(before, 'superseded')
    return true
  })
}

/** The whole login in one transaction; null when the credential was revoked since it was looked up. */
function enter({ node, address }: MqttConnection, credential: Credential, stationId: number) {
  return node.limiter
    .run(() =>
      node.db.transaction(async (tx) => {
        const { epoch } = await open(tx, { stationId, node: node.name, dialect, address, heartbeatSeconds })
        if (!(await use(tx, credential))) throw new Revoked()
        await askInventory(tx, stationId, 'login')
        return epoch
      }),
    )
    .catch((error) => {
      if (error instanceof Revoked) return null
      throw error
    })
}

/** Takes the opened connection back. */
class Revoked extends Error {}

/** What all sessions share: this wire knows no keys, so its words are nobody's own. */
function wordsOf(firmware: Firmware) {
  const spoken = codec({ firmware })
  return { spoken, bind: () => spoken }
}
const words: Record<Firmware, ReturnType<typeof wordsOf>> = { current: wordsOf('current'), old: wordsOf('old') }
const noKeys: readonly string[] = []
const lacks = { speaks, isAnswered }

function newSession(connection: MqttConnection, credential: Credential, stationId: number, epoch: number): Session {
  const { node } = connection
  const { spoken, bind } = words[credential.firmware]
  return {
    connection,
    stationId,
    boxId: credential.deviceId,
    epoch,
    needsKey: false,
    codec: spoken,
    bind,
    heartbeatSeconds,
    heardAt: node.clock.now,
    identifiedAt: node.clock.now,
    keys: noKeys,
    looking: null,
    isDoubtful: false,
    loginPrint: 0,
    lacks,
    isWelcome: () => isGood(node.db.sql, credential),
  }
}

/** Told only that it was not let in; why is for the operator. */
function refuse(connection: MqttConnection, reason: string): false {
  const { node } = connection
  count(node.counts.loginsRefused, reason)
  node.logSparingly('login.refused', { ...about(connection), dialect, reason })
  return false
}
