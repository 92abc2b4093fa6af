import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import PDFDocument from 'pdfkit'
import type { InvoiceJson } from './invoices.ts'

const font = fileURLToPath(import.meta.resolve('dejavu-fonts-ttf/ttf/DejaVuSans.ttf'))
const marginPoints = 56
const titlePoints = 18
const textPoints = 11
const labelPoints = 170

/** A sign that the font lacks would be left out without a word, and tear the row (docs/decisions.md "pdfkit writes invoices"). */
const shown = (text: string) => text.replace(/[^\p{Script=Latin}\p{Script=Cyrillic} -~«»–—№’]/gu, '?')

/** 31.01.2026 */
const day = (text: string) => text.split('-').toReversed().join('.')

/** An invoice on one page, with what its JSON says. */
export async function invoicePdf(invoice: InvoiceJson): Promise<Uint8Array> {
  const rows = [
    ['Клиент', invoice.customer_name],
    ['Договор', invoice.contract_number],
    ['Тариф', invoice.tariff_name],
    ['Период', `${day(invoice.period_start)} – ${day(invoice.period_end)}`],
    ['Абонентская плата', `${invoice.amount} сом`],
    ['Остаток после списания', `${invoice.balance_after} сом`],
    ['Списано', day(invoice.charged_at.slice(0, '2026-01-31'.length))],
    ['Операция', invoice.transaction_id],
  ] as const
  const info = { Title: invoice.number, CreationDate: new Date(invoice.charged_at) }
  const page = new PDFDocument({ size: 'A4', margin: marginPoints, font, info })
  page
    .fontSize(titlePoints)
    .text(`Счёт ${shown(invoice.number)}`)
    .moveDown()
    .fontSize(textPoints)
  for (const [label, value] of rows) {
    const top = page.y
    page.text(label, marginPoints, top)
    const under = page.y
    page.text(shown(value), marginPoints + labelPoints, top)
    page.y = Math.max(under, page.y)
    page.moveDown(1 / 2)
  }
  page.end()
  return await buffer(page)
}
