import { hkdfSync } from 'node:crypto'

const keyBytes = 32

/**
 * The key under which the digits of a card are hashed to know the same card again (docs/protocol.md 7.6), as 64 hex digits:
 * of KEYS_SECRET, so that every process has the same and there is one secret less to lose.
 */
export const cardKeyOf = (keysSecret: string): string =>
  Buffer.from(hkdfSync('sha256', keysSecret, '', 'voltbay card fingerprints', keyBytes)).toString('hex')
