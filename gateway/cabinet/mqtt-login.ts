import { check, isGood, use } from '../../db/devices/mqtt-credentials.ts'
import type { Firmware } from '../../db/devices/words.ts'
import type { Tx } from '../../db/postgres/connect.ts'
import { open } from '../../db/powerbank/cabinets.ts'
import type { Rules } from '../../db/powerbank/decide/snapshot.ts'
import { askInventory } from '../../db/powerbank/looks.ts'
import { codec, isAnswered, mayMatter } from '../../protocol/cabinet-mqtt/index.ts'
import { about, inTurn } from '../connection.ts'
import { count } from '../counts.ts'
import type { DeviceHandlers } from '../device-handlers.ts'
import { admit, unsigned } from '../login.ts'
import { cabinetOwner } from '../mqtt/device-topics.ts'
import type { MqttConnection } from '../mqtt/mqtt-connection.ts'
import { cabinet } from './cabinet.ts'

/** Two of them without a word and a cabinet is offline: twenty minutes (docs/protocol.md 5.6). */
export const heartbeatSeconds = 600
/** What the rows call this dialect. */
export const dialect = 'mqtt'

/** Cabinets over MQTT: what they show is a credential, and they sign nothing. */
export const mqttCabinet = (rules: Rules): DeviceHandlers => ({
  ...cabinet(rules, mayMatter),
  // It restarts without a word, and dials again.
  isAnswered: (command) => command === 'restart' || isAnswered(command),
  async recognise({ connection }) {
    // The connections of these cabinets are the broker's.
    const { node, credential } = connection as MqttConnection
    return credential && (await isGood(node.db.sql, credential)) ? [] : null
  },
})

/** What CONNECT showed. */
interface Shown {
  username: string
  password: Buffer
}

/** What all sessions share: this wire knows no keys, so its words are nobody's own. */
const words: Record<Firmware, ReturnType<typeof codec>> = {
  current: codec({ firmware: 'current' }),
  old: codec({ firmware: 'old' }),
}

/** Takes the opened connection back: the credential was revoked since it was looked up. */
class Revoked extends Error {}

/**
 * A device dials the broker: its credential is looked up, the connection written down as the newest, the question for its
 * slots queued, the commit awaited; then CONNECT is answered. Its commands wait until it has subscribed to them.
 * @returns false: not let in
 */
export function login(connection: MqttConnection, shown: Shown): Promise<boolean> {
  const { node, stream, address } = connection
  return inTurn(connection, async () => {
    const credential = await node.limiter.run(async () =>
      stream.destroyed ? null : check(node.db.sql, shown.username, shown.password),
    )
    // After an outage those who waited longest have hung up; nobody need wait behind them.
    if (stream.destroyed) return refuse(connection, 'hung_up')
    if (!credential) return refuse(connection, 'bad_credential')
    const { deviceId: stationId, serial, firmware } = credential
    connection.credential = credential
    connection.owner = cabinetOwner(serial)
    connection.serial = serial
    if (stationId === null) return refuse(connection, 'unknown_device')
    const newcomer = {
      deviceId: stationId,
      serial,
      codec: words[firmware],
      ...unsigned,
      async enter(tx: Tx) {
        const opened = await open(tx, { stationId, node: node.name, dialect, address, heartbeatSeconds })
        if (!(await use(tx, credential))) throw new Revoked()
        await askInventory(tx, stationId, 'login')
        return opened
      },
    }
    try {
      connection.session = await admit(connection, newcomer)
      return true
    } catch (error) {
      if (error instanceof Revoked) return refuse(connection, 'bad_credential')
      throw error
    }
  })
}

/** Told only that it was not let in; why is for the operator. */
function refuse(connection: MqttConnection, reason: string): false {
  const { node } = connection
  count(node.counts.loginsRefused, reason)
  node.logSparingly('login.refused', { ...about(connection), dialect, reason })
  return false
}
