import { z } from '@hono/zod-openapi'
import { Refused } from '../../../db/powerbank/refused.ts'
import type { Choice, Entry, Taken } from '../../../db/powerbank/user-import.ts'
import { Email, FullName, Phone } from '../../user-fields.ts'
import type { TableRow } from '../../workbook.ts'

/** The sheet people are listed on (docs/contracts.md 4.13). */
export const SHEET = 'Пользователи'
/** Roles a file may give; a service_admin is made by hand. */
export const IMPORT_ROLES = ['user', 'subgroup_admin', 'group_admin'] as const

/** The columns of a file: what the template calls them, and what else is understood. */
export const COLUMNS = {
  fio: { title: 'ФИО', others: ['ф.и.о.', 'фамилия имя отчество', 'fio', 'full_name'] },
  email: { title: 'email', others: ['e-mail', 'почта', 'эл. почта', 'электронная почта'] },
  phone: { title: 'phone', others: ['phone_e164', 'телефон', 'номер телефона', 'мобильный телефон', 'тел.'] },
  role: { title: 'роль', others: ['role'] },
  org_unit: { title: 'группа', others: ['подразделение', 'org_unit', 'org_unit_id', 'отдел'] },
} as const
type Column = keyof typeof COLUMNS
const columns = Object.keys(COLUMNS) as Column[]
const needed = ['fio', 'email', 'phone'] as const

/** What is wrong with a row. `exists`: the person is there already; `duplicate`: a row above says the same. */
export const RowError = z
  .object({
    row: z.int(),
    column: z.enum(['fio', 'email', 'phone', 'role', 'org_unit']),
    cell: z.string().openapi({ example: 'C17' }),
    kind: z.enum(['invalid', 'duplicate', 'exists']),
    error: z.string(),
  })
  .openapi('ImportRowError')
/** The value of `RowError`. */
export type RowError = z.infer<typeof RowError>

/** A table with each of its rows looked at. */
export interface Checked {
  /** Rows below the head. */
  total: number
  valid: Entry[]
  errors: RowError[]
  /** Where the columns are, for what is found out later. */
  at: Partial<Record<Column, number>>
}

const formulaStart = /^[=+\-@]/
const control = /\p{Cc}/u

/** A unit as the template lists it. The number decides; names need not be unique. */
export const unitLabel = ({ id, name, parentName }: Choice) =>
  `${parentName === null ? name : `${parentName} / ${name}`} (№${id})`

function fullName(text: string): string {
  if (formulaStart.test(text)) throw new Wrong('не может начинаться с = + - @')
  if (control.test(text)) throw new Wrong('содержит недопустимые символы')
  const words = text.split(/\s+/)
  if (words.length < 2) throw new Wrong('нужны фамилия и имя, не меньше двух слов')
  return parsed(FullName, words.join(' '))
}

/** `8 (900) 123-45-67`, `79001234567` and `9001234567` are all +79001234567. */
function phoneNumber(text: string): string {
  const digits = text.replace(/[\s().–—-]/g, '')
  const [, long, short] = /^(?:(?:\+?7|8)(\d{10})|(9\d{9}))$/.exec(digits) ?? []
  const local = long ?? short
  return parsed(Phone, local === undefined ? digits : `+7${local}`)
}

function email(text: string): string {
  if (formulaStart.test(text)) throw new Wrong('не может начинаться с = + - @')
  return parsed(Email, text)
}

function roleName(text: string): Entry['role'] {
  const role = IMPORT_ROLES.find((name) => name === text.toLowerCase())
  if (text !== '' && !role) throw new Wrong(`допустимые роли: ${IMPORT_ROLES.join(', ')}`)
  return role ?? 'user'
}

/** By number, as in the template's list or bare, or by a name that only one unit has. */
function unitOf(text: string, units: readonly Choice[]): number {
  const number = /(?:^|№\s*)(\d{1,15})\)?$/.exec(text)?.[1]
  const found =
    number === undefined
      ? units.filter(({ name }) => name.toLowerCase() === text.toLowerCase())
      : units.filter(({ id }) => id === Number(number))
  if (found.length > 1) throw new Wrong('групп с таким названием несколько: укажите номер')
  if (!found[0]) throw new Wrong('группа не найдена или недоступна')
  return found[0].id
}

/** One field of one row is wrong. */
class Wrong extends Error {}

function parsed<T>(schema: z.ZodType<T>, text: string): T {
  const result = schema.safeParse(text)
  if (result.success) return result.data
  const message = result.error.issues[0]!.message
  throw new Wrong(/[а-яё]/i.test(message) ? message : 'неверное или слишком длинное значение')
}

/** Which column is where. Throws `Refused('invalid')` when one that is needed is missing or there twice. */
function headOf({ cells }: TableRow): Checked['at'] {
  const named = cells.map((cell) => cell.toLowerCase().replace(/\s*\*$/, ''))
  const at: Checked['at'] = {}
  for (const column of columns) {
    const names: string[] = [COLUMNS[column].title.toLowerCase(), ...COLUMNS[column].others]
    const places = named.flatMap((name, place) => (names.includes(name) ? [place] : []))
    if (places.length > 1) throw badHead(`Столбец ${COLUMNS[column].title} указан дважды`)
    if (places[0] !== undefined) at[column] = places[0]
  }
  const missing = needed.filter((column) => at[column] === undefined).map((column) => COLUMNS[column].title)
  if (missing.length > 0) throw badHead(`В первой строке нет столбцов: ${missing.join(', ')}`)
  return at
}

const badHead = (text: string) => new Refused('invalid', 'head', { field: 'file', text })

const firstLetterCode = 'A'.charCodeAt(0)
const letters = 26
const letterOf = (column: number) =>
  (column < letters ? '' : String.fromCharCode(firstLetterCode + Math.floor(column / letters) - 1)) +
  String.fromCharCode(firstLetterCode + (column % letters))
const cellOf = (at: Checked['at'], column: Column, row: number) => `${letterOf(at[column] ?? 0)}${row}`

/** What holds for rows that say nothing of a unit. */
export interface Place {
  units: readonly Choice[]
  /** For rows that name no unit; null: none. */
  unitId: number | null
  /** False: somebody of no unit may be taken in. */
  needsUnit: boolean
}

type Say = (column: Column, kind: RowError['kind'], error: string) => void

/** The fields of one row; one that is wrong is said and left out. */
function readRow(text: (column: Column) => string, say: Say, { units, unitId, needsUnit }: Place) {
  function read<T>(column: Column, parse: (value: string) => T): T | undefined {
    try {
      if (text(column) === '' && needed.some((one) => one === column)) throw new Wrong('не заполнено')
      return parse(text(column))
    } catch (error) {
      if (!(error instanceof Wrong)) throw error
      say(column, 'invalid', error.message)
      return undefined
    }
  }
  const person = {
    fullName: read('fio', fullName),
    email: read('email', email),
    phone: read('phone', phoneNumber),
    role: read('role', roleName),
    orgUnitId: read('org_unit', (value) => (value === '' ? unitId : unitOf(value, units))),
  }
  const { orgUnitId, role } = person
  if (orgUnitId === null && (needsUnit || (role !== undefined && role !== 'user')))
    say('org_unit', 'invalid', 'укажите группу')
  return person
}

/** Rows into people: each row is one, or has errors. Throws `Refused('invalid')` when the head lacks a column. */
export function check([head, ...rows]: readonly TableRow[], place: Place): Checked {
  const at = headOf(head!)
  const errors: RowError[] = []
  const valid: Entry[] = []
  const seen = { phone: new Map<string, number>(), email: new Map<string, number>() }
  for (const { row, cells } of rows) {
    const before = errors.length
    const say: Say = (column, kind, error) => errors.push({ row, column, cell: cellOf(at, column, row), kind, error })
    const person = readRow((column) => cells[at[column] ?? Number.NaN] ?? '', say, place)
    for (const column of ['phone', 'email'] as const) {
      const value = person[column]?.toLowerCase()
      if (value === undefined) continue
      const first = seen[column].get(value)
      if (first === undefined) seen[column].set(value, row)
      else say(column, 'duplicate', `уже есть в строке ${first}`)
    }
    // Whatever is missing was said.
    if (errors.length === before) valid.push({ row, ...(person as Omit<Entry, 'row'>) })
  }
  return { total: rows.length, valid, errors, at }
}

/** The same in words for those who are there already. */
export const existing = (taken: readonly Taken[], { at }: Checked): RowError[] =>
  taken.flatMap(({ row, phone, email }) =>
    (['phone', 'email'] as const)
      .filter((column) => (column === 'phone' ? phone : email))
      .map((column) => ({
        row,
        column,
        cell: cellOf(at, column, row),
        kind: 'exists' as const,
        error: `пользователь с таким ${column === 'phone' ? 'телефоном' : 'email'} уже существует`,
      })),
  )
