import { BlockList, isIP } from 'node:net'

/** Addresses of a setting: single ones and networks (`10.0.0.0/8`). Throws on anything else. */
export function addressList(list: readonly string[]): BlockList {
  const trusted = new BlockList()
  for (const entry of list) {
    const [address = '', prefix] = entry.split('/')
    const version = isIP(address)
    if (version === 0) throw new Error(`names ${entry}, which is no address or network`)
    const family = version === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  return trusted
}

/** `::ffff:10.0.0.1` is 10.0.0.1 on a dual-stack socket. */
const plain = (address: string) => address.replace(/^::ffff:(?=\d+\.)/i, '')

/** Whether an address is one of the list's, or in one of its networks. */
export const isWithin = (list: BlockList, address: string): boolean => {
  const version = isIP(address)
  return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4')
}

/**
 * Who is really asking: the socket's peer, or, if that is a proxy of ours, the last address in `X-Forwarded-For` that
 * is not. What stands further left came from the client and may say anything.
 */
export function clientIp(peer: string | undefined, forwardedFor: string | null, trusted: BlockList): string {
  let address = plain(peer ?? '')
  const hops = (forwardedFor ?? '').split(',').map((hop) => plain(hop.trim()))
  while (hops.length > 0 && isWithin(trusted, address)) {
    const hop = hops.pop()!
    if (isIP(hop) === 0) break
    address = hop
  }
  return address || 'unknown'
}
