import type { Socket } from 'node:net'
import { count } from './counts.ts'
import { family, networks, plain } from './networks.ts'
import type { GatewayNode } from './node.ts'

/** Who may come in at any of the doors: by address, by number, by number of one address. Counts it until it is closed. */
export type MayEnter = (socket: Socket) => boolean

/** @throws RangeError */
export function connectionGuard(node: GatewayNode, allow: readonly string[]): MayEnter {
  const { connectionsMax, connectionsPerAddressMax } = node.limits
  const allowed = networks(allow)
  const perAddress = new Map<string, number>()
  let all = 0
  const reasonToRefuse = (address: string) => {
    if (allowed && !allowed.check(address, family(address))) return 'address_not_allowed'
    if (all >= connectionsMax) return 'too_many_connections'
    return (perAddress.get(address) ?? 0) >= connectionsPerAddressMax ? 'too_many_of_one_address' : null
  }
  return (socket) => {
    const address = plain(socket.remoteAddress ?? '')
    const reason = reasonToRefuse(address)
    if (reason !== null) {
      count(node.counts.turnedAway, reason)
      socket.destroy()
      return false
    }
    node.counts.accepted += 1
    all += 1
    perAddress.set(address, (perAddress.get(address) ?? 0) + 1)
    // It comes once; `once` would keep two more functions for every connection.
    socket.on('close', () => {
      all -= 1
      const left = perAddress.get(address)! - 1
      if (left === 0) perAddress.delete(address)
      else perAddress.set(address, left)
    })
    return true
  }
}
