import { z } from '@hono/zod-openapi'

// What every surface asks of a person's data in a body, whatever it calls the fields.

const nameCharactersMax = 200
const emailCharactersMax = 254
const passwordCharactersMin = 6
const passwordCharactersMax = 128

/** Controls, marks of direction, what has no shape, line breaks: they make one name look like another. */
const isUnseen = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\u115f\u1160\u2800\u3164\uffa0]/u

/** Somebody's name: `fio`, `full_name`. */
export const FullName = z
  .string()
  .trim()
  .min(1)
  .max(nameCharactersMax)
  .refine((name) => !isUnseen.test(name), 'недопустимые символы: управляющие или невидимые')
  .openapi({ example: 'Иван Иванов' })
/** E.164. */
export const Phone = z
  .string()
  .trim()
  .regex(/^\+[1-9]\d{9,14}$/, 'ожидается телефон в формате E.164, например +79001234567')
  .openapi({ example: '+79001234567' })
/** Of the mailbox itself: no name, no brackets. */
export const Email = z
  .string()
  .trim()
  .max(emailCharactersMax)
  .pipe(z.email('ожидается адрес электронной почты'))
  .openapi({ type: 'string', format: 'email', example: 'ivan@example.com' })
/** A new password. */
export const Password = z
  .string()
  .min(passwordCharactersMin, `не короче ${passwordCharactersMin} символов`)
  .max(passwordCharactersMax, `не длиннее ${passwordCharactersMax} символов`)
  .openapi({ format: 'password', example: 'password123' })
