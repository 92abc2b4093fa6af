import { timingSafeEqual } from 'node:crypto'
import * as audit from '../messages/audit.ts'
import type { Actor } from '../platform/actor.ts'
import type { Queryable, Tx } from '../postgres/connect.ts'
import { tell } from './notices.ts'
import { Refused } from './refused.ts'
import type { BiometricType } from './words.ts'

/** A template as it came, already under the house's key: what it was is never stored. */
export interface Template {
  type: BiometricType
  hash: string
}

const nobodys = '0'.repeat(64)

/** Whether somebody has enrolled this very template. The time it takes tells nothing. */
export async function matches(q: Queryable, userId: number, { type, hash }: Template): Promise<boolean> {
  const [row] = await q<{ templateHash: string }[]>`
    select template_hash from biometric_templates
    where user_id = ${userId} and template_type = ${type} and deleted_at is null`
  const stored = Buffer.from(row?.templateHash ?? nobodys, 'hex')
  return timingSafeEqual(stored, Buffer.from(hash, 'hex')) && row !== undefined
}

const note = (tx: Tx, userId: number, act: 'enrol' | 'remove', type: BiometricType) =>
  audit.record(tx, { userId, roles: [] }, 'paygo', {
    action: `biometric.${act}`,
    entityType: 'user',
    entityId: userId,
    newValues: { type },
  })

async function drop(tx: Tx, userId: number, type: BiometricType): Promise<boolean> {
  await tx`select 1 from users where id = ${userId} for no key update`
  const gone = await tx`
    update biometric_templates set deleted_at = now()
    where user_id = ${userId} and template_type = ${type} and deleted_at is null`
  return gone.count > 0
}

/** Lets somebody in by this template from now on, and by no other of its type. */
export async function enrol(tx: Tx, userId: number, { type, hash }: Template): Promise<void> {
  await drop(tx, userId, type)
  await tx`
    insert into biometric_templates (user_id, template_type, template_hash) values (${userId}, ${type}, ${hash})`
  await note(tx, userId, 'enrol', type)
  await tell(tx, userId, 'biometric.enrolled', { type }, 'securityAlerts')
}

/** @throws Refused not_found (template_unknown) */
export async function remove(tx: Tx, { userId }: Actor, type: BiometricType): Promise<void> {
  if (!(await drop(tx, userId, type))) throw new Refused('not_found', type, { reason: 'template_unknown' })
  await note(tx, userId, 'remove', type)
  await tell(tx, userId, 'biometric.removed', { type }, 'securityAlerts')
}
