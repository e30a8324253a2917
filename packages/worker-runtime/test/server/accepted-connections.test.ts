// A connection that a server is handed is to the app as one that it accepted itself: whatever the options of the server, in every version of Node.

import { assert, suite } from '../../../../test/suite.ts'
import { seeConnection, type Way } from '../support/seen-connection.ts'
import { certificate } from '../support/self-signed.ts'
import { isConsidered, type Kind, optionNames, optionsToTry } from '../support/server-options.ts'

const test = suite('accepted connections', { timeoutMs: 60_000 })
const kinds: readonly Kind[] = ['net', 'http', 'https', 'tls', 'http2']
const ways: readonly Way[] = ['accepted', 'handed as a handle', 'handed as a descriptor']
const made = certificate()

for (const kind of kinds) {
  test(`it is known what becomes of each option of ${kind}`, () => {
    const names = optionNames(kind)
    assert.ok(names.length > 0)
    assert.equal(
      names.filter((name) => !isConsidered(kind, name)),
      [],
      'a new option of Node: see what it does to a connection, and write it into server-options.ts',
    )
  })

  test(`a connection and a request of ${kind} are seen alike with every option`, async () => {
    for (const options of optionsToTry(kind)) {
      const [bare, ...handed] = await Promise.all(ways.map((way) => seeConnection(kind, options, made, way)))
      for (const seen of handed) assert.equal(seen, bare, Object.keys(options).join() || 'no option')
    }
  })
}

test.run()
