/** Older entries are forgotten: a device may run for weeks. */
const entriesMax = 5_000

/** Something that happened to a device. `number` counts from 0 and never repeats; `at` is Unix milliseconds. */
export type Entry<H> = H & { number: number; at: number }

/** All that happened to a device, to be asserted afterwards or awaited. */
export interface Journal<H> {
  readonly entries: readonly Entry<H>[]
  /** The number the next entry will have. */
  readonly now: number
  add(happening: H): void
  /**
   * The first entry that matches, from `since` on (default: from now on), waited for if need be.
   * @throws whatever reason `signal` is aborted with
   */
  next(match: (entry: Entry<H>) => boolean, options?: { since?: number; signal?: AbortSignal }): Promise<Entry<H>>
  /** Calls for every entry to come, until the returned function is called. */
  watch(observer: (entry: Entry<H>) => void): () => void
}

/** An empty journal. */
export function journal<H extends object>(): Journal<H> {
  const entries: Entry<H>[] = []
  const observers = new Set<(entry: Entry<H>) => void>()
  let now = 0
  const watch: Journal<H>['watch'] = (observer) => {
    observers.add(observer)
    return () => void observers.delete(observer)
  }
  return {
    entries,
    get now() {
      return now
    },
    add(happening) {
      const entry = { ...happening, number: now++, at: Date.now() }
      entries.push(entry)
      if (entries.length > entriesMax) entries.shift()
      for (const observer of [...observers]) observer(entry)
    },
    watch,
    next(match, { since = now, signal } = {}) {
      const found = entries.find((entry) => entry.number >= since && match(entry))
      if (found) return Promise.resolve(found)
      return new Promise((resolve, reject) => {
        const leave = watch((entry) => {
          if (!match(entry)) return
          leave()
          resolve(entry)
        })
        const giveUp = () => {
          leave()
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', giveUp, { once: true })
      })
    },
  }
}
