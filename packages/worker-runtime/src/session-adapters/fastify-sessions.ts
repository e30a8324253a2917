// A store for @fastify/session, which speaks with it as express-session does.

import { type CallbackStore, type CallbackStoreOptions, callbackStore } from './callback-store.ts'

export type { Callback, CallbackStore, CallbackStoreOptions, CookieSession } from './callback-store.ts'

/** `app.register(fastifySession, { store: fastifySessions(), secret })`. With `idGenerator: store.newId` the ids are ours. */
export function fastifySessions(options: CallbackStoreOptions = {}): CallbackStore {
  return callbackStore(options)
}
