import { writeFileSync } from 'node:fs'
import type { Reporter, SerializedError, TestModule } from 'vitest/node'

/** What a run came to. */
export interface Counts {
  passed: number
  failed: number
  skipped: number
}

/** Counts a finished run. Skipped is only what the test itself says to skip; the rest that did not pass failed. */
export function count(modules: readonly TestModule[], errors: readonly SerializedError[]): Counts {
  const counts = { passed: 0, failed: errors.length, skipped: 0 }
  for (const module of modules) {
    const tests = [...module.children.allTests()]
    for (const test of tests) {
      if (test.result().state === 'passed') counts.passed++
      else if (test.options.mode === 'skip' || test.options.mode === 'todo') counts.skipped++
      else counts.failed++
    }
    if (tests.length === 0 && !module.ok()) counts.failed++
  }
  return counts
}

/** A reporter of vitest that leaves the counts in a file, for run.ts. */
export const counter = (file: string): Reporter => ({
  onTestRunEnd: (modules, errors) => writeFileSync(file, JSON.stringify(count(modules, errors))),
})
