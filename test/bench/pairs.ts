/** The middle of repeated measurements, and how far they lie apart. */
export interface Spread {
  median: number
  min: number
  max: number
}

/** @throws RangeError nothing was measured */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  const [min, upper, max] = [sorted[0], sorted[middle], sorted.at(-1)]
  if (min === undefined || upper === undefined || max === undefined) throw new RangeError('nothing was measured')
  const lower = sorted.length % 2 === 0 ? (sorted[middle - 1] ?? upper) : upper
  return { median: (lower + upper) / 2, min, max }
}

/**
 * Runs several ways in turn, round after round: a busy machine slows all halves of a round alike, so their ratio says
 * more than any figure. Who goes first changes each time. The first round is thrown away, unless nothing can be warm.
 */
export async function alternate<K extends string, T>(
  rounds: number,
  ways: Record<K, () => Promise<T>>,
  { warmsUp = true } = {},
): Promise<Record<K, T>[]> {
  // Object.keys forgets what the type of `ways` knows.
  const names = Object.keys(ways) as K[]
  const measured: Record<K, T>[] = []
  for (let round = warmsUp ? 0 : 1; round <= rounds; round++) {
    const figures: Partial<Record<K, T>> = {}
    for (const at of names.keys()) {
      const name = names[(at + round) % names.length]!
      figures[name] = await ways[name]()
    }
    measured.push(figures as Record<K, T>)
  }
  return warmsUp ? measured.slice(1) : measured
}

/** A figure of two of the ways, and the spread of its ratio: ours to the baseline's of the same round. */
export function compared<K extends string, T>(
  rounds: readonly Record<K, T>[],
  figure: (run: T) => number,
  [ours, baseline]: readonly [K, K],
) {
  return {
    ours: spread(rounds.map((round) => figure(round[ours]))).median,
    baseline: spread(rounds.map((round) => figure(round[baseline]))).median,
    ratio: spread(rounds.map((round) => figure(round[ours]) / figure(round[baseline]))),
  }
}
