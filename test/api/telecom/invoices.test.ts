import { expect, test } from 'vitest'
import * as billing from '../../../db/telecom/billing.ts'
import { crm } from './telecom-stage.ts'

const house = await crm()
const { read, call, db } = house

/** A contract that was charged for two periods, and its invoices. */
async function charged() {
  const { id, number, customer } = await house.contract(1_200)
  await db.sql`
    update contracts set billing_anchor = '2026-01-31', next_billing_date = '2026-02-28' where id = ${id}`
  await billing.run(db, { until: '2026-03-31' })
  return { id, number, customer, path: `/contracts/${id}/invoices/` }
}

test('what a contract was charged is an invoice for each period, the latest first', async () => {
  const { id, number, path } = await charged()
  const { status, body } = await read(path)
  expect(status).toBe(200)
  expect(body).toMatchObject([
    { contract: id, period_start: '2026-03-31', period_end: '2026-04-29', amount: '500.00', balance_after: '200.00' },
    { number: `${number}/2026-02-28`, period_start: '2026-02-28', period_end: '2026-03-30', balance_after: '700.00' },
  ])
  expect((await read(`${path}?page_size=1&page=2`)).body).toEqual([body[1]])
  expect(await read(`${path}${body[1].id}/`)).toMatchObject({ status: 200, body: body[1] })
})

test('it is a PDF, too', async () => {
  const { number, path } = await charged()
  const [{ id }] = (await read(path)).body
  const { status, headers, body } = await read(`${path}${id}/pdf/`)
  expect([status, headers.get('content-type')]).toEqual([200, 'application/pdf'])
  expect(body.slice(0, 5)).toBe('%PDF-')
  // Its title; the text is glyphs of the font that is in it.
  expect(body).toContain(`(${number}/2026-03-31)`)
  expect(body).toContain('+DejaVuSans')
  expect(body.trimEnd()).toMatch(/%%EOF$/)
})

test('an invoice of another contract, or none, is not found; a stranger sees none', async () => {
  const one = await charged()
  const other = await house.contract()
  const [{ id }] = (await read(one.path)).body
  for (const path of [
    `/contracts/${other.id}/invoices/${id}/`,
    `/contracts/${other.id}/invoices/${id}/pdf/`,
    `${one.path}999999/`,
  ])
    expect(await read(path)).toMatchObject({ status: 404, body: { message: 'Счет не найден' } })
  expect((await read('/contracts/999999/invoices/')).status).toBe(404)
  expect((await read(`/contracts/${other.id}/invoices/`)).body).toEqual([])
  expect((await call('GET', one.path)).status).toBe(401)
  const patient = await house.login('patient', 'loyalty')
  expect((await read(one.path, patient.token)).status).toBe(403)
})
