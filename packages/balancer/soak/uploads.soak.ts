// The long form of e2e/uploads.test.ts.

import { suite } from '../../../test/suite.ts'
import { uploadAlternating, uploadToOnePool } from '../test/e2e/support/upload-run.ts'

const COUNT = 20_000
const seed = Number(process.env.SEED ?? 1)
const test = suite(`uploads, seed ${seed}`, { timeoutMs: 25 * 60_000 })

test(`${COUNT} uploads with cut heads, three on each connection: every SHA-256 is right`, () => uploadToOnePool(COUNT, seed))

test(`${COUNT} uploads that alternate between two pools on each connection: every SHA-256 is right`, () => uploadAlternating(COUNT, seed))

test.run()
