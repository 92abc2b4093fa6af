import type { Socket } from 'node:net'
import { connect, isIP } from 'node:net'
import type { ServerAddress } from './box.ts'

const keepAliveMilliseconds = 60_000

/** Whether a host is this machine: a simulator is a load, and a server says where to dial next (0x63). */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/**
 * Refuses other people's machines.
 * @throws RangeError not loopback, and nobody allowed more
 */
export function mayDial(host: string, allowRemote: boolean): void {
  if (!allowRemote && !isLoopback(host)) throw new RangeError(`${host} is not this machine: say --allow-remote`)
}

/** How a simulated cabinet dials. @throws RangeError see `mayDial`, also when 0x63 moved the cabinet */
export const dialer =
  (allowRemote: boolean) =>
  ({ host, port }: ServerAddress): Socket => {
    mayDial(host, allowRemote)
    return connect({
      host,
      port: Number(port),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMilliseconds,
    })
  }
