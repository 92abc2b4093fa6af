import { z } from 'zod'
import { type Access, type Answer, caller, done, later, type Reply, refusal } from './call.ts'

export interface TelegramAccess extends Access {
  token: string
}

/** What is sold for Stars. */
export interface StarsInvoice {
  /** 1 to 32 characters. */
  title: string
  /** 1 to 255 characters. */
  description: string
  /** Ours, opaque: 1 to 128 bytes. */
  payload: string
  /** Whole Stars: there are no smaller ones. */
  stars: number
  /** Charged again every 30 days by Telegram, which knows no other period. */
  isSubscription: boolean
}

export interface StarTransaction {
  /** The charge id of the payment, also of its refund. */
  id: string
  stars: number
  /** The unix second. */
  at: number
  /** Of a payment to us; null: money that left, or something else. */
  payload: string | null
}

const payloadBytesMax = 128
const titleCharactersMax = 32
const descriptionCharactersMax = 255
const textCharactersMax = 4096
const subscriptionSeconds = 2_592_000

const Mistake = z.object({
  ok: z.literal(false),
  error_code: z.number(),
  description: z.string().default(''),
  parameters: z.object({ retry_after: z.number().optional() }).optional(),
})
const Transactions = z
  .object({
    transactions: z.array(
      z.object({
        id: z.string(),
        amount: z.number(),
        date: z.number(),
        source: z.object({ invoice_payload: z.string().optional() }).nullish(),
      }),
    ),
  })
  .transform(({ transactions }) =>
    transactions.map(({ id, amount, date, source }): StarTransaction => {
      return { id, stars: amount, at: date, payload: source?.invoice_payload ?? null }
    }),
  )
const True = z.literal(true)
const Message = z.object({ message_id: z.int() }).transform((said) => said.message_id)

const reading =
  <T>(shape: z.ZodType<T>) =>
  ({ status, body }: Answer): Reply<T> | null => {
    const right = z.object({ ok: z.literal(true), result: shape }).safeParse(body)
    if (status === 200 && right.success) return done(right.data.result as T)
    const { data } = Mistake.safeParse(body)
    if (!data) return null
    if (data.error_code === 429) return later('too many requests', data.parameters?.retry_after)
    return refusal(data.error_code, data.description.split(':')[0]!, data.description)
  }

const clip = (text: string, charactersMax: number) => [...text].slice(0, charactersMax).join('')

/** What somebody is written. */
interface Letter {
  title: string
  body: string
}

const wordsOf = (chatId: number, { title, body }: Letter) => ({
  chat_id: chatId,
  text: clip(`${title}\n\n${body}`, textCharactersMax),
  // Counted in UTF-16 units, as texts here are.
  entities: [{ type: 'bold', offset: 0, length: title.length }],
  link_preview_options: { is_disabled: true },
})

/** Telegram's Bot API. The token is a part of every address, so no address is ever told. */
export function telegramApi(access: TelegramAccess) {
  const call = caller({ ...access, url: `${access.url}/bot${access.token}` }, {}, [access.token])
  const ask = <T>(method: string, shape: z.ZodType<T>, words: object) =>
    call({ method: 'POST', path: `/${method}`, body: JSON.stringify(words), read: reading(shape) })
  return {
    /** A link that anybody may pay, more than once: the checkout asks us first. */
    invoiceLink({ title, description, payload, stars, isSubscription }: StarsInvoice) {
      const bytes = Buffer.byteLength(payload)
      if (bytes < 1 || bytes > payloadBytesMax) throw new RangeError('the payload has not 1 to 128 bytes')
      return ask('createInvoiceLink', z.url(), {
        title: clip(title, titleCharactersMax),
        description: clip(description, descriptionCharactersMax),
        payload,
        provider_token: '',
        currency: 'XTR',
        prices: [{ label: clip(title, titleCharactersMax), amount: stars }],
        ...(isSubscription && { subscription_period: subscriptionSeconds }),
      })
    },
    /** Within ten seconds of the question. `why`: what the payer reads; null: they may pay. */
    answerCheckout: (queryId: string, why: string | null) =>
      ask('answerPreCheckoutQuery', True, {
        pre_checkout_query_id: queryId,
        ...(why === null ? { ok: true } : { ok: false, error_message: why }),
      }),
    /** Gives Stars back; back already is as good. */
    async refund(userId: number, chargeId: string): Promise<Reply<true>> {
      const reply = await ask('refundStarPayment', True, { user_id: userId, telegram_payment_charge_id: chargeId })
      return reply.kind === 'refused' && /CHARGE_ALREADY_REFUNDED/.test(reply.why) ? done(true) : reply
    },
    /** Whether Telegram charges a subscription again. */
    renew: (userId: number, chargeId: string, isOn: boolean) =>
      ask('editUserStarSubscription', True, {
        user_id: userId,
        telegram_payment_charge_id: chargeId,
        is_canceled: !isOn,
      }),
    /** A page of what came and went, the oldest first. */
    transactions: (offset: number, limit: number) => ask('getStarTransactions', Transactions, { offset, limit }),
    /**
     * To somebody who has spoken to the bot; 403 of whoever has not, or blocked it. The title stands out by its place in the text:
     * nothing is read as markup, so nobody's name or words have to be escaped, or can be markup.
     */
    send: (chatId: number, letter: Letter) => ask('sendMessage', Message, wordsOf(chatId, letter)),
  }
}

export type TelegramApi = ReturnType<typeof telegramApi>
