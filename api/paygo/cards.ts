import { createRoute, z } from '@hono/zod-openapi'
import * as verbs from '../../db/paygo/cards.ts'
import { cardTypes } from '../../db/paygo/words.ts'
import { published } from '../resource.ts'
import { FullName } from '../user-fields.ts'
import { misshapen } from './refusals.ts'
import { cards as ids, json, jsonBody, Message, no, router, shown, Time } from './surface.ts'

const tags = ['PayGo: карты']
const yearMin = 2000
const yearMax = 2099
const numberCharactersMax = 64
const dateLength = '2025-12-31'.length

const Card = z
  .object({
    id: ids.shown,
    masked_number: z.string().openapi({ example: '**** **** **** 1234' }),
    bank_name: z
      .string()
      .nullable()
      .openapi({ example: 'Сбербанк', description: 'По началу номера; null — неизвестен' }),
    card_type: z.enum(cardTypes),
    is_primary: z.boolean(),
    expires_at: z.string().openapi({ format: 'date', example: '2025-12-31' }),
    created_at: Time,
  })
  .openapi('PaygoCard')

const card = (one: verbs.Card) => published(Card, { ...shown(one), id: ids.spell(one.id) })

const Digits = z
  .string()
  .max(numberCharactersMax)
  .transform((text) => text.replaceAll(/[\s-]/g, ''))
  .refine((digits) => /^\d{12,19}$/.test(digits), 'ожидается от 12 до 19 цифр')
  .openapi({ type: 'string', example: '1234567890123456' })

const NewCard = z
  .object({
    card_number: Digits,
    expiry_month: z.int().min(1).max(12),
    expiry_year: z.int().min(yearMin).max(yearMax),
    cvv: z.string().regex(/^\d{3,4}$/, 'ожидается 3 или 4 цифры'),
    cardholder_name: FullName,
    card_type: z.enum(cardTypes).optional(),
  })
  .openapi('PaygoNewCard', {
    example: {
      card_number: '1234567890123456',
      expiry_month: 12,
      expiry_year: 2025,
      cvv: '123',
      cardholder_name: 'IVAN IVANOV',
    },
  })

/** The check digit of ISO/IEC 7812. */
function isLuhn(digits: string): boolean {
  const sum = [...digits].reverse().reduce((total, digit, at) => {
    const value = Number(digit) * (at % 2 === 0 ? 1 : 2)
    return total + (value > 9 ? value - 9 : value)
  }, 0)
  return sum % 10 === 0
}

const lastDayOf = (year: number, month: number) => new Date(Date.UTC(year, month, 0)).toISOString().slice(0, dateLength)

/** Cards that people keep here to pay with. */
export const cards = router()

cards.openapi(
  createRoute({
    method: 'get',
    path: '/cards',
    tags,
    summary: 'Получение списка карт пользователя',
    description: 'Основная карта первая.',
    responses: {
      200: { description: 'Карты', ...json(z.object({ cards: z.array(Card) }).openapi('PaygoCards')) },
      ...no(401),
    },
  }),
  async (c) => c.json({ cards: (await verbs.list(c.var.db.sql, c.var.actor.userId)).map(card) }, 200),
)

cards.openapi(
  createRoute({
    method: 'post',
    path: '/cards',
    tags,
    summary: 'Добавление новой карты',
    description:
      'Хранятся случайный токен, отпечаток под ключом сервера и последние четыре цифры; номер и CVV — никогда. Первая карта становится основной; та же карта второй раз — 400.',
    request: { body: jsonBody(NewCard) },
    responses: { 201: { description: 'Карта', ...json(Card) }, ...no(400, 401, 422) },
  }),
  async (c) => {
    const body = c.req.valid('json')
    const { card_number: number, cardholder_name: cardholderName, card_type: cardType = 'unknown' } = body
    const { isLuhnChecked, isExpiryChecked } = c.var.config.paygo
    const expiresAt = lastDayOf(body.expiry_year, body.expiry_month)
    if (isLuhnChecked && !isLuhn(number))
      throw misshapen({ field: 'card_number', message: 'неверная контрольная цифра' })
    if (isExpiryChecked && expiresAt < new Date().toISOString().slice(0, dateLength))
      throw misshapen({ field: 'expiry_year', message: 'срок действия карты истёк' })
    const given = { number, expiresAt, cardholderName, cardType }
    const added = await c.var.db.transaction((tx) => verbs.add(tx, c.var.actor, given, c.var.config.cardKey))
    return c.json(card(added), 201)
  },
)

const request = { params: z.object({ card_id: ids.given }) }

cards.openapi(
  createRoute({
    method: 'delete',
    path: '/cards/{card_id}',
    tags,
    summary: 'Удаление карты',
    description: 'Если карта была основной, основной становится старейшая из остальных.',
    request,
    responses: { 200: { description: 'Удалена', ...json(Message) }, ...no(401, 404, 422) },
  }),
  async (c) => {
    const { card_id: id } = c.req.valid('param')
    await c.var.db.transaction((tx) => verbs.remove(tx, c.var.actor, id))
    return c.json({ message: 'Карта удалена' }, 200)
  },
)

cards.openapi(
  createRoute({
    method: 'put',
    path: '/cards/{card_id}/set-primary',
    tags,
    summary: 'Установка карты как основной',
    request,
    responses: { 200: { description: 'Карта', ...json(Card) }, ...no(401, 404, 422) },
  }),
  async (c) => {
    const { card_id: id } = c.req.valid('param')
    return c.json(card(await c.var.db.transaction((tx) => verbs.setPrimary(tx, c.var.actor, id))), 200)
  },
)
