import { seen } from '../../db/devices/connections.ts'
import { type Behind, behind, behindAll, closeSilent, open } from '../../db/paygo/terminal-sessions.ts'
import { within } from '../../db/platform/patience.ts'
import type { AnyVerdict } from '../../protocol/any-device.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import type { Codec, Report } from '../../protocol/terminal.ts'
import { codec } from '../../protocol/terminal-iso8583/index.ts'
import { finish } from '../connection.ts'
import { entropy } from '../conversation.ts'
import { count } from '../counts.ts'
import { accepted, type Outcome, receive } from '../device-handlers.ts'
import type { Dispatcher } from '../dispatcher.ts'
import { writeDown } from '../login.ts'
import { terminalOwner } from '../mqtt/device-topics.ts'
import type { Incoming } from '../mqtt-cluster/broker-client.ts'
import type { GatewayNode } from '../node.ts'
import type { Addressee } from '../sessions.ts'
import type { MqttTerminals } from './mqtt-login.ts'
import { dialects } from './sign-on.ts'

// Terminals behind a broker that is not ours. Nobody holds their lines, so all nodes share one name in the rows, and what is
// not stored is not answered: a terminal asks again by itself (docs/protocol.md 7.8).

/** Terminals a node remembers, and messages that wait for the database, at most. */
const knownMax = 100_000
const waitingMax = 10_000
const workMs = 5_000
/** Of an unreadable message this much goes to the log. */
const hexBytesMax = 64

/** A terminal behind the broker, as this node remembers it. The rows know better. */
interface Known extends Addressee {
  codec: Codec
  isActive: boolean
  /** It is signed on, as far as this node knows. */
  isOpen: boolean
  /** The node's clock when this node last heard it. */
  heardAt: number
}

/** What it works with. `name`: of all nodes behind this broker, in the rows. */
interface Desk {
  node: GatewayNode
  name: string
  terminals: MqttTerminals
  /** Of the commands to who is behind the broker. */
  bell(): Dispatcher
  publish(topic: string, payload: Buffer): void
}

/** The terminals behind a broker that is not ours. */
export interface BrokerTerminals {
  /** One message of a terminal. It is acknowledged when it has been worked, by whatever end. */
  take(terminalCode: string, message: Incoming): void
  get(terminalId: number): Addressee | undefined
  /** What is needed to bring commands to these, which other nodes may have heard. */
  prepare(rows: readonly { deviceId: number; epoch: number }[]): Promise<void>
  /** Its row has changed: it is looked up again. */
  forget(terminalId: number): void
  /** Writes down who was heard since, and who has not been for too long. */
  write(sinceMs: number): Promise<void>
  /** Waits for what was heard. */
  finish(): Promise<void>
}

const knownOf = ({ handlers, config }: MqttTerminals, { terminalId, terminalCode, ...row }: Behind): Known => ({
  deviceId: terminalId,
  serial: terminalCode,
  handlers,
  codec: codec(terminalCode, 'mqtt', { keys: row.keys, cardKey: config.cardKey }),
  epoch: row.epoch ?? 0,
  isOpen: row.epoch !== null,
  isActive: row.isActive,
  heartbeatSeconds: config.heartbeatSeconds,
  movement: null,
  heardAt: Number.NEGATIVE_INFINITY,
})

/** Terminals by their two names, the longest known forgotten first. */
function memory({ node, name, terminals }: Desk) {
  const byCode = new Map<string, Known>()
  const byId = new Map<number, Known>()
  function forget(terminalId: number) {
    const known = byId.get(terminalId)
    if (!known) return
    byId.delete(terminalId)
    byCode.delete(known.serial)
  }
  function remember(row: Behind): Known {
    const known = knownOf(terminals, row)
    forget(known.deviceId)
    byCode.set(known.serial, known)
    byId.set(known.deviceId, known)
    if (byId.size > knownMax) forget(byId.keys().next().value!)
    return known
  }
  /** Whose code this is, and whether it is signed on: also where another node has heard that. */
  async function find(terminalCode: string): Promise<Known | null> {
    const known = byCode.get(terminalCode)
    if (known?.isOpen) return known
    const row = await behind(node.db.sql, name, terminalCode, node.keysSecret)
    return row && remember(row)
  }
  return { byId, forget, remember, find }
}

/** Says what answers a message, on the terminal's own topic. */
function say({ node, publish }: Desk, known: Known, kind: string, payload: Buffer, verdict: AnyVerdict): void {
  const answer = known.codec.answer(payload, verdict as Parameters<Codec['answer']>[1], entropy())
  if (!answer) return
  count(node.counts.acknowledged, kind)
  publish(terminalOwner(known.serial).down, answer)
}

/** A terminal signs on: newest wins, whatever line it had. */
async function signOn(desk: Desk, known: Known, payload: Buffer): Promise<void> {
  const { node, name, terminals } = desk
  if (!known.isActive) {
    count(node.counts.loginsRefused, 'disabled')
    return say(desk, known, 'login', payload, { kind: 'refused' })
  }
  const { heartbeatSeconds } = terminals.config
  const arrival = {
    terminalId: known.deviceId,
    node: name,
    dialect: dialects.mqtt,
    address: 'broker',
    heartbeatSeconds,
  }
  const { epoch } = await node.limiter.run(() => node.db.transaction((tx) => open(tx, arrival)))
  known.epoch = epoch
  known.isOpen = true
  node.counts.logins += 1
  const other = node.sessions.get(known.deviceId)
  if (other) finish(other.connection, 'superseded')
  say(desk, known, 'login', payload, accepted)
  desk.bell().ring(known.deviceId)
}

/** What a terminal that is signed on says. */
async function work(desk: Desk, known: Known, report: Report, payload: Buffer): Promise<void> {
  const { node } = desk
  if (report.kind === 'heartbeat') return say(desk, known, report.kind, payload, accepted)
  const hex = payload.toString('hex').toUpperCase()
  const { db, metrics, limiter } = node
  const outcome: Outcome = await receive({ db, metrics, limiter, dispatcher: desk.bell() }, known, report, hex)
  if (outcome.later) {
    const kept = known.codec.keep!(payload)
    outcome.later((verdict) => say(desk, known, report.kind, kept, verdict))
  } else say(desk, known, report.kind, payload, outcome.verdict)
  if (outcome.ends === undefined) return
  known.isOpen = false
  const { deviceId, epoch, handlers } = known
  const departure = { deviceId, node: desk.name, epoch, reason: outcome.ends }
  await node.limiter.run(() => node.db.transaction((tx) => handlers.close(tx, departure)))
}

/** Nobody can read or believe it: answered where there is an answer. */
function unreadable({ node, publish }: Desk, terminalCode: string, payload: Buffer, error: MalformedBody): void {
  const { message: why, answer } = error
  node.counts.malformed += 1
  count(node.counts.publishes, 'poisoned')
  const hex = payload.toString('hex', 0, hexBytesMax).toUpperCase()
  node.logSparingly('frame.unreadable', { serial: terminalCode, why, bytes: payload.length, hex })
  if (answer) publish(terminalOwner(terminalCode).down, answer)
}

/** One message, when it is its turn. */
async function act(desk: Desk, found: Known | null, terminalCode: string, payload: Buffer): Promise<void> {
  const { node, terminals } = desk
  // Of somebody unknown nothing is believed, so it hears A0.
  const reader = found?.codec ?? codec(terminalCode, 'mqtt', { keys: [], cardKey: terminals.config.cardKey })
  let report: Report
  try {
    report = reader.decode(payload)
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    unreadable(desk, terminalCode, payload, error)
    const stranger = { kind: 'terminal' as const, boxId: terminalCode, dialect: dialects.mqtt, address: 'broker' }
    if (!found) await writeDown(node, { ...stranger, reason: 'unknown_box_id' })
    return
  }
  const known = found!
  count(node.counts.heard, report.kind)
  known.heardAt = node.clock.now
  if (report.kind === 'login') await signOn(desk, known, payload)
  // As on a line that is closed: it signs on again.
  else if (!known.isOpen) return count(node.counts.publishes, 'refused')
  else await work(desk, known, report, payload)
  count(node.counts.publishes, 'acknowledged')
}

/** Messages, each terminal's in the order they came. */
function turnsOf(desk: Desk, find: (terminalCode: string) => Promise<Known | null>) {
  const { node } = desk
  const turns = new Map<string, Promise<void>>()
  let waiting = 0

  async function turn(terminalCode: string, { payload, acknowledge }: Incoming) {
    try {
      // What comes of it stands at the limiter for itself: who is let through must not wait there again.
      const found = await node.limiter.run(() => find(terminalCode))
      await act(desk, found, terminalCode, payload)
    } catch (error) {
      payload.fill(0)
      node.counts.failures += 1
      count(node.counts.publishes, 'failed')
      node.log('report.failed', { serial: terminalCode, error })
    }
    waiting -= 1
    acknowledge()
  }

  return {
    take(terminalCode: string, message: Incoming) {
      if (message.isRetained || waiting >= waitingMax) {
        message.payload.fill(0)
        count(node.counts.publishes, message.isRetained ? 'retained' : 'refused')
        return message.acknowledge()
      }
      waiting += 1
      const mine = (turns.get(terminalCode) ?? Promise.resolve()).then(() => turn(terminalCode, message))
      turns.set(terminalCode, mine)
      void mine.then(() => turns.get(terminalCode) === mine && turns.delete(terminalCode))
    },
    finish: async () => void (await within(workMs, Promise.all(turns.values()))),
  }
}

/** Hears and tells the terminals behind a broker. */
export function brokerTerminals(desk: Desk): BrokerTerminals {
  const { node, name } = desk
  const { byId, forget, remember, find } = memory(desk)
  const turns = turnsOf(desk, find)
  return {
    take: turns.take,
    get: (terminalId) => byId.get(terminalId),
    async prepare(rows) {
      const unknown = rows.map(({ deviceId }) => deviceId).filter((id) => !byId.has(id))
      for (const row of await behindAll(node.db.sql, name, unknown, node.keysSecret)) remember(row)
      for (const { deviceId, epoch } of rows) {
        const known = byId.get(deviceId)
        if (known) known.epoch = epoch
      }
    },
    forget,
    async write(sinceMs) {
      const heard = [...byId.values()].filter(({ isOpen, heardAt }) => isOpen && heardAt >= sinceMs)
      const ids = heard.map(({ deviceId }) => deviceId)
      const ours = new Set(ids.length > 0 ? await seen(node.db.sql, name, ids) : [])
      // Signed on elsewhere since.
      for (const known of heard) known.isOpen = ours.has(known.deviceId)
      for (const id of await node.db.transaction((tx) => closeSilent(tx, name))) forget(id)
    },
    finish: turns.finish,
  }
}
