// The seam over which connections move from the primary to one worker. Speaks from the primary's point of view.

/** Passes connections to one worker, and keeps each until the worker has claimed it. */
export interface Channel {
  /** Hand-offs that the worker has not claimed. */
  readonly outstanding: number
  /** Hand-offs that the worker has claimed, since the start. */
  readonly claimed: number
  /** May another be offered? The window bounds what waits in front of one worker. */
  readonly hasRoom: boolean
  /** Offers a connection; it leaves with the next `flush()`. False: no room, the connection is still the caller's. */
  offer(fd: number, tag: number): boolean
  flush(): void
  /** Lets go of what has been claimed. Connections that the worker could not receive go to `returned` and are the caller's again. */
  settle(returned: (fd: number, tag: number) => void): void
  /** Takes back all that the worker has not claimed, and now never can. For a worker that is gone. */
  takeBack(taken: (fd: number, tag: number) => void): void
  /** Ends the channel; `takeBack` first. */
  close(): void
}
