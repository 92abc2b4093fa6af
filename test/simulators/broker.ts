import { once } from 'node:events'
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { text } from 'node:stream/consumers'
import { Aedes, type AedesPublishPacket, type Client } from 'aedes'
import { onTestFinished } from 'vitest'
import type { When } from '../../protocol/any-device.ts'
import type { Command, Report } from '../../protocol/cabinet.ts'
import * as mqtt from '../../protocol/cabinet-mqtt/index.ts'
import { MalformedBody } from '../../protocol/errors.ts'
import { type MqttCabinetSettings, mqttCabinet } from '../../simulators/cabinet/cabinet-mqtt.ts'
import { asker, dialer } from '../../simulators/dial.ts'

const unixMilliseconds = 1_790_000_000_000
/** Of a range nobody is given, with its check digit. */
export const imei = '001010010000014'
export const banks = ['026ED580', '026ED581', '026ED582']
export const stranger = '058E1708'

/** A frame as it was published. */
export interface Published {
  topic: string
  payload: Buffer
  qos: number
  dup: boolean
  retain: boolean
  report: Report
}

/** An HTTP call as it came in. */
export interface Call {
  path: string
  query: URLSearchParams
  body: Buffer
}

type Heard = Published | Call

/** What came in and was not asked for yet, and who waits for what is to come. */
function inbox<T extends Heard>() {
  const fresh: T[] = []
  const waiting: { match(one: T): boolean; resolve(one: T): void }[] = []
  return {
    all: [] as T[],
    add(one: T) {
      this.all.push(one)
      const at = waiting.findIndex(({ match }) => match(one))
      if (at >= 0) waiting.splice(at, 1)[0]?.resolve(one)
      else fresh.push(one)
    },
    next(match: (one: T) => boolean): Promise<T> {
      const at = fresh.findIndex(match)
      if (at >= 0) return Promise.resolve(fresh.splice(at, 1)[0]!)
      return new Promise((resolve) => waiting.push({ match, resolve }))
    },
  }
}

/** What a test sees of a server, and how it has it behave. */
function desk() {
  const frames = inbox<Published>()
  const calls = inbox<Call>()
  return {
    frames,
    calls,
    /** Who has dialled in, in this order. */
    clients: [] as Client[],
    malformed: [] as string[],
    /** What was published, in hex: the command and its data. */
    payloads: [] as string[],
    /** False: what is published is never acknowledged. */
    acknowledges: true,
    /** False: heartbeats do not come back. */
    echoes: true,
    /** The code of the next bootstraps. */
    code: 200,
    /** How many passwords were given, from the first on; those up to `revoked` are wrong. */
    passwords: 0,
    revoked: -1,
    passwordOf: (issue: number) => `secret-${issue}`,
    ports: { mqtt: 0, http: 0 },
    next: async <K extends Report['kind']>(kind: K) =>
      (await frames.next(({ report }) => report.kind === kind)).report as Extract<Report, { kind: K }>,
    call: (path: string) => calls.next((one) => one.path === path),
  }
}
type Desk = ReturnType<typeof desk>

/** A broker that routes as any would: subscribers to their own heartbeats hear them. */
const brokerOf = (desk: Desk) =>
  Aedes.createBroker({
    authenticate(client, username, password, done) {
      const issue = Number(String(password).split('-')[1])
      const isRight = username === 'cabinet' && issue > desk.revoked && issue <= desk.passwords
      if (isRight) desk.clients.push(client)
      done(isRight ? null : Object.assign(new Error('no'), { returnCode: 5 }), isRight)
    },
    authorizePublish(_, packet, done) {
      hear(desk, packet)
      if (desk.acknowledges) done(null)
    },
    authorizeForward: (_, packet) => (desk.echoes || !packet.topic.endsWith('/heart') ? packet : null),
  })

type Packet = Pick<AedesPublishPacket, 'topic' | 'payload' | 'qos' | 'dup' | 'retain'>

function hear({ frames, malformed, payloads }: Desk, { topic, payload, qos, dup, retain }: Packet) {
  const bytes = Buffer.from(payload)
  try {
    payloads.push(bytes.subarray(3, -1).toString('hex').toUpperCase())
    frames.add({ topic, payload: bytes, qos, dup, retain, report: mqtt.codec().decode(bytes) })
  } catch (error) {
    if (!(error instanceof MalformedBody)) throw error
    malformed.push(error.message)
  }
}

const webOf = (desk: Desk) =>
  createHttp(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://cabinets')
    const body = Buffer.from(await text(request.setEncoding('latin1')), 'latin1')
    const code = mqtt.isSigned(searchParams) ? desk.code : 401
    const clientId = `client-${searchParams.get('uuid')}`
    const login = { clientId, host: '127.0.0.1', port: desk.ports.mqtt, username: 'cabinet' }
    if (mqtt.connectPaths.some((path) => path === pathname) && code === 200)
      response.end(mqtt.connectAnswer({ ...login, password: desk.passwordOf(++desk.passwords) }, unixMilliseconds))
    else response.end(mqtt.answer(code, code === 200 ? 'OK' : 'no', unixMilliseconds))
    desk.calls.add({ path: pathname, query: searchParams, body })
  })

/** Both doors of a server, and nothing behind them but the server's half of the protocol. */
export async function server() {
  const self = desk()
  const broker = await brokerOf(self)
  const door = createServer({ noDelay: true }, broker.handle).listen(0, '127.0.0.1')
  const web = webOf(self).listen(0, '127.0.0.1')
  await Promise.all([once(door, 'listening'), once(web, 'listening')])
  self.ports = { mqtt: (door.address() as AddressInfo).port, http: (web.address() as AddressInfo).port }
  onTestFinished(async () => {
    door.close()
    web.close()
    web.closeAllConnections()
    await new Promise<void>((closed) => broker.close(closed))
  })
  const publish = (payload: Buffer, qos: 0 | 1) =>
    new Promise<void>((done, failed) => {
      const packet = { cmd: 'publish', topic: mqtt.topics(imei).get, payload, qos, retain: false, dup: false } as const
      broker.publish(packet, (error) => (error ? failed(error) : done()))
    })
  return Object.assign(self, {
    /** The password given last stops working. */
    revoke: () => void (self.revoked = self.passwords),
    /** The next cabinet that has subscribed to its commands. */
    arrival: () => new Promise<void>((arrived) => broker.once('subscribe', () => arrived())),
    tell: (command: Command, when?: When) => publish(mqtt.codec().encode(command, when), mqtt.qosOf(command)),
    say: (words: object) => publish(Buffer.from(JSON.stringify(words)), 1),
  })
}

/** A cabinet of six slots with three banks in them, and the server it finds by its bootstrap. */
export async function pair(settings: Partial<MqttCabinetSettings> & { heartbeatSeconds?: number } = {}) {
  const far = await server()
  const cab = mqttCabinet(
    { dial: dialer(false), ask: asker(false) },
    {
      boxId: imei,
      slots: 6,
      banks,
      redialSeconds: 0,
      bootSeconds: 0,
      server: { host: '127.0.0.1', port: `${far.ports.http}`, heartbeatSeconds: settings.heartbeatSeconds ?? 540 },
      ...settings,
    },
  )
  onTestFinished(() => cab.close())
  return { cab, far }
}
