// What a file for PM2 of our own has, and what should become of it.

export interface Own {
  readonly title: string
  readonly apps: readonly Readonly<Record<string, unknown>>[]
  readonly files?: Readonly<Record<string, string>>
  readonly env?: string
  readonly only?: readonly string[]
  readonly config: unknown
  readonly missing?: readonly string[]
  readonly differs?: readonly string[]
  readonly notNeeded?: readonly string[]
}

export const ROTATE = { size: '10M', keep: 10, compress: true }
export const app = (more: object = {}) => ({ app: './app.js', workers: 1, ...more })
export const job = (more: object = {}) => ({ app: './job.js', ...more })
