// A connection that is handed to a server looks to the app like an accepted one, with all options of the server and in every version of Node.

import { assert, suite } from '../../../../test/suite.ts'
import { seeConnection, type Way } from '../support/seen-connection.ts'
import { certificate } from '../support/self-signed.ts'
import { isConsidered, type Kind, optionNames, optionsToTry } from '../support/server-options.ts'

const test = suite('accepted connections', { timeoutMs: 60_000 })
const kinds: readonly Kind[] = ['net', 'http', 'https', 'tls', 'http2']
const ways: readonly Way[] = ['accepted', 'handed as a handle', 'handed as a descriptor']
const made = certificate()

for (const kind of kinds) {
  test(`each option of ${kind} is covered`, () => {
    const names = optionNames(kind)
    assert.ok(names.length > 0)
    assert.equal(
      names.filter((name) => !isConsidered(kind, name)),
      [],
      'a new option of Node: see what it does to a connection, and write it into server-options.ts',
    )
  })

  test(`a connection and a request of ${kind} look the same with every option`, async () => {
    for (const options of optionsToTry(kind)) {
      const [bare, ...handed] = await Promise.all(ways.map((way) => seeConnection(kind, options, made, way)))
      for (const seen of handed) assert.equal(seen, bare, Object.keys(options).join() || 'no option')
    }
  })
}

test.run()
