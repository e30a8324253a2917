// SIGHUP: read the config again, as daemons do. When it says that the terminal has gone, it means what it always meant there: stop.

import type { CliIo } from '../io.ts'

export interface SighupActions {
  reload(): void
  stop(): void
}

/** Heeds SIGHUP until the returned function is called. */
export function handleSighup(io: Pick<CliIo, 'signals' | 'hasLostTerminal'>, { reload, stop }: SighupActions): () => void {
  const heard = (): void => (io.hasLostTerminal() ? stop() : reload())
  io.signals.on('SIGHUP', heard)
  return () => void io.signals.off('SIGHUP', heard)
}
