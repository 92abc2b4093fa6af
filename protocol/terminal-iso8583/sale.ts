import type { Card, Presented, ResponseCode, Saying } from '../terminal.ts'
import { cardFields, cardOf, type Fingerprint, presented } from './card.ts'
import { calendar, clock, receipt, request, spoken } from './define.ts'
import { type Body, de, may, whole } from './layout.ts'
import { original } from './original.ts'

/** Roubles; nothing else is taken. */
const rouble = '643'
const purchaseOfGoods = '000000'

const saleFields = {
  ...spoken,
  ...cardFields,
  processingCode: de(3),
  amountMinor: whole(4),
  localTime: clock(12),
  localDate: calendar(13),
  entryMode: de(22),
  condition: de(25),
  merchant: may(de(42)),
  currency: de(49),
}

/** What an answer about money repeats: never a card. */
const echo = [3, 4, 7, 11, 12, 13, 41, 42, 49]

type Sale<C> = Omit<Extract<Saying<C>, { kind: 'purchase' }>, 'kind'>

/** The words of a sale, or why it is none. */
function saleOf<K extends string>(kind: K, body: Body<typeof saleFields>, fingerprint: Fingerprint) {
  if (body.processingCode !== purchaseOfGoods || body.currency !== rouble) return '12' satisfies ResponseCode
  if (body.amountMinor === 0) return '13' satisfies ResponseCode
  const card = cardOf(body, fingerprint)
  if (typeof card === 'string') return card
  const { stan, sentAt, amountMinor, localTime, localDate, entryMode, condition, merchant } = body
  const words = { kind, stan, sentAt, amountMinor, localTime, localDate, entryMode, condition, card }
  const sale: Sale<Card> & { kind: K } = words
  if (merchant !== undefined) sale.merchant = merchant
  return sale
}

function bodyOf({ card, ...said }: Sale<Presented>, terminalCode: string): Body<typeof saleFields> {
  return { ...said, ...presented(card), terminalCode, processingCode: purchaseOfGoods, currency: rouble }
}

/** docs/protocol.md 7.5, 0200. */
export const purchase = request({
  mti: 0x0200,
  name: 'Financial transaction',
  doc: 'A purchase: the answer says whether the money is taken. One of 2 (with 14), 35 or 55 (with tag 5A or 57) is the card.',
  kinds: ['purchase'],
  up: saleFields,
  down: receipt,
  echo,
  means: (body, fingerprint) => saleOf('purchase', body, fingerprint),
  says: bodyOf,
  examples: [
    {
      says: {
        kind: 'purchase',
        stan: '000002',
        sentAt: '1128203107',
        amountMinor: 15000,
        localTime: '233107',
        localDate: '1128',
        entryMode: '051',
        condition: '00',
        card: { track2: '4242424242424242D29122010000000000' },
        merchant: 'VOLTBAY',
      },
      up: '02003238048020C0800100000000000001500011282031070000022331071128005100344242424242424242D291220100000000005430303030303031564F4C5442415920202020202020200643202883D8BDC6BCEF',
      verdict: { kind: 'answered', code: '00', rrn: '633320000002', approval: 'A1B2C3' },
      down: '0210323800000EC080010000000000000150001128203107000002233107112836333333323030303030303241314232433330305430303030303031564F4C5442415920202020202020200643D723FBE83169D901',
    },
    {
      says: {
        kind: 'purchase',
        stan: '000003',
        sentAt: '1128203107',
        amountMinor: 15051,
        localTime: '233107',
        localDate: '1128',
        entryMode: '011',
        condition: '00',
        card: { pan: '4242424242424242', expiry: '2912' },
      },
      up: '0200723C048000808001164242424242424242000000000000015051112820310700000323310711282912001100543030303030303106436C0B48EC14D2F57F',
      verdict: { kind: 'answered', code: '51', rrn: '633320000003' },
      down: '0210323800000A80800100000000000001505111282031070000032331071128363333333230303030303033353154303030303030310643BEA088A31E89BAE3',
    },
  ],
})

/** docs/protocol.md 7.5, 0100. */
export const authorisation = request({
  ...purchase,
  mti: 0x0100,
  name: 'Authorization',
  doc: 'Holds an amount (a deposit). An advice with the 37 of its answer takes it, a reversal releases it.',
  kinds: ['authorisation'],
  means: (body, fingerprint) => saleOf('authorisation', body, fingerprint),
  says: bodyOf,
  examples: [
    {
      says: {
        kind: 'authorisation',
        stan: '000004',
        sentAt: '1128203107',
        amountMinor: 50000,
        localTime: '233107',
        localDate: '1128',
        entryMode: '071',
        condition: '00',
        card: { chip: '57114242424242424242D291220100000000009F2608A1A2A3A4A5A6A7A8', sequence: '001' },
        merchant: 'VOLTBAY',
      },
      up: '01003238068000C082010000000000000500001128203107000004233107112800710001005430303030303031564F4C5442415920202020202020200643003057114242424242424242D291220100000000009F2608A1A2A3A4A5A6A7A82C13EFFBA0E8DCE0',
      verdict: { kind: 'answered', code: '00', rrn: '633320000004', approval: 'D4E5F6' },
      down: '0110323800000EC080010000000000000500001128203107000004233107112836333333323030303030303444344535463630305430303030303031564F4C5442415920202020202020200643584978F76106E5BC',
    },
  ],
})

const adviceFields = { ...saleFields, rrn: may(de(37)), approval: may(de(38)), original: may(original) }

/** docs/protocol.md 7.5, 0220. */
export const advice = request({
  mti: 0x0220,
  name: 'Financial transaction advice',
  doc:
    'What has happened already: approved offline (38), or the completion of what 37 or 90 name. Answered 00 once it is stored, ' +
    'also when the acquirer disagrees; a purchase that is known already is not booked twice.',
  kinds: ['advice'],
  up: adviceFields,
  down: receipt,
  echo,
  means(body, fingerprint) {
    const { rrn, approval, original } = body
    if (rrn === undefined && approval === undefined && original === undefined) return '30'
    const sale = saleOf('advice', body, fingerprint)
    if (typeof sale === 'string') return sale
    return {
      ...sale,
      ...(rrn !== undefined && { rrn }),
      ...(approval !== undefined && { approval }),
      ...(original !== undefined && { original }),
    }
  },
  says: bodyOf,
  examples: [
    {
      says: {
        kind: 'advice',
        stan: '000005',
        sentAt: '1128203107',
        amountMinor: 20000,
        localTime: '233107',
        localDate: '1128',
        entryMode: '051',
        condition: '00',
        card: { track2: '4242424242424242D29122010000000000' },
        merchant: 'VOLTBAY',
        rrn: '633320000004',
      },
      up: '02203238048028C0800100000000000002000011282031070000052331071128005100344242424242424242D291220100000000003633333332303030303030345430303030303031564F4C544241592020202020202020064310314482A69E0D4B',
      verdict: { kind: 'accepted' },
      down: '02303238000002C080010000000000000200001128203107000005233107112830305430303030303031564F4C544241592020202020202020064329C2F5531C5444F4',
    },
  ],
})
