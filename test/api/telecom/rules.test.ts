import { describe, expect, test } from 'vitest'
import { verify } from '../../../db/ledger/ledger-verify.ts'
import { crm, said } from './telecom-stage.ts'

const house = await crm()
const { post, read, call } = house
const statusOf = async (path: string) => (await read(path)).body.status
const both = <T>(work: () => Promise<T>) => Promise.all([work(), work()])

describe('a balance', () => {
  test('that a charge makes a debt of suspends, and a top-up resumes what the balance suspended', async () => {
    const { id, sim } = await house.contract()
    await house.db.sql`update contracts set balance_minor = 0 where id = ${id}`
    expect(await post(`/contracts/${id}/deduct_balance/`, { amount: 1 })).toMatchObject(said(/Недостаточно средств/))
    // As the billing's own charge leaves it.
    await house.db.sql`update contracts set status = 'suspended', suspension_reason = 'balance' where id = ${id}`
    await house.db.sql`update sims set status = 'suspended', held_by = 'contract' where id = ${sim}`
    const paid = await post(`/contracts/${id}/add_balance/`, { amount: 1000.5 })
    expect(paid.body).toEqual({
      status: 'success',
      message: 'Баланс пополнен',
      old_balance: '0.00',
      new_balance: '1000.50',
      amount: 1000.5,
    })
    expect(await statusOf(`/contracts/${id}/`)).toBe('active')
    expect(await statusOf(`/sims/${sim}/`)).toBe('active')
  })

  test('does not resume what an operator suspended', async () => {
    const { id } = await house.contract()
    await post(`/contracts/${id}/suspend/`)
    await post(`/contracts/${id}/add_balance/`, { amount: 1 })
    expect((await read(`/contracts/${id}/`)).body).toMatchObject({ status: 'suspended', suspension_reason: 'operator' })
  })

  test.each([0, -1, 0.001, '1.234', 'abc', null, '', 1e30])('moves by no %s', async (amount) => {
    const { id } = await house.contract()
    const refused = await post(`/contracts/${id}/add_balance/`, { amount })
    expect(refused).toMatchObject({
      status: 400,
      body: { status: 'error', message: expect.stringMatching(/^amount: /) },
    })
  })

  test('of a draft is not charged, of a terminated contract not moved', async () => {
    const { id } = await house.draft()
    expect((await post(`/contracts/${id}/add_balance/`, { amount: 5 })).status).toBe(200)
    expect((await post(`/contracts/${id}/deduct_balance/`, { amount: 5 })).status).toBe(400)
    await post(`/contracts/${id}/terminate/`)
    for (const word of ['add_balance', 'deduct_balance'])
      expect((await post(`/contracts/${id}/${word}/`, { amount: 5 })).status, word).toBe(400)
  })
})

describe('a payment', () => {
  test('is booked once, though two process it at once', async () => {
    const { id, contract } = await house.payment({ amount: '70.00' })
    const answers = await both(() => post(`/payments/${id}/process/`))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
    expect((await read(`/contracts/${contract}/`)).body.balance).toBe('70.00')
    expect((await read(`/payments/${id}/`)).body).toMatchObject({ status: 'success', balance_after: '70.00' })
  })

  test('that is booked is neither changed nor deleted, nor cancelled, nor failed', async () => {
    const { id } = await house.payment()
    await post(`/payments/${id}/process/`)
    for (const [method, path, body] of [
      ['PATCH', '', { amount: 1 }],
      ['DELETE', '', undefined],
      ['POST', 'cancel/', {}],
      ['POST', 'fail/', {}],
    ] as const) {
      const refused = await call(method, `/payments/${id}/${path}`, { token: house.admin.token, body })
      expect(refused, `${method} ${path}`).toMatchObject({ status: 400, body: { status: 'error' } })
    }
  })

  test('is undone by a refund or a correction, which are a supervisor’s', async () => {
    const { id: contract } = await house.contract(100)
    const operator = await house.login('operator')
    const given = { contract, amount: '40.00' }
    for (const transaction_type of ['refund', 'correction'])
      expect((await post('/payments/', { ...given, transaction_type }, operator.token)).status).toBe(403)
    const refund = await house.payment({ ...given, transaction_type: 'refund' })
    expect((await post(`/payments/${refund.id}/process/`, {}, operator.token)).status).toBe(403)
    expect((await post(`/payments/${refund.id}/process/`)).body.balance_after).toBe('60.00')
    expect(await statusOf(`/payments/${refund.id}/`)).toBe('refunded')
    const less = await house.payment({ contract, transaction_type: 'correction', amount: '-10.00' })
    expect((await post(`/payments/${less.id}/process/`)).body.balance_after).toBe('50.00')
    const signed = await post('/payments/', { contract, transaction_type: 'payment', amount: '-10.00' })
    expect(signed).toMatchObject({ status: 400, body: { amount: [expect.any(String)] } })
  })

  test('goes by a name of its own, the client’s or ours', async () => {
    const { id: contract } = await house.contract()
    const given = { contract, transaction_type: 'payment', amount: 1, transaction_id: 'TXN-7' }
    expect((await post('/payments/', given)).status).toBe(201)
    expect(await post('/payments/', given)).toMatchObject({
      status: 400,
      body: { transaction_id: [expect.any(String)] },
    })
    expect((await house.payment({ contract })).transaction_id).toMatch(/^TXN-[0-9A-F]{16}$/)
  })
})

describe('a SIM', () => {
  test('that is free goes to one of two contracts that want it at once', async () => {
    const { id: sim_id } = await house.sim()
    const drafts = [await house.draft(), await house.draft()]
    const answers = await Promise.all(drafts.map(({ id }) => post(`/contracts/${id}/activate/`, { sim_id })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
    const states = await Promise.all(drafts.map(({ id }) => statusOf(`/contracts/${id}/`)))
    expect(states.sort()).toEqual(['active', 'draft'])
  })

  test('is one of a contract’s, and free again when that ends', async () => {
    const { id, sim } = await house.contract()
    const other = await house.sim()
    expect(await post(`/sims/${other.id}/activate/`, { contract_id: id })).toMatchObject(
      said('У договора уже есть SIM-карта'),
    )
    await post(`/contracts/${id}/terminate/`)
    expect((await read(`/sims/${sim}/`)).body).toMatchObject({ status: 'free', contract: null, contract_number: null })
  })

  test('of a suspended contract is suspended; a draft has none', async () => {
    const { id, sim } = await house.contract()
    await post(`/sims/${sim}/deactivate/`)
    await post(`/contracts/${id}/suspend/`)
    expect((await post(`/sims/${sim}/activate/`, { contract_id: id })).status).toBe(200)
    expect(await statusOf(`/sims/${sim}/`)).toBe('suspended')
    const draft = await house.draft()
    expect((await post(`/sims/${(await house.sim()).id}/activate/`, { contract_id: draft.id })).status).toBe(400)
  })

  test('that somebody blocked stays so when its contract goes on', async () => {
    const { id, sim } = await house.contract()
    await post(`/sims/${sim}/block/`)
    await post(`/contracts/${id}/suspend/`)
    await post(`/contracts/${id}/resume/`)
    expect(await statusOf(`/sims/${sim}/`)).toBe('blocked')
  })

  test('shows its PUK one by one, to all but employees', async () => {
    const { id } = await house.sim()
    const [employee, operator] = [await house.login('employee'), await house.login('operator')]
    expect((await read(`/sims/${id}/`, operator.token)).body.puk_code).toBe('12345678')
    expect((await read(`/sims/${id}/`, employee.token)).body).not.toHaveProperty('puk_code')
    for (const path of ['/sims/', '/sims/free/', '/sims/?search=12345678'])
      expect(JSON.stringify((await read(path)).body), path).not.toContain('puk')
  })
})

test('a customer takes along what works, and brings back exactly that', async () => {
  const { id: customer } = await house.customer()
  const [active, stopped, lost] = [
    await house.contract(0, { customer }),
    await house.contract(0, { customer }),
    await house.contract(0, { customer }),
  ]
  await post(`/contracts/${stopped.id}/suspend/`)
  await post(`/sims/${lost.sim}/block/`)
  const states = () =>
    Promise.all(
      [active, stopped, lost].flatMap(({ id, sim }) => [statusOf(`/contracts/${id}/`), statusOf(`/sims/${sim}/`)]),
    )
  const before = await states()
  for (const [acts, during] of [
    [['suspend'], ['suspended', 'suspended', 'suspended', 'suspended', 'suspended', 'blocked']],
    [['block'], ['suspended', 'blocked', 'suspended', 'suspended', 'suspended', 'blocked']],
    [
      ['suspend', 'block'],
      ['suspended', 'blocked', 'suspended', 'suspended', 'suspended', 'blocked'],
    ],
  ] as const) {
    for (const act of acts) expect((await post(`/customers/${customer}/${act}/`)).status).toBe(200)
    expect(await states(), acts.join()).toEqual(during)
    const { id: tariff } = await house.tariff()
    expect(await post('/contracts/', { customer, tariff })).toMatchObject({
      status: 400,
      body: { customer: ['Клиент не активен'] },
    })
    expect(await post(`/contracts/${active.id}/resume/`)).toMatchObject(said('Клиент не активен'))
    expect((await post(`/customers/${customer}/activate/`)).status).toBe(200)
    expect(await states(), 'undone').toEqual(before)
  }
})

describe('what is used is not deleted', () => {
  const gone = (path: string) => call('DELETE', path, { token: house.admin.token })
  test('customers, contracts, SIMs, tariffs', async () => {
    const { id, sim, customer, tariff } = await house.contract()
    for (const path of [`/contracts/${id}/`, `/sims/${sim}/`, `/customers/${customer}/`, `/tariffs/${tariff}/`])
      expect(await gone(path), path).toMatchObject({ status: 400, body: { status: 'error' } })
  })

  test('and what is deleted leaves its phone and its numbers to the next', async () => {
    const { id, phone } = await house.customer({ email: 'next@example.com' })
    expect((await gone(`/customers/${id}/`)).status).toBe(204)
    await house.customer({ phone, email: 'Next@Example.com' })
    const { id: sim, iccid, msisdn } = await house.sim()
    expect((await gone(`/sims/${sim}/`)).status).toBe(204)
    await house.sim({ iccid, msisdn })
    const again = await post('/customers/', {
      first_name: 'Ян',
      last_name: 'Ли',
      phone,
      document_type: 'passport',
      document_number: '1',
    })
    expect(again).toMatchObject({ status: 400, body: { phone: ['Клиент с таким телефоном уже существует.'] } })
  })
})

test('contracts are numbered by the year, one after the other, however many are made at once', async () => {
  const [customer, tariff] = [await house.customer(), await house.tariff()]
  const drafts = await Promise.all(
    Array.from({ length: 5 }, () => house.draft({ customer: customer.id, tariff: tariff.id })),
  )
  const numbers = drafts.map(({ number }) => Number(/^CTR-\d{4}-(\d{6})$/.exec(number)![1])).sort((a, b) => a - b)
  expect(numbers.map((number) => number - numbers[0]!)).toEqual([0, 1, 2, 3, 4])
})

test('what was booked is what the ledger says, and what the contracts do', async () => {
  expect((await verify(house.db)).broken).toBeNull()
})

test('none of this was a bug of ours', () => {
  expect(house.lines.filter(({ event }) => event === 'request.failed')).toEqual([])
})
