import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import { isNearby } from '../networks.ts'
import type { TerminalConfig } from './config.ts'

/**
 * May card numbers come over this line? Over TLS always; else only from near, unless the operator has said otherwise
 * (docs/protocol.md 7.1).
 */
export const mayCarryCards = (
  { isPlainAllowed }: Pick<TerminalConfig, 'isPlainAllowed'>,
  stream: Duplex,
  address: string,
): boolean => isPlainAllowed || stream instanceof TLSSocket || isNearby(address)
