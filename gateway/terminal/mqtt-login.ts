import { identify, identifyByKey } from '../../db/paygo/terminals.ts'
import { about, inTurn } from '../connection.ts'
import type { Speaker } from '../conversation.ts'
import { count } from '../counts.ts'
import { writeDown } from '../login.ts'
import { terminalOwner } from '../mqtt/device-topics.ts'
import type { MqttConnection } from '../mqtt/mqtt-connection.ts'
import type { TerminalConfig } from './config.ts'
import { mayCarryCards } from './plain-lines.ts'
import { dialects } from './sign-on.ts'

/** How terminals come in by a broker. */
export interface MqttTerminals {
  handlers: Speaker
  config: TerminalConfig
}

/** What CONNECT showed. */
interface Shown {
  username: string
  password: Buffer
}

/**
 * A terminal dials the broker, with its key as password. Nothing is opened yet: its first message must be a sign-on, as
 * over TCP (docs/protocol.md 7.1).
 * @returns false: not let in
 */
export function enter(connection: MqttConnection, shown: Shown, { handlers, config }: MqttTerminals): Promise<boolean> {
  const { node, stream, address } = connection
  return inTurn(connection, async () => {
    if (!mayCarryCards(config, stream, address)) return refuse(connection, 'plain_line')
    const known = await node.limiter.run(async () =>
      stream.destroyed ? null : identifyByKey(node.db.sql, shown, node.keysSecret),
    )
    if (stream.destroyed) return refuse(connection, 'hung_up')
    if (!known) return stranger(connection, shown.username)
    connection.handlers = handlers
    connection.owner = terminalOwner(shown.username)
    connection.serial = shown.username
    connection.enteredAt = node.clock.now
    return true
  })
}

/** Told only that it was not let in; an operator is told more. */
async function stranger({ node, address }: MqttConnection, terminalCode: string): Promise<false> {
  const known = await node.limiter.run(() => identify(node.db.sql, terminalCode, node.keysSecret))
  const reason = known ? 'bad_token' : 'unknown_box_id'
  await writeDown(node, { kind: 'terminal', boxId: terminalCode, dialect: dialects.mqtt, reason, address })
  return false
}

function refuse(connection: MqttConnection, reason: string): false {
  const { node } = connection
  count(node.counts.loginsRefused, reason)
  node.logSparingly('login.refused', { ...about(connection), dialect: dialects.mqtt, reason })
  return false
}
