import * as identity from '../../../db/identity/identity.ts'
import * as password from '../../../db/identity/password.ts'
import type { Surface } from '../../../db/identity/words.ts'
import { startApiServer } from '../server.ts'

const secret = 'your_password'
const hash = await password.hash(secret)
let numbers = 100_000

/** The telecom CRM over a database of this file's own, with somebody of each role. */
export async function crm(change: Parameters<typeof startApiServer>[0] = {}) {
  const house = await startApiServer(change)
  const { db } = house
  const call = (method: string, path: string, given: Parameters<typeof house.call>[2] = {}) =>
    house.call(method, `/api${path}`, given)

  /** Somebody with a password, and a role where they are wanted. */
  async function login(role: string | null, surface: Surface = 'telecom') {
    const username = `u${++numbers}`
    const person = {
      username,
      fullName: `Сотрудник ${numbers}`,
      passwordHash: hash,
      roles: role ? [{ surface, role }] : [],
    }
    const id = await db.transaction((tx) => identity.createWithRoles(tx, person))
    const { body } = await call('POST', '/auth/login/', { body: { username, password: secret } })
    return { id, username, token: body.access as string, refresh: body.refresh as string }
  }
  const admin = await login('admin')
  const post = (path: string, body: unknown = {}, token = admin.token) => call('POST', path, { token, body })
  const read = (path: string, token = admin.token) => call('GET', path, { token })
  const made = async (path: string, body: object) => {
    const answer = await post(path, body)
    if (answer.status !== 201) throw new Error(`POST ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
    return answer.body
  }

  return { ...house, call, post, read, login, admin, secret, ...world(made, post) }
}
export type Crm = Awaited<ReturnType<typeof crm>>

type Made = (path: string, body: object) => Promise<any>

/** What the business is about, made through its own API. */
function world(made: Made, post: (path: string, body?: unknown) => Promise<{ status: number; body: any }>) {
  const customer = (change: object = {}) =>
    made('/customers/', {
      first_name: 'Иван',
      last_name: 'Иванов',
      phone: `+996700${++numbers}`,
      document_type: 'passport',
      document_number: `ID${numbers}`,
      ...change,
    })
  const sim = (change: object = {}) =>
    made('/sims/', {
      iccid: `8999600000000${++numbers}`,
      imsi: `437010000${numbers}`,
      msisdn: `+996550${numbers}`,
      puk_code: '12345678',
      ...change,
    })
  const tariff = (change: object = {}) =>
    made('/tariffs/', { name: `Тариф ${++numbers}`, monthly_fee: '500.00', ...change })
  const draft = async (change: object = {}) =>
    made('/contracts/', { customer: (await customer()).id, tariff: (await tariff()).id, ...change })

  /** A contract that works, with so much on it. */
  async function contract(balance = 0, change: object = {}) {
    const one = await draft(change)
    const card = await sim()
    const done = await post(`/contracts/${one.id}/activate/`, { sim_id: card.id })
    if (done.status !== 200) throw new Error(JSON.stringify(done.body))
    if (balance > 0) await post(`/contracts/${one.id}/add_balance/`, { amount: balance })
    return { ...one, sim: card.id as number, customer: one.customer as number }
  }
  const payment = async (change: object = {}) =>
    made('/payments/', { contract: (await contract()).id, transaction_type: 'payment', amount: '100.00', ...change })
  const ticket = async (change: object = {}) =>
    made('/tickets/', { customer: (await customer()).id, subject: 'Не работает интернет', ...change })

  return { customer, sim, tariff, draft, contract, payment, ticket, made }
}

/** A refusal in words. */
export const said = (message: RegExp | string) => ({ status: 400, body: { status: 'error', message: like(message) } })
const like = (message: RegExp | string): any =>
  typeof message === 'string' ? message : { asymmetricMatch: (text: string) => message.test(text) }
