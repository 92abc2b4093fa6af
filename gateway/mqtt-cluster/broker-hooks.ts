import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import * as credentials from '../../db/devices/mqtt-credentials.ts'
import { identify, identifyByKey, isTerminalCode } from '../../db/paygo/terminals.ts'
import { count } from '../counts.ts'
import type { More } from '../http.ts'
import { deviceTopicOf } from '../mqtt/device-topics.ts'
import type { GatewayNode } from '../node.ts'
import type { BrokerAccess } from './broker-client.ts'
import type { Cluster } from './membership.ts'

/** What a broker asks fits in this; a longer question is not read. */
const bodyBytesMax = 16_384

/** What a broker wants to know, whichever broker: the fields of EMQX's and mosquitto-go-auth's requests. */
type Question = Record<string, unknown>

interface Verdict {
  isAllowed: boolean
  /** May do everything: one of our own nodes. */
  isOurs?: boolean
}

const denied: Verdict = { isAllowed: false }

/** The question is not one: told so, and denied. */
class BadQuestion extends Error {}

/** mosquitto-go-auth's numbers: read, write, both, subscribe. */
const wishes: Record<string, readonly ('publish' | 'subscribe')[]> = {
  publish: ['publish'],
  subscribe: ['subscribe'],
  1: ['subscribe'],
  2: ['publish'],
  3: ['publish', 'subscribe'],
  4: ['subscribe'],
}

const text = (value: unknown) => (typeof value === 'string' || typeof value === 'number' ? String(value) : '')
const digest = (value: string) => createHash('sha256').update(value).digest()
const isSame = (one: string, other: string) => timingSafeEqual(digest(one), digest(other))

/** @throws BadQuestion */
async function questionOf(request: IncomingMessage): Promise<Question> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw new BadQuestion('too long')
    chunks.push(chunk)
  }
  const body = Buffer.concat(chunks).toString()
  if (!request.headers['content-type']?.startsWith('application/json'))
    return Object.fromEntries(new URLSearchParams(body))
  try {
    const parsed: unknown = JSON.parse(body)
    if (typeof parsed === 'object' && parsed !== null) return parsed as Question
  } catch {
    // Said below, as of any other body that is none.
  }
  throw new BadQuestion('no JSON object')
}

/**
 * The same as two brokers like to hear it: EMQX 5 reads `result`, mosquitto-go-auth `Ok`; with `?answer=status` the status
 * alone says it. A no is 200 otherwise, because EMQX takes any other status for no opinion.
 */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { isAllowed, isOurs = false }: Verdict,
  error = '',
) {
  const isByStatus = request.url?.includes('answer=status')
  const status = error ? 400 : isByStatus && !isAllowed ? 403 : 200
  const body = { result: isAllowed ? 'allow' : 'deny', is_superuser: isOurs, Ok: isAllowed, Error: error }
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

/** Who is asked. */
interface Desk {
  node: GatewayNode
  access: BrokerAccess
  cluster: Cluster
}

const isOurName = ({ access }: Desk, username: string) => access.username !== null && isSame(username, access.username)

async function mayEnter(desk: Desk, { username: name, password: secret, clientid }: Question): Promise<Verdict> {
  const { node, access } = desk
  const [username, password, clientId] = [text(name), text(secret), text(clientid)]
  // Without a password of ours there is none to ask for: where another proof lets us in, the broker asks for that.
  if (isOurName(desk, username)) {
    const isOurs = access.password !== null && isSame(password, access.password)
    return { isAllowed: isOurs, isOurs }
  }
  if (isTerminalCode(username)) {
    const terminal = await identifyByKey(node.db.sql, { username, password: Buffer.from(password) }, node.keysSecret)
    return { isAllowed: terminal !== null && (clientId === '' || clientId === username) }
  }
  const credential = await credentials.check(node.db.sql, username, Buffer.from(password))
  if (!credential || credential.deviceId === null) return denied
  // Under another's id it would end that device's connection (MQTT 3.1.4-2).
  if (clientId !== '' && clientId !== username && clientId !== credentials.clientIdOf(credential)) return denied
  return { isAllowed: await node.db.transaction((tx) => credentials.use(tx, credential)) }
}

async function mayUse(desk: Desk, { username: name, topic: wanted, action, acc }: Question): Promise<Verdict> {
  const username = text(name)
  if (isOurName(desk, username)) return { isAllowed: true, isOurs: true }
  const topic = deviceTopicOf(text(wanted))
  const wish = wishes[text(action ?? acc)]
  if (!topic || !wish) return denied
  const { db, keysSecret } = desk.node
  if (topic.kind === 'terminal') {
    // What it says is signed; who it is, its first message says.
    if (username !== topic.name || !(await identify(db.sql, username, keysSecret))) return denied
    return { isAllowed: wish.every((one) => (one === 'publish') === (topic.channel === 'update')) }
  }
  const device = await credentials.holder(db.sql, username)
  if (device?.kind !== 'cabinet' || device.deviceId === null || device.serial !== topic.name) return denied
  const may = { publish: topic.channel !== 'get', subscribe: topic.channel !== 'update' }
  if (!wish.every((one) => may[one])) return denied
  // It subscribes to its commands once after it has dialled, so this is its login.
  if (topic.channel === 'get' && text(action ?? acc) !== '1') await desk.cluster.loggedIn(topic.name)
  return { isAllowed: true }
}

const hooks = new Map([
  ['/mqtt/auth', mayEnter],
  ['/mqtt/acl', mayUse],
])

/**
 * Lets a broker of somebody else ask who may come in (`POST /mqtt/auth`) and who may publish or subscribe to what
 * (`POST /mqtt/acl`), so that each cabinet keeps the credential it was given. Denied unless there is a reason.
 */
export function brokerHooks(node: GatewayNode, access: BrokerAccess, cluster: Cluster): More {
  const desk = { node, access, cluster }
  return async (request, response) => {
    const hook = request.method === 'POST' ? hooks.get(request.url?.split('?')[0] ?? '') : undefined
    if (!hook) return false
    try {
      const question = await questionOf(request)
      const verdict = await node.limiter.run(() => hook(desk, question))
      if (!verdict.isAllowed) count(node.counts.loginsRefused, 'broker_asked')
      answer(request, response, verdict)
    } catch (error) {
      if (error instanceof BadQuestion) answer(request, response, denied, error.message)
      else {
        node.counts.failures += 1
        node.logSparingly('hook.failed', { error })
        response
          .writeHead(503, { 'content-type': 'application/json' })
          .end(JSON.stringify({ result: 'deny', Ok: false }))
      }
    }
    return true
  }
}
