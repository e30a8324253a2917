// The long forms of e2e/log-files.test.ts.

import { suite } from '../../../test/suite.ts'
import { printEverything, printOnFullDisk } from '../test/e2e/support/log-run.ts'

const MB = 1e6
const test = suite('logs', { timeoutMs: 20 * 60_000 })

test('1 GB of output of four workers, rotated and compressed: no line is lost or torn, and the memory stays flat', () =>
  printEverything({ workers: 4, bytes: 1_000 * MB }))

test('1 GB into a disk that is full half of the time: no request fails, and every lost line is counted', () =>
  printOnFullDisk({ workers: 4, bytes: 1_000 * MB }))

test.run()
