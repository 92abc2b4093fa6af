/**
 * What our words are made of, for whoever says them by hand: the workbench checks them by it, its help and the
 * documentation print it. `cabinet-words.ts` and `terminal-words.ts` hold it against the types.
 */

/** A field of a word. */
export interface Word {
  /** What it may be, in a few words. */
  doc: string
  /** What is wrong with a value, each line beginning with where it is; none: nothing. */
  faults(value: unknown, at: string): string[]
  optional?: true
}

/** A field that may be missing. */
export interface OptionalWord extends Word {
  optional: true
}

type IsOptional<T, F extends keyof T> = Record<never, never> extends Pick<T, F> ? true : false

/** All fields of a word but its `kind`, with what may be missing marked as such: no more, no fewer. */
export type Shape<T> = {
  [F in Exclude<keyof T, 'kind'>]-?: IsOptional<T, F> extends true ? OptionalWord : Word & { optional?: never }
}

/** Any shape. */
export type AnyShape = Readonly<Record<string, Word>>

const plain = (doc: string, fits: (value: unknown) => boolean): Word & { optional?: never } => ({
  doc,
  faults: (value, at) => (fits(value) ? [] : [`${at} is no ${doc}`]),
})

/** A whole number from 0 on. */
export const whole = plain('whole number', (value) => Number.isSafeInteger(value) && Number(value) >= 0)
/** A whole number below 0, too. */
export const signed = plain('whole number, also below 0', Number.isSafeInteger)
/** Any text. */
export const text = plain('text', (value) => typeof value === 'string')
/** Yes or no. */
export const truth = plain('true or false', (value) => typeof value === 'boolean')
/** What is said by being there. */
export const set = plain('true', (value) => value === true)
/** A text that looks so. */
export const spelt = (pattern: RegExp, doc: string) =>
  plain(doc, (value) => typeof value === 'string' && pattern.test(value))
/** Any JSON object. */
export const object = plain('JSON object', (value) => isObject(value))

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The same, or null. */
export const orNull = (word: Word): Word & { optional?: never } => ({
  doc: `${word.doc}, or null`,
  faults: (value, at) => (value === null ? [] : word.faults(value, at)),
})

/** The same, with more said of it. */
export const said = <W extends Word>(word: W, more: string): W => ({ ...word, doc: `${word.doc}: ${more}` })

/** A field that may be missing. */
export const may = (word: Word): OptionalWord => ({ ...word, optional: true })

/** As many of these as one likes. */
export const list = (word: Word): Word & { optional?: never } => ({
  doc: `list of ${word.doc}`,
  faults: (value, at) =>
    Array.isArray(value) ? value.flatMap((one, n) => word.faults(one, `${at}[${n}]`)) : [`${at} is no list`],
})

/** An object of these fields. */
export const of = (shape: AnyShape): Word & { optional?: never } => ({
  doc: `{${docOf(shape)}}`,
  faults: (value, at) =>
    isObject(value) ? faultsOf(shape, value, `${at}.`) : [`${at} is no object {${docOf(shape)}}`],
})

/** An object of one of these shapes. */
export const oneOf = (...shapes: AnyShape[]): Word & { optional?: never } => ({
  doc: shapes.map((shape) => of(shape).doc).join(' or '),
  faults(value, at) {
    const tried = shapes.map((shape) => of(shape).faults(value, at))
    if (tried.some((faults) => faults.length === 0)) return []
    return [`${at} is none of ${shapes.map((shape) => of(shape).doc).join(', ')}`]
  },
})

/** The fields of a shape in one line; what may be missing is in brackets. */
export const namesOf = (shape: AnyShape): string =>
  Object.entries(shape)
    .map(([name, { optional }]) => (optional ? `[${name}]` : name))
    .join(', ')

const docOf = namesOf

/** What is wrong with the fields of a word: the missing ones in one line, the unknown ones in one, then each value. */
export function faultsOf(shape: AnyShape, words: Record<string, unknown>, path = ''): string[] {
  const missing = Object.entries(shape).filter(([name, { optional }]) => !optional && words[name] === undefined)
  const unknown = Object.keys(words).filter((name) => !Object.hasOwn(shape, name))
  const names = (list: string[]) =>
    `${list.map((name) => `${path}${name}`).join(', ')} ${list.length > 1 ? 'are' : 'is'}`
  return [
    ...(missing.length > 0 ? [`${names(missing.map(([name]) => name))} missing`] : []),
    ...(unknown.length > 0 ? [`${names(unknown)} not known here (${namesOf(shape) || 'no field at all'})`] : []),
    ...Object.entries(shape).flatMap(([name, word]) =>
      words[name] === undefined ? [] : word.faults(words[name], `${path}${name}`),
    ),
  ]
}
