// A store for @fastify/session, which has the same store interface as express-session.

import { type CallbackStore, type CallbackStoreOptions, callbackStore } from './callback-store.ts'

export type { Callback, CallbackStore, CallbackStoreOptions, CookieSession } from './callback-store.ts'

/** `app.register(fastifySession, { store: fastifySessions(), secret })`. `idGenerator: store.newId` gives signed ids. */
export function fastifySessions(options: CallbackStoreOptions = {}): CallbackStore {
  return callbackStore(options)
}
