import { createServer } from 'node:http'
import { getRequestListener, type HttpBindings } from '@hono/node-server'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { deviceOf } from '../../db/devices/mqtt-credentials.ts'
import type { Firmware } from '../../db/devices/words.ts'
import { issueCredential } from '../../db/powerbank/cabinets.ts'
import { lookWithin } from '../../db/powerbank/looks.ts'
import {
  answer,
  codec,
  configPath,
  connectAnswer,
  connectPaths,
  frameBytesMax,
  isSigned,
  readConnect,
  readReturn,
  readUpload,
  readVersions,
  returnPaths,
  uploadPaths,
} from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { dialect } from '../cabinet/mqtt-login.ts'
import type { GatewayConfig, MqttConfig } from '../config.ts'
import type { MayEnter } from '../connection-guard.ts'
import { count } from '../counts.ts'
import { listening } from '../listeners.ts'
import { writeDown } from '../login.ts'
import { plain } from '../networks.ts'
import type { GatewayNode } from '../node.ts'

/** `hardware=…&software=…`, with room. */
const descriptionBytesMax = 1_024
/**
 * Calls in a minute. A cabinet makes three in an hour; a carrier may put a whole fleet behind one address. A device's are
 * counted by address: whoever else has read its IMEI must not use up its share.
 */
const callsPerDeviceMax = 12
const callsPerAddressMax = 6_000
const minuteMs = 60_000
/** Devices and addresses whose calls are counted; the longest silent are forgotten first. */
const keysMax = 50_000
const requestMs = 10_000
const headerBytesMax = 8_192
const methods = ['GET', 'POST']
/** Stands for us where a caller does not say by which name it has found us, as in HTTP/1.0 it need not. */
const nameless = 'localhost'

/** What a call came to: the envelope's code, which is the HTTP status too, and its words. */
type Told = [code: 200 | 400 | 401 | 404 | 413 | 429 | 503, body: string]
type Env = { Bindings: HttpBindings }

/** Where the broker is, as cabinets are told it. */
interface Directions {
  /** Null: by the name they call us by. */
  host: string | null
  port: number
}

/** Counts per key, anew every minute. */
function perMinute(node: GatewayNode, max: number) {
  const calls = new Map<string, number>()
  let since = node.clock.now
  return (key: string): boolean => {
    if (node.clock.now - since > minuteMs) {
      calls.clear()
      since = node.clock.now
    }
    const made = (calls.get(key) ?? 0) + 1
    if (made === 1 && calls.size >= keysMax) calls.delete(calls.keys().next().value!)
    calls.set(key, made)
    return made <= max
  }
}

const now = () => Date.now()
const say = (code: Told[0], msg: string): Told => [code, answer(code, msg, now())]
const addressOf = (c: Context<Env>) => plain(c.env.incoming.socket.remoteAddress ?? '')

/** By which name or address the caller has found us. */
const ourName = (c: Context<Env>) =>
  c.req.header('host') ? new URL(c.req.url).hostname : plain(c.env.incoming.socket.localAddress ?? nameless)

/** A call that is signed. */
interface Call {
  c: Context<Env>
  query: URLSearchParams
  address: string
}

/** What calls are answered with. */
interface Desk {
  node: GatewayNode
  directions: Directions
  mayDevice(key: string): boolean
  mayAddress(key: string): boolean
}

/** One call, answered whatever happens: what cannot be read is the caller's fault, all else ours. */
const call = (desk: Desk, name: string, work: (call: Call) => Promise<Told>) => async (c: Context<Env>) => {
  const { node, mayAddress } = desk
  const told = async () => {
    const address = addressOf(c)
    if (!mayAddress(address)) return say(429, 'too many calls')
    const query = new URL(c.req.url).searchParams
    return isSigned(query) ? await work({ c, query, address }) : say(401, 'sign error')
  }
  const [code, body] = await told().catch((error) => {
    if (error instanceof MalformedBody) return say(400, 'bad request')
    node.counts.failures += 1
    node.logSparingly('call.failed', { call: name, error })
    return say(503, 'try again')
  })
  count(node.counts.calls, `${name}_${code}`)
  return c.body(body, code, { 'content-type': 'application/json' })
}

/** Where the broker is, and a credential for it; by the name the cabinet has found us by unless a setting says better. */
async function connect({ node, directions, mayDevice }: Desk, { c, query, address }: Call, firmware: Firmware) {
  const { uuid, iccid } = readConnect(query)
  if (!mayDevice(`${uuid} ${address}`)) return say(429, 'too many calls')
  const { software = null } = readVersions(await c.req.text())
  const asked = { serial: uuid, iccid: iccid || null, firmware, software, address }
  const issued = await node.limiter.run(() => node.db.transaction((tx) => issueCredential(tx, asked)))
  if (typeof issued !== 'string') {
    const { host, port } = directions
    return [200, connectAnswer({ ...issued, host: host ?? ourName(c), port }, now())] satisfies Told
  }
  const reason = issued === 'sim_changed' ? 'sim_changed' : 'unknown_box_id'
  await writeDown(node, { boxId: uuid, dialect, address, reason })
  return say(401, 'unknown device')
}

/** Something may have happened in this cabinet: it is asked, if it is one of ours that has been on the broker. */
async function look({ node, mayDevice }: Desk, uuid: string, address: string): Promise<Told> {
  if (!mayDevice(`${uuid} ${address}`)) return say(429, 'too many calls')
  const stationId = await node.limiter.run(() => deviceOf(node.db.sql, { kind: 'cabinet', serial: uuid }))
  if (stationId === null) return say(401, 'unknown device')
  await node.limiter.run(() => node.db.transaction((tx) => lookWithin(tx, stationId, 0)))
  return say(200, 'OK')
}

/** What a cabinet holds: read, so that noise makes nobody look; believed it is not. */
async function upload(desk: Desk, { c, query, address }: Call): Promise<Told> {
  const { uuid } = readUpload(query)
  const report = codec().decode(Buffer.from(await c.req.arrayBuffer()))
  return report.kind === 'inventory' ? look(desk, uuid, address) : say(400, 'no inventory')
}

/**
 * Where MQTT cabinets ask for the broker, and say over HTTP what they say over MQTT as well (docs/protocol.md 5.1, 5.7).
 * The signature of these calls has no secret in it: anybody who has read an IMEI off a cabinet can make it. So a call may
 * get a credential for the SIM that was named first, and nothing that is written down rests on any other: an upload or a
 * return only makes us ask the cabinet itself, over the connection it has logged in on, what it holds. No loan is opened,
 * closed or moved by HTTP.
 */
function bootstrap(node: GatewayNode, directions: Directions): Hono<Env> {
  const mayDevice = perMinute(node, callsPerDeviceMax)
  const mayAddress = perMinute(node, callsPerAddressMax)
  const desk: Desk = { node, directions, mayDevice, mayAddress }
  const app = new Hono<Env>()
  const on = (path: string, bodyBytesMax: number, name: string, work: (call: Call) => Promise<Told>) =>
    app
      .use(path, bodyLimit({ maxSize: bodyBytesMax, onError: (c) => c.body(answer(413, 'too long', now()), 413) }))
      .on(methods, path, call(desk, name, work))
  const [newer, older] = connectPaths
  on(newer, descriptionBytesMax, 'connect', (call) => connect(desk, call, 'current'))
  on(older, descriptionBytesMax, 'connect', (call) => connect(desk, call, 'old'))
  // The settings of its motors (5.1): we keep none, and none leaves those it has as they are.
  on(configPath, descriptionBytesMax, 'config', async () => [200, answer(200, 'OK', now(), '{}')])
  for (const path of uploadPaths) on(path, frameBytesMax, 'upload', (call) => upload(desk, call))
  for (const path of returnPaths)
    on(path, descriptionBytesMax, 'return', ({ query, address }) => look(desk, readReturn(query).uuid, address))
  app.notFound((c) => c.body(answer(404, 'not found', now()), 404))
  return app
}

/** The open port of the cabinets' HTTP. */
export interface BootstrapListener {
  port: number
  close(): Promise<void>
}

/**
 * Opens the port of the cabinets' HTTP. Rejects with the system's error when it is taken.
 * @param brokerPort ours, where settings name no other
 */
export async function listenBootstrap(
  node: GatewayNode,
  { host, reusePort }: Pick<GatewayConfig, 'host' | 'reusePort'>,
  { httpPort, publicHost, publicPort }: MqttConfig,
  brokerPort: number,
  mayEnter: MayEnter,
): Promise<BootstrapListener> {
  const { fetch } = bootstrap(node, { host: publicHost, port: publicPort ?? brokerPort })
  // Bindings: node:http's, for the server is.
  const listener = getRequestListener((request, bindings) => fetch(request, bindings as HttpBindings), {
    hostname: nameless,
    // What no request can be made of.
    errorHandler: () => new Response(answer(400, 'bad request', now()), { status: 400 }),
  })
  const limits = { headersTimeout: requestMs, requestTimeout: requestMs, maxHeaderSize: headerBytesMax }
  const server = createServer({ ...limits, requireHostHeader: false }, listener)
  server.on('connection', mayEnter)
  return {
    port: await listening(server, httpPort, { host, reusePort }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeIdleConnections()
        setTimeout(() => server.closeAllConnections(), requestMs).unref()
      }),
  }
}
