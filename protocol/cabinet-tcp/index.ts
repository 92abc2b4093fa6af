import type { CabinetVoice, Greeting } from '../cabinet.ts'
import { MalformedBody } from '../errors.ts'

/**
 * Who dials, from the first frame of a connection. The magic picks the dialect: 0xA0A0 is B, anything else of A's shape is A.
 * @throws MalformedBody not a login, a bad checksum or an unreadable body
 */
export function greet(_frame: Buffer): Greeting {
  throw new MalformedBody('the definitions follow in the next commit')
}

/** The device side of a dialect, for simulators and tests. B needs `key`; `vsn` is 1 in A and 2 in B unless told otherwise. */
export function cabinetVoice(
  _dialect: 'A' | 'B',
  _settings: { key?: string; vsn?: number; token?: string } = {},
): CabinetVoice {
  throw new MalformedBody('the definitions follow in the next commit')
}
