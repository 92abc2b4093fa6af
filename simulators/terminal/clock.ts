const two = (value: number) => String(value).padStart(2, '0')

/** Field 7: MMDDhhmmss in UTC. */
export const sentAtOf = (at: Date): string =>
  [at.getUTCMonth() + 1, at.getUTCDate(), at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join('')

/** Fields 12 and 13: hhmmss and MMDD where the terminal stands. */
export const localOf = (at: Date): { localTime: string; localDate: string } => ({
  localTime: [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(''),
  localDate: [at.getMonth() + 1, at.getDate()].map(two).join(''),
})
