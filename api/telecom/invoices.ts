import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/telecom/billing-invoices.ts'
import * as contracts from '../../db/telecom/contracts.ts'
import { plusDays } from '../../db/telecom/decide/periods.ts'
import { currency } from '../../db/telecom/words.ts'
import { published } from '../resource.ts'
import { array } from './acts.ts'
import { Decimal, decimal } from './fields.ts'
import { invoicePdf } from './invoice-pdf.ts'
import { idParam, json, no, router, shown, staff, Time } from './surface.ts'

const tag = 'Телеком: договоры'
const path = '/contracts/{id}/invoices'
const request = { params: z.object({ id: idParam, invoice_id: idParam }) }

const InvoiceView = z
  .object({
    id: z.int(),
    number: z.string().openapi({ example: 'CTR-2024-000001/2024-02-15' }),
    contract: z.int(),
    contract_number: z.string(),
    customer_name: z.string(),
    tariff_name: z.string(),
    period_start: z.string().openapi({ example: '2024-02-15' }),
    period_end: z.string().openapi({ example: '2024-03-14', description: 'Последний день периода' }),
    amount: Decimal,
    balance_after: Decimal,
    currency: z.literal(currency),
    transaction_id: z.string(),
    charged_at: Time,
  })
  .openapi('Invoice')
/** An invoice as it leaves. */
export type InvoiceJson = z.output<typeof InvoiceView>

const invoiceJson = (invoice: verbs.Invoice) =>
  published(InvoiceView, {
    ...shown(invoice),
    number: `${invoice.contractNumber}/${invoice.periodStart}`,
    contract: invoice.contractId,
    period_end: plusDays(invoice.periodEnd, -1),
    amount: decimal(invoice.amountMinor),
    balance_after: decimal(invoice.balanceAfterMinor),
    currency,
  })

const one = createRoute({
  method: 'get',
  path: `${path}/{invoice_id}`,
  tags: [tag],
  summary: 'Счёт за период',
  middleware: [staff],
  request,
  responses: { 200: { description: 'Счёт', ...json(InvoiceView) }, ...no(400, 401, 403, 404) },
})

const pdf = createRoute({
  method: 'get',
  path: `${path}/{invoice_id}/pdf`,
  tags: [tag],
  summary: 'Счёт за период: PDF',
  middleware: [staff],
  request,
  responses: {
    200: {
      description: 'Файл PDF',
      content: { 'application/pdf': { schema: z.string().openapi({ type: 'string', format: 'binary' }) } },
    },
    ...no(400, 401, 403, 404),
  },
})

/** What a contract was charged for its periods: an addition of ours (docs/contracts.md 5.4). */
export function invoices() {
  const app = router()
  array(app, { tag, path, summary: 'Счета по договору', item: InvoiceView }, async (q, actor, at, contractId) => {
    await contracts.get(q, actor, contractId)
    return (await verbs.list(q, contractId, at)).map(invoiceJson)
  })
  app.openapi(one, async (c) => {
    const { id, invoice_id: invoiceId } = c.req.valid('param')
    return c.json(invoiceJson(await verbs.get(c.var.db.sql, id, invoiceId)), 200)
  })
  app.openapi(pdf, async (c) => {
    const { id, invoice_id: invoiceId } = c.req.valid('param')
    const invoice = invoiceJson(await verbs.get(c.var.db.sql, id, invoiceId))
    const headers = {
      'Content-Type': 'application/pdf',
      'Content-Disposition': `inline; filename="invoice-${invoice.id}.pdf"`,
      'Cache-Control': 'private, no-store',
    }
    return c.body(new Uint8Array(await invoicePdf(invoice)), 200, headers)
  })
  return app
}
