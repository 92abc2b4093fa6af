import { inflateRawSync } from 'node:zlib'

/** Of all parts together, unpacked. A workbook of 10,000 rows and 50 columns has about 25 MB. */
const unpackedBytesMax = 67_108_864
/** Unpacked to packed. Spreadsheets reach 30; below `ratioFromBytes` nobody minds. */
const ratioMax = 200
const ratioFromBytes = 4_194_304
const entriesMax = 500

const endSignature = 0x06054b50
const endBytes = 22
const commentBytesMax = 65_535
const centralSignature = 0x02014b50
const centralBytes = 46
const localSignature = 0x04034b50
const localBytes = 30
const stored = 0
const deflated = 8
const encryptedFlag = 1
/** The sizes stand behind the data: readers search for them, each in its own way. */
const laterFlag = 8

/** A zip that is broken, or written so that readers differ about it, or that unpacks to more than anybody needs. */
export class BadZipError extends Error {
  readonly isTooBig: boolean
  constructor(detail: string, isTooBig = false) {
    super(detail)
    this.name = 'BadZipError'
    this.isTooBig = isTooBig
  }
}

interface Entry {
  name: string
  method: number
  packedBytes: number
  unpackedBytes: number
  localAt: number
}

/**
 * Looks through a zip before anybody unpacks it: first what its directory declares, then what its parts really inflate
 * to, never further than declared. ZIP64, encryption, names given twice and sizes told elsewhere are refused: a
 * workbook has none of them, and readers differ about them. Takes CPU: for a worker thread.
 * @throws BadZipError
 */
export function assertModest(bytes: Uint8Array): void {
  const zip = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries = directory(zip)
  const declared = entries.reduce((sum, { unpackedBytes }) => sum + unpackedBytes, 0)
  const isBomb = declared > ratioFromBytes && declared > zip.length * ratioMax
  if (declared > unpackedBytesMax || isBomb) throw new BadZipError(`${declared} bytes unpacked`, true)
  for (const entry of entries) inflate(zip, entry)
}

function directory(zip: Buffer): Entry[] {
  const end = findEnd(zip)
  const count = zip.readUInt16LE(end + 10)
  const names = new Set<string>()
  const entries: Entry[] = []
  if (count > entriesMax) throw new BadZipError(`${count} parts`, true)
  for (let at = zip.readUInt32LE(end + 16), n = 0; n < count; n++) {
    if (at + centralBytes > end || zip.readUInt32LE(at) !== centralSignature) throw new BadZipError('no directory')
    const nameBytes = zip.readUInt16LE(at + 28)
    const flags = zip.readUInt16LE(at + 8)
    const entry = {
      name: zip.toString('utf8', at + centralBytes, at + centralBytes + nameBytes),
      method: zip.readUInt16LE(at + 10),
      packedBytes: zip.readUInt32LE(at + 20),
      unpackedBytes: zip.readUInt32LE(at + 24),
      localAt: zip.readUInt32LE(at + 42),
    }
    if (flags & encryptedFlag) throw new BadZipError('encrypted')
    if (flags & laterFlag && entry.packedBytes === 0) throw new BadZipError(`${entry.name} does not tell its size`)
    if (names.has(entry.name)) throw new BadZipError(`${entry.name} is there twice`)
    names.add(entry.name)
    entries.push(entry)
    at += centralBytes + nameBytes + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32)
  }
  return entries
}

function findEnd(zip: Buffer): number {
  const from = Math.max(0, zip.length - endBytes - commentBytesMax)
  for (let at = zip.length - endBytes; at >= from; at--) if (zip.readUInt32LE(at) === endSignature) return at
  throw new BadZipError('not a zip')
}

/** Unpacks one part and forgets it. */
function inflate(zip: Buffer, { name, method, packedBytes, unpackedBytes, localAt }: Entry): void {
  if (localAt + localBytes > zip.length || zip.readUInt32LE(localAt) !== localSignature)
    throw new BadZipError(`${name} is not where it should be`)
  const start = localAt + localBytes + zip.readUInt16LE(localAt + 26) + zip.readUInt16LE(localAt + 28)
  if (start + packedBytes > zip.length) throw new BadZipError(`${name} is cut off`)
  if (method !== stored && method !== deflated) throw new BadZipError(`${name} is packed by method ${method}`)
  const real = method === stored ? packedBytes : inflatedBytes(zip.subarray(start, start + packedBytes), unpackedBytes)
  if (real !== unpackedBytes) throw new BadZipError(`${name} unpacks to ${real} bytes, not ${unpackedBytes}`)
}

function inflatedBytes(packed: Buffer, declared: number): number {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, declared) }).length
  } catch (cause) {
    const isTooBig = (cause as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE'
    throw new BadZipError(isTooBig ? 'a part is larger than declared' : 'a part is broken', isTooBig)
  }
}
