import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import {
  BadSettings,
  databaseSettings,
  describeSettings,
  flag,
  parseSettings,
  port,
  secret,
} from '../../../db/platform/config.ts'
import { tempDataDir } from '../../postgres.ts'

const schema = z.object({
  ...databaseSettings,
  API_PORT: port().default(8000).describe('where people come'),
  VERBOSE: flag().default(false),
  MAIL: z.string(),
})

test('settings not said take their defaults, and an empty text is not said', () => {
  expect(parseSettings(schema, { MAIL: 'a@b', API_PORT: '', DATABASE_URL: '', OTHER: '1' })).toEqual({
    DATA_DIR: './data',
    API_PORT: 8000,
    VERBOSE: false,
    MAIL: 'a@b',
  })
})

test('every mistake is one line, and none shows a value', () => {
  const env = { DATABASE_URL: 'mysql://u:hidden@h/d', API_PORT: '70000', VERBOSE: 'hidden' }
  const mistakes = () => parseSettings(schema, env)
  expect(mistakes).toThrow(BadSettings)
  expect(mistakes).toThrow(
    [
      'DATABASE_URL must look like postgres://user:password@host:5432/name',
      'API_PORT must be from 0 to 65535',
      'VERBOSE must be true or false',
      'MAIL is required',
    ].join('\n'),
  )
})

test('help tells every setting with its default', () => {
  const lines = describeSettings(schema).map((line) => line.replace(/ +/g, ' '))
  expect(lines).toContain('API_PORT where people come (8000)')
})

test('a secret of an embedded installation is made once and kept for us alone', () => {
  const dataDir = tempDataDir()
  const first = secret('JWT_SECRET', dataDir, true, {})
  expect(first).toMatch(/^[\w-]{43}$/)
  expect(secret('JWT_SECRET', dataDir, true, {})).toBe(first)
  expect(secret('KEYS_SECRET', dataDir, true, {})).not.toBe(first)
  expect(readdirSync(dataDir).sort()).toEqual(['jwt_secret.txt', 'keys_secret.txt'])
  expect(statSync(join(dataDir, 'jwt_secret.txt')).mode & 0o777).toBe(0o600)
  expect(readFileSync(join(dataDir, 'jwt_secret.txt'), 'utf8')).toBe(first)
})

test('over a shared database nothing is made up, and a short secret is refused', () => {
  const dataDir = tempDataDir()
  const given = 'x'.repeat(32)
  expect(secret('JWT_SECRET', dataDir, false, { JWT_SECRET: given })).toBe(given)
  expect(() => secret('JWT_SECRET', dataDir, false, {})).toThrow('JWT_SECRET is required when DATABASE_URL is set')
  expect(() => secret('JWT_SECRET', dataDir, false, { JWT_SECRET: 'short' })).toThrow(
    'must have at least 32 characters',
  )
  expect(readdirSync(dataDir)).toEqual([])
})
