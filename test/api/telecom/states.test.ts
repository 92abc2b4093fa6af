import { describe, expect, test } from 'vitest'
import { reasons } from '../../../api/telecom/refusals.ts'
import { type Entity, type Move, moveTables } from '../../../db/telecom/decide/moves.ts'
import {
  contractStatuses,
  customerStatuses,
  paymentStatuses,
  simStatuses,
  ticketStatuses,
} from '../../../db/telecom/words.ts'
import { crm } from './telecom-stage.ts'

// Every act in every state: from the tables of moves, over HTTP, on a row that was put there by hand.
const house = await crm()
const { sql } = house.db
const { post, read } = house

interface Machine {
  path: string
  states: readonly string[]
  /** A row in this state, with what an act of it is given. */
  make(status: string): Promise<{ id: number; body: object }>
  /** Acts over HTTP by what the table calls them. */
  acts: Record<string, string>
}

const row = async (query: Promise<{ id: number }[]>) => (await query)[0]!.id
const customer = await house.customer()
const tariff = await house.tariff()

const machines: Record<Entity, Machine> = {
  customer: {
    path: '/customers',
    states: customerStatuses,
    acts: { activate: 'activate', suspend: 'suspend', block: 'block' },
    make: async (status) => {
      const { id } = await house.customer()
      await sql`update customers set status = ${status} where id = ${id}`
      return { id, body: {} }
    },
  },
  contract: {
    path: '/contracts',
    states: contractStatuses,
    acts: { activate: 'activate', suspend: 'suspend', resume: 'resume', terminate: 'terminate' },
    make: async (status) => ({
      id: await row(sql`
        insert into contracts (number, customer_id, tariff_id, status, suspension_reason, billing_anchor)
        values (gen_random_uuid(), ${customer.id}, ${tariff.id}, ${status},
          ${status === 'suspended' ? 'operator' : null}, current_date) returning id`),
      body: { sim_id: (await house.sim()).id },
    }),
  },
  sim: {
    path: '/sims',
    states: simStatuses,
    acts: { activate: 'activate', deactivate: 'deactivate', block: 'block', close: 'close' },
    make: async (status) => {
      const { id } = await house.sim()
      const held = status === 'suspended' || status === 'blocked' ? 'operator' : null
      await sql`update sims set status = ${status}, held_by = ${held} where id = ${id}`
      const { id: contract } = await machines.contract.make('active')
      return { id, body: { contract_id: contract } }
    },
  },
  payment: {
    path: '/payments',
    states: paymentStatuses,
    acts: { process: 'process', cancel: 'cancel', fail: 'fail' },
    make: async (status) => {
      const { id: contract } = await machines.contract.make('active')
      const posting = status === 'success' || status === 'refunded' ? 1 : null
      return {
        id: await row(sql`
          insert into contract_payments (contract_id, transaction_type, amount_minor, status, transaction_id, posting_id)
          values (${contract}, 'payment', 100, ${status}, gen_random_uuid(), ${posting}) returning id`),
        body: {},
      }
    },
  },
  ticket: {
    path: '/tickets',
    states: ticketStatuses,
    acts: { assign: 'assign', startWork: 'start_work', resolve: 'resolve', close: 'close', reopen: 'reopen' },
    make: async (status) => ({
      id: await row(sql`
        insert into tickets (customer_id, subject, status) values (${customer.id}, 'x', ${status}) returning id`),
      body: { user_id: house.admin.id, resolution: 'Решено', reason: 'Отозвано' },
    }),
  },
}

const pairs = Object.entries(machines).flatMap(([entity, { states, acts }]) =>
  Object.keys(acts).flatMap((act) => states.map((status) => [entity as Entity, act, status] as const)),
)

describe('every act in every state', () => {
  test.each(pairs)('%s %s from %s', async (entity, act, status) => {
    const { path, make, acts } = machines[entity]
    const { from, to } = (moveTables[entity] as Record<string, Move<string>>)[act]!
    const { id, body } = await make(status)
    const answer = await post(`${path}/${id}/${acts[act]}/`, body)
    const after = (await read(`${path}/${id}/`)).body.status
    if (from.includes(status)) {
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 200, body: { status: 'success' } })
      expect(after).toBe(act === 'assign' && status !== 'new' ? status : to)
    } else {
      const message = reasons[`${entity}_${act}` as keyof typeof reasons]
      expect(answer).toMatchObject({ status: 400, body: { status: 'error', message } })
      expect(after).toBe(status)
    }
  })
})

describe('what a body may say of a status', () => {
  test.each([
    ['/customers', 'customer', 'active', 'archived', 200],
    ['/customers', 'customer', 'active', 'blocked', 400],
    ['/tickets', 'ticket', 'in_progress', 'waiting', 200],
    ['/tickets', 'ticket', 'waiting', 'in_progress', 200],
    ['/tickets', 'ticket', 'new', 'waiting', 400],
    ['/tickets', 'ticket', 'in_progress', 'closed', 400],
    ['/tickets', 'ticket', 'resolved', 'in_progress', 400],
  ] as const)('%s by PATCH: %s %s to %s', async (path, entity, before, after, status) => {
    const { id } = await machines[entity].make(before)
    const answer = await house.call('PATCH', `${path}/${id}/`, { token: house.admin.token, body: { status: after } })
    expect(answer.status, JSON.stringify(answer.body)).toBe(status)
    expect((await read(`${path}/${id}/`)).body.status).toBe(status === 200 ? after : before)
  })

  test('PUT reads none, and neither do SIMs, contracts and payments', async () => {
    const { id } = await house.customer()
    const { body } = await read(`/customers/${id}/`)
    const token = house.admin.token
    const put = await house.call('PUT', `/customers/${id}/`, { token, body: { ...body, status: 'blocked' } })
    expect(put).toMatchObject({ status: 200, body: { status: 'active' } })
    for (const entity of ['sim', 'contract', 'payment'] as const) {
      const { path, make, states } = machines[entity]
      const { id: other } = await make(states[0]!)
      const patched = await house.call('PATCH', `${path}/${other}/`, { token, body: { status: states[1] } })
      expect(patched, entity).toMatchObject({ status: 200, body: { status: states[0] } })
    }
  })
})

test('work is begun once by whoever has it, and again by the next', async () => {
  const { id } = await house.ticket()
  const other = await house.login('employee')
  expect((await post(`/tickets/${id}/start_work/`)).status).toBe(200)
  expect((await read(`/tickets/${id}/`)).body).toMatchObject({ assigned_to: house.admin.id, status: 'in_progress' })
  expect(await post(`/tickets/${id}/start_work/`)).toMatchObject({ status: 400 })
  expect((await post(`/tickets/${id}/assign/`, { user_id: other.id })).status).toBe(200)
  expect((await post(`/tickets/${id}/start_work/`, {}, other.token)).status).toBe(200)
})

test('none of this was a bug of ours', () => {
  expect(house.lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
