import { expect } from 'vitest'
import * as balance from '../../../db/getpro/balance.ts'
import * as identity from '../../../db/identity/identity.ts'
import * as password from '../../../db/identity/password.ts'
import type { Surface } from '../../../db/identity/words.ts'
import { startApiServer } from '../server.ts'

const base = '/api/getpro'
const hash = await password.hash('secure_password')
let telegramIds = 700_000

/** The REST area of 2GETPRO over a database of this file's own. */
export async function rest(change: Parameters<typeof startApiServer>[0] = {}) {
  const house = await startApiServer(change)
  const { db } = house
  const call = (method: string, path: string, given: Parameters<typeof house.call>[2] = {}) =>
    house.call(method, `${base}${path}`, given)
  const post = (path: string, token: string, body: unknown = {}, key?: string) =>
    call('POST', path, { token, body, ...(key ? { headers: { 'idempotency-key': key } } : {}) })
  const read = (path: string, token: string) => call('GET', path, { token })

  /** Somebody with a password, and a role where they are wanted. */
  async function login(role: string | null, surface: Surface = 'getpro') {
    const email = `g${++telegramIds}@example.com`
    const person = { email, fullName: 'Иван Иванов', passwordHash: hash, roles: role ? [{ surface, role }] : [] }
    const id = await db.transaction((tx) => identity.createWithRoles(tx, person))
    const { body } = await call('POST', '/auth/login', { body: { login: email, password: 'secure_password' } })
    const { access_token: token = '', refresh_token: refreshToken = '' } = body.data ?? {}
    return { id, email, token: token as string, refreshToken: refreshToken as string }
  }
  const admin = await login('admin')

  /** A customer, made by the admin, with a login of their own. */
  async function customer(change: object = {}) {
    const telegramId = ++telegramIds
    const made = await post('/users', admin.token, { telegram_id: telegramId, ...change })
    const own = await login('user')
    const id = made.body.data.id as number
    await call('PUT', `/users/${id}/login`, { token: admin.token, body: { login_id: own.id } })
    return { ...own, id, loginId: own.id, telegramId, referralCode: made.body.data.referral_code as string }
  }
  const rich = async (kopecks: number, change: object = {}) => {
    const one = await customer(change)
    await post(`/users/${one.id}/balance/add`, admin.token, { amount_kopecks: kopecks, reason: 'тест' })
    return one
  }
  const held = (id: number) => balance.get(db.sql, id)

  return { ...house, call, post, read, login, admin, customer, rich, held }
}

export const refusal = (status: number, code: string) => ({
  status,
  body: { status: 'error', error: { code, message: expect.any(String), details: expect.any(Object) } },
})
