import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Counts } from './counts.ts'

/**
 * `npm test [-- vitest arguments]`: runs vitest and closes with the plain line `N passed, N failed`, whatever happens.
 * A test that was stopped before it ran, and a file that could not be read, count as failed.
 */
if (process.argv.includes('--help')) {
  process.stdout.write(`npm test [-- PATH… and other arguments of vitest run]

Runs the test files whose path has one of these in it; all where none is given. Ends with "N passed, N failed".
TEST_DATABASE_URL, TEST_POSTGRES and TEST_BROKER choose the engines: docs/contributing.md "Which engines the tests have run on".
`)
  process.exit()
}
const scratch = mkdtempSync(join(tmpdir(), 'voltbay-run-'))
const countsFile = join(scratch, 'counts.json')
const vitest = join(createRequire(import.meta.url).resolve('vitest/package.json'), '../vitest.mjs')
const child = spawn(process.execPath, [vitest, 'run', '--config', 'test/vitest.config.ts', ...process.argv.slice(2)], {
  stdio: ['ignore', 'inherit', 'inherit'],
  env: { ...process.env, VOLTBAY_COUNTS: countsFile },
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
const code = await new Promise<number | null>((done) => child.once('exit', done).once('error', () => done(null)))

const counted: Counts = existsSync(countsFile)
  ? JSON.parse(readFileSync(countsFile, 'utf8'))
  : { passed: 0, failed: 0, skipped: 0 }
rmSync(scratch, { recursive: true })
// Nothing ran, or vitest itself failed or was ended: nobody may take that for a pass.
const isWhole = code === 0 && counted.passed + counted.failed > 0
const failed = isWhole ? counted.failed : Math.max(1, counted.failed)
const skipped = counted.skipped > 0 ? `, ${counted.skipped} skipped` : ''
console.log(`${counted.passed} passed, ${failed} failed${skipped}`)
process.exitCode = failed === 0 ? 0 : 1
