import type { Command, Report } from '../cabinet.ts'
import type { AnyCommand, AnyDefinition, AnyReport } from '../define.ts'
import { MalformedBody } from '../errors.ts'
import { abnormal } from './abnormal.ts'
import { apn, setApn } from './apn.ts'
import { ejectA, ejectB } from './eject.ts'
import { forceEject } from './force-eject.ts'
import { heartbeat } from './heartbeat.ts'
import { iccid } from './iccid.ts'
import { inventoryA, inventoryB } from './inventory.ts'
import { loginA, loginB } from './login.ts'
import { restart } from './restart.ts'
import { returnedA, returnedB } from './returned.ts'
import { serverAddress, setServerAddress } from './server-address.ts'
import { softwareVersion } from './software-version.ts'
import { setVolume, volume } from './volume.ts'

/** A TCP dialect: a list of definitions, found by command byte or by our word. */
export interface Dialect {
  letter: 'A' | 'B'
  definitions: readonly AnyDefinition[]
  /** @throws MalformedBody nobody has defined this command byte */
  byCode(code: number): AnyDefinition
  /** The definition of one of our commands. */
  toTell(kind: Command['kind']): AnyCommand
  /** The definition of one of our reports; an answer is defined with its command. */
  toSay(kind: Report['kind']): AnyDefinition
}

const common = [
  heartbeat,
  softwareVersion,
  setServerAddress,
  restart,
  iccid,
  serverAddress,
  setVolume,
  setApn,
  apn,
  volume,
  forceEject,
  abnormal,
]

function dialect(letter: 'A' | 'B', list: (AnyCommand | AnyReport)[]): Dialect {
  const definitions = list.toSorted((one, other) => one.code - other.code)
  const codes: (AnyDefinition | undefined)[] = new Array(256).fill(undefined)
  for (const definition of definitions) codes[definition.code] = definition
  const kinds = new Map<string, AnyDefinition>(definitions.map((definition) => [definition.kind, definition]))
  return {
    letter,
    definitions,
    byCode(code) {
      const found = codes[code]
      if (!found) throw new MalformedBody(`unknown command 0x${code.toString(16)}`)
      return found
    },
    toTell(kind) {
      const found = kinds.get(kind)
      if (found?.initiator !== 'server') throw new RangeError(`no command ${kind} in dialect ${letter}`)
      return found
    },
    toSay(kind) {
      const found = kinds.get(kind)
      if (!found) throw new RangeError(`no report ${kind} in dialect ${letter}`)
      return found
    },
  }
}

/** Short records, a token that means nothing; login magic 0x0233 (docs/protocol.md 2). */
export const A = dialect('A', [loginA, inventoryA, ejectA, returnedA, ...common])
/** Telemetry in every record, every frame signed; login magic 0xA0A0 (family TCP-B). */
export const B = dialect('B', [loginB, inventoryB, ejectB, returnedB, ...common])

const codeAt = 2
const told = new Set([returnedA.code, abnormal.code])

/** Might this frame have told of a bank that came back, or of a slot that went wrong? By its command byte alone. */
export const mayMatter = (frame: Buffer): boolean => told.has(frame[codeAt]!)
