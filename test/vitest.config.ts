import { defineConfig } from 'vitest/config'
import { counter } from './counts.ts'

/** Named by run.ts. */
const countsFile = process.env.VOLTBAY_COUNTS

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**', 'test/chaos/**'],
    globalSetup: ['test/server.ts'],
    reporters: ['default', ...(countsFile ? [counter(countsFile)] : [])],
    setupFiles: ['test/each-file.ts'],
    // Two processes, which load what files share once: loading it for each file took half of the run.
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // What is waited for comes in milliseconds; on a machine that others use too it may take longer.
    expect: { poll: { timeout: 10_000 } },
  },
})
