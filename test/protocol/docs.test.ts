import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { protocolPage } from '../docs.ts'

test('protocol/README.md is what the definitions say', () => {
  expect(readFileSync(new URL('../../protocol/README.md', import.meta.url), 'utf8')).toBe(protocolPage())
})
