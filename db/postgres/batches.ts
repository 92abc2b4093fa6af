import { DatabaseBusyError } from './transactions.ts'

/** How what waits is worked together. */
export interface BatchOptions<I> {
  /** In one batch, at most. */
  max: number
  /** Batches under way at once; absent: one, so that as much as possible gathers meanwhile. */
  atOnce?: number
  /** What waits, at most; more is refused. */
  waitingMax?: number
  /** Of what has the same key only the first is under way, for the next needs to see what came of it. Absent: itself. */
  keyOf?: (item: I) => unknown
}

type Work<I, O> = (items: readonly I[]) => Promise<readonly O[]>

interface Waiting<I, O> {
  item: I
  resolve(outcome: O): void
  reject(error: unknown): void
}

const waitingMaxUnlessTold = 10_000
/** What fails together is tried in halves for so long. Beyond, it is the database that fails, and whoever waits hears of it. */
const halvesMs = 10_000

/** Works a batch, in halves where it fails, and tells whoever waits. Never throws. */
async function attempt<I, O>(work: Work<I, O>, batch: readonly Waiting<I, O>[], until: number): Promise<void> {
  try {
    const outcomes = await work(batch.map(({ item }) => item))
    for (const [at, { resolve }] of batch.entries()) resolve(outcomes[at]!)
  } catch (error) {
    if (batch.length === 1 || performance.now() > until) {
      for (const { reject } of batch) reject(error)
      return
    }
    const half = Math.ceil(batch.length / 2)
    await attempt(work, batch.slice(0, half), until)
    await attempt(work, batch.slice(half), until)
  }
}

/**
 * Works together what waits at the same time, for one commit costs as much as many. The clock is the work itself: what comes
 * while a batch is under way is the next one, and what comes alone goes at once. First come, first served.
 *
 * A batch that fails is worked again in halves, so that one that cannot be done fails alone.
 * @param work does them all or none, in a transaction of its own; says what came of each, in their order. What it has done
 *   and could not say it did, it may be given again
 * @returns what takes one and resolves when its batch is done. @throws DatabaseBusyError too many wait
 */
export function batches<I, O>(
  work: Work<I, O>,
  { max, atOnce = 1, waitingMax = waitingMaxUnlessTold, keyOf = (item) => item }: BatchOptions<I>,
): (item: I) => Promise<O> {
  let waiting: Waiting<I, O>[] = []
  const busyKeys = new Set<unknown>()
  let underWay = 0
  let isCalled = false

  /** The first that may go, leaving the others in their order. */
  function take(): Waiting<I, O>[] {
    const taken: Waiting<I, O>[] = []
    waiting = waiting.filter((one) => {
      const key = keyOf(one.item)
      if (taken.length >= max || busyKeys.has(key)) return true
      busyKeys.add(key)
      taken.push(one)
      return false
    })
    return taken
  }

  function next(): void {
    isCalled = false
    while (underWay < atOnce) {
      const batch = take()
      if (batch.length === 0) return
      underWay += 1
      void attempt(work, batch, performance.now() + halvesMs).then(() => {
        underWay -= 1
        for (const { item } of batch) busyKeys.delete(keyOf(item))
        call()
      })
    }
  }

  /** After all that has arrived in this turn of the event loop, so that it goes together: no timer, and no wait. */
  function call(): void {
    if (isCalled || waiting.length === 0 || underWay >= atOnce) return
    isCalled = true
    setImmediate(next)
  }

  return (item) =>
    new Promise<O>((resolve, reject) => {
      if (waiting.length >= waitingMax) return reject(new DatabaseBusyError())
      waiting.push({ item, resolve, reject })
      call()
    })
}
