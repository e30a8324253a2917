// One app of a file for PM2 while it becomes a pool: what has been set, and what was found about each of its options.

import { type Fault, formatPath } from '../faults.ts'
import type { LimitConfig } from '../limit-options.ts'
import type { PoolConfig } from '../pool/pool-options.ts'
import type { Finding, FindingState } from './finding.ts'
import type { WrittenApp } from './option-names.ts'
import type { Read } from './values.ts'

/** The options of a pool that a file for PM2 can lead to. */
export type Pm2Pool = {
  -readonly [Name in keyof PoolConfig]: PoolConfig[Name]
} & {
  listens?: false
  shutdownMessage?: true
  stopExitCodes?: readonly number[]
  restartAt?: string
  schedule?: string
}

export type Pm2Limit = 'restartDelayMs' | 'maxRestarts' | 'startTimeoutMs'

export interface DraftOptions {
  readonly written: WrittenApp
  /** Its place in the file. */
  readonly index: number
  readonly name: string
  readonly poolName: string
  /** Folder that its relative paths start from, and its working directory if it names none. */
  readonly folder: string
}

export class AppDraft {
  readonly written: WrittenApp
  readonly name: string
  readonly poolName: string
  readonly folder: string
  readonly pool: Pm2Pool = {}
  readonly limits: Pick<LimitConfig, Pm2Limit> = {}
  readonly faults: Fault[] = []
  /** Where an option of the config comes from: `pools.api.workers` → `apps[0].instances`. */
  readonly origins = new Map<string, string>()
  /** Port on which the app listens, if the file tells. */
  port: number | undefined
  /** Absolute path of the entry file; undefined: the balancer can't run the app, or does not start it. */
  entry: string | undefined
  private readonly index: number
  private readonly found: Finding[] = []

  constructor({ written, index, name, poolName, folder }: DraftOptions) {
    this.written = written
    this.index = index
    this.name = name
    this.poolName = poolName
    this.folder = folder
    this.origins.set(formatPath(['pools', poolName]), formatPath(['apps', index]))
  }

  has(option: string): boolean {
    return this.written.options.has(option)
  }

  /** The value of an option; undefined: it is left out, or has a fault, which is recorded. */
  read<T>(option: string, reader: (value: unknown) => Read<T>): T | undefined {
    const written = this.written.options.get(option)
    if (written === undefined) return undefined
    const read = reader(written.value)
    if ('value' in read) return read.value
    this.fault(option, read.fault)
    return undefined
  }

  fault(option: string, message: string): void {
    this.faults.push({ path: this.pathOf(option), message })
  }

  /** Sets an option of the pool, and says so. */
  set<Name extends keyof Pm2Pool & string>(
    name: Name,
    value: Pm2Pool[Name],
    option: string,
    state: FindingState = 'same',
    note?: string,
  ): void {
    this.pool[name] = value
    this.say(option, state, note, formatPath(['pools', this.poolName, name]))
  }

  /** Sets an option of the whole balancer, and says so. */
  setLimit(name: Pm2Limit, value: number, option: string, note: string): void {
    this.limits[name] = value
    this.say(option, 'differs', note, name)
  }

  /** Says what becomes of an option. A later word about the same option replaces the earlier one. */
  say(option: string, state: FindingState, note?: string, becomes?: string): void {
    const written = this.written.options.get(option)?.name ?? option
    const before = this.found.findIndex((one) => one.option === written)
    if (before !== -1) this.found.splice(before, 1)
    this.found.push({
      app: this.name,
      pool: this.poolName,
      option: written,
      state,
      ...(becomes !== undefined && { becomes }),
      ...(note !== undefined && { note }),
    })
    if (becomes !== undefined && this.isWritten(option) && !this.origins.has(becomes)) this.origins.set(becomes, this.pathOf(option))
  }

  /** Takes back what was said of an option. */
  drop(option: string): void {
    const before = this.found.findIndex((one) => one.option === option)
    if (before !== -1) this.found.splice(before, 1)
  }

  /** Has something been said of it? */
  isSettled(option: string): boolean {
    const written = this.written.options.get(option)?.name ?? option
    return this.found.some((one) => one.option === written)
  }

  /** In the order of the file, then what the file does not say. */
  get findings(): Finding[] {
    const order = [...this.written.options.values(), ...this.written.environments.values()].map(({ name }) => name)
    const place = ({ option }: Finding): number => (order.includes(option) ? order.indexOf(option) : order.length)
    return this.found.toSorted((one, other) => place(one) - place(other))
  }

  private isWritten(option: string): boolean {
    return this.has(option) || [...this.written.environments.values()].some(({ name }) => name === option)
  }

  private pathOf(option: string): string {
    return formatPath(['apps', this.index, this.written.options.get(option)?.name ?? option])
  }
}
