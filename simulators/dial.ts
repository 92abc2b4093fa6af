import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, type SecureContextOptions } from 'node:tls'

const keepAliveMilliseconds = 60_000
const askMilliseconds = 15_000
const answerBytesMax = 16_384

/** Whether a host is this machine: a simulator is a load, and a server says where to dial next (0x63). */
const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * Refuses other people's machines.
 * @throws RangeError not loopback, and nobody allowed more
 */
export function mayDial(host: string, allowRemote: boolean): void {
  if (!allowRemote && !isLoopback(host)) throw new RangeError(`${host} is not this machine: say --allow-remote`)
}

/** Where to dial, as a device was told it. */
interface Address {
  host: string
  port: string | number
}

/**
 * How a simulated device dials. @param tls whom it believes; absent: in the clear
 * @throws RangeError see `mayDial`, also when the server moved the device
 */
export const dialer =
  (allowRemote: boolean, tls?: Pick<SecureContextOptions, 'ca'>) =>
  ({ host, port }: Address): Socket => {
    mayDial(host, allowRemote)
    const keepAlive = { keepAlive: true, keepAliveInitialDelay: keepAliveMilliseconds }
    const where = { host, port: Number(port), noDelay: true, ...keepAlive }
    // An address is no server name (RFC 6066).
    return tls ? connectTls({ ...where, ...tls, ...(isIP(host) === 0 && { servername: host }) }) : connect(where)
  }

/** The doors of a cabinet that speaks HTTP as well. */
export interface Doors {
  dial(server: Address): Socket
  /** Absent: it cannot speak HTTP. */
  ask?: Ask
}

/** Something to be said to an HTTP server, whose answer is text. */
export type Ask = (server: Address, path: string, body: string | Buffer<ArrayBuffer>) => Promise<string>

/**
 * How a simulated cabinet asks over HTTP; whatever the status is, the answer says it in its own words (docs/protocol.md 5.1).
 * @throws RangeError see `mayDial` | TypeError nobody there | DOMException TimeoutError
 */
export const asker =
  (allowRemote: boolean): Ask =>
  async ({ host, port }, path, body) => {
    mayDial(host, allowRemote)
    const answer = await fetch(`http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(askMilliseconds),
    })
    return (await answer.text()).slice(0, answerBytesMax)
  }

/** Both ways out. @throws RangeError see `mayDial` */
export const doors = (allowRemote: boolean): Doors => ({ dial: dialer(allowRemote), ask: asker(allowRemote) })
