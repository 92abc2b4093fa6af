import { z } from 'zod'
import { type Access, type Answer, caller, done, doubtful, later, map, type Reply, refusal } from './call.ts'

export interface CryptopayAccess extends Access {
  token: string
  currencyType: 'fiat' | 'crypto'
  /** `RUB`, or `USDT`. */
  currency: string
}

/** What is to be paid. There is no idempotency key: `find` comes before a second `create` (docs/providers.md 2.3). */
export interface NewInvoice {
  /** As a decimal: `299.00`, `3.5`. */
  amount: string
  description: string
  /** By which `find` and the webhook know it; ours alone. */
  payload: string
  expiresInSeconds: number
  /** Where the payer goes back to; null: nowhere. */
  returnUrl: string | null
}

export interface CryptopayInvoice {
  id: number
  status: 'active' | 'paid' | 'expired'
  /** The decimal as it was written, unpadded. */
  amount: string
  currency: string
  payload: string | null
  /** Where the person pays. */
  url: string
  createdAt: string
}

const descriptionCharactersMax = 1024
const payloadBytesMax = 4096
const pageInvoices = 1_000
const pagesMax = 10
/** Their clock and ours. */
const clockToleranceMs = 600_000

const Invoice = z
  .object({
    invoice_id: z.int(),
    status: z.enum(['active', 'paid', 'expired']),
    amount: z.union([z.string(), z.number()]).transform(String),
    fiat: z.string().nullish(),
    asset: z.string().nullish(),
    payload: z.string().nullish(),
    bot_invoice_url: z.string().nullish(),
    pay_url: z.string().nullish(),
    created_at: z.string(),
  })
  .transform((said, context): CryptopayInvoice => {
    const currency = said.fiat ?? said.asset
    const url = said.bot_invoice_url ?? said.pay_url
    if (!currency || !url) context.addIssue({ code: 'custom', message: 'no currency, or nowhere to pay' })
    const { invoice_id: id, status, amount, payload = null, created_at: createdAt } = said
    return { id, status, amount, currency: currency ?? '', payload, url: url ?? '', createdAt }
  })
const Page = z.object({ items: z.array(Invoice) }).transform(({ items }) => items)
const Mistake = z.object({ ok: z.literal(false), error: z.object({ code: z.number(), name: z.string() }) })

const reading =
  <T>(shape: z.ZodType<T>) =>
  ({ status, body }: Answer): Reply<T> | null => {
    const right = z.object({ ok: z.literal(true), result: shape }).safeParse(body)
    if (status === 200 && right.success) return done(right.data.result as T)
    const wrong = Mistake.safeParse(body)
    if (!wrong.success) return null
    const { code, name } = wrong.data.error
    if (code >= 500) return doubtful(name)
    return status === 429 || code === 429 ? later(name) : refusal(code, name, name)
  }

/** @CryptoBot's payments. */
export function cryptopayApi(access: CryptopayAccess) {
  const call = caller(access, { 'crypto-pay-api-token': access.token }, [access.token])
  const ask = <T>(method: string, shape: z.ZodType<T>, words: object) =>
    call({ method: 'POST', path: `/${method}`, body: JSON.stringify(words), read: reading(shape) })
  const page = (words: object) => ask('getInvoices', Page, { count: pageInvoices, ...words })
  const isOlder = (invoice: CryptopayInvoice, since: Date) =>
    Date.parse(invoice.createdAt) < since.getTime() - clockToleranceMs

  return {
    create({ amount, description, payload, expiresInSeconds, returnUrl }: NewInvoice) {
      if (Buffer.byteLength(payload) > payloadBytesMax) throw new RangeError('the payload is too long')
      return ask('createInvoice', Invoice, {
        currency_type: access.currencyType,
        [access.currencyType === 'fiat' ? 'fiat' : 'asset']: access.currency,
        amount,
        description: [...description].slice(0, descriptionCharactersMax).join(''),
        payload,
        expires_in: expiresInSeconds,
        allow_comments: false,
        ...(returnUrl && { paid_btn_name: 'callback', paid_btn_url: returnUrl }),
      })
    },
    /** Invoices by their ids, at most 1,000; those of another app are not among them. */
    invoices: (ids: number[]) => page({ invoice_ids: ids.join(',') }),
    /**
     * The invoice with our payload among those made since, null when there is none. There is no filter for it, so pages are
     * looked through, the newest first.
     */
    async find(payload: string, since: Date): Promise<Reply<CryptopayInvoice | null>> {
      for (let at = 0; at < pagesMax; at++) {
        const reply = await page({ offset: at * pageInvoices })
        if (reply.kind !== 'done') return reply
        const mine = reply.value.find((invoice) => invoice.payload === payload)
        if (mine) return done(mine)
        // They say nothing of the order: only a page that is older as a whole is the end.
        if (reply.value.length < pageInvoices || reply.value.every((one) => isOlder(one, since))) return done(null)
      }
      return doubtful('more invoices than are looked through')
    },
    /** Nobody can pay it any more. */
    cancel: async (id: number) => map(await ask('deleteInvoice', z.boolean(), { invoice_id: id }), () => done(null)),
  }
}

export type CryptopayApi = ReturnType<typeof cryptopayApi>
