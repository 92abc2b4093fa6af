import { createRoute, z } from '@hono/zod-openapi'
import * as password from '../../db/identity/password.ts'
import { roles } from '../../db/identity/words.ts'
import * as settings from '../../db/paygo/notification-settings.ts'
import * as people from '../../db/paygo/people.ts'
import { Refused } from '../../db/paygo/refused.ts'
import { cameled } from '../names.ts'
import { published } from '../resource.ts'
import { Email, FullName, Phone } from '../user-fields.ts'
import { prove } from './attempts.ts'
import { Secret } from './auth.ts'
import { misshapen, missing } from './refusals.ts'
import { users as ids, json, jsonBody, Message, no, router, shown, Time } from './surface.ts'
import { known } from './tokens.ts'

const tags = ['PayGo: пользователи']
const passwordCharactersMin = 8
const passwordCharactersMax = 128
const urlCharactersMax = 500
const bornFrom = '1900-01-01'
const dateLength = bornFrom.length

/** Somebody, as the surface shows them: never a hash. */
const User = z.object({
  id: ids.shown,
  email: z.string().nullable(),
  phone: z.string().nullable(),
  full_name: z.string(),
  role: z.enum(roles.paygo),
  is_active: z.boolean(),
  is_verified: z.boolean(),
  created_at: Time,
  updated_at: Time,
  last_login: Time.nullable(),
})
const Profile = User.extend({
  date_of_birth: z.string().nullable().openapi({ format: 'date', example: '1990-05-20' }),
  avatar_url: z.string().nullable(),
}).openapi('PaygoProfile')
export const ListedUser = User.extend({ is_locked: z.boolean() }).openapi('PaygoUser')

const spelt = ({ lastLoginAt, ...member }: people.Member) => ({
  ...shown({ ...member, lastLogin: lastLoginAt }),
  id: ids.spell(member.id),
  is_active: member.status === 'active',
})
/** The value of `ListedUser`. */
export const listedUser = (member: people.Member) => published(ListedUser, spelt(member))
const profile = (member: people.Member) => published(Profile, spelt(member))

const Born = z.iso
  .date('ожидается дата ГГГГ-ММ-ДД')
  .refine((date) => date >= bornFrom && date <= new Date().toISOString().slice(0, dateLength), 'дата вне допустимого')
  .openapi({ type: 'string', format: 'date', example: '1990-05-20' })
const Picture = z
  .string()
  .max(urlCharactersMax)
  .pipe(z.url({ protocol: /^https?$/, error: 'ожидается адрес http или https' }))
  .openapi({ type: 'string', format: 'uri', example: 'https://example.com/avatar.png' })

/** A new password. */
const NewPassword = z
  .string()
  .min(passwordCharactersMin, `не короче ${passwordCharactersMin} символов`)
  .max(passwordCharactersMax, `не длиннее ${passwordCharactersMax} символов`)
  .refine((text) => /\p{L}/u.test(text) && /\p{N}/u.test(text), 'нужны и буквы, и цифры')
  .openapi({ type: 'string', format: 'password', example: 'newpassword456' })

/** What people do with their own account. */
export const users = router()

users.openapi(
  createRoute({
    method: 'get',
    path: '/users/profile',
    tags,
    summary: 'Получение профиля текущего пользователя',
    responses: { 200: { description: 'Профиль', ...json(Profile) }, ...no(401) },
  }),
  async (c) => c.json(profile(await known(c, c.var.actor.userId)), 200),
)

users.openapi(
  createRoute({
    method: 'put',
    path: '/users/profile',
    tags,
    summary: 'Обновление профиля пользователя',
    description: 'Меняется только то, что названо. Роль и пароль здесь не меняются.',
    request: {
      body: jsonBody(
        z
          .object({
            full_name: FullName,
            phone: Phone,
            email: Email,
            date_of_birth: Born.nullable(),
            avatar_url: Picture.nullable(),
          })
          .partial()
          .openapi('PaygoProfileChange', { example: { full_name: 'Иван Иванов', phone: '+79001234567' } }),
      ),
    },
    responses: { 200: { description: 'Профиль', ...json(Profile) }, ...no(400, 401, 422) },
  }),
  async (c) => {
    const given = cameled(c.req.valid('json'))
    return c.json(profile(await c.var.db.transaction((tx) => people.change(tx, c.var.actor, given))), 200)
  },
)

users.openapi(
  createRoute({
    method: 'post',
    path: '/users/change-password',
    tags,
    summary: 'Изменение пароля',
    description:
      'Новый пароль — не короче 8 символов, с буквами и цифрами. Остальные сеансы завершаются. Вместо `current_password` можно назвать `old_password`. Неверный текущий пароль — 400 и считается как неверный вход (423).',
    request: {
      body: jsonBody(
        z
          .object({
            current_password: Secret.optional(),
            old_password: Secret.optional(),
            new_password: NewPassword,
          })
          .openapi('PaygoPasswordChange', {
            example: { current_password: 'password123', new_password: 'newpassword456' },
          }),
      ),
    },
    responses: { 200: { description: 'Пароль изменён', ...json(Message) }, ...no(400, 401, 422, 423) },
  }),
  async (c) => {
    const { current_password, old_password, new_password } = c.req.valid('json')
    const plain = current_password ?? old_password
    if (plain === undefined) throw misshapen(missing('current_password'))
    const { actor, sessionId, db } = c.var
    const wrong = () => new Refused('conflict', '', { reason: 'password_wrong' })
    const from = await prove(c, actor.userId, plain, wrong)
    const to = await password.hash(new_password)
    await db.transaction((tx) => people.changePassword(tx, actor, { from, to, sessionId }))
    return c.json({ message: 'Пароль изменён' }, 200)
  },
)

const Settings = z
  .object({
    push_notifications: z.boolean(),
    sms_notifications: z.boolean(),
    email_notifications: z.boolean(),
    transaction_alerts: z.boolean(),
    security_alerts: z.boolean(),
  })
  .openapi('PaygoNotificationSettings')
const settingsPath = '/users/notification-settings'

users.openapi(
  createRoute({
    method: 'get',
    path: settingsPath,
    tags,
    summary: 'Получение настроек уведомлений',
    responses: { 200: { description: 'Настройки', ...json(Settings) }, ...no(401) },
  }),
  async (c) => c.json(shown(await c.var.db.transaction((tx) => settings.get(tx, c.var.actor.userId))), 200),
)

users.openapi(
  createRoute({
    method: 'put',
    path: settingsPath,
    tags,
    summary: 'Обновление настроек уведомлений',
    description: 'Меняется только то, что названо.',
    request: {
      body: jsonBody(
        Settings.partial().openapi('PaygoNotificationSettingsChange', {
          example: { push_notifications: true, sms_notifications: false },
        }),
      ),
    },
    responses: { 200: { description: 'Настройки', ...json(Settings) }, ...no(401, 422) },
  }),
  async (c) => {
    const given = cameled(c.req.valid('json'))
    return c.json(shown(await c.var.db.transaction((tx) => settings.change(tx, c.var.actor, given))), 200)
  },
)
