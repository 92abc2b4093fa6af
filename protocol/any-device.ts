// The words of any device. Each kind has its own reports and commands (cabinet.ts); these are what all of them share.

/**
 * What a device says. Two kinds mean the same of every device: a `login` says who it is, on a connection's first frame or
 * later; a `heartbeat` only that it lives.
 */
export interface AnyReport {
  kind: string
}

/** What we tell a device to do. `restart` means the same to every device: a login is what comes of it. */
export interface AnyCommand {
  kind: string
}

/** What the middle decided about a report that wants an acknowledgement. */
export type Verdict =
  /** Stored: login accepted, heartbeat heard, return taken, abnormal report filed. */
  | { kind: 'accepted' }
  /** Not ours: an unknown or unverifiable device at login. */
  | { kind: 'refused' }
  /** The report was an answer; there is nothing to say back. */
  | { kind: 'silent' }

/** A verdict of any kind of device: some answers say more than yes or no. */
export interface AnyVerdict {
  kind: string
}

/** The secret half of a conversation, known once the login's serial has been looked up. */
export interface Secrets {
  /** Keys that verify what the device says, newest first (two during a key change). Empty: the dialect needs none. */
  keys: readonly string[]
}

/** When a command was given and how long it holds; cabinets with firmware that looks drop one that is older (5.4). */
export interface When {
  unixSeconds: number
  ttlSeconds: number
}

/** What an acknowledgement needs and `protocol/`, which has no clock, cannot make: a server nonce (u32) and Unix seconds. */
export interface Entropy {
  nonce: number
  unixSeconds: number
}

/** One connection's translator, bound to its device's secrets. No I/O. `Decided`: of a kind whose answers say more than yes or no. */
export interface Codec<
  Report extends AnyReport = AnyReport,
  Command extends AnyCommand = AnyCommand,
  Decided extends { kind: string } = Verdict,
> {
  /**
   * A whole frame into a report.
   * @throws MalformedBody bad checksum, token or MAC, unknown code or unreadable body
   */
  decode(frame: Buffer): Report
  /**
   * A command as a frame ready to be written. @throws RangeError a value or a command this wire cannot carry
   * @param when said with movements where the wire has room for it (MQTT); TCP has none
   */
  encode(command: Command, when?: When): Buffer
  /** The acknowledgement of a report, or null where the wire has none. @param entropy for TCP-B's login answer (0x60) */
  answer(frame: Buffer, verdict: Decided, entropy: Entropy): Buffer | null
  /** A copy of a frame that was decoded, to be answered later and as it would be now. Absent: nothing here is. */
  keep?(frame: Buffer): Buffer
}

/** Cuts the stream of one connection into frames. */
export interface Framer {
  /**
   * Whole frames of everything pushed so far, as views of the chunk; the rest waits for the next chunk.
   * Yields every whole frame before it throws, so that a report in front of garbage is not lost.
   * @throws BrokenStream there is no way back in step
   */
  push(chunk: Buffer): Iterable<Buffer>
  /** Bytes of a frame begun and not finished; never more than one frame. */
  rest(): Buffer
}
