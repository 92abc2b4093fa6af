import { deflateRawSync } from 'node:zlib'
import * as workbook from '../../api/workbook.ts'

/** A table as an .xlsx workbook of one sheet. */
export const xlsx = (rows: string[][], name = 'Пользователи') => workbook.write([{ name, rows }])

/** A form with a file in it, as a browser sends it. */
export function form(bytes: Uint8Array<ArrayBuffer> | string, name = 'люди.xlsx', fields: Record<string, string> = {}) {
  const body = new FormData()
  body.set('file', new File([bytes], name))
  for (const [field, value] of Object.entries(fields)) body.set(field, value)
  return body
}

/** One part of a zip; what it says of itself may be a lie. */
export interface Part {
  name: string
  data: Uint8Array
  /** Said to be so long unpacked. */
  declaredBytes?: number
  flags?: number
}

const localHead = (name: Buffer, flags: number, packed: number, unpacked: number) => {
  const head = Buffer.alloc(30)
  head.writeUInt32LE(0x04034b50, 0)
  head.writeUInt16LE(20, 4)
  head.writeUInt16LE(flags, 6)
  head.writeUInt16LE(8, 8)
  head.writeUInt32LE(packed, 18)
  head.writeUInt32LE(unpacked, 22)
  head.writeUInt16LE(name.length, 26)
  return head
}

/** A zip with these parts, made by hand. A check sum of 0 is checked by nobody. */
export function zip(parts: Part[]): Buffer<ArrayBuffer> {
  const pieces: Buffer[] = []
  const directory: Buffer[] = []
  let at = 0
  for (const { name: text, data, declaredBytes = data.length, flags = 0 } of parts) {
    const [name, packed] = [Buffer.from(text), deflateRawSync(data)]
    const local = localHead(name, flags, packed.length, declaredBytes)
    const central = Buffer.alloc(46)
    central.writeUInt32LE(0x02014b50, 0)
    local.copy(central, 6, 4, 30)
    central.writeUInt32LE(at, 42)
    directory.push(central, name)
    pieces.push(local, name, packed)
    at += local.length + name.length + packed.length
  }
  const end = Buffer.alloc(22)
  end.writeUInt32LE(0x06054b50, 0)
  end.writeUInt16LE(parts.length, 8)
  end.writeUInt16LE(parts.length, 10)
  end.writeUInt32LE(Buffer.concat(directory).length, 12)
  end.writeUInt32LE(at, 16)
  return Buffer.concat([...pieces, ...directory, end])
}

const relation = (id: string, type: string, target: string) =>
  `<Relationship Id="${id}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/${type}" Target="${target}"/>`
const relations = (inner: string) =>
  `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${inner}</Relationships>`
const sheetType = 'application/vnd.openxmlformats-officedocument.spreadsheetml'
const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'

/** The parts of a workbook whose only sheet is this XML. */
export const bookParts = (sheet: string): Part[] =>
  Object.entries({
    '[Content_Types].xml': `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Override PartName="/xl/workbook.xml" ContentType="${sheetType}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="${sheetType}.worksheet+xml"/></Types>`,
    '_rels/.rels': relations(relation('rId1', 'officeDocument', 'xl/workbook.xml')),
    'xl/workbook.xml': `<workbook xmlns="${main}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="A" sheetId="1" r:id="rId1"/></sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': relations(relation('rId1', 'worksheet', 'worksheets/sheet1.xml')),
    'xl/worksheets/sheet1.xml': sheet,
  }).map(([name, text]) => ({ name, data: Buffer.from(text) }))

/** A sheet's XML around these rows. */
export const sheetXml = (rows: string, before = '') =>
  `<?xml version="1.0"?>${before}<worksheet xmlns="${main}"><sheetData>${rows}</sheetData></worksheet>`
