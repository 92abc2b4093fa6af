/** What any verb may refuse: every surface has its own status and words for each. */
export type GenericCode =
  | 'not_found'
  | 'conflict'
  | 'duplicate'
  | 'invalid'
  | 'unauthenticated'
  | 'forbidden'
  | 'not_yours'
  | 'idempotency_mismatch'
  | 'limit'
  | 'unavailable'

/** What a refusal says beside its code: data for the surface's answer (limits, fields), never a secret. */
export interface About<Reason extends string = never> {
  /** More than the code says; surfaces have words for it. */
  reason?: Reason
  /** Which of the given values it is about. */
  field?: string
  [more: string]: unknown
}

/**
 * The state says no: nothing was changed. A verb imports it from its domain's `refused.ts`, which adds the domain's
 * codes and reasons; a new one is a type error in every surface that speaks the domain until it has words there.
 */
export class Refused extends Error {
  readonly code: string
  readonly about: About<string>
  constructor(code: GenericCode, detail = '', about: About = {}) {
    super(detail || code)
    this.name = 'Refused'
    this.code = code
    this.about = about
  }
}

/** `Refused` as a domain throws it. */
interface RefusedOf<Code extends string, Reason extends string> {
  new (
    code: GenericCode | Code,
    detail?: string,
    about?: About<Reason>,
  ): Refused & { readonly code: GenericCode | Code }
}

/** `Refused` with the codes and reasons of a domain. */
export const refusals = <Code extends string, Reason extends string>() =>
  // The one class takes any text; only its type is narrower.
  Refused as unknown as RefusedOf<Code, Reason>
