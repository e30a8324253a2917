// Uploads arrive complete, however they are cut into pieces.

import { suite } from '../../../../test/suite.ts'
import { uploadAlternating, uploadToOnePool } from './support/upload-run.ts'

const test = suite('uploads', { timeoutMs: 60_000 })

test('600 uploads with cut heads, three on each connection: every SHA-256 is right', () => uploadToOnePool(600, 1))

test('600 uploads that alternate between two pools on each connection: every SHA-256 is right', () => uploadAlternating(600, 2))

test.run()
