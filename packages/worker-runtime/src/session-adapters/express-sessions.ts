// A store for express-session. It extends the `Store` of the express-session that the app has: sessions and cookies are made by its classes.

import { type CallbackStore, type CallbackStoreOptions, callbackStore } from './callback-store.ts'

export type { Callback, CallbackStore, CallbackStoreOptions, CookieSession } from './callback-store.ts'

/** What this needs of the module `express-session`. */
export interface ExpressSessionModule<Store extends object> {
  readonly Store: abstract new () => Store
}

/**
 * `session({ store: expressSessions(session), secret, resave: false, saveUninitialized: false })`, where `session` is the module express-session.
 * With `genid: store.newId` the ids are ours.
 */
export function expressSessions<Store extends object>(
  module: ExpressSessionModule<Store>,
  options: CallbackStoreOptions = {},
): Store & CallbackStore {
  // Abstract in its types only.
  const Store = module.Store as new () => Store
  return Object.assign(new Store(), callbackStore(options))
}
