// A store for express-session. It extends the `Store` of the app's own copy of express-session, whose classes make the sessions and
// cookies.

import { type CallbackStore, type CallbackStoreOptions, callbackStore } from './callback-store.ts'

export type { Callback, CallbackStore, CallbackStoreOptions, CookieSession } from './callback-store.ts'

/** The part of the module `express-session` that is used. */
export interface ExpressSessionModule<Store extends object> {
  readonly Store: abstract new () => Store
}

/**
 * `session({ store: expressSessions(session), secret, resave: false, saveUninitialized: false })`, where `session` is the module
 * express-session. `genid: store.newId` gives signed ids.
 */
export function expressSessions<Store extends object>(
  module: ExpressSessionModule<Store>,
  options: CallbackStoreOptions = {},
): Store & CallbackStore {
  // Only its types are abstract.
  const Store = module.Store as new () => Store
  return Object.assign(new Store(), callbackStore(options))
}
