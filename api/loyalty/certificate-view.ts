import { z } from '@hono/zod-openapi'
import type { Context } from 'hono'
import type * as certificates from '../../db/loyalty/certificates.ts'
import { certificateStatuses } from '../../db/loyalty/words.ts'
import type { Env } from '../context.ts'
import { toUnits, Units } from '../money.ts'
import { published } from '../resource.ts'
import { shown, Time } from './surface.ts'

/** What anybody may see who has the code: nothing of its owner, and not the words of the gift (docs/contracts.md 3.3). */
const anybodys = {
  id: z.int(),
  code: z.string().openapi({ example: 'CERT-A1B2C3D4E5F60718' }),
  initial_amount: Units,
  current_amount: Units.openapi({ description: 'Сколько не использовано' }),
  status: z.enum(certificateStatuses),
  design_template: z.string().nullable(),
  qr_code_url: z.string().openapi({ example: 'https://example.org/qrcodes/CERT-A1B2C3D4E5F60718.png' }),
  issued_at: Time,
  valid_from: Time,
  valid_until: Time,
  used_at: Time.nullable(),
}

export const PublicCertificate = z.object(anybodys).openapi('PublicCertificate')
export const Certificate = z
  .object({ ...anybodys, owner_id: z.int().nullable(), message: z.string().nullable() })
  .openapi('Certificate')

/** Where the picture of a code is. Without `PUBLIC_URL` that is where the client has just found us. */
function pictureOf(c: Context<Env>, code: string): string {
  const base = c.var.config.publicUrl ?? new URL(c.req.url).origin
  return `${base}/qrcodes/${encodeURIComponent(code)}.png`
}

const spelt = (c: Context<Env>, certificate: certificates.Certificate) => ({
  ...shown(certificate),
  initial_amount: toUnits(certificate.initialAmount),
  current_amount: toUnits(certificate.currentAmount),
  qr_code_url: pictureOf(c, certificate.code),
})

/** The value of `PublicCertificate`. */
export const spellPublic = (c: Context<Env>, certificate: certificates.Certificate) =>
  published(PublicCertificate, spelt(c, certificate))

/** The value of `Certificate`. */
export const spellCertificate = (c: Context<Env>, certificate: certificates.Certificate) =>
  published(Certificate, spelt(c, certificate))

const codeCharactersMax = 255
/** A code as a client types or scans it; of any alphabet, because other issuers have others. */
export const Code = z.string().max(codeCharactersMax).openapi({ example: 'CERT-A1B2C3D4E5F60718' })
