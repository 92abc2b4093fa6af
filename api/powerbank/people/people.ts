import { z } from '@hono/zod-openapi'
import type { Person } from '../../../db/identity/identity.ts'
import { roles, userStatuses } from '../../../db/identity/words.ts'
import type * as admission from '../../../db/powerbank/admission.ts'
import type * as users from '../../../db/powerbank/users.ts'
import { published } from '../../resource.ts'
import { shown, Time } from '../surface.ts'

export const Role = z.enum(roles.powerbank)
export const UserStatus = z.enum(userStatuses)

/** Somebody, as the surface shows them: never a hash. */
export const User = z
  .object({
    user_id: z.int(),
    phone_e164: z.string().nullable(),
    email: z.string().nullable(),
    fio: z.string(),
    status: UserStatus,
    role: Role,
    parent_org_unit_id: z.int().nullable(),
    org_unit_name: z.string().nullable(),
    powerbank_limit: z.int().nullable(),
    created_at: Time,
    last_login_at: Time.nullable(),
  })
  .openapi('User')

/** The value of `User`. */
export const user = (person: Person, place: Awaited<ReturnType<typeof admission.place>>) =>
  published(User, {
    ...shown(person),
    user_id: person.id,
    phone_e164: person.phone,
    fio: person.fullName,
    role: place.role,
    parent_org_unit_id: place.orgUnitId,
    org_unit_name: place.orgUnitName,
  })

/** Somebody, with where the limit of power banks comes from (docs/contracts.md 4.7). */
export const Account = z
  .object({
    ...User.shape,
    individual_limit: z.int().nullable(),
    group_default_limit: z.int().nullable(),
    group_name: z.string().nullable(),
  })
  .openapi('Account')

/** The value of `Account`. */
export const account = (person: users.Account): z.infer<typeof Account> => ({
  ...user(person, person),
  individual_limit: person.powerbankLimit,
  group_default_limit: person.groupDefaultLimit,
  group_name: person.groupName,
})
