// The contract of session stores, for the store of a process outside a pool.

import { suite } from '../../../test/suite.ts'
import { LocalStore } from '../src/local-store.ts'
import { contractTombstoneMs, sessionStoreContract } from './session-store-contract.ts'

const test = suite('local session store')

sessionStoreContract(test, {
  open() {
    const store = new LocalStore({ maxSessions: 10_000, maxBytes: 2 ** 28, tombstoneMs: contractTombstoneMs })
    return { one: store, other: store }
  },
  reports: false,
})

test.run()
