// What becomes of one option of a file for PM2.

/**
 * `same`: an option here does the same. `differs`: an option here is close to it. `not needed`: the balancer does it by itself, or has no use for it.
 * `missing`: nothing here does it, and the note says what to do instead.
 */
export type FindingState = 'same' | 'differs' | 'not needed' | 'missing'

export interface Finding {
  /** Name of the app; undefined: the option stands beside the apps. */
  readonly app: string | undefined
  /** Name of its pool, also if the app is left out. */
  readonly pool?: string | undefined
  /** As it is written in the file. */
  readonly option: string
  readonly state: FindingState
  /** The option of the balancer, such as `pools.api.workers`. */
  readonly becomes?: string | undefined
  /** One or two sentences without a final full stop. */
  readonly note?: string | undefined
}
