import type { ZodType } from 'zod'

/** `orgUnitId` as `org_unit_id`. */
export type Snake<S extends string> = S extends `${infer C}${infer Rest}`
  ? `${C extends Lowercase<C> ? C : `_${Lowercase<C>}`}${Snake<Rest>}`
  : S
/** `org_unit_id` as `orgUnitId`. */
type Camel<S extends string> = S extends `${infer Head}_${infer Rest}` ? `${Head}${Capitalize<Camel<Rest>>}` : S

/** A row with its names in snake_case, and its instants as a surface spells them. */
export type Snaked<R> = {
  [K in keyof R & string as Snake<K>]: Extract<R[K], Date> extends never ? R[K] : Exclude<R[K], Date> | string
}
/** The fields of a body that sets these: none is missing, and none is there that nobody would store. */
export type BodyOf<N> = Record<Snake<keyof N & string>, ZodType>
/** A body with its names in camelCase. */
type Cameled<B> = { [K in keyof B & string as Camel<K>]: B[K] }

export const snake = (name: string) => name.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`)
export const camel = (name: string) => name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

// The types of both say what fromEntries forgets: each name respelt, each value as it was.
export const snaked = <R extends object>(row: R, time: (at: Date) => string) =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [snake(name), value instanceof Date ? time(value) : value]),
  ) as Snaked<R>
export const cameled = <B extends object>(body: B) =>
  Object.fromEntries(Object.entries(body).map(([name, value]) => [camel(name), value])) as Cameled<B>
