/** Chances of one seed. */
export interface Random {
  /** From 0 up to 1. */
  one(): number
  between(from: number, to: number): number
  /** A whole number from 0 up to `count`. */
  below(count: number): number
  pick<T>(from: readonly T[]): T
}

/** The same seed is the same chances (mulberry32: 32 bits of state, enough for a game). */
export function random(seed: number): Random {
  let state = seed >>> 0
  function one(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  const below = (count: number) => Math.floor(one() * count)
  return {
    one,
    below,
    between: (from, to) => from + one() * (to - from),
    pick: (from) => from[below(from.length)]!,
  }
}
