import type { Choice } from '../../../db/powerbank/user-import.ts'
import * as workbook from '../../workbook.ts'
import { COLUMNS, IMPORT_ROLES, SHEET, unitLabel } from './import-rows.ts'

const listSheet = 'Списки'
const { fio, email, phone, role, org_unit } = COLUMNS

const instructions = [
  ['Как заполнить'],
  [`Впишите людей на лист «${SHEET}», по одному в строке, начиная со второй строки.`],
  [`${fio.title}: фамилия, имя и, если есть, отчество. Обязательно.`],
  [`${email.title}: сюда придёт письмо с паролем. Обязательно, у каждого свой.`],
  [`${phone.title}: +79001234567, 8 900 123-45-67 или 9001234567. Обязательно, у каждого свой.`],
  [`${role.title}: ${IMPORT_ROLES.join(', ')}. Пусто: user.`],
  [`${org_unit.title}: из списка. Пусто: группа, выбранная при загрузке.`],
  ['Не больше 10 000 строк и 10 МБ. Сначала файл можно проверить, ничего не создавая.'],
]

/** The workbook people are filled into (docs/contracts.md 4.13): with the units that its reader may choose from. */
export const template = (units: readonly Choice[]) =>
  workbook.write([
    {
      name: SHEET,
      rows: [[fio.title, email.title, phone.title, role.title, org_unit.title]],
      widths: [40, 32, 20, 18, 40],
      checks: [
        {
          column: 'A',
          rule: { formula: 'ISNUMBER(FIND(" ",TRIM(A2)))' },
          title: fio.title,
          text: 'Фамилия и имя, не меньше двух слов',
        },
        {
          column: 'B',
          rule: { formula: 'ISNUMBER(FIND("@",B2))' },
          title: email.title,
          text: 'Например ivan@example.com',
        },
        { column: 'C', rule: { formula: 'LEN(C2)>=10' }, title: phone.title, text: 'Например +79001234567' },
        {
          column: 'D',
          rule: { choices: [...IMPORT_ROLES] },
          title: role.title,
          text: 'Выберите из списка; пусто: user',
        },
        ...(units.length === 0
          ? []
          : [
              {
                column: 'E',
                rule: { range: `${listSheet}!$A$2:$A$${units.length + 1}` },
                title: org_unit.title,
                text: 'Выберите из списка; пусто: группа, выбранная при загрузке',
              },
            ]),
      ],
    },
    { name: 'Инструкция', rows: instructions, widths: [100] },
    {
      name: listSheet,
      isHidden: true,
      rows: [[org_unit.title], ...units.map((unit) => [unitLabel(unit)])],
      widths: [60],
    },
  ])
