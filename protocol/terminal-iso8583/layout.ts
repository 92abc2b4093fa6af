import { MalformedBody, named } from '../errors.ts'
import { type Field, fieldAt, formatOf } from './fields.ts'
import { type Message, type Part, rawOf, read } from './message.ts'
import { bytesOf } from './values.ts'

/** A field under the name that a message gives it, as the value it is there. */
export interface Element<T> {
  field: Field
  /** Undefined where the message has no such field. @throws MalformedBody what cannot be that value */
  read(message: Message): T | undefined
  /** With its length in front. @throws RangeError a value the field cannot hold */
  write(value: T): Uint8Array
}

/** A field that may be missing. */
export interface OptionalElement<T> extends Element<T> {
  optional: true
}

// `any`: it holds elements of every type, and Body<L> gives each its own back.
/** What a message holds, by our names. */
export type Layout = Record<string, Element<any>>
type Value<E> = E extends Element<infer T> ? T : never
type Optional<L> = { [K in keyof L]: L[K] extends OptionalElement<any> ? K : never }[keyof L]

/** The object a layout decodes to. */
export type Body<L> = { [K in Exclude<keyof L, Optional<L>>]: Value<L[K]> } & { [K in Optional<L>]?: Value<L[K]> }

/** A field as its text (`textOf`). */
export function de(number: number): Element<string> {
  const field = fieldAt(number)
  if (!field) throw new RangeError(`there is no field ${number}`)
  return { field, read: (message) => read(message, field), write: (text) => bytesOf(field, text) }
}

/** A field whose text must look so. */
export function matching(number: number, pattern: RegExp): Element<string> {
  const { field, read, write } = de(number)
  return {
    field,
    read(message) {
      const text = read(message)
      if (text !== undefined && !pattern.test(text)) throw new MalformedBody(`field ${number} is no ${field.title}`)
      return text
    },
    write(text) {
      if (!pattern.test(text)) throw new RangeError(`field ${number} (${formatOf(field)}) cannot hold that`)
      return write(text)
    },
  }
}

/** The digits of a field as a number: an amount in minor units, a count. */
export function whole(number: number): Element<number> {
  const { field, read, write } = de(number)
  return {
    field,
    read(message) {
      const digits = read(message)
      if (digits === undefined) return undefined
      const value = Number(digits)
      if (!Number.isSafeInteger(value)) throw new MalformedBody(`field ${number} is beyond what can be counted`)
      return value
    },
    write(value) {
      if (!Number.isSafeInteger(value) || value < 0)
        throw new RangeError(`field ${number} (${formatOf(field)}) cannot hold that`)
      return write(String(value).padStart(field.size, '0'))
    },
  }
}

/** A secret as its bytes with their length, a view of the memory they came in: never a text, which nobody can overwrite. */
export function raw(number: number): Element<Buffer> {
  const { field } = de(number)
  return { field, read: (message) => rawOf(message, field), write: (bytes) => bytes }
}

/** A field that may be missing. */
export const may = <T>(element: Element<T>): OptionalElement<T> => ({ ...element, optional: true })

/**
 * What a message says, by a layout.
 * @throws MalformedBody a field is missing, or is not what it must be
 */
export function decodeBody<L extends Layout>(layout: L, message: Message): Body<L> {
  const body: Record<string, unknown> = {}
  for (const name in layout) {
    const element = layout[name]!
    const value = element.read(message)
    if (value !== undefined) body[name] = value
    else if (!('optional' in element)) throw new MalformedBody(`no field ${element.field.number}`)
  }
  return body as Body<L>
}

/**
 * A body as fields to be joined.
 * @throws RangeError a value its field cannot hold, or one that is missing
 */
export function encodeBody<L extends Layout>(layout: L, body: Body<L>): Part[] {
  const parts: Part[] = []
  for (const [name, element] of Object.entries(layout)) {
    const value = (body as Record<string, unknown>)[name]
    if (value !== undefined) {
      const bytes = named(name, () => element.write(value))
      parts.push({ number: element.field.number, bytes, start: 0, end: bytes.length })
    } else if (!('optional' in element)) throw new RangeError(`${name} is missing`)
  }
  return parts
}
