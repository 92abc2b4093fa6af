import { type EventLoopUtilization, monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { Gauge, type Registry } from 'prom-client'

const loopResolutionMs = 20
const nanosecondsPerSecond = 1e9

/** Reads a number when scraped. */
export function gauge(registry: Registry, name: string, help: string, value: () => number) {
  new Gauge({
    name,
    help,
    registers: [registry],
    collect() {
      this.set(value())
    },
  })
}

/**
 * How busy this process is. prom-client's own collection has names that promtool objects to, and watches garbage collection.
 * @returns what stops it
 */
export function processGauges(registry: Registry): () => void {
  const delay = monitorEventLoopDelay({ resolution: loopResolutionMs })
  delay.enable()
  let last: EventLoopUtilization = performance.eventLoopUtilization()
  const lagSeconds = () => {
    const p99 = delay.percentile(99) / nanosecondsPerSecond
    delay.reset()
    return p99
  }
  const utilization = () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    return utilization
  }
  const lagHelp = 'Event loop delay since the last scrape, 99th percentile'
  gauge(registry, 'voltbay_event_loop_lag_p99_seconds', lagHelp, lagSeconds)
  const busyHelp = 'Share of the time the event loop was busy since the last scrape'
  gauge(registry, 'voltbay_event_loop_utilization', busyHelp, utilization)
  gauge(registry, 'voltbay_memory_resident_bytes', 'Resident memory of the process', () => process.memoryUsage.rss())
  return () => delay.disable()
}
