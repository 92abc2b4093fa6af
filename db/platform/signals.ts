import { constants } from 'node:os'

const endings = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
/** Ctrl-C under npm comes twice: from the terminal, and from npm, which hands on what it heard. */
const echoMs = 1_000

/** What a process does when it is told to end. */
export interface Ending {
  /** From now on by this, instead of at once. */
  by(stop: (signal: NodeJS.Signals) => Promise<void>): void
}

/**
 * Ends this process on SIGTERM, SIGINT and SIGHUP: at once until there is something to stop, then by stopping it, and at
 * once again when told a second time. At once means `process.exit` with 128 and the signal's number, so that `exit`
 * listeners drop what they hold.
 */
export function endOnSignals(): Ending {
  let stop: ((signal: NodeJS.Signals) => Promise<void>) | undefined
  let toldAt: number | undefined
  for (const name of endings)
    process.on(name, (signal) => {
      if (toldAt !== undefined && performance.now() - toldAt < echoMs) return
      if (toldAt !== undefined || stop === undefined) process.exit(128 + constants.signals[signal])
      toldAt = performance.now()
      void stop(signal)
    })
  return { by: (given) => void (stop = given) }
}
