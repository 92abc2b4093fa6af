/** What we use of binary-parser 2.3.0; its own types are not found under `nodenext` (its `exports` do not name them). */
declare module 'binary-parser' {
  type Length = number | string
  type Checks = { formatter?: (value: number) => unknown; assert?: (value: number) => boolean }
  export class Parser {
    uint8(name: string, options?: Checks): this
    int8(name: string, options?: Checks): this
    uint16be(name: string, options?: Checks): this
    uint32be(name: string, options?: Checks): this
    buffer(name: string, options: { length?: Length; readUntil?: 'eof'; formatter?: (bytes: Buffer) => unknown }): this
    array(name: string, options: { length: Length; type: Parser }): this
    choice(options: { tag: (this: Record<string, number>) => number; choices: Record<number, Parser> }): this
    saveOffset(name: string): this
    parse(bytes: Buffer): Record<string, unknown>
  }
}
