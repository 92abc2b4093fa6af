import { BlockList, isIPv6 } from 'node:net'

/** IPv4 in an IPv6 socket is the IPv4 address. */
export const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/, '')
/** As BlockList calls it. */
export const family = (address: string) => (isIPv6(address) ? 'ipv6' : 'ipv4')

/**
 * Networks as `10.20.0.0/16` or single addresses; null: no list, everybody may.
 * @throws RangeError
 */
export function networks(entries: readonly string[]): BlockList | null {
  if (entries.length === 0) return null
  const list = new BlockList()
  for (const entry of entries) {
    const [address = '', bits] = entry.split('/')
    try {
      if (bits === undefined) list.addAddress(address, family(address))
      else list.addSubnet(address, Number(bits), family(address))
    } catch {
      throw new RangeError(`names ${entry}, which is no address or network`)
    }
  }
  return list
}

/** Loopback, link-local and the ranges that are nobody's on the Internet (RFC 1918, RFC 4193). */
const nearby = networks([
  ...['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16'],
  ...['::1', 'fc00::/7', 'fe80::/10'],
])!

/** Is this an address of this machine or of a network of ours? */
export const isNearby = (address: string): boolean => address !== '' && nearby.check(address, family(address))
