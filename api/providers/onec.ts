import { z } from 'zod'
import type { PointRules } from '../../db/loyalty/points.ts'
import * as visits from '../../db/loyalty/visits.ts'
import type { Outcome } from '../../db/messages/inbox.ts'
import { instantOf } from '../instants.ts'
import { amount, reference } from './fields.ts'
import { canonical, isOneOf, jsonOf, type Provider, type ReadEvent, Unreadable } from './provider.ts'

/** What 1C must know to tell us something, and what its dates mean. */
export interface OnecConfig {
  /** The present token, and the one before it while both are in use. */
  tokens: readonly string[]
  /** IANA name of the zone that dates without one are in. */
  timeZone: string
}

const tokenHeader = 'x-webhook-token'
const documentCharactersMax = 100
const patientCharactersMax = 100
const servicesMax = 500

const visitOf = (timeZone: string) =>
  z.object({
    document_id: reference(documentCharactersMax),
    patient_external_id: reference(patientCharactersMax),
    visit_date: z
      .string('ожидается дата')
      .nullish()
      .transform((text, context) => {
        const at = text == null ? null : instantOf(text.trim(), timeZone)
        if (at !== undefined) return at
        context.addIssue({ code: 'custom', message: 'ожидается дата, например 2025-09-30T10:00:00' })
        return z.NEVER
      }),
    total_amount: amount,
    points_to_accrue: amount,
    cashback_to_accrue: amount,
    services: z.array(z.unknown(), 'ожидается список').max(servicesMax, 'слишком длинный список').nullish(),
  })

/** A visit out of a body of 1C (docs/providers.md 7; docs/contracts.md 3.6). @throws Unreadable */
function hear(raw: Buffer, timeZone: string): ReadEvent<visits.Visit> {
  const body = jsonOf(raw)
  const parsed = visitOf(timeZone).safeParse(body)
  if (!parsed.success) throw new Unreadable('the body is not a visit', parsed.error.issues, body)
  const { document_id, patient_external_id, visit_date, services, ...amounts } = parsed.data
  const words: visits.Visit = {
    documentId: document_id,
    patientExternalId: patient_external_id,
    visitAt: visit_date,
    totalMinor: amounts.total_amount,
    pointsMinor: amounts.points_to_accrue,
    cashbackMinor: amounts.cashback_to_accrue,
  }
  const content = canonical({ ...words, visitAt: visit_date?.toISOString() ?? null, services: services ?? [] })
  return { words, dedupKey: words.documentId, content, isState: false, isLater: false }
}

const outcomes: Record<visits.Accrued['kind'], Outcome['state']> = {
  success: 'done',
  user_not_found: 'unmatched',
  account_not_found: 'unmatched',
}

/** 1C of a clinic: visits of patients, told by its programmer's own HTTP calls. */
export function onec({ tokens, timeZone }: OnecConfig, rules: PointRules): Provider<visits.Visit> {
  return {
    name: '1c',
    isAuthentic: (_raw, headers) => isOneOf(tokens, headers.get(tokenHeader)),
    keep: (raw) => raw,
    hear: (raw) => hear(raw, timeZone),
    async act(tx, visit) {
      const { kind, ...about } = await visits.accrue(tx, rules, visit)
      const state = outcomes[kind]
      return { state, result: { status: kind, ...about }, ...(state === 'unmatched' ? { why: kind } : {}) }
    },
  }
}
