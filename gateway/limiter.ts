/** Lets a bounded number of works run at once; the others wait in the order they came. */
export interface Limiter {
  run<T>(work: () => Promise<T>): Promise<T>
  /** How many wait outside. */
  waiting(): number
  /** Resolves once nobody is inside or waits. */
  idle(): Promise<void>
}

/**
 * A gate in front of the database. When ten thousand cabinets dial at once after a restart they wait here, and not in
 * the driver's queue, where the commands people wait for would stand behind them.
 */
export function limiter(atOnceMax: number): Limiter {
  let inside = 0
  // A queue that is read from the front without moving the rest; emptied when it has been read to the end.
  let outside: (() => void)[] = []
  let next = 0
  const watchers: (() => void)[] = []

  const leave = () => {
    const enter = outside[next]
    if (!enter) {
      inside -= 1
      if (inside === 0) for (const tell of watchers.splice(0)) tell()
      return
    }
    next += 1
    if (next === outside.length) {
      outside = []
      next = 0
    }
    enter()
  }

  return {
    async run(work) {
      if (inside < atOnceMax) inside += 1
      else await new Promise<void>((enter) => outside.push(enter))
      try {
        return await work()
      } finally {
        leave()
      }
    },
    waiting: () => outside.length - next,
    idle: () => (inside === 0 ? Promise.resolve() : new Promise((tell) => watchers.push(tell))),
  }
}
