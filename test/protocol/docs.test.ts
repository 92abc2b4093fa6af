import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { protocolPage } from '../docs.ts'
import { withFaults } from '../docs-faults.ts'

test('protocol/README.md is what the definitions say', () => {
  expect(readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')).toBe(protocolPage())
})

test("the technician's page has every fault of the simulator, in its words", () => {
  const page = readFileSync(new URL('../../docs/technician.md', import.meta.url), 'utf8')
  expect(withFaults(page)).toBe(page)
})
