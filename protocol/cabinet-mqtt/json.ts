import { MalformedBody } from '../errors.ts'

/** What a command may hold at most; the longest documented one has some 80 bytes. */
const commandBytesMax = 4096

/** One member of a JSON command: its key on the wire, and how its text is read and written. Every value is a string (5.4). */
export interface Member<T> {
  key: string
  /** As the generated documentation names it. */
  doc: string
  /** @throws MalformedBody a text this member cannot be */
  read(text: string): T
  /** @throws RangeError a value the wire cannot carry */
  write(value: T): string
}

/** A member that may be missing. */
export interface OptionalMember<T> extends Member<T> {
  optional: true
}

// `any`: they hold members of every type, and Words<M> gives each its own back.
/** The members of a command by our names. */
export type Members = Record<string, Member<any>>
type Value<M> = M extends Member<infer T> ? T : never
type Optional<M> = { [K in keyof M]: M[K] extends OptionalMember<any> ? K : never }[keyof M]

/** The object a command decodes to. */
export type Words<M> = { [K in Exclude<keyof M, Optional<M>>]: Value<M[K]> } & { [K in Optional<M>]?: Value<M[K]> }

/** A whole number in decimal, without sign or leading zeros. */
export const decimal = (key: string, min: number, max: number): Member<number> => {
  const isInside = (value: number) => Number.isInteger(value) && value >= min && value <= max
  return {
    key,
    doc: `"${min}"–"${max}"`,
    read(text) {
      const value = /^(?:0|[1-9]\d{0,9})$/.test(text) ? Number(text) : Number.NaN
      if (!isInside(value)) throw new MalformedBody(`${key} is no ${min}–${max}`)
      return value
    },
    write(value) {
      if (!isInside(value)) throw new RangeError(`${value} is no ${key} of ${min}–${max}`)
      return String(value)
    },
  }
}

/** A text that is written as it is read. @param fault what is said of one that it cannot be */
const text = <W extends string>(
  key: string,
  doc: string,
  fits: (text: string) => boolean,
  fault: string,
): Member<W> => ({
  key,
  doc,
  read(text) {
    if (!fits(text)) throw new MalformedBody(`${key} ${fault}`)
    // What fits is one of them.
    return text as W
  },
  write(value) {
    if (!fits(value)) throw new RangeError(`${key} ${fault}`)
    return value
  },
})

/** One of a few words. */
export const word = <W extends string>(key: string, ...words: readonly W[]): Member<W> =>
  text(
    key,
    words.map((one) => `"${one}"`).join(', '),
    (text) => words.some((one) => one === text),
    `is none of ${words.join(', ')}`,
  )

/** Any text of so many characters at most. */
export const anything = (key: string, charsMax: number): Member<string> =>
  text(key, `up to ${charsMax} characters`, ({ length }) => length <= charsMax, `has more than ${charsMax} characters`)

/** A member that may be missing. */
export const maybe = <T>(member: Member<T>): OptionalMember<T> => ({
  ...member,
  doc: `[${member.doc}]`,
  optional: true,
})

/**
 * A command as the JSON text of a publish, its members in their order.
 * @throws RangeError a value the wire cannot carry
 */
export function encodeCommand<M extends Members>(cmd: string, members: M, words: Words<M>): Buffer {
  const said: Record<string, string> = { cmd }
  for (const [name, member] of Object.entries(members)) {
    const value = (words as Record<string, unknown>)[name]
    if (value !== undefined) said[member.key] = member.write(value)
    else if (!('optional' in member)) throw new RangeError(`${name} is missing`)
  }
  return Buffer.from(JSON.stringify(said))
}

const strict = new TextDecoder('utf-8', { fatal: true })

/**
 * A publish as the members of its object, nothing understood yet.
 * @throws MalformedBody not a JSON object of strings, one of which is `cmd`
 */
export function parseCommand(bytes: Buffer): Map<string, string> {
  if (bytes.length > commandBytesMax) throw new MalformedBody(`a command of ${bytes.length} bytes`)
  let said: unknown
  try {
    said = JSON.parse(strict.decode(bytes))
  } catch (cause) {
    throw new MalformedBody('not JSON', { cause })
  }
  if (typeof said !== 'object' || said === null || Array.isArray(said)) throw new MalformedBody('not a JSON object')
  const members = new Map<string, string>()
  for (const [key, value] of Object.entries(said)) {
    if (typeof value !== 'string') throw new MalformedBody('a value that is no string')
    members.set(key, value)
  }
  if (!members.has('cmd')) throw new MalformedBody('no cmd')
  return members
}

/**
 * The words of a command; members nobody has named are passed over, as a cabinet does.
 * @throws MalformedBody a member is missing, or is not what it may be
 */
export function decodeMembers<M extends Members>(members: M, said: ReadonlyMap<string, string>): Words<M> {
  const words: Record<string, unknown> = {}
  for (const [name, member] of Object.entries(members)) {
    const text = said.get(member.key)
    if (text !== undefined) words[name] = member.read(text)
    else if (!('optional' in member)) throw new MalformedBody(`no ${member.key}`)
  }
  return words as Words<M>
}
