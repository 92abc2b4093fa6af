import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { protocolPage } from '../docs.ts'
import { withFaults } from '../docs-faults.ts'
import { withTerminals } from '../docs-terminal.ts'

test('protocol/README.md is what the definitions say', () => {
  expect(readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')).toBe(protocolPage())
})

test("the technician's page has every fault of the simulator, in its words", () => {
  const page = readFileSync(new URL('../../docs/technician.md', import.meta.url), 'utf8')
  expect(withFaults(page)).toBe(page)
})

test('the chapter on terminals is what the definitions say', () => {
  const page = readFileSync(new URL('../../docs/protocol.md', import.meta.url), 'utf8')
  expect(page).toBe(withTerminals(page))
})
