import type { Issue } from './surface.ts'

const valueAt = (data: unknown, path: PropertyKey[]): unknown =>
  path.reduce<unknown>((at, step) => (typeof at === 'object' && at !== null ? Reflect.get(at, step) : undefined), data)

/** True for what is wrong because it is not there, whatever a schema says of it. @param data what was judged, where it is known */
export const isAbsent = (issue: Issue, data: unknown): boolean =>
  /received undefined$/.test(issue.message) ||
  (data !== undefined && issue.path.length > 0 && valueAt(data, issue.path) === undefined)
